"""Measurements of sound and video: which test cards they contain.

The tests and `snug demo` use them to find out from what was received alone which participant received which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from snugroom.client.media import sources
from snugroom.client.media.codec import SAMPLE_RATE, RawFrame

_WINDOW: Final = 8_192  # 171 ms: a resolution of 6 Hz
_TONES_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Tone:
    """A peak of the spectrum: its pitch in Hz and its share (0 to 1) of the total power of the file."""

    hz: float
    strength: float


@dataclass(frozen=True, slots=True)
class Colour:
    """The colour of a test card's patch: Y, U and V, each 0 to 255."""

    y: float
    u: float
    v: float


def tones_in(sound: NDArray[np.float64]) -> list[Tone]:
    """Return the strongest pitches of a sound, at most 8, strongest first."""
    if len(sound) < _WINDOW:
        sound = np.pad(sound, (0, _WINDOW - len(sound)))
    count = (len(sound) - _WINDOW) // (_WINDOW // 2) + 1
    window = np.hanning(_WINDOW)
    power = np.zeros(_WINDOW // 2 + 1)
    for i in range(count):
        part = sound[i * _WINDOW // 2 : i * _WINDOW // 2 + _WINDOW]
        power += np.abs(np.fft.rfft(part * window)) ** 2
    total = float(power[2:].sum())
    if total <= 1e-9 * count:
        return []
    step = SAMPLE_RATE / _WINDOW
    rest = power.copy()
    rest[:2] = 0
    tones = []
    for _ in range(_TONES_MAX):
        peak = int(np.argmax(rest))
        low, high = max(0, peak - 4), min(len(rest), peak + 5)
        near = power[low:high]
        strength = float(rest[low:high].sum()) / total
        if strength < 0.01:
            break
        centre = float((near * np.arange(low, high)).sum() / near.sum())
        tones.append(Tone(centre * step, strength))
        rest[low:high] = 0
    return tones


def identity_of_pitch(hz: float) -> int | None:
    """Return the identity of the test card that beeps at this pitch, within 3%; None without a match."""
    best = min(
        range(sources.IDENTITIES), key=lambda i: abs(math.log(sources.pitch_of_identity(i) / max(hz, 1.0)))
    )
    return best if abs(sources.pitch_of_identity(best) / max(hz, 1.0) - 1) < 0.03 else None


def colour_in(raw_frame: RawFrame) -> Colour:
    """Return the colour of a test card's patch. The video frame may have any size."""
    left, top, right, bottom = sources.PATCH
    margin_x, margin_y = (right - left) / 5, (bottom - top) / 5
    means = []
    for plane in sources.planes(raw_frame):
        height, width = plane.shape
        region = plane[
            round((top + margin_y) * height) : round((bottom - margin_y) * height),
            round((left + margin_x) * width) : round((right - margin_x) * width),
        ]
        means.append(float(np.median(region)))
    return Colour(*means)


def identity_of_colour(colour: Colour) -> int | None:
    """Return the identity of the test card with a patch of this colour; None without a match."""

    def distance(identity: int) -> float:
        _, u, v = sources.colour_of_identity(identity)
        return math.hypot(colour.u - u, colour.v - v)

    best = min(range(sources.IDENTITIES), key=distance)
    return best if distance(best) < 11 else None
