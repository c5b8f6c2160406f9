"""Measurements of recordings: which test cards a file contains.

The tests and `snug demo` use them to find out from files alone which participant received which.
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

from snugroom.client.media.codec import SAMPLE_RATE, RawFrame
from snugroom.client.media.sources import (
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
    """A peak of the spectrum: its pitch in Hz and its share (0 to 1) of the total power of the file."""

    hz: float
    strength: float


@dataclass(frozen=True, slots=True)
class Colour:
    """The colour of a test card's patch: Y, U and V, each 0 to 255."""

    y: float
    u: float
    v: float


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of a file. Times are seconds from the file's zero; None if the stream is absent."""

    audio_start: float | None
    audio_end: float | None
    video_start: float | None
    video_end: float | None
    video_frames: int


def read_audio(file: Path | str) -> NDArray[np.float64]:
    """Return all audio of a file, mono, 48 kHz, -1 to 1; empty if the file has no audio."""
    pieces: list[NDArray[np.float64]] = []
    with av.open(str(file)) as container:
        if not container.streams.audio:
            return np.zeros(0)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        stream = container.streams.audio[0]
        decoder = stream.codec_context
        if decoder.name == "opus":
            # FFmpeg's native decoder distorts a steady tone of 516 Hz (SILK's long-term prediction)
            reference = av.CodecContext.create("libopus", "r")
            assert isinstance(reference, AudioCodecContext)
            reference.extradata, reference.sample_rate = decoder.extradata, SAMPLE_RATE
            reference.layout = decoder.layout
            decoder = reference
        for frame in (f for packet in container.demux(stream) for f in decoder.decode(packet)):
            pieces += [f.to_ndarray()[0].astype(np.float64) for f in resampler.resample(frame)]
    return np.concatenate(pieces) if pieces else np.zeros(0)


def read_video(file: Path | str) -> list[tuple[float, RawFrame]]:
    """Return all video frames with their times in seconds; empty without video.

    All frames are in memory at once: use it for short files only.
    """
    with av.open(str(file)) as container:
        if not container.streams.video:
            return []
        return [
            (frame.time, frame.to_ndarray(format="yuv420p").astype(np.uint8, copy=False))
            for frame in container.decode(container.streams.video[0])
        ]


def streams_of(file: Path | str) -> Streams:
    """Return where audio and video begin and end in a file, according to its packets."""
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
        video_frames=len(video),
    )


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


def pitch_of(file: Path | str) -> list[tuple[float, float]]:
    """Return (Hz, share of the power) of a file's strongest pitches, strongest first; empty if silent."""
    return [(tone.hz, tone.strength) for tone in tones_in(read_audio(file))]


def identity_of_pitch(hz: float) -> int | None:
    """Return the identity of the test card that beeps at this pitch, within 3%; None without a match."""
    best = min(range(IDENTITIES), key=lambda i: abs(math.log(pitch_of_identity(i) / max(hz, 1.0))))
    return best if abs(pitch_of_identity(best) / max(hz, 1.0) - 1) < 0.03 else None


def colour_in(raw_frame: RawFrame) -> Colour:
    """Return the colour of a test card's patch. The video frame may have any size."""
    left, top, right, bottom = PATCH
    margin_x, margin_y = (right - left) / 5, (bottom - top) / 5
    means = []
    for plane in planes(raw_frame):
        height, width = plane.shape
        region = plane[
            round((top + margin_y) * height) : round((bottom - margin_y) * height),
            round((left + margin_x) * width) : round((right - margin_x) * width),
        ]
        means.append(float(np.median(region)))
    return Colour(*means)


def patch_colour_of(file: Path | str) -> Colour | None:
    """Return the patch colour of a recorded test card, the median of all frames; None without video."""
    colours = [colour_in(raw_frame) for _, raw_frame in read_video(file)]
    if not colours:
        return None
    return Colour(*(float(np.median([getattr(c, part) for c in colours])) for part in "yuv"))


def identity_of_colour(colour: Colour) -> int | None:
    """Return the identity of the test card with a patch of this colour; None without a match."""

    def distance(identity: int) -> float:
        _, u, v = colour_of_identity(identity)
        return math.hypot(colour.u - u, colour.v - v)

    best = min(range(IDENTITIES), key=distance)
    return best if distance(best) < 11 else None


def counter_in(raw_frame: RawFrame) -> int | None:
    """Return the counter in a test card's video frame (modulo 32,768); None if it is unreadable."""
    luma, _, _ = planes(raw_frame)
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
