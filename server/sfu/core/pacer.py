"""A queue of packets for one receiver on a narrow path, emptied no faster than the receiver can take them.

A key frame is fifty packets at once. A path of 500 kbit/s needs a second for them, and the audio behind them
would wait as long. So audio goes at once, resent packets next, and video as the rate allows. Video that has
waited too long is useless: it is dropped, with all that depends on it, until the next key frame.

The caller should assign numbers (sequence, PictureID) when a packet goes out and not when it is queued.
Packets that are dropped here then leave no gap. Times are seconds, rates bits a second, sizes bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from enum import Enum
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

#: The pacing rate as a multiple of the estimate: on average less than the estimate is sent, and a frame
#: should not take until the next one.
_FACTOR: Final = 2.5
_RATE_LEAST: Final = 300_000.0
#: The burst after a pause: what the rate allows in one tick, and two packets.
_BURST_TIME: Final = 0.02
_BURST: Final = 2400
#: The longest wait of a video packet that does not belong to a key frame.
_AGE_MAX: Final = 0.3
#: The most bytes that wait. A key frame of 720p is below 100 kB.
_QUEUE_MAX: Final = 192 * 1024


class PacketKind(Enum):
    """The kinds of packets, in the order in which they go."""

    AUDIO = 0
    RESENT = 1
    VIDEO = 2


class _QueuedVideo(NamedTuple, Generic[T, K]):
    item: T
    size: int
    since: float
    stream: K
    #: `key`: the packet belongs to a key frame; `start`: it is the first one.
    key: bool
    start: bool


class Pacer(Generic[T, K]):
    """`T` is the type of the packets, returned as they were pushed; `K` identifies a stream."""

    __slots__ = (
        "_allowance", "_at", "_audio", "_blocked", "_keys", "_lost", "_rate", "_resent", "_video", "queued",
    )  # fmt: skip

    def __init__(self, target: float = _RATE_LEAST) -> None:
        self._rate = 0.0
        self.target(target)
        self._allowance = float(_BURST)
        self._at = float("-inf")
        self._audio: deque[tuple[T, int]] = deque()
        self._resent: deque[tuple[T, int]] = deque()
        self._video: deque[_QueuedVideo[T, K]] = deque()
        #: Bytes of resent packets and video that wait.
        self.queued = 0
        #: The timestamp of each stream's latest key frame, which all packets of the key frame share.
        self._keys: dict[K, int] = {}
        #: Streams that wait for a key frame, and the ones that `lost` has not returned yet.
        self._blocked: dict[K, None] = {}
        self._lost: dict[K, None] = {}

    def target(self, target: float) -> None:
        """Set the rate that the receiver can take (`estimate.BandwidthEstimate.target`)."""
        self._rate = max(_FACTOR * target, _RATE_LEAST) / 8

    def push(
        self,
        item: T,
        size: int,
        kind: PacketKind,
        now: float,
        stream: K | None = None,
        timestamp: int = 0,
        start: bool = False,
    ) -> bool:
        """Queue a packet, for `due` to return now or later. Return False if it is dropped.

        Video names its `stream` and RTP `timestamp`; `start`: it is the first packet of a key frame.
        """
        if kind is PacketKind.AUDIO:
            self._audio.append((item, size))
            return True
        if kind is PacketKind.RESENT:
            if self.queued + size > _QUEUE_MAX:
                return False
            self._resent.append((item, size))
            self.queued += size
            return True
        assert stream is not None
        if start:
            self._keys[stream] = timestamp
            self._blocked.pop(stream, None)
            self._lost.pop(stream, None)
        elif stream in self._blocked:
            return False
        if self.queued + size > _QUEUE_MAX:
            self._drop(stream, None)
            if not start or self.queued + size > _QUEUE_MAX:
                self._block(stream)
                return False
            self._blocked.pop(stream, None)  # a new key frame replaces all that waited
            self._lost.pop(stream, None)
        key = self._keys.get(stream) == timestamp
        self._video.append(_QueuedVideo(item, size, now, stream, key, start))
        self.queued += size
        return True

    def due(self, now: float) -> list[T]:
        """Return the packets that go out now, in order."""
        if self._at > float("-inf"):
            earned = max(0.0, now - self._at) * self._rate
            self._allowance = min(self._allowance + earned, self._rate * _BURST_TIME + _BURST)
        self._at = now
        out: list[T] = []
        while self._audio:  # whatever the allowance is: later packets pay for it
            item, size = self._audio.popleft()
            out.append(item)
            self._allowance -= size
        while self._resent and self._allowance > 0:
            item, size = self._resent.popleft()
            out.append(item)
            self._allowance -= size
            self.queued -= size
        while self._video:
            head = self._video[0]
            if not head.key and now - head.since > _AGE_MAX:
                self._drop(head.stream, now)
                continue
            if self._allowance <= 0:
                break
            self._video.popleft()
            out.append(head.item)
            self._allowance -= head.size
            self.queued -= head.size
        return out

    @property
    def waiting(self) -> int:
        """The number of packets that wait."""
        return len(self._audio) + len(self._resent) + len(self._video)

    def drain(self) -> list[T]:
        """Return all packets that wait, in order, whatever the rate: the path has become wide."""
        out = [item for item, _ in (*self._audio, *self._resent)] + [waiting.item for waiting in self._video]
        self._audio.clear()
        self._resent.clear()
        self._video.clear()
        self.queued = 0
        return out

    def wait(self, now: float) -> float | None:
        """Return the seconds until `due` has a packet; None if none waits."""
        if self._audio:
            return 0.0
        if not self._resent and not self._video:
            return None
        have = self._allowance + max(0.0, now - self._at) * self._rate
        return 0.0 if have > 0 else -have / self._rate

    def lost(self) -> list[K]:
        """Return the streams that need a key frame since the last call; the caller asks for it."""
        lost = list(self._lost)
        self._lost.clear()
        return lost

    def blocked(self, stream: K) -> bool:
        """Whether the stream waits for a key frame."""
        return stream in self._blocked

    def forget(self, stream: K) -> None:
        """Drop all waiting packets and the state of a stream or layer that this receiver no longer gets."""
        self._drop(stream, None)
        self._keys.pop(stream, None)
        self._blocked.pop(stream, None)
        self._lost.pop(stream, None)

    def _drop(self, stream: K, now: float | None) -> None:
        """Drop waiting packets of `stream`: all, or (at `now`) those before its next waiting key frame."""
        kept: deque[_QueuedVideo[T, K]] = deque()
        found = False
        for waiting in self._video:
            if waiting.stream == stream:
                found = found or (now is not None and waiting.start)
                if not found:
                    self.queued -= waiting.size
                    continue
            kept.append(waiting)
        if not found and len(kept) < len(self._video):
            self._block(stream)
        self._video = kept

    def _block(self, stream: K) -> None:
        self._blocked[stream] = None
        self._lost[stream] = None
