"""What a recording of test cards contains: its streams, frames, pitches and counters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from snugroom.client.media import check, sources
from snugroom.client.media.codec import SAMPLE_RATE, RawFrame


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


def pitch_of(file: Path | str) -> list[tuple[float, float]]:
    """Return (Hz, share of the power) of a file's strongest pitches, strongest first; empty if silent."""
    return [(tone.hz, tone.strength) for tone in check.tones_in(read_audio(file))]


def patch_colour_of(file: Path | str) -> check.Colour | None:
    """Return the patch colour of a recorded test card, the median of all frames; None without video."""
    colours = [check.colour_in(raw_frame) for _, raw_frame in read_video(file)]
    if not colours:
        return None
    return check.Colour(*(float(np.median([getattr(c, part) for c in colours])) for part in "yuv"))


def counter_in(raw_frame: RawFrame) -> int | None:
    """Return the counter in a test card's video frame (modulo 32,768); None if it is unreadable."""
    luma, _, _ = sources.planes(raw_frame)
    height = luma.shape[0]
    top, bottom = sources.COUNTER
    row = luma[round((top + 0.03) * height) : round((bottom - 0.02) * height)].mean(axis=0)
    cells = [
        float(cell[len(cell) // 4 : -len(cell) // 4].mean())
        for cell in np.array_split(row, sources.COUNTER_BITS)
    ]
    if any(80 < cell < 170 for cell in cells):
        return None
    bits = [cell > 125 for cell in cells]
    if sum(bits) % 2 != 1:
        return None
    return int("".join("1" if bit else "0" for bit in bits[:-1]), 2)
