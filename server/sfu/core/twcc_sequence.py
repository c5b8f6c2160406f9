"""Transport-wide sequence numbers, one count for each receiver, and the send time of each number.

draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2. One packet goes to many receivers at once, and
each has its own count. The counts are columns of arrays, so that one packet costs a few operations for any
number of receivers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from snugroom.wire.twcc import REFERENCE_WRAP, TICKS, Report

#: Packets remembered for each receiver: at the rates of the SFU, a report arrives before they are
#: overwritten.
KEPT: Final = 1024
_MASK: Final = KEPT - 1
_FIRST: Final = 16


@dataclass(frozen=True, slots=True)
class TwccFeedback:
    """Transport-wide feedback matched with sent packets: (sent at, size, arrived at or None), in order."""

    reports: tuple[tuple[float, int, float | None], ...]


class TwccSequence:
    """One row for each receiver. Times are seconds, sizes bytes of the packet in the clear (1 to 65,535)."""

    def __init__(self) -> None:
        self._next: NDArray[np.uint16] = np.zeros(_FIRST, np.uint16)
        #: Microseconds, with the size in the lowest 16 bits: one number, so that writing it costs one
        #: operation. 0: reported as arrived, or never sent. Negative: reported as lost, and may still arrive.
        self._log: NDArray[np.int64] = np.zeros((_FIRST, KEPT), np.int64)
        #: Each receiver's clock in its last report, in ticks that do not wrap.
        self._ticks: dict[int, int] = {}
        self._free = list(range(_FIRST - 1, -1, -1))

    def open(self) -> int:
        """Return a row for a new receiver, which has been sent nothing."""
        if not self._free:
            rows = len(self._next)
            self._next = np.concatenate([self._next, np.zeros(rows, np.uint16)])
            self._log = np.concatenate([self._log, np.zeros((rows, KEPT), np.int64)])
            self._free = list(range(2 * rows - 1, rows - 1, -1))
        row = self._free.pop()
        self._next[row] = 0
        self._log[row] = 0
        return row

    def close(self, row: int) -> None:
        """Free the row of a receiver that is gone."""
        self._ticks.pop(row, None)
        self._log[row] = 0
        self._free.append(row)

    def assign(self, row: int, size: int, now: float) -> int:
        """Return the number of the next packet to this receiver, and record the packet."""
        number = int(self._next[row])
        self._next[row] = (number + 1) & 0xFFFF
        self._log[row, number & _MASK] = int(now * 1e6) << 16 | size
        return number

    def assign_each(self, rows: NDArray[np.intp], size: int, now: float) -> NDArray[np.uint16]:
        """Do the same for many rows, each at most once in `rows`."""
        numbers = self._next[rows]
        self._next[rows] = numbers + np.uint16(1)
        self._log[rows, numbers & _MASK] = int(now * 1e6) << 16 | size
        return numbers

    def match_report(self, row: int, report: Report) -> list[tuple[float, int, float | None]]:
        """Match a report with sent packets: (sent at, size, arrived at or None), in order, each packet once.

        A packet that was reported lost may be reported once more, as arrived. Arrivals are seconds on the
        receiver's clock; only their differences have a meaning.
        """
        # Resolve the 16 bits to the newest number that they can mean.
        newest = int(self._next[row]) - 1
        base = newest - ((newest - report.base) & 0xFFFF)
        begin, end = max(base, newest + 1 - KEPT), min(base + report.statuses, newest + 1)
        if begin >= end:
            return []
        wrap = self._unwrap(row, report.arrivals[0][1]) if report.arrivals else 0
        when = dict(report.arrivals)
        log = self._log[row]
        places = np.arange(begin, end) & _MASK
        entries: list[int] = log[places].tolist()
        results: list[tuple[float, int, float | None]] = []
        for i, entry in enumerate(entries):
            if not entry:
                continue
            tick = when.get(begin + i & 0xFFFF)
            if tick is not None:
                entries[i] = 0
                entry = abs(entry)
                results.append(((entry >> 16) / 1e6, entry & 0xFFFF, (tick + wrap) / TICKS))
            elif entry > 0:
                entries[i] = -entry
                results.append(((entry >> 16) / 1e6, entry & 0xFFFF, None))
        log[places] = entries
        return results

    def _unwrap(self, row: int, tick: int) -> int:
        """Return the value to add to this report's ticks, so that they continue from the last report's."""
        last = self._ticks.get(row)
        if last is None:
            self._ticks[row] = tick
            return 0
        step = (tick - last + REFERENCE_WRAP // 2) % REFERENCE_WRAP - REFERENCE_WRAP // 2
        self._ticks[row] = last + step
        return last + step - tick
