"""The estimate of a receiver's path: by delay, by loss, by REMB; in a simulated network and by itself."""

from __future__ import annotations

import math

import pytest

from snugroom.server.sfu.core.bandwidth.delay import BandwidthUsage
from snugroom.server.sfu.core.bandwidth.estimate import (
    BandwidthEstimate,
    DelayBasedController,
    LinkCapacity,
    Throughput,
)
from snugroom.server.sfu.core.bandwidth.loss import LossBasedController
from tests.media_server.simnet import Path

# -- in a network ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("probes", [True, False])
def test_a_narrow_link_is_filled_and_not_flooded(seed: int, probes: bool) -> None:
    path = Path(lambda _: 500e3, wanted=lambda _: 2e6, probes=probes, seed=seed)
    path.run(40)
    assert 400e3 < path.rate(8, 40) < 500e3  # audio included, 69 kbit/s of it
    assert 330e3 < path.target(8, 40) < 431e3
    assert path.wait(0, 40) < 0.1
    assert path.lost == 0


def test_a_wide_link_gives_what_is_wanted_soon() -> None:
    path = Path(lambda _: 20e6, wanted=lambda _: 2.5e6)
    path.run(30)
    assert path.first(0, lambda target: target >= 2.5e6) < 2
    assert path.rate(3, 30) > 2.4e6
    assert path.begun <= 4
    assert path.padded < 100_000


def test_without_probes_it_climbs_too() -> None:
    path = Path(lambda _: 20e6, wanted=lambda _: 1e6, probes=False)
    path.run(30)
    assert path.first(0, lambda target: target >= 1e6) < 20


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_link_that_loses_a_tenth_by_itself_is_used(seed: int) -> None:
    path = Path(lambda _: 2e6, wanted=lambda _: 2.5e6, loss=0.1, seed=seed)
    path.run(60)
    assert path.target(20, 60) > 1.2e6
    assert min(target for at, target in path.targets if at > 10) > 600e3
    assert 0.05 < path.estimate.inherent < 0.15


def test_loss_of_a_short_queue_is_ours() -> None:
    """Six kilobytes of queue: the delay tells little, and the loss falls with the rate."""
    path = Path(lambda _: 1e6, wanted=lambda _: 2.5e6, queue=6000)
    path.run(60)
    assert path.lost / path.total < 0.03
    assert 700e3 < path.target(5, 60) < 1e6


def test_a_link_that_narrows_is_followed_and_found_again() -> None:
    path = Path(lambda now: 500e3 if 20 <= now < 40 else 2e6, wanted=lambda _: 2.5e6)
    path.run(60)
    assert path.target(10, 20) > 1.5e6
    assert path.first(20, lambda target: target <= 500e3) < 3
    assert max(target for at, target in path.targets if 23 <= at < 40) < 520e3
    assert path.wait(27, 40) < 0.1
    assert path.first(40, lambda target: target >= 1.4e6) < 12


def test_jitter_is_no_queue() -> None:
    path = Path(lambda _: 5e6, wanted=lambda _: 2e6, jitter=0.004)
    path.run(30)
    assert path.target(5, 30) > 2e6


def test_less_is_sent_than_would_pass_and_the_target_stays() -> None:
    """App-limited: 200 kbit/s of a target of 3 Mbit/s, for a minute."""
    path = Path(lambda _: 20e6, wanted=lambda now: 2e6 if now < 10 else 200e3)
    path.run(10)
    before = path.estimate.target
    path.run(70)
    assert 0.99 * before < path.estimate.target < 1.01 * before
    fresh = Path(lambda _: 20e6, wanted=lambda _: 200e3)
    fresh.run(60)
    assert fresh.estimate.target < 400e3  # half as much again as is sent, and no more


def test_no_feedback_is_no_good_sign() -> None:
    path = Path(lambda _: 20e6, wanted=lambda _: 2e6)
    path.run(10)
    before = path.estimate.target
    path.deaf = True
    path.run(14)
    assert path.estimate.target < 0.6 * before
    path.run(40)
    assert path.estimate.target == pytest.approx(before / 4, rel=0.05)
    path.deaf = False
    path.run(45)
    assert path.estimate.target > 1.8e6


# -- by itself -------------------------------------------------------------------------------


def test_a_queue_that_grows_is_no_moment_for_more() -> None:
    estimate = BandwidthEstimate(start=1e6)
    now = 0.0
    for i in range(100):
        now = i * 0.02
        estimate.feedback([(now, 1000, 50 + now + max(0, i - 60) * 0.002)], now + 0.1)
        assert i > 60 or not estimate.delayed(now + 0.1)
    assert estimate.delayed(now + 0.1)
    assert not estimate.delayed(now + 1.2)
    assert estimate.target < 1e6


def test_silence_counts_only_while_something_is_sent() -> None:
    estimate = BandwidthEstimate(start=1e6)
    estimate.tick(50.0, True)
    assert estimate.target == 1e6  # there never was feedback
    estimate.feedback([(0.0, 100, 5.0)], 0.1)
    estimate.tick(100.0, False)
    assert estimate.target == 1e6
    estimate.tick(100.1, True)
    assert estimate.target == 1e6
    estimate.tick(103.0, True)
    assert estimate.target < 0.8e6


def test_throughput_is_what_arrived() -> None:
    throughput = Throughput()
    assert throughput.rate() is None
    for i in range(1000):
        throughput.add(777.0 + i * 0.005, 500)
        rate = throughput.rate()
        assert rate is None or 750e3 < rate < 850e3
    assert throughput.rate() == pytest.approx(800e3, rel=0.05)
    throughput.add(777.0 + 5.3, 500)  # nothing for 300 ms
    assert throughput.rate() == pytest.approx(800e3 * 0.4, rel=0.15)
    assert throughput.rate(10) == pytest.approx(0, abs=20e3)
    throughput.add(777.0 + 4.0, 9999)  # too late to count
    assert throughput.rate() == pytest.approx(800e3 * 0.4, rel=0.15)
    throughput.add(777.0 + 9.0, 500)
    assert throughput.rate() == 0
    throughput.add(12.0, 500)  # another clock
    assert throughput.rate() is None


def test_growth_is_slow_where_the_queue_grew() -> None:
    def second(rate: DelayBasedController, now: float) -> float:
        before = rate.rate
        for i in range(20):
            rate.update(BandwidthUsage.NORMAL, 1e6, 1e6, 0.1, now + i / 20)
        return rate.rate / before

    fresh = DelayBasedController(800e3)
    fresh.update(BandwidthUsage.NORMAL, 1e6, 1e6, 0.1, 0.0)
    assert second(fresh, 0.05) == pytest.approx(1.08, abs=0.005)
    knows = DelayBasedController(1.2e6)
    knows.update(BandwidthUsage.NORMAL, 1e6, 1e6, 0.1, 0.0)
    assert knows.update(BandwidthUsage.OVER, 1e6, 1e6, 0.1, 0.05)
    assert knows.rate == pytest.approx(850e3)
    assert not knows.update(
        BandwidthUsage.OVER, 9e5, 9e5, 0.1, 0.1
    )  # it takes a round trip to see what that did
    second(knows, 0.2)
    assert 1.01 < second(knows, 1.2) < 1.06


def test_while_the_queue_drains_nothing_grows() -> None:
    rate = DelayBasedController(800e3)
    for i in range(40):
        rate.update(BandwidthUsage.UNDER, 1e6, 1e6, 0.1, i / 20)
    assert rate.rate == 800e3


def test_a_capacity_far_off_is_forgotten() -> None:
    capacity = LinkCapacity()
    assert capacity.within(1e6)
    capacity.update(500e3)
    assert capacity.within(510e3)
    assert not capacity.within(800e3)
    rate = DelayBasedController(3e6)
    rate.update(BandwidthUsage.OVER, 2e6, 2e6, 0.1, 0.0)
    rate.update(BandwidthUsage.NORMAL, 2e6, 2e6, 0.1, 1.0)
    before = rate.rate
    rate.update(BandwidthUsage.NORMAL, 2e6, 2e6, 0.1, 2.0)
    assert rate.rate < 1.05 * before
    before = rate.rate
    rate.update(BandwidthUsage.NORMAL, 3e6, 3e6, 0.1, 3.0)
    assert rate.rate > 1.07 * before


def test_remb_takes_the_place_of_feedback() -> None:
    estimate = BandwidthEstimate(start=300e3, ceiling=5e6)
    estimate.remb(900e3, 1.0)
    assert estimate.target == 900e3
    estimate.remb(400e3, 2.0)
    assert estimate.target == 400e3
    assert estimate.delayed(2.5)
    assert not estimate.delayed(3.1)
    estimate.remb(50e6, 3.0)
    assert estimate.target == 5e6
    estimate.feedback([(3.0, 1000, 9.0)], 3.1)
    estimate.remb(100e3, 3.2)  # one who says both is believed in what is more exact
    assert estimate.target == 5e6
    estimate.remb(100e3, 7.0)
    assert estimate.target == 100e3


def test_reports_alone_raise_and_lower() -> None:
    estimate = BandwidthEstimate(start=300e3)
    now = 0.0
    for _ in range(60):
        now += 1.0
        estimate.loss(0.0, min(estimate.target, 1e6), now)
    assert 1e6 < estimate.target <= 1.51e6 + 10_000  # no further ahead of what is sent
    sent = 1e6
    for _ in range(30):  # the path takes 500 kbit/s
        now += 1.0
        sent = min(estimate.target, 1e6)
        estimate.loss(max(0.0, 1 - 500e3 / sent), sent, now)
    assert 400e3 < estimate.target < 620e3
    assert estimate.inherent < 0.05


def test_reports_beside_remb_only_lower() -> None:
    estimate = BandwidthEstimate(start=300e3)
    estimate.remb(500e3, 0.0)
    estimate.loss(0.0, 500e3, 1.0)
    assert estimate.target == 500e3
    estimate.loss(0.3, 500e3, 2.0)
    assert 400e3 < estimate.target < 450e3
    estimate.probed(600e3, 2.5)
    assert estimate.target == 600e3


def test_bounds_hold() -> None:
    estimate = BandwidthEstimate(start=300e3, floor=100e3, ceiling=1e6)
    for i in range(100):
        estimate.loss(0.9, 300e3, float(i))
        estimate.remb(1, i + 0.5)
    assert estimate.target == 100e3
    estimate.probed(9e9, 200.0)
    assert estimate.target == 1e6


def test_round_trips_are_smoothed_and_nonsense_isn_t_heard() -> None:
    estimate = BandwidthEstimate()
    for _ in range(50):
        estimate.add_rtt(0.2)
    assert estimate.rtt == pytest.approx(0.2, abs=0.001)
    estimate.add_rtt(-1.0)
    estimate.add_rtt(1e9)
    assert estimate.rtt == pytest.approx(0.2, abs=0.001)


# -- loss ------------------------------------------------------------------------------------


def test_little_loss_is_no_matter() -> None:
    loss = LossBasedController()
    for i in range(20):
        loss.window(0.015, 100, 1e6, 1e6, 1.0, False, float(i))
    assert loss.limit == math.inf


def test_loss_that_stays_at_a_lower_rate_is_the_links() -> None:
    loss = LossBasedController()
    rate = 1e6
    for i in range(40):
        loss.window(0.2, 200, rate, rate, 1.0, False, float(i))
        rate = min(1e6, loss.limit)
    assert loss.inherent == pytest.approx(0.2, abs=0.05)
    assert rate > 500e3
    lowest = rate
    for i in range(40, 80):
        loss.window(0.2, 200, rate, rate, 1.0, False, float(i))
        rate = min(1e6, loss.limit)
    assert rate >= lowest


def test_loss_that_falls_with_the_rate_is_congestion() -> None:
    loss = LossBasedController()
    rate = 1e6
    for i in range(40):
        loss.window(max(0.0, 1 - 500e3 / rate), 200, rate, rate, 1.0, False, float(i))
        rate = min(1e6, loss.limit)
    assert loss.inherent < 0.03
    assert 450e3 < rate < 600e3
    lowest = loss.limit
    loss.window(0.0, 200, rate, 1e6, 1.0, False, 41.0)
    assert loss.limit == pytest.approx(1.08 * lowest)
    for i in range(42, 70):
        loss.window(0.0, 200, rate, 1e6, 1.0, False, float(i))
    assert loss.limit == math.inf


def test_loss_behind_a_growing_queue_is_never_the_link_s() -> None:
    loss = LossBasedController()
    for i in range(40):
        loss.window(0.2, 200, 1e6, 1e6, 1.0, True, float(i))
    assert loss.inherent == 0


def test_not_everything_is_the_link_s() -> None:
    loss = LossBasedController()
    rate = 1e6
    for i in range(40):
        loss.window(0.6, 200, rate, rate, 1.0, False, float(i))
        rate = min(1e6, loss.limit)
    assert loss.inherent == 0.3
    assert rate < 10e3


def test_a_better_link_is_believed() -> None:
    loss = LossBasedController()
    loss.inherent = 0.2
    for i in range(30):
        loss.window(0.0, 200, 1e6, 1e6, 1.0, False, float(i))
    assert loss.inherent < 0.001


def test_windows_wait_for_enough_and_begin_after_a_lowering() -> None:
    loss = LossBasedController()
    loss.add_reports([(0.02 * i, 1000, None) for i in range(9)])
    loss.judge(1e6, False, 1.0)
    assert loss.limit == math.inf  # nine packets are no window
    loss.add_reports([(0.2 + 0.02 * i, 1000, None) for i in range(60)])
    loss.judge(1e6, False, 2.0)
    lowered = loss.limit
    assert lowered < 1e6
    loss.add_reports([(1.5 + 0.001 * i, 1000, None) for i in range(400)])  # sent before it was lowered
    loss.judge(1e6, False, 3.0)
    assert (loss.limit, loss._count) == (lowered, 0)
    loss.add_reports([(2.0 + 0.005 * i, 1000, None) for i in range(400)])
    loss.judge(1e6, False, 5.0)
    assert loss.limit < lowered
