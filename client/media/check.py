"""What is to be heard and seen in a recording: the other end of the test card.

Used by the tests and by `snug demo` to tell, from files alone, who reached whom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from client.media.codec import SAMPLE_RATE, Picture
from client.media.sources import (
    COUNTER,
    COUNTER_BITS,
    IDENTITIES,
    PATCH,
    colour_of_identity,
    pitch_of_identity,
    planes,
)

_WINDOW: Final = 8_192  # 171 ms: a resolution of 6 Hz
_TONES_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Tone:
    """A peak of the spectrum: its pitch in Hz and its share (0 to 1) of all the power in the file."""

    hz: float
    strength: float


@dataclass(frozen=True, slots=True)
class Colour:
    """The patch of a test card: Y, U, V, each 0 to 255."""

    y: float
    u: float
    v: float


@dataclass(frozen=True, slots=True)
class Streams:
    """What a file holds. Times are seconds since the file's zero; None where the stream is absent."""

    audio_start: float | None
    audio_end: float | None
    video_start: float | None
    video_end: float | None
    pictures: int


def read_audio(file: Path | str) -> NDArray[np.float64]:
    """All the sound, mono, 48 kHz, -1 to 1; empty if there is none."""
    pieces: list[NDArray[np.float64]] = []
    with av.open(str(file)) as container:
        if not container.streams.audio:
            return np.zeros(0)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        stream = container.streams.audio[0]
        decoder = stream.codec_context
        if decoder.name == "opus":
            # FFmpeg's own decoder makes an even tone of 516 Hz waver (SILK's long-term prediction)
            reference = av.CodecContext.create("libopus", "r")
            assert isinstance(reference, AudioCodecContext)
            reference.extradata, reference.sample_rate = decoder.extradata, SAMPLE_RATE
            reference.layout = decoder.layout
            decoder = reference
        for frame in (f for packet in container.demux(stream) for f in decoder.decode(packet)):
            pieces += [f.to_ndarray()[0].astype(np.float64) for f in resampler.resample(frame)]
    return np.concatenate(pieces) if pieces else np.zeros(0)


def read_pictures(file: Path | str) -> list[tuple[float, Picture]]:
    """All pictures with their times in seconds; empty if there are none. Holds them all: short files only."""
    with av.open(str(file)) as container:
        if not container.streams.video:
            return []
        return [
            (frame.time, frame.to_ndarray(format="yuv420p").astype(np.uint8, copy=False))
            for frame in container.decode(container.streams.video[0])
        ]


def streams_of(file: Path | str) -> Streams:
    """Where sound and pictures begin and end in a file, by its packets."""
    times: dict[str, list[float]] = {"audio": [], "video": []}
    ends: dict[str, float] = {}
    with av.open(str(file)) as container:
        for packet in container.demux():
            kind = packet.stream.type
            if packet.pts is None or kind not in times or packet.time_base is None:
                continue
            start = float(packet.pts * packet.time_base)
            times[kind].append(start)
            length = float((packet.duration or 0) * packet.time_base)
            ends[kind] = max(ends.get(kind, start), start + length)
    audio, video = times["audio"], times["video"]
    return Streams(
        audio_start=min(audio, default=None),
        audio_end=ends.get("audio"),
        video_start=min(video, default=None),
        video_end=ends.get("video"),
        pictures=len(video),
    )


def tones_in(sound: NDArray[np.float64]) -> list[Tone]:
    """The strongest pitches in a sound, strongest first (at most 8)."""
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


def pitch_of(file: Path | str) -> list[tuple[float, float]]:
    """(Hz, share of the power) of the strongest pitches in a file, strongest first; empty if it is silent."""
    return [(tone.hz, tone.strength) for tone in tones_in(read_audio(file))]


def identity_of_pitch(hz: float) -> int | None:
    """Which test card beeps at this pitch, within 3%; None if none does."""
    best = min(range(IDENTITIES), key=lambda i: abs(math.log(pitch_of_identity(i) / max(hz, 1.0))))
    return best if abs(pitch_of_identity(best) / max(hz, 1.0) - 1) < 0.03 else None


def colour_in(picture: Picture) -> Colour:
    """The colour of the patch of a test card, of whatever size the picture is."""
    left, top, right, bottom = PATCH
    margin_x, margin_y = (right - left) / 5, (bottom - top) / 5
    means = []
    for plane in planes(picture):
        height, width = plane.shape
        region = plane[
            round((top + margin_y) * height) : round((bottom - margin_y) * height),
            round((left + margin_x) * width) : round((right - margin_x) * width),
        ]
        means.append(float(np.median(region)))
    return Colour(*means)


def patch_colour_of(file: Path | str) -> Colour | None:
    """The colour of the patch in a recorded test card (the median of all pictures); None without pictures."""
    colours = [colour_in(picture) for _, picture in read_pictures(file)]
    if not colours:
        return None
    return Colour(*(float(np.median([getattr(c, part) for c in colours])) for part in "yuv"))


def identity_of_colour(colour: Colour) -> int | None:
    """Whose test card has a patch of this colour; None if none has."""

    def distance(identity: int) -> float:
        _, u, v = colour_of_identity(identity)
        return math.hypot(colour.u - u, colour.v - v)

    best = min(range(IDENTITIES), key=distance)
    return best if distance(best) < 11 else None


def counter_in(picture: Picture) -> int | None:
    """The number that a test card's picture carries (modulo 32,768); None if it isn't readable."""
    luma, _, _ = planes(picture)
    height = luma.shape[0]
    top, bottom = COUNTER
    row = luma[round((top + 0.03) * height) : round((bottom - 0.02) * height)].mean(axis=0)
    cells = [
        float(cell[len(cell) // 4 : -len(cell) // 4].mean()) for cell in np.array_split(row, COUNTER_BITS)
    ]
    if any(80 < cell < 170 for cell in cells):
        return None
    bits = [cell > 125 for cell in cells]
    if sum(bits) % 2 != 1:
        return None
    return int("".join("1" if bit else "0" for bit in bits[:-1]), 2)
