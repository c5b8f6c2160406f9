"""Transport-wide congestion control feedback: draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.

Each video packet of a sender carries a 16-bit number that counts over all the sender's streams; the receiver
reports when each packet arrived. Each end has both roles, and decides for itself when to report.

Arrivals are whole numbers of 250 us (`TICKS` a second), on the reporter's clock.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from snugroom.wire.limits import RTCP_MAX

TICKS: Final = 4000
#: The reference time counts 64 ms, in 24 bits.
_REFERENCE: Final = 256
_REFERENCES: Final = 1 << 24
_RUN_MAX: Final = 8191
#: The most arrivals and statuses in one report that is written, so that it is below `RTCP_MAX` in the worst
#: order.
ARRIVALS_MAX: Final = 340
STATUSES_MAX: Final = 2048


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


def build(sender: int, ssrc: int, base: int, ticks: Sequence[int | None], feedback: int) -> tuple[bytes, int]:
    """Encode a report on the numbers from `base` on; return it and how many of `ticks` it covers.

    At least one of the first `STATUSES_MAX` ticks must be an arrival. The report ends early before an arrival
    more than 8 s off the one before it, or where it would be too long.
    """
    reference = next(tick for tick in ticks if tick is not None) // _REFERENCE
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
    head = struct.pack("!BBHLLHH", 0x8F, 205, 4 + len(body) // 4, sender, ssrc, base, len(symbols))
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
