"""Sources of video and audio without a camera: the test card, or a file.

The caller asks a source for a media time: a source has no clock and no thread. `RawFrame` and `Sound` are
defined in `client.media.codec`. Both methods may take tens of milliseconds; call them off the event loop.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from snugroom.client.media import font
from snugroom.client.media.codec import FRAME_SAMPLES, HEIGHT, SAMPLE_RATE, WIDTH, RawFrame, Sound


class Source(Protocol):
    """A source of a participant's own video and audio."""

    has_audio: bool
    has_video: bool

    def audio(self, index: int) -> Sound:
        """Return the 20 ms from ``index * 0.02`` s on. Indices rise."""
        ...

    def video(self, at: float) -> RawFrame:
        """Return the video frame at media time `at`, seconds. Times rise."""
        ...

    def close(self) -> None: ...


def planes(raw_frame: RawFrame) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return views of Y, U and V (U and V halved) of a stacked 4:2:0 frame with even width and height."""
    width = raw_frame.shape[1]
    height = raw_frame.shape[0] * 2 // 3
    flat = raw_frame.reshape(-1)
    luma = width * height
    half = (height // 2, width // 2)
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + luma // 4].reshape(half),
        flat[luma + luma // 4 :].reshape(half),
    )


def blank(width: int = WIDTH, height: int = HEIGHT, luma: int = 16) -> RawFrame:
    """Return a grey video frame, black by default."""
    raw_frame: RawFrame = np.full((height * 3 // 2, width), 128, np.uint8)
    raw_frame[:height] = luma
    return raw_frame


def silence() -> Sound:
    """Return 20 ms of silence."""
    return np.zeros(FRAME_SAMPLES, np.int16)


# -- the test card ---------------------------------------------------------------------------

#: Number of distinguishable participants; identities are taken modulo this.
IDENTITIES: Final = 20
PITCH_LOWEST: Final = 400.0
PITCH_HIGHEST: Final = 2_000.0
#: The beep sounds for these seconds of each second.
BEEP_SECONDS: Final = 0.6
_BEEP_RAMP: Final = 0.005
_BEEP_LEVEL: Final = 0.35
_CHROMA_RADIUS: Final = 72.0
PATCH_LUMA: Final = 130
#: The patch of colour (left, top, right, bottom), as shares of width and height.
PATCH: Final = (0.05, 0.11, 0.42, 0.72)
#: The bar of COUNTER_BITS cells (top, bottom), as shares of the height. The most significant bit comes first;
#: the last bit makes the number of lit cells odd.
COUNTER: Final = (0.89, 0.98)
COUNTER_BITS: Final = 16


def pitch_of_identity(identity: int) -> float:
    """Return a pitch in Hz: one of 20 from 400 to 2,000, each 8.8% above the one before."""
    step = identity % IDENTITIES / (IDENTITIES - 1)
    return PITCH_LOWEST * math.pow(PITCH_HIGHEST / PITCH_LOWEST, step)


def colour_of_identity(identity: int) -> tuple[int, int, int]:
    """Return (Y, U, V): one of 20 hues, 18 degrees apart, with the same brightness."""
    angle = 2 * math.pi * (identity % IDENTITIES) / IDENTITIES
    return (
        PATCH_LUMA,
        round(128 + _CHROMA_RADIUS * math.cos(angle)),
        round(128 + _CHROMA_RADIUS * math.sin(angle)),
    )


class TestCard:
    """Moving video with a name, a clock, a patch of colour and a counter; and a beep.

    Colour and pitch belong to the participant (`identity`), and the counter counts video frames, so that
    `client.media.check` can check recordings made by other participants.
    """

    __test__ = False  # pytest: this is not a test class
    has_audio = True
    has_video = True

    def __init__(self, name: str, identity: int, *, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.identity = identity % IDENTITIES
        self.pitch = pitch_of_identity(identity)
        self._count = 0
        self._width, self._height = width, height
        self._base = self._draw_base(name)

    def audio(self, index: int) -> Sound:
        """Return the beep: a sine at the pitch of this identity, on for 60% of each second."""
        t = (np.arange(FRAME_SAMPLES) + index * FRAME_SAMPLES) / SAMPLE_RATE
        second = t % 1.0
        level = np.clip(np.minimum(second, BEEP_SECONDS - second) / _BEEP_RAMP, 0.0, 1.0)
        wave = np.sin(2 * np.pi * self.pitch * t) * level
        return (wave * (_BEEP_LEVEL * 32_767)).astype(np.int16)

    def video(self, at: float) -> RawFrame:
        """Return the next video frame, with the counter raised by one."""
        raw_frame = self._base.copy()
        luma, _, _ = planes(raw_frame)
        width, height = self._width, self._height
        clock = f"{int(at) // 60:02d}:{int(at) % 60:02d}.{int(at * 10) % 10}"
        self._text(luma, clock, round(0.40 * height))
        size = height // 12
        left = round((0.5 - 0.5 * math.cos(at * 1.5)) * (width - size))
        luma[round(0.78 * height) : round(0.78 * height) + size, left : left + size] = 220
        top, bottom = (round(part * height) for part in COUNTER)
        count = self._count % (1 << COUNTER_BITS - 1)
        cells = count << 1 | (bin(count).count("1") + 1) % 2
        lit = cells >> np.arange(COUNTER_BITS - 1, -1, -1) & 1
        edges = np.linspace(0, width, COUNTER_BITS + 1).round().astype(int)
        luma[top:bottom] = np.repeat(16 + 219 * lit, np.diff(edges)).astype(np.uint8)
        self._count += 1
        return raw_frame

    def close(self) -> None:
        """Nothing to release."""

    def _draw_base(self, name: str) -> RawFrame:
        raw_frame = blank(self._width, self._height)
        luma, u, v = planes(raw_frame)
        luma[:] = np.linspace(50, 90, self._height)[:, None].astype(np.uint8)
        left, top, right, bottom = PATCH
        y, cb, cr = colour_of_identity(self.identity)
        for plane, value in ((luma, y), (u, cb), (v, cr)):
            height, width = plane.shape
            plane[
                round(top * height) : round(bottom * height), round(left * width) : round(right * width)
            ] = value
        self._text(luma, name, round(0.14 * self._height))
        return raw_frame

    def _text(self, luma: NDArray[np.uint8], text: str, top: int) -> None:
        left = round((PATCH[2] + 0.04) * self._width)
        room = self._width - left - 4
        text = text[: room // font.ADVANCE]
        scale = max(1, min(self._height // 60, room // (font.ADVANCE * max(1, len(text)))))
        mask = font.render(text, scale)
        region = luma[top : top + mask.shape[0], left : left + mask.shape[1]]
        region[mask[: region.shape[0], : region.shape[1]]] = 235
