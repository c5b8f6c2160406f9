"""Transport-wide feedback: exact bytes, round trips, loss, wrap, and no surprise on any input."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.media.twcc import STATUSES_MAX, Arrivals, Report, TwccError, parse


def told(reports: list[Report]) -> dict[int, float | None]:
    out: dict[int, float | None] = {}
    for report in reports:
        for place, arrival in enumerate(report.arrivals):
            number = (report.first + place) & 0xFFFF
            assert number not in out, "a packet is reported once"
            out[number] = arrival
    return out


def test_the_bytes_are_those_of_the_draft() -> None:
    arrivals = Arrivals()
    for number, at in ((100, 1.024), (101, 1.025), (103, 1.100)):
        arrivals.record(number, at)
    # base 100, four statuses, reference 16 * 64 ms, report 0; small, small, lost, large; 0, 1 ms, 75 ms
    (fci,) = arrivals.take()
    assert fci.hex() == "0064000400001000d4800004012c0000"
    assert arrivals.take() == []
    arrivals.record(104, 1.2)
    report = parse(arrivals.take()[0])
    assert (report.first, report.count, len(report.arrivals)) == (104, 1, 1)
    assert report.arrivals[0] == pytest.approx(1.2, abs=0.0003)


def test_one_bit_vectors_are_read_too() -> None:
    # 14 statuses of one bit: 1, 0, then twelve that came; reference 0, deltas of 1 ms
    report = parse(bytes.fromhex("0001000e00000007afff") + b"\x04" * 13 + bytes(1))
    assert (report.first, report.count, len(report.arrivals)) == (1, 7, 14)
    assert [arrival is None for arrival in report.arrivals[:3]] == [False, True, False]
    assert report.arrivals[-1] == pytest.approx(0.013)


@pytest.mark.parametrize("start", [0, 65_000])
@pytest.mark.parametrize("loss", [0.0, 0.1, 0.6])
def test_what_came_is_told_and_what_did_not_too(start: int, loss: float) -> None:
    rng = random.Random(start)
    arrivals = Arrivals()
    came: dict[int, float] = {}
    reports: list[Report] = []
    now = 5.0
    for n in range(3_000):
        now += rng.choice([0.0, 0.001, 0.03, 0.3])
        if rng.random() >= loss:
            number = (start + n) & 0xFFFF
            came[number] = now
            arrivals.record(number, now)
        if n % 40 == 0:
            reports += map(parse, arrivals.take())
    reports += map(parse, arrivals.take())
    heard = told(reports)
    assert {n for n, arrival in heard.items() if arrival is not None} == set(came)
    base = min(r for r in heard.values() if r is not None) - min(came.values())
    for number, at in came.items():
        arrival = heard[number]
        assert arrival is not None
        assert abs(arrival - base - at) < 0.001
    assert [r.count for r in reports] == [n & 0xFF for n in range(len(reports))]


def test_what_overtook_is_told_with_a_step_back() -> None:
    arrivals = Arrivals()
    for number, at in ((10, 1.0), (12, 1.01), (11, 1.02), (13, 1.03)):
        arrivals.record(number, at)
    (fci,) = arrivals.take()
    times = [t for t in parse(fci).arrivals if t is not None]
    assert [round(t - times[0], 3) for t in times] == [0.0, 0.02, 0.01, 0.03]
    arrivals.record(12, 2.0)  # late, and told already
    assert arrivals.take() == []


def test_a_long_silence_and_a_jump_are_survived() -> None:
    arrivals = Arrivals()
    arrivals.record(1, 1.0)
    arrivals.record(2, 100.0)
    reports = [parse(fci) for fci in arrivals.take()]
    assert sum(len(r.arrivals) for r in reports) == 2
    arrivals.record(40_000, 100.1)
    (fci,) = arrivals.take()
    assert parse(fci).first == 40_000


@pytest.mark.parametrize(
    "fci",
    [
        "",
        "00010001000010",
        "0001" "0000" "000010" "00" "2001",  # of nothing
        "0001" "0001" "000010" "00",  # without chunks
        "0001" "0002" "000010" "00" "2002" "01",  # one delta of two
        "0001" "0001" "000010" "00" "6001" "01",  # a reserved symbol
        "0001" "0001" "000010" "00" "2000" "01",  # a run of nothing
        "0001" "ffff" "000010" "00" "1fff" * 9,  # more than anybody sends
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(fci: str) -> None:
    with pytest.raises(TwccError):
        parse(bytes.fromhex(fci))


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for prefix in (b"", b"\0\1\0\x20\0\0\1\0"):
        try:
            assert len(parse(prefix + data).arrivals) <= STATUSES_MAX
        except TwccError:
            continue
