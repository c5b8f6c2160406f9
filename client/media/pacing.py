"""Pacing: spreads the packets of a frame over the frame's duration. A pure core.

A key frame is many times larger than other frames. Sent at once, it fills the queue before a narrow link and
delays the audio behind it. Times are seconds, sizes bytes.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")

#: Packets leave at this multiple of the target rate.
FASTER: Final = 2.5
#: Seconds in which all waiting packets leave, at any rate.
WAIT_MAX: Final = 0.1
#: Seconds by which packets may leave early, together: a timer has no finer resolution.
_SLACK: Final = 0.003
_PACKETS_MAX: Final = 2_000


class Pacer(Generic[_T]):
    """A queue of packets of any type, urgent packets first. `dropped` counts packets without room."""

    def __init__(self) -> None:
        self._urgent: deque[tuple[int, _T]] = deque()
        self._queue: deque[tuple[int, _T]] = deque()
        self._octets = 0
        self._rate = 1.0
        self._next = 0.0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._queue)

    def push(self, size: int, packet: _T, *, urgent: bool = False) -> None:
        """Add one packet to the queue."""
        if len(self) >= _PACKETS_MAX:
            self.dropped += 1
            return
        (self._urgent if urgent else self._queue).append((size, packet))
        self._octets += size

    def aim(self, bitrate: float) -> None:
        """Set the target rate, bits a second. Call it after each frame."""
        self._rate = max(FASTER * bitrate, 8 * self._octets / WAIT_MAX, 1.0)

    def take(self, now: float) -> list[_T]:
        """Return the packets that may leave now."""
        out = []
        while len(self) and now + _SLACK >= self._next:
            size, packet = (self._urgent or self._queue).popleft()
            self._octets -= size
            self._next = max(self._next, now - _SLACK) + 8 * size / self._rate
            out.append(packet)
        return out

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next packet may leave; None if the queue is empty."""
        return max(0.0, self._next - now) if len(self) else None
