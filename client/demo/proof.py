"""What a recording proves: who is to be heard and seen in it.

The test card's pitch and colour are the sender's alone, by its leaf; a recording of somebody else, or of
nothing, does not have them.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np

from client.media.check import Colour, colour_in, identity_of_colour, identity_of_pitch, tones_in
from client.media.codec import SAMPLE_RATE
from client.media.sources import IDENTITIES

#: Of a long recording this much is examined.
SECONDS_MAX: Final = 60.0
#: The beep's share of all the power, at least; what is missing is the codec's noise.
_SHARE_LEAST: Final = 0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """`hz`: the strongest pitch, None in silence. `pictures`: how many were looked at."""

    hz: float | None = None
    heard: bool = False
    pictures: int = 0
    seen: bool = False


def examine(file: Path, leaf: int) -> Evidence:
    """Whether the test card of `leaf` is to be heard and seen in a file. Takes a second or so: in a thread.

    Nothing is proved by a file that is missing or can't be read.
    """
    try:
        hz, share = _sound(file)
        colours = _colours(file)
    except (OSError, av.FFmpegError):
        return Evidence()
    identity = leaf % IDENTITIES
    heard = hz is not None and share >= _SHARE_LEAST and identity_of_pitch(hz) == identity
    seen = bool(colours) and identity_of_colour(_median(colours)) == identity
    return Evidence(hz, heard, len(colours), seen)


def _sound(file: Path) -> tuple[float | None, float]:
    pieces: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = []
    with av.open(str(file)) as container:
        if not container.streams.audio:
            return None, 0.0
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        samples = 0
        for frame in container.decode(container.streams.audio[0]):
            for part in resampler.resample(frame):
                pieces.append(part.to_ndarray()[0].astype(np.float64))
                samples += len(pieces[-1])
            if samples > SECONDS_MAX * SAMPLE_RATE:
                break
    tones = tones_in(np.concatenate(pieces)) if pieces else []
    return (tones[0].hz, tones[0].strength) if tones else (None, 0.0)


def _colours(file: Path) -> list[Colour]:
    colours: list[Colour] = []
    with av.open(str(file)) as container:
        if not container.streams.video:
            return []
        for frame in container.decode(container.streams.video[0]):
            if frame.time is not None and frame.time > SECONDS_MAX:
                break
            colours.append(colour_in(frame.to_ndarray(format="yuv420p").astype(np.uint8, copy=False)))
    return colours


def _median(colours: list[Colour]) -> Colour:
    return Colour(*(statistics.median(getattr(c, part) for c in colours) for part in "yuv"))
