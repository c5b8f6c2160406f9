"""Transport-wide sequence numbers, one count a receiver, and when what was sent under them.

draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2. A packet goes to many receivers at once, and
each counts for itself: so the counts stand side by side in arrays, and one packet costs a few operations
on them, however many get it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Packets remembered a receiver: longer than a report of them can take, at the rates that we send.
KEPT: Final = 1024
_MASK: Final = KEPT - 1
_FIRST: Final = 16


class Numbers:
    """One row a receiver. Times are seconds, sizes bytes of the packet in the clear (1 to 65,535)."""

    def __init__(self) -> None:
        self._next: NDArray[np.uint16] = np.zeros(_FIRST, np.uint16)
        #: Microseconds, and the size in the lowest 16 bits: one number, so that it costs one operation.
        self._log: NDArray[np.int64] = np.zeros((_FIRST, KEPT), np.int64)
        self._free = list(range(_FIRST - 1, -1, -1))

    def open(self) -> int:
        """A row for a new receiver, which has been sent nothing."""
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
        """The receiver is gone, and its row another's."""
        self._log[row] = 0
        self._free.append(row)

    def take(self, row: int, size: int, now: float) -> int:
        """The number of the next packet to this receiver."""
        number = int(self._next[row])
        self._next[row] = (number + 1) & 0xFFFF
        self._log[row, number & _MASK] = int(now * 1e6) << 16 | size
        return number

    def take_each(self, rows: NDArray[np.intp], size: int, now: float) -> NDArray[np.uint16]:
        """The same for many, each once."""
        numbers = self._next[rows]
        self._next[rows] = numbers + np.uint16(1)
        self._log[rows, numbers & _MASK] = int(now * 1e6) << 16 | size
        return numbers

    def sent(self, row: int, number: int) -> tuple[float, int] | None:
        """When packet `number` went to this receiver, and its size; None if that isn't known (any more)."""
        number &= 0xFFFF
        if not 1 <= (int(self._next[row]) - number) & 0xFFFF <= KEPT:
            return None
        entry = int(self._log[row, number & _MASK])
        return ((entry >> 16) / 1e6, entry & 0xFFFF) if entry else None

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._next.nbytes + self._log.nbytes
