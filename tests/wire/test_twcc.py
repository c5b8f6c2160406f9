"""Transport-wide feedback: what is read and refused, what we write, and what sent packets are told."""

from __future__ import annotations

import contextlib
import random
import struct
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.core.twcc_sequence import KEPT, TwccSequence
from snugroom.server.wire import twcc
from snugroom.server.wire.limits import RTCP_MAX
from snugroom.server.wire.twcc import Report, TwccError


def report(chunks: Sequence[int], deltas: bytes, *, base: int = 10, count: int, reference: int = 1) -> bytes:
    body = b"".join(struct.pack("!H", chunk) for chunk in chunks) + deltas
    body += bytes(-len(body) % 4)
    head = struct.pack("!BBHLLHH", 0x8F, 205, 4 + len(body) // 4, 1, 77, base, count)
    return head + struct.pack("!L", (reference & 0xFFFFFF) << 8 | 200) + body


def test_reads_every_kind_of_chunk() -> None:
    """The bits are those of the draft's figures in 3.1.3 and 3.1.4."""
    data = report(
        [0b001_0000000000010, 0b10_10000000000001, 0b11_00_01_10_00_00_00_00, 0b000_0000000000100, 0x4001],
        bytes([4, 8, 1, 2, 3]) + struct.pack("!h", -20) + struct.pack("!h", 1000),
        count=2 + 14 + 7 + 4 + 1,
    )
    read = twcc.parse(data)
    assert read[:4] == (77, 10, 28, 200)
    first = 256
    assert read.arrivals == [
        (10, first + 4), (11, first + 12), (12, first + 13), (25, first + 15),
        (27, first + 18), (28, first - 2), (37, first + 998),
    ]  # fmt: skip


def test_twcc_sequence_wrap_and_vectors_may_be_longer_than_the_count() -> None:
    read = twcc.parse(report([0xBFFF], bytes([1, 1, 1]), base=65534, count=3))
    assert [number for number, _ in read.arrivals] == [65534, 65535, 0]
    # a run too
    read = twcc.parse(report([0x2000 | 500], bytes([1, 1, 1]), base=65534, count=3))
    assert len(read.arrivals) == 3


def part(fci: str) -> bytes:
    """An RTCP packet of this feedback, which ends with whole words."""
    body = bytes.fromhex(fci)
    body += bytes(-len(body) % 4)
    return struct.pack("!BBHLL", 0x8F, 205, 2 + len(body) // 4, 1, 7) + body


def test_one_bit_vectors_byte_by_byte() -> None:
    # 14 statuses of one bit: 1, 0, then twelve that came; reference 0, deltas of 1 ms
    read = twcc.parse(part("0001000e00000007afff" + "04" * 13))
    assert read[:4] == (7, 1, 14, 7)
    assert [number for number, _ in read.arrivals] == [1, *range(3, 15)]
    assert read.arrivals[-1] == (14, 13 * 4)


GOOD = report([0x2003, 0xC000 | 0b10_01 << 10], bytes([1, 1, 1, 0, 9, 5]), count=10)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:16],
        report([0x2003], b"\1\1\1", count=0),
        report([], b"", count=0),
        report([0x2003], b"", count=3),  # one byte of padding and two more are missing
        report([0x4001], b"\1" * 1, count=1)[:23],
        report([0x2003, 0x2001], b"", count=3)[:22],
        report([0x2000, 0x2003], b"\1\1\1", count=3),  # a run of none
        report([0x6001], b"\1\1", count=1),
        report([0xF000], b"\1\1", count=1),
        report([0x2003], b"\1\1", count=9),  # chunks for 3 of 9
        report([0x2001], bytes(9), count=1),
        GOOD + bytes(4),
        report([0x2000 | 1300], bytes(1300), count=1300) + bytes(200),
        report([0x3FFF] * 4, bytes(1000), count=32000),
        part("0001000100001000")[:-1],
        part("00010000000010002001"),  # of nothing
        part("0001000100001000"),  # without chunks
        part("0001000600001000200601"),  # two deltas of six
        part("0001000100001000600101"),  # a reserved symbol
        part("0001000100001000200001"),  # a run of nothing
    ],
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(TwccError):
        twcc.parse(data)


def test_the_good_one_is_good() -> None:
    assert len(twcc.parse(GOOD).arrivals) == 5


@given(st.lists(st.integers(0, 65535), max_size=30), st.binary(max_size=100), st.integers(0, 65535))
def test_any_report_is_read_or_refused(chunks: list[int], deltas: bytes, count: int) -> None:
    with contextlib.suppress(TwccError):
        twcc.parse(deltas)
    with contextlib.suppress(TwccError):
        read = twcc.parse(report(chunks, deltas, count=count))
        assert len(read.arrivals) <= count
        assert len(read.arrivals) <= len(deltas) + 2 * len(chunks)


def test_a_hostile_report_costs_little() -> None:
    """65,535 packets that haven't arrived are read without a look at each; what has arrived takes bytes."""
    read = twcc.parse(report([0x1FFF] * 8 + [0x2001, 6], b"\1", count=65535))
    assert len(read.arrivals) == 1
    assert twcc.parse(part("0001ffff00001000" + "1fff" * 9)).arrivals == []
    claims = report([0x3FFF] * 9, b"", count=65535)
    tracemalloc.start()
    with pytest.raises(TwccError):
        twcc.parse(claims)
    assert tracemalloc.get_traced_memory()[1] < 100_000  # nothing was made of 65,535 claims
    tracemalloc.stop()


TICKS = st.lists(st.none() | st.integers(-300, 40_000), max_size=700)


@given(st.integers(0, 0xFFFF), st.integers(0, 2**35), st.integers(0, 20), TICKS, st.integers(0, 255))
def test_what_is_written_is_read(
    base: int, start: int, missing: int, gaps: list[int | None], feedback: int
) -> None:
    tick = start
    ticks: list[int | None] = [None] * missing + [start]
    for gap in gaps:
        tick += gap or 0
        ticks.append(None if gap is None or tick < 0 else tick)
    data, covered = twcc.build(1, 77, base, ticks, feedback)
    assert len(data) <= RTCP_MAX
    assert len(data) % 4 == 0
    assert data[:2] == b"\x8f\xcd"
    assert 4 * (data[2] << 8 | data[3]) + 4 == len(data)
    read = twcc.parse(data)
    assert read[:4] == (77, base, covered, feedback)
    expected = [
        ((base + i) & 0xFFFF, t % twcc.REFERENCE_WRAP) for i, t in enumerate(ticks[:covered]) if t is not None
    ]
    # one report's own ticks go on over the reference's end
    assert [(n, t % twcc.REFERENCE_WRAP) for n, t in read.arrivals] == expected
    if covered < len(ticks):
        assert len(read.arrivals) == twcc.ARRIVALS_MAX or covered >= 1
        following = ticks[covered]
        assert following is not None or covered == twcc.STATUSES_MAX


def test_the_longest_report_fits() -> None:
    rng = random.Random(3)
    ticks: list[int | None] = [0]
    ticks += [i * 300 if rng.random() < 0.2 else None for i in range(4000)]
    data, covered = twcc.build(1, 1, 0, ticks, 0)
    assert 0 < len(data) <= RTCP_MAX
    assert covered > 1500
    data, covered = twcc.build(1, 1, 0, [i * 300 for i in range(4000)], 0)
    assert 600 < len(data) <= RTCP_MAX
    assert covered == twcc.ARRIVALS_MAX


def test_chunks_are_short() -> None:
    """The usual report, all there and evenly: one run, and a byte a packet."""
    data, _ = twcc.build(1, 1, 0, [100 + 8 * i for i in range(50)], 0)
    assert len(data) == 20 + (2 + 50 + 3) // 4 * 4


# -- a publisher's packets -------------------------------------------------------------------


def told(reports: list[bytes]) -> dict[int, int | None]:
    """Number -> tick, or None for lost; the last report counts."""
    result: dict[int, int | None] = {}
    for data in reports:
        read = twcc.parse(data)
        for i in range(read.statuses):
            result[(read.base + i) & 0xFFFF] = None
        result.update(read.arrivals)
    return result


def test_reports_come_while_packets_come() -> None:
    arrivals = Arrivals()
    assert arrivals.due(1, 0.0) == []
    arrivals.record(5, 1.0)
    first = arrivals.due(1, 1.0)  # the first at once
    assert told(first) == {5: 4000}
    arrivals.record(6, 1.01)
    assert arrivals.due(1, 1.06) == []  # little to tell: it waits
    assert told(arrivals.due(1, 1.1)) == {6: 4040}
    for i in range(20):
        arrivals.record(7 + i, 1.11)
    assert arrivals.due(1, 1.14) == []
    assert len(told(arrivals.due(1, 1.16))) == 20
    assert arrivals.due(1, 9.0) == []


def test_losses_are_told_and_taken_back() -> None:
    arrivals = Arrivals()
    arrivals.record(65534, 1.0)
    arrivals.due(1, 1.0)
    arrivals.record(2, 1.2)
    arrivals.record(1, 1.3)  # overtaken
    reports = arrivals.due(1, 1.3)
    assert told(reports) == {65534: 4000, 65535: None, 0: None, 1: 5200, 2: 4800}
    arrivals.record(0, 1.45)  # late: it had been told as lost
    assert told(arrivals.due(1, 1.45)) == {0: 5800, 1: 5200, 2: 4800}
    arrivals.record(0, 1.5)
    arrivals.record(2, 1.5)
    assert arrivals.due(1, 2.0) == []  # twice is nothing new


@given(st.randoms(use_true_random=False), st.integers(0, 65535))
def test_every_packet_is_told_once_it_came(rng: random.Random, first: int) -> None:
    arrivals = Arrivals()
    now, all_told, came = 5.0, dict[int, int | None](), dict[int, int]()
    order = [i for i in range(400) if i == 0 or rng.random() > 0.1]
    order[1:] = sorted(order[1:], key=lambda i: i + rng.choice([0, 0, 0, 5, 30]))
    counts: list[int] = []
    for i in order:
        now += rng.choice([0.0, 0.001, 0.02])
        number = (first + i) & 0xFFFF
        arrivals.record(number, now)
        came[number] = int(now * twcc.TICKS)
        reports = arrivals.due(9, now)
        counts += [twcc.parse(data).feedback for data in reports]
        all_told |= told(reports)
    all_told |= told(arrivals.due(9, now + 1))
    assert {n: t for n, t in all_told.items() if t is not None} == came
    lost = {(first + i) & 0xFFFF for i in range(max(order))} - came.keys()
    assert {n for n, t in all_told.items() if t is None} == lost
    assert counts == [i & 0xFF for i in range(len(counts))]


def test_a_publisher_s_twcc_sequence_cost_little_whatever_they_are() -> None:
    arrivals = Arrivals()
    rng = random.Random(1)
    for _ in range(5000):
        arrivals.record(rng.randrange(65536), 1.0)
    assert len(arrivals._ticks) <= 1024
    arrivals = Arrivals()
    for i in range(5000):
        arrivals.record(i, 1.0)
    assert len(arrivals._ticks) <= 1024
    for i in range(5000):
        arrivals.record(i * 1000 & 0xFFFF, 1.0)
    reports = arrivals.due(1, 2.0)
    assert len(reports) <= 8
    assert sum(map(len, reports)) < 4096
    assert all(twcc.parse(data).statuses <= twcc.STATUSES_MAX for data in reports)


def test_a_jump_is_a_new_beginning_and_what_is_very_late_is_nothing() -> None:
    arrivals = Arrivals()
    arrivals.record(1, 1.0)
    arrivals.record(20_001, 1.0)
    assert told(arrivals.due(1, 2.0)) == {20_001: 4000}
    arrivals.record(20_001 - 1024, 3.0)
    assert arrivals.due(1, 4.0) == []


def test_an_arrival_far_off_begins_a_new_report() -> None:
    arrivals = Arrivals()
    arrivals.record(1, 1.0)
    arrivals.record(2, 11.0)
    reports = arrivals.due(1, 11.0)
    assert [twcc.parse(data).arrivals for data in reports] == [[(1, 4000)], [(2, 44000)]]


# -- what was sent ---------------------------------------------------------------------------


class Sent:
    """The numbers of one receiver, beside others."""

    def __init__(self) -> None:
        self._twcc_sequence = TwccSequence()
        self._twcc_sequence.open()
        self._row = self._twcc_sequence.open()

    def number(self, size: int, now: float) -> int:
        return self._twcc_sequence.assign(self._row, size, now)

    def settle(self, report: Report) -> list[tuple[float, int, float | None]]:
        return self._twcc_sequence.match_report(self._row, report)


def test_what_was_sent_is_laid_beside_the_report() -> None:
    sent = Sent()
    numbers = [sent.number(1000 + i, float(i)) for i in range(4)]
    assert numbers == [0, 1, 2, 3]
    result = sent.settle(Report(1, 0, 3, 0, [(0, 4000), (2, 8000)]))
    assert result == [(0.0, 1000, 1.0), (1.0, 1001, None), (2.0, 1002, 2.0)]
    # each once; what was lost may still come
    assert sent.settle(Report(1, 0, 3, 0, [(0, 4000), (2, 8000)])) == []
    assert sent.settle(Report(1, 1, 3, 1, [(1, 8400)])) == [(1.0, 1001, 2.1), (3.0, 1003, None)]
    # of what was never sent nothing is believed
    assert sent.settle(Report(1, 3, 500, 0, [(3, 4000), (4, 4000)])) == [(3.0, 1003, 1.0)]
    assert sent.settle(Report(1, 60000, 5000, 0, [(60000, 4000)])) == []


def test_twcc_sequence_wrap_and_old_ones_are_forgotten() -> None:
    sent = Sent()
    for i in range(70_000):
        number = sent.number(100, float(i))
    assert number == 69_999 & 0xFFFF
    assert sent.settle(Report(1, number, 1, 0, [(number, 1)])) == [(69_999.0, 100, 1 / twcc.TICKS)]
    old = (69_999 - 3000) & 0xFFFF
    assert sent.settle(Report(1, old, 1, 0, [(old, 1)])) == []
    covered = sent.settle(Report(1, old, 3001, 0, []))
    assert len(covered) == KEPT - 1
    assert {arrived for _, _, arrived in covered} == {None}


def test_the_receiver_s_clock_goes_on_over_its_end() -> None:
    sent = Sent()
    for i in range(3):
        sent.number(100, float(i))
    end = twcc.REFERENCE_WRAP
    arrived = [
        sent.settle(Report(1, i, 1, i, [(i, tick)]))[0][2] for i, tick in enumerate((end - 8000, 100, 90))
    ]
    assert None not in arrived
    assert [a - arrived[0] for a in arrived if a is not None and arrived[0] is not None] == pytest.approx(
        [0, 8100 / 4000, 8090 / 4000]
    )
