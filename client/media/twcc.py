"""Transport-wide congestion control feedback: draft-holmer-rmcat-transport-wide-cc-extensions-01.

A sender of video numbers all video packets of its connection in one sequence (header extension 5). The
receiver reports which numbers arrived, and when. `Arrivals` makes the reports, `parse` reads them. Pure;
times are seconds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

#: Seconds between two reports while packets arrive.
INTERVAL: Final = 0.08
#: Maximum number of statuses in a report that is written or read.
STATUSES_MAX: Final = 4_096
_TICK: Final = 0.000_25
_REFERENCE: Final = 0.064
_DELTA_MAX: Final = 0x7FFF
#: Numbers further away than this belong to a new sequence.
_JUMP_MAX: Final = 2_000
_RUN_MAX: Final = 0x1FFF
_LOST, _SMALL, _LARGE = 0, 1, 2


class TwccError(ValueError):
    """The bytes are not a valid report; the text says why."""


@dataclass(frozen=True, slots=True)
class Report:
    """`arrivals`: the arrival time of each number from `first` on (modulo 2^16), None if it did not arrive.

    Times are seconds on the receiver's clock; it starts anywhere and wraps after 12 days.
    """

    first: int
    count: int
    arrivals: tuple[float | None, ...]


class Arrivals:
    """Arrivals since the last report. A packet that arrives after it was reported missing stays missing."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._highest = 0
        self._came: dict[int, float] = {}
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
        self._came.setdefault(extended, now)

    def take(self) -> list[bytes]:
        """Return the FCI of all due reports, in order; empty if nothing has arrived."""
        out = []
        while self._came and self._next is not None:
            numbers, deltas, reference = self._collect(self._next)
            out.append(self._build(self._next, numbers, deltas, reference))
            self._next += len(numbers)
        return out

    def _collect(self, first: int) -> tuple[list[int], list[int], int]:
        """Return (symbol of each number, delta of each arrival, reference time) for one report."""
        symbols: list[int] = []
        deltas: list[int] = []
        reference = int(min(self._came.values()) / _REFERENCE)
        last = round(reference * _REFERENCE / _TICK)
        for number in range(first, self._highest + 1):
            if len(symbols) >= STATUSES_MAX or not self._came:
                break
            came = self._came.get(number)
            if came is None:
                symbols.append(_LOST)
                continue
            delta = round(came / _TICK) - last
            if abs(delta) > _DELTA_MAX:
                if not deltas:
                    # the first arrival is much later than another one: the report begins with it
                    reference = int(came / _REFERENCE)
                    delta = round(came / _TICK) - round(reference * _REFERENCE / _TICK)
                    last = round(came / _TICK) - delta
                else:
                    break
            del self._came[number]
            last += delta
            deltas.append(delta)
            symbols.append(_SMALL if 0 <= delta <= 0xFF else _LARGE)
        return symbols, deltas, reference

    def _build(self, first: int, symbols: list[int], deltas: list[int], reference: int) -> bytes:
        head = struct.pack("!HH", first & 0xFFFF, len(symbols))
        head += (reference & 0xFFFFFF).to_bytes(3, "big") + bytes([self._count & 0xFF])
        self._count += 1
        body = _chunks(symbols) + b"".join(
            bytes([delta]) if 0 <= delta <= 0xFF else struct.pack("!h", delta) for delta in deltas
        )
        return head + body + bytes(-len(head + body) % 4)


def _chunks(symbols: list[int]) -> bytes:
    """Encode as runs of one symbol, or as seven symbols of two bits (sections 3.1.1, 3.1.3 and 3.1.4)."""
    out = bytearray()
    at = 0
    while at < len(symbols):
        run = 1
        while at + run < len(symbols) and run < _RUN_MAX and symbols[at + run] == symbols[at]:
            run += 1
        if run >= 7 or at + run == len(symbols):
            out += struct.pack("!H", symbols[at] << 13 | run)
            at += run
            continue
        seven = (symbols[at : at + 7] + [_LOST] * 7)[:7]
        word = 0xC000
        for place, symbol in enumerate(seven):
            word |= symbol << (12 - 2 * place)
        out += struct.pack("!H", word)
        at += 7
    return bytes(out)


def parse(fci: bytes) -> Report:
    """Read the FCI of one report (the part after the two SSRCs); TwccError if malformed."""
    if len(fci) < 8:
        raise TwccError("report cut short")
    first, statuses = struct.unpack_from("!HH", fci)
    if not 1 <= statuses <= STATUSES_MAX:
        raise TwccError("a report of nothing, or of too much")
    reference = int.from_bytes(fci[4:7], "big")
    symbols: list[int] = []
    at = 8
    while len(symbols) < statuses:
        if at + 2 > len(fci):
            raise TwccError("chunks cut short")
        word = fci[at] << 8 | fci[at + 1]
        at += 2
        if not word & 0x8000:
            symbols += [word >> 13 & 3] * min(word & 0x1FFF, statuses - len(symbols))
            if not word & 0x1FFF:
                raise TwccError("a run of nothing")
        elif word & 0x4000:
            symbols += [word >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [word >> shift & 1 for shift in range(13, -1, -1)]
    arrivals: list[float | None] = []
    ticks = 0
    for symbol in symbols[:statuses]:
        if symbol == _LOST:
            arrivals.append(None)
            continue
        size = {_SMALL: 1, _LARGE: 2}.get(symbol)
        if size is None:
            raise TwccError("a reserved symbol")
        if at + size > len(fci):
            raise TwccError("deltas cut short")
        ticks += fci[at] if size == 1 else struct.unpack_from("!h", fci, at)[0]
        at += size
        arrivals.append(reference * _REFERENCE + ticks * _TICK)
    return Report(first, fci[7], tuple(arrivals))
