"""The server's notes (`lab.hostile.observer`), and features that an observer can count in them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snugroom.lab.leakage.plan import Lived

Numbers = NDArray[np.float64]
#: Start of each window in a stretch of a plan, and length of a window, in seconds. The time before the first
#: window contains the change of state, whose exact time is unknown (audio is fetched 0.1 s ahead).
WINDOWS = (0.45, 1.45)
WINDOW = 1.0
#: Kinds of WebSocket frames that are counted separately.
_KINDS = ("relay", "broadcast", "commit", "show", "post", "open", "catch_up", "media", "subscribe")
_CLOCK = {"audio": 48_000, "video": 90_000}


@dataclass
class Stream:
    """RTP packets of one SSRC in order of arrival, as columns of numbers."""

    at: Numbers
    size: Numbers
    sequence: Numbers
    marker: Numbers
    #: Delay of each packet in seconds: arrival minus media time, with a median of zero over the stream.
    late: Numbers


@dataclass
class Seen:
    """All notes, by SSRC and by connection."""

    streams: dict[int, Stream] = field(default_factory=dict)
    #: By handle: (time, whether to the server, bytes, kind).
    frames: dict[str, list[tuple[float, bool, int, str]]] = field(default_factory=dict)
    #: By handle: (time, bytes, type).
    rtcp: dict[str, list[tuple[float, int, int]]] = field(default_factory=dict)
    came: dict[str, tuple[float, str]] = field(default_factory=dict)
    went: dict[str, float] = field(default_factory=dict)


def read(file: Path) -> Seen:
    """Read the notes from a file."""
    seen = Seen()
    frames, rtcp, rtp = defaultdict(list), defaultdict(list), defaultdict(list)
    with file.open(encoding="ascii") as lines:
        for line in lines:
            kind, at, handle, *rest = json.loads(line)
            if kind == "rtp":
                rtp[rest[1]].append((at, rest[0], *rest[2:]))
            elif kind == "rtcp":
                rtcp[handle].append((at, rest[0], rest[2]))
            elif kind == "ws":
                frames[handle].append((at, *rest))
            elif kind == "in":
                seen.came.setdefault(handle, (at, rest[0]))
            elif kind == "out":
                seen.went.setdefault(handle, at)
    seen.frames, seen.rtcp = dict(frames), dict(rtcp)
    for ssrc, packets in rtp.items():
        columns = np.array(packets, dtype=np.float64)
        at, size, sequence, stamp, _, second = columns.T
        clock = _CLOCK["audio" if int(second[0]) & 127 == 111 else "video"]
        late = at - np.unwrap(stamp, period=2**32) / clock
        seen.streams[ssrc] = Stream(at, size, sequence, second >= 128, late - np.median(late))
    return seen


def _spread(values: Numbers) -> list[float]:
    if len(values) == 0:
        return [0.0] * 6
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return [float(x) for x in (values.mean(), values.std(), values.min(), values.max(), middle, high - low)]


def stream_window(stream: Stream | None, begin: float, end: float) -> list[float]:
    """Return the features of a stream in a window: sizes, paces, delays, gaps, markers."""
    if stream is None:
        return [0.0] * 30
    here = (stream.at >= begin) & (stream.at < end)
    around = (stream.at >= begin - 3.0) & (stream.at < end + 3.0) & ~here
    at, size, late = stream.at[here], stream.size[here], stream.late[here]
    pace = np.diff(at)
    # relative to the stream's delay around the window, because clocks and loads drift
    usual = stream.late[around]
    shift = float(np.median(late) - np.median(usual)) if len(late) and len(usual) else 0.0
    steps = np.diff(stream.sequence[here]) % 65_536
    return [
        float(len(at)),
        float(size.sum()),
        *_spread(size),
        *_spread(pace),
        *_spread(late - np.median(late) if len(late) else late),
        shift,
        *_spread(np.abs(np.diff(size))),
        float((steps != 1).sum()),
        float(stream.marker[here].sum()),
        float(len(np.unique(size))),
    ]


def frames_window(seen: Seen, handle: str, begin: float, end: float) -> list[float]:
    """Return the features of a connection's WebSocket frames and RTCP in a window."""
    frames = [f for f in seen.frames.get(handle, ()) if begin <= f[0] < end]
    counts: Counter[str] = Counter(f"{f[1]}{f[3]}" for f in frames)
    up, down = [f[2] for f in frames if f[1]], [f[2] for f in frames if not f[1]]
    rtcp = [r for r in seen.rtcp.get(handle, ()) if begin <= r[0] < end]
    return [
        *(float(counts[f"True{kind}"]) for kind in _KINDS),
        float(len(up)),
        float(sum(up)),
        float(max(up, default=0)),
        float(len(down)),
        float(sum(down)),
        float(len(rtcp)),
        float(sum(r[1] for r in rtcp)),
        float(sum(r[2] == 205 for r in rtcp)),
        float(sum(r[2] == 206 for r in rtcp)),
    ]


def audio_window(seen: Seen, who: Lived, room: Sequence[Lived], begin: float, end: float) -> list[float]:
    """Return the features of a member's audio in a window, and their difference from the other members'."""
    own = stream_window(seen.streams.get(who.ssrcs["audio"]), begin, end)
    others = [
        stream_window(seen.streams.get(other.ssrcs["audio"]), begin, end)
        for other in room
        if other.person != who.person and "audio" in other.ssrcs
    ]
    mean = np.mean(others, axis=0) if others else np.zeros(len(own))
    handle = who.handles[0] if who.handles else ""
    return [*own, *(np.array(own) - mean), *frames_window(seen, handle, begin, end)]
