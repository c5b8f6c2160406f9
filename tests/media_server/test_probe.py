"""Probes: their start, their verdict, and longer waits after each failure."""

from __future__ import annotations

import pytest

from snugroom.server.sfu.core.bandwidth.probe import ProbePlan, Prober

Reports = list[tuple[float, int, float | None]]


def burst(plan: ProbePlan, now: float, capacity: float, *, lost: int = 0) -> Reports:
    """The feedback on a probe that begins `now` over a link of `capacity`, and on a packet after it."""
    reports: Reports = []
    free = 0.0
    gap = 1100 * 8 / plan.rate
    packets = plan.size // 1100
    for i in range(packets):
        sent = now + i * gap
        free = max(free, sent) + 1100 * 8 / capacity
        reports.append((sent, 1100, None if i < lost else free + 7.0))
    reports.append((now + plan.duration + 0.01, 1100, now + plan.duration + 8.0))
    return reports


def begin(prober: Prober, now: float, wanted: float = 2e6, target: float = 500e3) -> ProbePlan:
    plan = prober.plan(wanted, target, False, now)
    assert plan is not None
    return plan


def test_only_what_is_wanted_is_looked_for() -> None:
    prober = Prober()
    assert prober.plan(400e3, 500e3, False, 0.0) is None
    assert prober.plan(2e6, 500e3, True, 0.0) is None  # the queue grows as it is
    plan = begin(prober, 0.0, wanted=600e3)
    assert plan.rate == pytest.approx(660e3)
    assert plan.size == pytest.approx(plan.rate * plan.duration / 8, abs=1)
    assert plan.size >= 12 * 1100 - 1
    assert prober.plan(2e6, 500e3, False, 0.01) is None  # one at a time
    assert prober.running == plan
    assert prober.sends(plan.duration - 0.01)
    assert not prober.sends(plan.duration)


def test_a_probe_that_passes_is_reported_and_the_next_comes_soon() -> None:
    prober = Prober()
    plan = begin(prober, 0.0)
    assert plan.rate == 1.5e6
    reports = burst(plan, 0.0, 20e6)
    half = len(reports) // 2
    assert prober.feedback(reports[:half], 500e3, 0.1, 0.1) is None
    rate = prober.feedback(reports[half:], 500e3, 0.1, 0.2)
    assert rate == pytest.approx(1.5e6, rel=0.1)
    assert prober.plan(2e6, 1.5e6, False, 0.3) is None
    assert begin(prober, 0.5, target=1.5e6).rate == pytest.approx(2.2e6)


def test_a_failed_probe_still_reports_the_capacity() -> None:
    prober = Prober()
    plan = begin(prober, 0.0)
    rate = prober.feedback(burst(plan, 0.0, 800e3), 500e3, 0.1, 0.3)
    assert rate == pytest.approx(0.95 * 800e3, rel=0.02)
    assert prober.plan(2e6, 760e3, False, 1.0) is None
    assert begin(prober, 1.31, target=760e3).rate == pytest.approx(1.52e6)  # no threefold steps any more


def test_nothing_better_is_no_news() -> None:
    prober = Prober()
    plan = begin(prober, 0.0)
    assert prober.feedback(burst(plan, 0.0, 500e3), 500e3, 0.1, 0.3) is None
    assert prober.running is None


def test_failures_wait_longer_and_longer_until_one_succeeds() -> None:
    prober = Prober()
    now, waits = 0.0, []
    for _ in range(6):
        plan = begin(prober, now)
        prober.feedback(burst(plan, now, 500e3), 500e3, 0.1, now + 0.3)
        ended = now + 0.3
        now = ended
        while prober.plan(2e6, 500e3, False, now + 0.05) is None:
            now += 0.05
        prober._plan = None  # that one was only to see when
        waits.append(round(now + 0.05 - ended, 2))
        now += 0.05
    assert waits == [pytest.approx(w, abs=0.06) for w in (1, 2, 4, 8, 10, 10)]
    plan = begin(prober, now)
    assert plan.rate == 1e6
    assert prober.feedback(burst(plan, now, 20e6), 500e3, 0.1, now + 0.3) is not None
    plan = begin(prober, now + 0.6)
    assert plan.rate == 1.5e6
    assert prober.feedback(burst(plan, now + 0.6, 500e3), 500e3, 0.1, now + 0.9) is None
    assert begin(prober, now + 2.0)


@pytest.mark.parametrize("lost", [6, 100])
def test_a_probe_that_is_lost_has_failed(lost: int) -> None:
    prober = Prober()
    plan = begin(prober, 0.0)
    assert prober.feedback(burst(plan, 0.0, 20e6, lost=lost), 500e3, 0.1, 0.3) is None
    assert prober.plan(2e6, 500e3, False, 1.2) is None
    assert begin(prober, 1.4)


def test_one_of_which_nobody_hears_is_given_up() -> None:
    prober = Prober()
    plan = begin(prober, 0.0)
    over = []
    for after in (1.0, 1.2):
        prober.tick(0.1, plan.duration + after)
        over.append(prober.running is None)
    assert over == [False, True]
    assert prober.plan(2e6, 500e3, False, plan.duration + 1.3) is None


def test_packets_that_come_all_at_once_tell_nothing() -> None:
    prober = Prober()
    plan = begin(prober, 0.0)
    reports: Reports = [
        (sent, size, 9.0 + 0.00001 * i) for i, (sent, size, _) in enumerate(burst(plan, 0.0, 20e6))
    ]
    assert prober.feedback(reports, 500e3, 0.1, 0.3) is None


def test_a_few_packets_tell_nothing() -> None:
    prober = Prober()
    plan = begin(prober, 0.0)
    reports = burst(plan, 0.0, 20e6)
    assert prober.feedback([*reports[:4], reports[-1]], 500e3, 0.1, 0.3) is None


def test_packets_before_and_after_a_probe_do_not_count() -> None:
    prober = Prober()
    plan = begin(prober, 5.0)
    before: Reports = [(4.9 + 0.001 * i, 1100, 10.0 + 0.1 * i) for i in range(50)]
    assert prober.feedback(before, 500e3, 0.1, 5.0) is None
    rate = prober.feedback(burst(plan, 5.0, 20e6), 500e3, 0.1, 5.3)
    assert rate == pytest.approx(1.5e6, rel=0.1)
