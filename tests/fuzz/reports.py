"""Transport-wide feedback: any report, and packets in any order, at both ends."""

from __future__ import annotations

import struct
from typing import Final

from snugroom.client.media.twcc_arrivals import Arrivals as ClientArrivals
from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.core.twcc_sequence import TwccSequence
from snugroom.wire import twcc
from snugroom.wire.limits import RTCP_MAX
from tests.fuzz.target import Target


def _part(data: bytes) -> bytes:
    """An RTCP packet of this FCI."""
    body = data[: len(data) // 4 * 4]
    return struct.pack("!BBHLL", 0x8F, 205, 2 + len(body) // 4, 1, 7) + body


class Reports:
    """One sender and one receiver, who are told all kinds of things about their packets."""

    def __init__(self) -> None:
        self._sent = TwccSequence()
        self._row = self._sent.open()
        self._arrivals = Arrivals()
        self._clients = ClientArrivals()
        self._now = 1.0
        self._good = 0

    def feed(self, data: bytes) -> None:
        self._now += 0.01
        for _ in range(1 + data[-1] % 7 if data else 1):
            self._sent.assign(self._row, 1200, self._now)
        self._read(data)
        self._write(data)

    def _read(self, data: bytes) -> None:
        part = _part(data)
        try:
            report = twcc.parse(part)
        except twcc.TwccError:
            return
        self._good += 1
        assert len(report.arrivals) <= min(len(part), report.statuses)
        numbers = [(number - report.base) & 0xFFFF for number, _ in report.arrivals]
        assert numbers == sorted(set(numbers))
        assert not numbers or numbers[-1] < report.statuses
        told = self._sent.match_report(self._row, report)
        assert all(at <= self._now + 1e-5 and size == 1200 for at, size, _ in told)

    def _write(self, data: bytes) -> None:
        """Numbers come in any order; what is written of them can be read."""
        for (number,) in struct.iter_unpack("!H", data[: len(data) // 2 * 2]):
            self._arrivals.record(number, self._now)
            self._clients.record(number, self._now)
        for report in (*self._arrivals.due(7, self._now), *self._clients.take(7)):
            assert len(report) % 4 == 0
            assert len(report) <= RTCP_MAX
            assert twcc.parse(report).arrivals

    def look(self) -> None:
        assert self._good, "no report was ever read"
        assert len(self._arrivals._ticks) <= 4096
        assert len(self._clients._came) <= 4096

    def close(self) -> None:
        pass


def _reports() -> list[bytes]:
    head = struct.pack("!HHL", 10, 6, 0x00010005)
    runs = head + b"\x20\x06" + bytes([4] * 6)
    bits = head + b"\xac\x00" + bytes([4] * 4) + b"\0\0"
    pairs = head + b"\xd2\x40" + b"\4\xff\xff\4" + b"\4\0"
    both = struct.pack("!HHL", 65_530, 20, 0x7FFFFF01) + b"\x20\x03\xac\x00\x00\x04\x40\x01" + bytes(12)
    return [runs, bits, pairs, both]


TARGETS: Final = [Target("reports", Reports, _reports, share=0.25)]
