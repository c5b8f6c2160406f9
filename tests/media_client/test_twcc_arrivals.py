"""A client's reports on its server's video packets: loss, wrap, overtaking, silence."""

from __future__ import annotations

import random

import pytest

from snugroom.client.media.twcc_arrivals import Arrivals
from snugroom.wire import twcc


def told(reports: list[twcc.Report]) -> dict[int, float | None]:
    out: dict[int, float | None] = {}
    for report in reports:
        ticks = dict(report.arrivals)
        for place in range(report.statuses):
            number = (report.base + place) & 0xFFFF
            assert number not in out, "a packet is reported once"
            tick = ticks.get(number)
            out[number] = None if tick is None else tick / twcc.TICKS
    return out


def test_the_bytes_are_those_of_the_draft() -> None:
    arrivals = Arrivals()
    for number, at in ((100, 1.024), (101, 1.025), (103, 1.100)):
        arrivals.record(number, at)
    # base 100, four statuses, reference 16 * 64 ms, report 0; small, small, lost, large; 0, 1 ms, 75 ms
    (data,) = arrivals.take(9)
    assert data.hex() == "8fcd000600000009000000000064000400001000d4800004012c0000"
    assert arrivals.take(9) == []
    arrivals.record(104, 1.2)
    report = twcc.parse(arrivals.take(9)[0])
    assert (report.base, report.feedback, report.statuses) == (104, 1, 1)
    assert report.arrivals == [(104, 4_800)]


@pytest.mark.parametrize("start", [0, 65_000])
@pytest.mark.parametrize("loss", [0.0, 0.1, 0.6])
def test_arrivals_and_losses_are_reported(start: int, loss: float) -> None:
    rng = random.Random(start)
    arrivals = Arrivals()
    came: dict[int, float] = {}
    reports: list[twcc.Report] = []
    now = 5.0
    for n in range(3_000):
        now += rng.choice([0.0, 0.001, 0.03, 0.3])
        if rng.random() >= loss:
            number = (start + n) & 0xFFFF
            came[number] = now
            arrivals.record(number, now)
        if n % 40 == 0:
            reports += map(twcc.parse, arrivals.take(9))
    reports += map(twcc.parse, arrivals.take(9))
    heard = told(reports)
    assert {n for n, arrival in heard.items() if arrival is not None} == set(came)
    base = min(r for r in heard.values() if r is not None) - min(came.values())
    for number, at in came.items():
        arrival = heard[number]
        assert arrival is not None
        assert abs(arrival - base - at) < 0.001
    assert [r.feedback for r in reports] == [n & 0xFF for n in range(len(reports))]


def test_overtaken_packets_are_reported_with_a_step_back() -> None:
    arrivals = Arrivals()
    for number, at in ((10, 1.0), (12, 1.01), (11, 1.02), (13, 1.03)):
        arrivals.record(number, at)
    (data,) = arrivals.take(9)
    read = twcc.parse(data)
    assert read.arrivals == [(10, 4_000), (11, 4_080), (12, 4_040), (13, 4_120)]
    arrivals.record(12, 2.0)  # late, and told already
    assert arrivals.take(9) == []


def test_a_long_silence_and_a_jump_are_survived() -> None:
    arrivals = Arrivals()
    arrivals.record(1, 1.0)
    arrivals.record(2, 100.0)
    reports = [twcc.parse(data) for data in arrivals.take(9)]
    assert sum(len(r.arrivals) for r in reports) == 2
    arrivals.record(40_000, 100.1)
    (data,) = arrivals.take(9)
    assert twcc.parse(data).base == 40_000
