"""Blobs for the receivers of one stream: which connections get them, and the last ones of each sender.

Members send lists of media signatures in this way (docs/reference/protocol.md section 10). The SSRC under
which a stream is announced names it, and `subscribe` names its receivers. A receiver needs the lists of all
frames that were forwarded to it. So it still gets lists of a stream that it has left a moment ago, and at
once the last lists of a stream that it asks for.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from snugroom.server.rooms.memory import BLOB, Ledger
from snugroom.wire import limits, messages


def has_valid_size(message: messages.ClientMessage) -> bool:
    """Return whether a message carries no blob, or one of a size that the room takes."""
    if isinstance(message, messages.Broadcast) and message.ssrc is not None:
        return len(message.blob) in limits.LIST_SIZES
    if isinstance(message, messages.Commit | messages.Relay | messages.Broadcast):
        return len(message.blob) in limits.BUCKETS
    return True


@dataclass(frozen=True, slots=True)
class StreamBlob:
    """A blob about the stream `ssrc`, and when it came."""

    at: float
    ssrc: int
    blob: bytes


class Subscription:
    """The streams for which a connection gets blobs. None means all, which is the initial state."""

    __slots__ = ("_before", "_ssrcs", "_until")

    def __init__(self) -> None:
        self._ssrcs: frozenset[int] | None = None
        #: The streams before the last change, and until when the connection still gets their blobs.
        self._before: frozenset[int] | None = frozenset()
        self._until = -math.inf

    def includes(self, ssrc: int, now: float) -> bool:
        """Return whether the connection gets a blob about that stream now."""
        if self._ssrcs is None or ssrc in self._ssrcs:
            return True
        return now < self._until and (self._before is None or ssrc in self._before)

    def change(self, ssrcs: frozenset[int] | None, now: float) -> None:
        """Set the streams. Those of the last seconds remain for LISTS_LINGER more."""
        before = self._ssrcs
        if now < self._until and before is not None:
            older = self._before
            before = None if older is None or len(before | older) > limits.SUBSCRIBE_MAX else before | older
        self._ssrcs, self._before, self._until = ssrcs, before, now + limits.LISTS_LINGER


class LastBlobs:
    """The blobs that one connection has sent for the receivers of its streams in the last seconds."""

    __slots__ = ("_blobs", "_bytes", "_ledger")

    def __init__(self, ledger: Ledger) -> None:
        self._blobs: deque[StreamBlob] = deque()
        self._bytes = 0
        self._ledger = ledger

    @property
    def memory(self) -> int:
        """Bytes of memory, as the ledger counts them."""
        return self._bytes + BLOB * len(self._blobs)

    @property
    def deadline(self) -> float:
        """When the oldest blob is to be dropped; infinity if there is none."""
        return self._blobs[0].at + limits.LISTS_KEPT if self._blobs else math.inf

    @property
    def sizes(self) -> list[int]:
        """The size of each blob."""
        return [len(each.blob) for each in self._blobs]

    def add(self, ssrc: int, blob: bytes, now: float) -> None:
        """Keep a blob, and drop those that are too old or too many."""
        self._blobs.append(StreamBlob(now, ssrc, blob))
        self._bytes += len(blob)
        self._ledger.blobs += len(blob) + BLOB
        self.expire(now)
        while len(self._blobs) > limits.LISTS_KEPT_MAX or self._bytes > limits.LISTS_KEPT_BYTES:
            self._drop()

    def expire(self, now: float) -> None:
        """Drop the blobs that are older than LISTS_KEPT."""
        while self._blobs and self._blobs[0].at + limits.LISTS_KEPT <= now:
            self._drop()

    def clear(self) -> None:
        """Drop all blobs."""
        while self._blobs:
            self._drop()

    def recent(self, now: float) -> Iterator[StreamBlob]:
        """Yield the blobs of the last LISTS_KEPT seconds, oldest first."""
        return (each for each in self._blobs if each.at + limits.LISTS_KEPT > now)

    def _drop(self) -> None:
        size = len(self._blobs.popleft().blob)
        self._bytes -= size
        self._ledger.blobs -= size + BLOB
