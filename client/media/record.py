"""Recordings: one playable WebM file for each participant, with audio and video, without re-encoding.

The files contain the participant's own Opus packets and VP8 frames, which opened and were decodable. Sender
reports (RFC 3550 6.4.1) align audio and video if they arrive in time, otherwise arrival times do. All files
of one recorder share time zero. A file that is cut off (SIGKILL) stays readable up to its last cluster, which
lasts at most a second.

Not thread-safe: make all calls from one thread. Calls block on the disk.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.audio.stream import AudioStream
from av.container.output import OutputContainer
from av.stream import Stream

from snugroom.client.media import codec
from snugroom.wire.messages import MediaKind
from snugroom.wire.rtp import CLOCK_RATES

#: Seconds that a file waits for the other stream and for sender reports, and for a key frame.
SYNC_WAIT: Final = 1.5
KEY_WAIT: Final = 3.0
#: A stream whose timestamps are this many seconds away from their arrival has a new clock.
CLOCK_JUMP: Final = 3.0
_WAITING_MAX: Final = 2_000
_NAME_MAX: Final = 40
_MILLISECOND: Final = Fraction(1, 1_000)


def file_stem(name: str, leaf: int) -> str:
    """Return ``Ada-2``: at most 40 letters, digits, spaces, ``_`` and ``-`` of the name, and the leaf index.

    Names come from other members. No separator, dot or control character survives.
    """
    kept = "".join(c if c.isalnum() or c in " _-" else "_" for c in unicodedata.normalize("NFC", name))
    kept = " ".join(kept.split())[:_NAME_MAX].strip()
    # at most 120 bytes in any script: a file name may have 255
    while len(kept.encode("utf-8", "ignore")) > 120:
        kept = kept[:-1]
    kept = kept.encode("utf-8", "ignore").decode()
    return f"{kept or 'participant'}-{leaf}"


def make_folder(path: Path | str) -> Path:
    """Return the absolute path of a folder in which files can be made; OSError if that is impossible."""
    folder = Path(path).resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder


@dataclass(frozen=True, slots=True)
class Taken:
    """One opened frame. `timestamp` is the RTP timestamp, `arrived` seconds on the recorder's clock."""

    ssrc: int
    kind: MediaKind
    frame: bytes
    timestamp: int
    arrived: float


@dataclass(slots=True)
class _Clock:
    """The anchor of one SSRC's clock: RTP `timestamp` was at `at` seconds."""

    timestamp: int
    at: float


def _since(timestamp: int, origin: int, kind: MediaKind) -> float:
    distance = (timestamp - origin) & 0xFFFFFFFF
    return (distance - (1 << 32) if distance >> 31 else distance) / CLOCK_RATES[kind]


@dataclass(slots=True)
class Timeline:
    """Converts one participant's RTP timestamps to seconds, the same for audio and video. Pure."""

    #: Sender reports: SSRC -> (the sender's clock in seconds, RTP timestamp).
    reports: dict[int, tuple[float, int]] = field(default_factory=dict)
    _clocks: dict[int, _Clock] = field(default_factory=dict)

    def settle(self, frames: list[Taken]) -> None:
        """Fix the clocks of the streams of these frames, all frames that are present when a file begins."""
        # the packet with the shortest delay gives the best relation of the sender's clock to ours
        offsets = [frame.arrived - self._sender_time(frame) for frame in frames if frame.ssrc in self.reports]
        for frame in frames:
            if frame.ssrc in self._clocks:
                continue
            at = self._sender_time(frame) + min(offsets) if frame.ssrc in self.reports else frame.arrived
            self._clocks[frame.ssrc] = _Clock(frame.timestamp, at)

    def place(self, frame: Taken) -> float:
        """Return when the frame happened, in seconds on the recorder's clock."""
        clock = self._clocks.get(frame.ssrc)
        if clock is None:
            clock = self._clocks[frame.ssrc] = _Clock(frame.timestamp, frame.arrived)
        at = clock.at + _since(frame.timestamp, clock.timestamp, frame.kind)
        if abs(at - frame.arrived) > CLOCK_JUMP:
            at = frame.arrived
        # timestamps wrap after half a day; an anchor that moves along makes the wrap invisible
        clock.timestamp, clock.at = frame.timestamp, at
        return at

    def _sender_time(self, frame: Taken) -> float:
        ntp, timestamp = self.reports[frame.ssrc]
        return ntp + _since(frame.timestamp, timestamp, frame.kind)


class _File:
    """The file of one participant: buffers frames until its streams are known, then writes."""

    def __init__(self, stem: Path, zero: float, kinds: frozenset[MediaKind]) -> None:
        self._stem = stem
        self._zero = zero
        self.kinds = kinds
        self.timeline = Timeline()
        self.path: Path | None = None
        self._waiting: deque[Taken] = deque(maxlen=_WAITING_MAX)
        self._container: OutputContainer | None = None
        self._streams: dict[MediaKind, Stream] = {}
        self._last: dict[MediaKind, int] = {}

    def add(self, taken: Taken) -> None:
        if self._container is None:
            self._waiting.append(taken)
            if self._settled(taken.arrived):
                self._begin()
            return
        if taken.kind not in self._streams:
            # WebM can't take a stream that was not announced when the file began
            self.close()
            self.kinds |= {taken.kind}
            self._waiting.append(taken)
            return
        self._write(taken)

    def close(self) -> None:
        if self._container is None and self._waiting:
            self._begin()
        if self._container is not None:
            self._container.close()
        self._container = None
        self._streams.clear()
        self._last.clear()

    def _settled(self, now: float) -> bool:
        seen = {t.kind for t in self._waiting if t.kind == "audio" or codec.is_key_frame(t.frame)}
        waited = now - self._waiting[0].arrived
        if seen >= self.kinds:
            ssrcs = {t.ssrc for t in self._waiting}
            return waited >= SYNC_WAIT or ssrcs <= self.timeline.reports.keys()
        return waited >= KEY_WAIT

    def _begin(self) -> None:
        waiting = list(self._waiting)
        self._waiting.clear()
        self.path = self._create()
        container = av.open(
            f"file:{self.path}",
            "w",
            format="webm",
            options={"cluster_time_limit": "1000", "flush_packets": "1", "max_interleave_delta": "1000000"},
        )
        assert isinstance(container, OutputContainer)
        self._container = container
        kinds = self.kinds | {t.kind for t in waiting}
        if "video" in kinds:
            keys = (t.frame for t in waiting if t.kind == "video" and codec.is_key_frame(t.frame))
            width, height = next((codec.key_frame_size(frame) for frame in keys), (codec.WIDTH, codec.HEIGHT))
            self._streams["video"] = container.add_mux_stream(
                "vp8", width=width, height=height, time_base=_MILLISECOND
            )
        if "audio" in kinds:
            # never encodes: it supplies the OpusHead that a WebM file must carry
            audio = container.add_stream("libopus", rate=codec.SAMPLE_RATE)
            assert isinstance(audio, AudioStream)
            audio.codec_context.layout = "mono"
            self._streams["audio"] = audio
        self.timeline.settle(waiting)
        for taken in waiting:
            self._write(taken)

    def _create(self) -> Path:
        # never overwrite an existing file or follow a link
        for number in range(1, 1_000):
            path = self._stem.with_name(self._stem.name + (f"-{number}" if number > 1 else "") + ".webm")
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                continue
            return path
        raise OSError("a thousand recordings of that name are there already")

    def _write(self, taken: Taken) -> None:
        assert self._container is not None
        key = taken.kind == "audio" or codec.is_key_frame(taken.frame)
        if taken.kind not in self._last and not key:
            return
        at = round((self.timeline.place(taken) - self._zero) * 1_000)
        at = max(0, at, self._last.get(taken.kind, -1) + 1)
        self._last[taken.kind] = at
        packet = av.Packet(taken.frame)
        packet.stream = self._streams[taken.kind]
        packet.time_base = _MILLISECOND
        packet.pts = packet.dts = at
        if taken.kind == "audio":
            packet.duration = 1_000 * codec.opus_samples(taken.frame) // codec.SAMPLE_RATE
        packet.is_keyframe = key
        self._container.mux(packet)


class Recorder:
    """Writes into `directory`, which is created for its owner alone if missing. `zero` is 0 in all files.

    A disk error ends the recording of that participant, and its reason is added to `errors`; the meeting goes
    on. OSError if the directory cannot be made.
    """

    def __init__(self, directory: Path | str, *, zero: float) -> None:
        self._directory = make_folder(directory)
        self._zero = zero
        self._files: dict[tuple[int, str], _File] = {}
        self._failed: set[tuple[int, str]] = set()
        self._done: list[Path] = []
        #: The names of those whose recording has ended early, and why.
        self.errors: list[tuple[str, str]] = []

    def write(self, leaf: int, name: str, kinds: frozenset[MediaKind], taken: Taken) -> None:
        """Record one frame of a participant. `kinds`: the kinds of all streams that the participant sends."""
        who = (leaf, name)
        if who in self._failed:
            return
        file = self._files.get(who)
        if file is None:
            file = self._files[who] = _File(self._directory / file_stem(name, leaf), self._zero, kinds)
        try:
            file.add(taken)
        except (OSError, av.FFmpegError, ValueError) as error:
            self._give_up(who, error)

    def report(self, leaf: int, name: str, ssrc: int, ntp: float, timestamp: int) -> None:
        """Take a sender report: RTP `timestamp` of `ssrc` was at `ntp` seconds on the sender's clock."""
        file = self._files.get((leaf, name))
        if file is not None:
            file.timeline.reports.setdefault(ssrc, (ntp, timestamp))

    def close(self) -> list[Path]:
        """Finish all files and return their paths. Later frames begin new files."""
        for who, file in list(self._files.items()):
            try:
                file.close()
            except (OSError, av.FFmpegError, ValueError) as error:
                self._give_up(who, error)
            if file.path is not None:
                self._done.append(file.path)
        self._files.clear()
        return list(self._done)

    def _give_up(self, who: tuple[int, str], error: Exception) -> None:
        self._failed.add(who)
        self.errors.append((who[1], getattr(error, "strerror", None) or str(error)))
