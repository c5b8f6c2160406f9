"""Check a recording: it must have the sender's pitch and colour.

The test card's pitch and colour depend on the sender's leaf. A recording of another participant, or of
nothing, does not have them.
"""

from __future__ import annotations

import contextlib
import statistics
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np

from snugroom.client.media.check import Colour, colour_in, identity_of_colour, identity_of_pitch, tones_in
from snugroom.client.media.codec import SAMPLE_RATE, RawFrame
from snugroom.client.media.sources import IDENTITIES

#: Maximum number of seconds of a recording that are examined.
SECONDS_MAX: Final = 60.0
#: Maximum number of video frames that `frames_in` returns.
FRAMES_MAX: Final = 60
#: Minimum share of the beep in the total power; the remainder is noise of the codec.
_SHARE_LEAST: Final = 0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """`hz`: the strongest pitch, None in silence. `pictures`: number of images that were examined."""

    hz: float | None = None
    heard: bool = False
    pictures: int = 0
    seen: bool = False


def examine(file: Path, leaf: int) -> Evidence:
    """Return whether a file has the audio and video of the test card of `leaf`.

    Takes about a second; call it in a thread. A file that is missing or cannot be read proves nothing.
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


def frames_in(file: Path, before: float) -> list[RawFrame]:
    """Return the last video frames of a recording, at most 60; none if it is unreadable.

    `before`: seconds of the recording, after which frames do not count.
    """
    frames: deque[RawFrame] = deque(maxlen=FRAMES_MAX)
    with contextlib.suppress(OSError, av.FFmpegError), av.open(str(file)) as container:
        if container.streams.video:
            for frame in container.decode(container.streams.video[0]):
                if frame.time is not None and frame.time > before:
                    break
                frames.append(frame.to_ndarray(format="yuv420p").astype(np.uint8, copy=False))
    return list(frames)


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
