"""Arrivals of the server's video packets, and the reports on them (`wire.twcc` encodes those)."""

from __future__ import annotations

from typing import Final

from snugroom.wire import twcc

#: Seconds between two reports while packets arrive.
INTERVAL: Final = 0.08
#: Numbers further away than this belong to a new sequence.
_JUMP_MAX: Final = 2_000


class Arrivals:
    """Arrivals since the last report. A packet that arrives after it was reported missing stays missing."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._highest = 0
        #: Extended number -> tick.
        self._came: dict[int, int] = {}
        self._count = 0

    def record(self, number: int, now: float) -> None:
        """Take note that a packet with this number (16 bits) has arrived."""
        if self._next is None:
            self._next = self._highest = number
        extended = self._highest + ((number - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if abs(extended - self._highest) > _JUMP_MAX:
            self._came.clear()
            self._next = extended = number
            self._highest = number
        if extended < self._next:
            return
        self._highest = max(self._highest, extended)
        self._came.setdefault(extended, round(now * twcc.TICKS))

    def take(self, sender: int) -> list[bytes]:
        """Return all due reports from `sender` (RTCP packets), in order; empty if nothing has arrived."""
        out = []
        while self._came and self._next is not None:
            ticks = [self._came.get(number) for number in range(self._next, self._highest + 1)]
            data, covered = twcc.build(sender, 0, self._next & 0xFFFF, ticks, self._count & 0xFF)
            out.append(data)
            self._count += 1
            for number in range(self._next, self._next + covered):
                self._came.pop(number, None)
            self._next += covered
        return out
