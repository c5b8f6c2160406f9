"""The SFU reports arrivals to publishers by number, and matches receivers' reports with its packets."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.core.twcc_sequence import KEPT, TwccSequence
from snugroom.wire import twcc
from snugroom.wire.twcc import Report

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


def test_reports_are_matched_with_sent_packets() -> None:
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
