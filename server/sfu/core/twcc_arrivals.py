"""Arrival times of a publisher's packets, and when to report them with transport-wide feedback."""

from __future__ import annotations

from typing import Final

from snugroom.server.sfu.limits import OWN_SSRC
from snugroom.wire import twcc

#: Numbers by which a publisher's packet may be late and still be reported. A larger step forward is a new
#: beginning.
_WINDOW: Final = 1024
#: Seconds for which reported packets are kept.
_KEPT: Final = 1.0
#: A report is sent when it has this many packets (or `_SLOW` has passed), and `_QUICK` has passed.
_FULL: Final = 10
_QUICK: Final = 0.05
_SLOW: Final = 0.1


class Arrivals:
    """Arrival times of one publisher's packets, until they have been reported."""

    __slots__ = ("_feedback", "_first", "_high", "_last", "_new", "_next", "_ticks")

    def __init__(self) -> None:
        #: Extended number -> tick, at most the last `_WINDOW`. Reported packets are kept for `_KEPT`: a
        #: report begins with a late packet, and would otherwise report all packets after it as lost.
        self._ticks: dict[int, int] = {}
        #: Packets below this number have been reported and forgotten.
        self._first = 0
        self._high = -1
        #: The base of the next report.
        self._next = 0
        self._new = 0
        self._last = float("-inf")
        self._feedback = 0

    def record(self, number: int, now: float) -> None:
        """Record the arrival of the packet with this number (16 bits). Its first arrival counts."""
        high = self._high
        ticks = self._ticks
        if high < 0:
            self._begin(0x10000 + number)
            number = self._high
        else:
            step = (number - high) & 0xFFFF
            number = high + step
            if step < 0x8000:
                if step > _WINDOW:
                    self._begin(number)
                self._high = number
            else:
                number -= 0x10000
                if number <= high - _WINDOW or number < self._first:
                    return
                if number in ticks:
                    return
                if number < self._next:
                    self._next = number
            if step == 0:
                return
        ticks[number] = int(now * twcc.TICKS)
        self._new += 1
        if len(ticks) > _WINDOW:
            del ticks[next(iter(ticks))]

    def _begin(self, number: int) -> None:
        self._ticks.clear()
        self._first = 0
        self._high = self._next = number
        self._new = 0

    def due(self, ssrc: int, now: float) -> list[bytes]:
        """Return the reports to send now (RTCP packets, each below `RTCP_MAX`), for the publisher of `ssrc`.

        Empty while nothing new has come; otherwise reports are due after 50 ms if there is much to report, or
        after 100 ms.
        """
        if not self._new or now - self._last < (_QUICK if self._new >= _FULL else _SLOW):
            return []
        self._last = now
        self._new = 0
        ticks, reports = self._ticks, []
        begin, end = max(self._next, self._high - _WINDOW), self._high + 1
        self._next = end
        statuses = [ticks.get(number) for number in range(begin, end)]
        # A report begins with an arrival, for the reference time, and so cannot report losses before it. It
        # therefore begins with the last reported arrival.
        lead = 0
        if statuses[0] is None and begin - 1 in ticks:
            statuses.insert(0, ticks[begin - 1])
            begin -= 1
        while lead < len(statuses):
            if statuses[lead] is None:
                lead += 1
                continue
            data, covered = twcc.build(OWN_SSRC, ssrc, begin + lead & 0xFFFF, statuses[lead:], self._feedback)
            self._feedback = self._feedback + 1 & 0xFF
            reports.append(data)
            lead += covered
        self._forget(int((now - _KEPT) * twcc.TICKS))
        return reports

    def _forget(self, before: int) -> None:
        """Forget packets that came before this tick, except for the last one: the next report may need it."""
        old = [number for number, tick in self._ticks.items() if tick < before and number < self._high]
        if old:
            self._first = max(self._first, max(old) + 1)
            self._ticks = {number: tick for number, tick in self._ticks.items() if number >= self._first}
