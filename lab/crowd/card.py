"""The test card, encoded once for any number of participants: a loop of packets and frames.

An encoder of a participant takes the next part of the loop, and ignores what it is given to encode. A request
for a key frame continues the loop at its next key frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from snugroom.client.media import codec
from snugroom.client.media.sources import Source, TestCard, blank, silence
from snugroom.wire.limits import AUDIO_PARTS

#: Length of the loop, seconds: whole beeps, whole packets of 60 ms, and one key frame each second.
SECONDS: Final = 6
_KEY_EVERY: Final = codec.VIDEO_RATE
#: The loop exists at these shares of the full bitrate: it must give way on a narrow connection.
_SHARES: Final = (0.25, 1.0)


@dataclass(frozen=True)
class _VideoLoop:
    """A loop of VP8 frames; None where the encoder skipped one."""

    bitrate: int
    frames: tuple[bytes | None, ...]
    keys: frozenset[int]

    def next_key(self, at: int) -> int:
        """Return the position of the first key frame, from `at` on."""
        length = len(self.frames)
        return next(i % length for i in range(at, at + length) if i % length in self.keys)


class EncodedCard:
    """One test card, encoded. `sound_encoder` and `video_encoder` are for `MediaEngine`."""

    def __init__(self, name: str, *, width: int = codec.WIDTH, height: int = codec.HEIGHT) -> None:
        self._blank = blank(width, height)
        card = TestCard(name, 0, width=width, height=height)
        sounds = [card.audio(index) for index in range(round(SECONDS / codec.FRAME_SECONDS))]
        #: Opus packets of 20 ms.
        self.audio: Final = _encoded_audio(sounds)
        #: And of 60 ms, for a large room.
        self.long_audio: Final = _encoded_audio(
            [np.concatenate(sounds[at : at + AUDIO_PARTS]) for at in range(0, len(sounds), AUDIO_PARTS)]
        )
        raw = [card.video(index / codec.VIDEO_RATE) for index in range(SECONDS * codec.VIDEO_RATE)]
        most = round(codec.VIDEO_BITRATE * width * height / (codec.WIDTH * codec.HEIGHT))
        #: Loops of VP8 frames, the lowest bitrate first.
        self.video: Final = tuple(_encoded(raw, width, height, round(most * share)) for share in _SHARES)

    def sound_encoder(self) -> codec.SoundEncoder:
        """Return an encoder that plays the loop of packets."""
        return _SoundLoop(self)

    def video_encoder(self, width: int, height: int, *, bitrate: int) -> codec.VideoEncoder:
        """Return an encoder that plays the loop of frames; it has only the card's own size."""
        return _VideoPlayer(self)

    def source(self) -> Source:
        """Return a source with nothing to draw: the encoders don't look at it."""
        return _Unseen(self._blank)


def _encoded_audio(sounds: Sequence[codec.Sound]) -> tuple[bytes, ...]:
    encoder = codec.OpusEncoder()
    return tuple(encoder.encode(sound) for sound in sounds)


def _encoded(raw: list[codec.RawFrame], width: int, height: int, bitrate: int) -> _VideoLoop:
    encoder = codec.Vp8Encoder(width, height, bitrate=bitrate)
    frames = tuple(
        encoder.encode(frame, round(index * 90_000 / codec.VIDEO_RATE), key=index % _KEY_EVERY == 0)
        for index, frame in enumerate(raw)
    )
    keys = frozenset(i for i, frame in enumerate(frames) if frame is not None and codec.is_key_frame(frame))
    return _VideoLoop(bitrate, frames, keys)


class _SoundLoop:
    def __init__(self, card: EncodedCard) -> None:
        self._card = card
        self._at = 0

    def encode(self, sound: codec.Sound) -> bytes:
        packets = self._card.audio if len(sound) == codec.FRAME_SAMPLES else self._card.long_audio
        self._at = (self._at + 1) % len(packets)
        return packets[self._at - 1]


class _VideoPlayer:
    """Plays the largest loop that fits the bitrate; it changes to another loop at a key frame."""

    def __init__(self, card: EncodedCard) -> None:
        self._loops = card.video
        self._loop = card.video[-1]
        self._at = 0

    def encode(
        self, raw_frame: codec.RawFrame, timestamp: int, *, key: bool = False, bitrate: int | None = None
    ) -> bytes | None:
        if key:
            self._at = self._loop.next_key(self._at)
        if self._at in self._loop.keys:
            fits = [loop for loop in self._loops if bitrate is None or loop.bitrate <= bitrate]
            self._loop = fits[-1] if fits else self._loops[0]
            self._at = self._loop.next_key(self._at)
        frame = self._loop.frames[self._at]
        self._at = (self._at + 1) % len(self._loop.frames)
        return frame


class _Unseen:
    has_audio = True
    has_video = True

    def __init__(self, shown: codec.RawFrame) -> None:
        self._shown = shown
        self._silence = silence()

    def audio(self, index: int) -> codec.Sound:
        return self._silence

    def video(self, at: float) -> codec.RawFrame:
        return self._shown

    def close(self) -> None:
        """Nothing to release."""
