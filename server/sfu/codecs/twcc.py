"""Transport-wide congestion control feedback: draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.

Each video packet of a sender carries a 16-bit number that counts over all the sender's streams; the receiver
reports when each packet arrived. The SFU has both roles. It reports to publishers (`Arrivals`). It also
parses the receivers' reports on its own packets (`parse`) and matches them with the packets that it sent
(`twcc_sequence.TwccSequence`).

Arrivals are whole numbers of 250 us (`TICKS` a second), on the reporter's clock.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from snugroom.server.sfu.limits import OWN_SSRC
from snugroom.server.wire.limits import RTCP_MAX

TICKS: Final = 4000
#: The reference time counts 64 ms, in 24 bits.
_REFERENCE: Final = 256
_REFERENCES: Final = 1 << 24
_RUN_MAX: Final = 8191
#: The most arrivals and statuses in one report that the SFU writes, so that it is below `RTCP_MAX` in the
#: worst order.
ARRIVALS_MAX: Final = 340
STATUSES_MAX: Final = 2048
#: Numbers by which a publisher's packet may be late and still be reported. A larger step forward is a new
#: beginning.
_WINDOW: Final = 1024
#: A report is sent when it has this many packets (or `_SLOW` has passed), and `_QUICK` has passed.
_FULL: Final = 10
_QUICK: Final = 0.05
_SLOW: Final = 0.1


class TwccError(ValueError):
    """Not a valid report."""


class Report(NamedTuple):
    """A receiver's report on the numbers `base` to `base` + `statuses` - 1 (modulo 2^16).

    `arrivals`: the packets that arrived, in order, as (number, tick). The others have not arrived. Ticks
    begin at the reference time, which wraps after 12 days (`REFERENCE_WRAP` ticks). `feedback` counts the
    reports, 8 bits.
    """

    ssrc: int
    base: int
    statuses: int
    feedback: int
    arrivals: list[tuple[int, int]]


#: Ticks after which the reference time begins anew.
REFERENCE_WRAP: Final = _REFERENCE * _REFERENCES


# -- reading ---------------------------------------------------------------------------------


def parse(part: bytes) -> Report:
    """Parse one RTCP packet (RTPFB, FMT 15) with its header but without RTCP padding. TwccError if malformed.

    The packet's size bounds the cost: packets that have not arrived cost nothing.
    """
    size = len(part)
    if not 20 <= size <= RTCP_MAX:
        raise TwccError("size")
    ssrc, base, count, tail = struct.unpack_from("!LHHL", part, 8)
    reference, feedback = tail >> 8, tail & 0xFF
    if not count:
        raise TwccError("empty")
    # Packets that have arrived, and the size of each one's delta: 1 or 2 bytes.
    steps: list[tuple[int, int]] = []
    position, offset = 20, 0
    while offset < count:
        if position + 2 > size:
            raise TwccError("chunks")
        chunk = part[position] << 8 | part[position + 1]
        position += 2
        if chunk < 0x8000:
            run, symbol = chunk & 0x1FFF, chunk >> 13
            if not run or symbol == 3:
                raise TwccError("run")
            run = min(run, count - offset)
            if symbol:
                if run > size - position:  # each has a byte at least
                    raise TwccError("deltas")
                steps += [(number, symbol) for number in range(offset, offset + run)]
            offset += run
        elif chunk < 0xC000:
            left = min(14, count - offset)
            steps += [(offset + i, 1) for i in range(left) if chunk >> 13 - i & 1]
            offset += left
        else:
            left = min(7, count - offset)
            for i in range(left):
                if symbol := chunk >> 12 - 2 * i & 3:
                    if symbol == 3:
                        raise TwccError("symbol")
                    steps.append((offset + i, symbol))
            offset += left
    return Report(ssrc, base, count, feedback, _times(part, position, base, reference * _REFERENCE, steps))


def _times(
    part: bytes, position: int, base: int, tick: int, steps: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    size = len(part)
    arrivals: list[tuple[int, int]] = []
    try:
        for offset, width in steps:
            if width == 1:
                tick += part[position]
                position += 1
            else:
                delta = part[position] << 8 | part[position + 1]
                tick += delta - 0x10000 if delta & 0x8000 else delta
                position += 2
            arrivals.append((base + offset & 0xFFFF, tick))
    except IndexError:
        raise TwccError("deltas") from None
    if size - position > 3:
        raise TwccError("tail")
    return arrivals


# -- writing ---------------------------------------------------------------------------------


def build(ssrc: int, base: int, ticks: Sequence[int | None], feedback: int) -> tuple[bytes, int]:
    """Encode a report on the numbers from `base` on; return it and how many of `ticks` it covers.

    The first of `ticks` must be an arrival. The report ends early before an arrival more than 8 s off the one
    before it, or where it would be too long.
    """
    first = ticks[0]
    assert first is not None
    reference = first // _REFERENCE
    last = reference * _REFERENCE
    symbols = bytearray()
    deltas = bytearray()
    arrived = 0
    for tick in ticks[:STATUSES_MAX]:
        if tick is None:
            symbols.append(0)
            continue
        delta = tick - last
        if arrived == ARRIVALS_MAX or not -0x8000 <= delta <= 0x7FFF:
            break
        arrived += 1
        last = tick
        if 0 <= delta <= 0xFF:
            symbols.append(1)
            deltas.append(delta)
        else:
            symbols.append(2)
            deltas += struct.pack("!h", delta)
    body = _chunks(symbols) + deltas
    body += bytes(-len(body) % 4)
    head = struct.pack("!BBHLLHH", 0x8F, 205, 4 + len(body) // 4, OWN_SSRC, ssrc, base, len(symbols))
    return head + struct.pack("!L", reference % _REFERENCES << 8 | feedback) + body, len(symbols)


def _chunks(symbols: bytes | bytearray) -> bytes:
    """Encode long runs as runs, the rest as vectors of 14 or 7 symbols (3.1.3, 3.1.4)."""
    out = bytearray()
    position, size = 0, len(symbols)
    while position < size:
        symbol = symbols[position]
        end = position + 1
        while end < size and symbols[end] == symbol and end - position < _RUN_MAX:
            end += 1
        run = end - position
        if run >= 14 or end == size or (run >= 7 and symbol == 2):
            out += (symbol << 13 | run).to_bytes(2, "big")
            position = end
            continue
        part = symbols[position : position + 14]
        if 2 not in part:
            bits = sum(1 << 13 - i for i, s in enumerate(part) if s)
            out += (0x8000 | bits).to_bytes(2, "big")
            position += 14
        else:
            bits = sum(s << 12 - 2 * i for i, s in enumerate(part[:7]))
            out += (0xC000 | bits).to_bytes(2, "big")
            position += 7
    return bytes(out)


class Arrivals:
    """Arrival times of one publisher's packets, until they have been reported."""

    __slots__ = ("_feedback", "_high", "_last", "_new", "_next", "_ticks")

    def __init__(self) -> None:
        #: Extended number -> tick, the last `_WINDOW` of them. Reported packets are kept too: a report begins
        #: with a late packet, and would otherwise report all packets after it as lost.
        self._ticks: dict[int, int] = {}
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
                if number <= high - _WINDOW:
                    return
                if number in ticks:
                    return
                if number < self._next:
                    self._next = number
            if step == 0:
                return
        ticks[number] = int(now * TICKS)
        self._new += 1
        if len(ticks) > _WINDOW:
            del ticks[next(iter(ticks))]

    def _begin(self, number: int) -> None:
        self._ticks.clear()
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
            data, covered = build(ssrc, begin + lead & 0xFFFF, statuses[lead:], self._feedback)
            self._feedback = self._feedback + 1 & 0xFF
            reports.append(data)
            lead += covered
        return reports
