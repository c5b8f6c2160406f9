"""One received stream, from RTP packets to authenticated frames: a pure core.

`reorder` puts packets in order, complete frames are opened, and only opened frames are delivered: a decoder
never receives anything else. VP8 delivery begins with a key frame, and after a hole with the next key frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from snugroom.client.media.codec import PIXELS_MAX, is_key_frame, key_frame_size
from snugroom.client.media.reorder import Ask, Frame, Lost, Reorder, ReorderEffect
from snugroom.crypto.errors import MissingKeyError, ReplayError, SnugError
from snugroom.crypto.media.keys import FutureEpochError, FutureFrames, base_stream
from snugroom.crypto.media.signatures import UnverifiedFrameError
from snugroom.wire.messages import MediaKind
from snugroom.wire.rtp import PAYLOAD_TYPES, RtpPacket

#: Seconds between requests for a key frame until one arrives; the last value repeats.
KEY_WAITS: Final = (0.3, 0.3, 0.3, 0.6, 1.2, 2.4, 5.0)
#: Frames of a member under suspicion wait for the list that signs them: seconds for one list a second and for
#: a lost list to be sent again; 60 frames a second for that time, and a margin.
UNVERIFIED_TIME: Final = 2.5
UNVERIFIED_FRAMES: Final = 192


class Opened(Protocol):
    """An authenticated frame and the leaf that sealed it."""

    @property
    def leaf(self) -> int: ...
    @property
    def frame(self) -> bytes: ...
    @property
    def stream(self) -> int:
        """The stream number: each simulcast layer of a video stream has its own."""
        ...

    @property
    def epoch(self) -> int: ...
    @property
    def counter(self) -> int:
        """Rises with each frame that this sender seals in this epoch."""
        ...


class FrameCrypto(Protocol):
    """Seals and opens whole frames with the keys of the epoch."""

    def seal(self, kind: MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
        """Return the sealed frame; None if nothing may be sent now. `layer`: 0 is the smallest."""
        ...

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> Opened:
        """Return the frame, authenticated as sealed by the leaf that announced `ssrc` (SNUG-20).

        FutureEpochError (also its subclass UnverifiedFrameError): hold the frame and try again. Any other
        SnugError: the frame is refused for good.
        """
        ...


@dataclass(frozen=True, slots=True)
class Deliver:
    """An authenticated frame, next in order. `key`: a VP8 key frame (always true for audio)."""

    leaf: int
    frame: bytes
    timestamp: int
    arrived: float
    key: bool


@dataclass(frozen=True, slots=True)
class Conceal:
    """`frames` audio frames are missing here."""

    frames: int


@dataclass(frozen=True, slots=True)
class AskKey:
    """Ask for a key frame (PLI)."""


ReceiveEffect = Deliver | Conceal | AskKey | Ask


@dataclass(frozen=True, slots=True)
class _Held:
    """A waiting frame, its order of arrival, and the time since which it waits."""

    order: int
    since: float
    frame: Frame


class Receiver:
    """The receiving end of one SSRC. Counters count frames unless stated otherwise.

    `opened`: authenticated. `failed`: refused for good: by the keys, because a frame sealed later was
    delivered already, because the claimed sender has not signed it, or because it has more pixels than a
    decoder may be given. `unkeyed`: from an epoch whose keys this member does not have (mostly from before it
    joined), or never announced. `skipped`: opened, but useless without a key frame. `lost`: given up by the
    reorder buffer. `key_frames`: opened key frames.
    """

    def __init__(
        self, ssrc: int, kind: MediaKind, open_frame: Callable[[int, MediaKind, bytes], Opened]
    ) -> None:
        self.ssrc = ssrc
        self.kind = kind
        self.leaf: int | None = None
        self.first_opened: float | None = None
        self.opened = self.failed = self.unkeyed = self.skipped = self.key_frames = 0
        self.reorder = Reorder(kind)
        self._open = open_frame
        self._future: FutureFrames[_Held] = FutureFrames()
        self._unverified: FutureFrames[_Held] = FutureFrames(most=UNVERIFIED_FRAMES, seconds=UNVERIFIED_TIME)
        self._dropped = (0, 0)
        self._order = 0
        # layer's stream number -> epoch and counter of the frame delivered last
        self._places: dict[int, tuple[int, int]] = {}
        #: The stream number of the current video layer: each layer has its own.
        self._stream: int | None = None
        #: The longest time between two delivered video frames, seconds.
        self.frozen = 0.0
        self._shown: float | None = None
        self._need_key = kind == "video"
        self._key_asked = 0
        self._next_ask = 0.0

    @property
    def waiting(self) -> bool:
        """Whether `tick` has anything to do."""
        return (
            self.reorder.waiting
            or bool(len(self._future) or len(self._unverified))
            or (self._need_key and self.reorder.received > 0)
        )

    @property
    def lost(self) -> int:
        return self.reorder.lost

    @property
    def layer(self) -> int | None:
        """The simulcast layer that arrives now, 0 is the smallest; None for audio and at first."""
        return None if self._stream is None else base_stream(self._stream)[1]

    def receive(self, packet: RtpPacket, now: float) -> list[ReceiveEffect]:
        """Take one RTP packet of this SSRC, as it arrived."""
        if packet.payload_type != PAYLOAD_TYPES[self.kind]:
            self.reorder.malformed += 1
            return []
        return self._consider(self.reorder.receive(packet, now), now) + self._ask_key(now)

    def tick(self, now: float) -> list[ReceiveEffect]:
        """Let time pass."""
        out = self._consider(self.reorder.tick(now), now)
        self._count_dropped(now)
        return out + self._ask_key(now)

    def keys_changed(self, now: float) -> list[ReceiveEffect]:
        """Retry waiting frames: new keys, an announcement or signatures have arrived."""
        out: list[ReceiveEffect] = []
        held = self._future.release(now) + self._unverified.release(now)
        for again in sorted(held, key=lambda item: item.order):
            out += self._try(again.frame, now, again)
        self._count_dropped(now)
        return out + self._ask_key(now)

    def demand_key(self, now: float) -> list[ReceiveEffect]:
        """Deliver no more video until a key frame arrives: the decoder has lost its reference frames."""
        if self.kind == "video":
            self._need_key = True
        return self._ask_key(now)

    # -- inside ------------------------------------------------------------------------------

    def _consider(self, effects: list[ReorderEffect], now: float) -> list[ReceiveEffect]:
        out: list[ReceiveEffect] = []
        for effect in effects:
            match effect:
                case Ask():
                    out.append(effect)
                case Lost() if self.kind == "audio":
                    out.append(Conceal(effect.frames))
                case Lost():
                    self._need_key = True
                case Frame():
                    out += self._try(effect, now)
        return out

    def _try(self, frame: Frame, now: float, held: _Held | None = None) -> list[ReceiveEffect]:
        try:
            opened = self._open(self.ssrc, self.kind, frame.data)
        except FutureEpochError as error:
            if held is None:
                self._order += 1
                held = _Held(self._order, now, frame)
            waiting = self._unverified if isinstance(error, UnverifiedFrameError) else self._future
            waiting.hold(held, held.since, len(frame.data))
            self._count_dropped(now)
            return []
        except SnugError as error:
            if isinstance(error, MissingKeyError):
                self.unkeyed += 1
            else:
                self.failed += 1
            if self.kind == "audio":
                # before the first opened frame there is no audible hole
                return [Conceal(1)] if self.opened else []
            # a replayed frame leaves no hole
            self._need_key |= not isinstance(error, ReplayError)
            return []
        if self.kind == "video" and _is_oversized(opened.frame):
            self.failed += 1
            self._need_key = True
            return []
        place = (opened.epoch, opened.counter)
        if place < self._places.get(opened.stream, (-1, -1)):
            # the server writes sequence numbers, but it can't change the order of sealing
            self.failed += 1
            self._need_key = self.kind == "video"
            return [Conceal(1)] if self.kind == "audio" else []
        self._places[opened.stream] = place
        self.opened += 1
        self.leaf = opened.leaf
        if self.first_opened is None:
            self.first_opened = now
        key = self.kind == "audio" or is_key_frame(opened.frame)
        if self.kind == "video":
            if opened.stream != self._stream and not key:
                # a switch to another layer without a key frame: the frame refers to frames that never came
                self._need_key = True
            if key:
                self._stream = opened.stream
                self.key_frames += 1
                self._need_key = False
                self._key_asked = 0
                self._next_ask = 0.0
            elif self._need_key:
                self.skipped += 1
                return []
            if self._shown is not None:
                self.frozen = max(self.frozen, now - self._shown)
            self._shown = now
        return [Deliver(opened.leaf, opened.frame, frame.timestamp, frame.arrived, key)]

    def _count_dropped(self, now: float) -> None:
        for waiting in (self._future, self._unverified):
            waiting.expire(now)
        before, self._dropped = self._dropped, (self._future.dropped, self._unverified.dropped)
        if self._dropped != before:
            self.unkeyed += self._dropped[0] - before[0]
            self.failed += self._dropped[1] - before[1]
            self._need_key = self.kind == "video"

    def _ask_key(self, now: float) -> list[ReceiveEffect]:
        if not (self._need_key or self.reorder.stalled(now)):
            self._key_asked = 0
            return []
        if now < self._next_ask:
            return []
        self._next_ask = now + KEY_WAITS[min(self._key_asked, len(KEY_WAITS) - 1)]
        self._key_asked += 1
        return [AskKey()]


def _is_oversized(frame: bytes) -> bool:
    """Return whether a VP8 key frame claims too many pixels: a decoder would allocate all of them."""
    return is_key_frame(frame) and math.prod(key_frame_size(frame)) > PIXELS_MAX
