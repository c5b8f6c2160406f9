"""When each packet of a frame leaves: a burst that is spread over the time of the frame. A pure core.

A key frame is many times as long as others. Sent at once it fills the queue in front of a narrow link, and
the sound behind it waits. Times are seconds, sizes bytes.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")

#: Packets leave so many times faster than the rate that is aimed at.
FASTER: Final = 2.5
#: Seconds in which all that waits has left, whatever the rate.
WAIT_MAX: Final = 0.1
#: Seconds by which packets may leave early, together: less is no use to a timer.
_SLACK: Final = 0.003
_PACKETS_MAX: Final = 2_000


class Pacer(Generic[_T]):
    """Packets of any kind in order; those that are urgent first. `dropped` had no room."""

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
        """One more packet that is to leave."""
        if len(self) >= _PACKETS_MAX:
            self.dropped += 1
            return
        (self._urgent if urgent else self._queue).append((size, packet))
        self._octets += size

    def aim(self, bitrate: float) -> None:
        """The rate that is aimed at, bits a second; to be said after each frame."""
        self._rate = max(FASTER * bitrate, 8 * self._octets / WAIT_MAX, 1.0)

    def take(self, now: float) -> list[_T]:
        """What may leave now."""
        out = []
        while len(self) and now + _SLACK >= self._next:
            size, packet = (self._urgent or self._queue).popleft()
            self._octets -= size
            self._next = max(self._next, now - _SLACK) + 8 * size / self._rate
            out.append(packet)
        return out

    def wait(self, now: float) -> float | None:
        """Seconds until something may leave; None: nothing waits."""
        return max(0.0, self._next - now) if len(self) else None
