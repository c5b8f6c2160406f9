"""The delay towards a receiver: a growing queue, a steady one and noise are told apart."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from snugroom.server.sfu.core.bandwidth.delay import BandwidthUsage, DelayTrend

CLOCK = 500.0


def play(
    trend: DelayTrend, delays: Iterable[float], *, start: float = 0.0, gap: float = 0.02
) -> set[BandwidthUsage]:
    """Packets sent every `gap`, each arriving so much later: what was said meanwhile."""
    said = set()
    for i, delay in enumerate(delays):
        sent = start + i * gap
        trend.add(sent, CLOCK + sent + delay)
        said.add(trend.usage)
    return said


def test_an_even_path_is_normal() -> None:
    rng = random.Random(1)
    assert play(DelayTrend(), (0.05 + rng.uniform(0, 0.010) for _ in range(2000))) == {BandwidthUsage.NORMAL}


def test_a_queue_that_grows_and_shrinks() -> None:
    trend = DelayTrend()
    assert play(trend, (0.05 for _ in range(60))) == {BandwidthUsage.NORMAL}
    said = play(trend, (0.05 + 0.002 * i for i in range(40)), start=1.2)
    assert said == {BandwidthUsage.NORMAL, BandwidthUsage.OVER}
    assert play(trend, [0.132], start=2.0) == {BandwidthUsage.OVER}
    play(trend, (0.13 - 0.002 * i for i in range(40)), start=2.02)
    assert play(trend, [0.05], start=2.82) == {BandwidthUsage.UNDER}
    play(trend, (0.05 for _ in range(100)), start=2.84)
    assert play(trend, [0.05], start=4.84) == {BandwidthUsage.NORMAL}


def test_the_threshold_gives_way_to_what_goes_on_and_comes_back() -> None:
    """A trend just above the threshold raises it, instead of holding us down for ever."""
    trend = DelayTrend()
    play(trend, (0.05 for _ in range(60)))
    before = trend._threshold
    play(trend, (0.05 + 0.0008 * i for i in range(500)), start=1.2)  # 4%: 240 * 0.04 = 9.6
    assert trend._threshold > before
    play(trend, (0.45 for _ in range(2000)), start=11.2)
    assert trend._threshold == pytest.approx(6.0, abs=0.1)


def test_a_burst_counts_as_one() -> None:
    """The packets of one frame arrive one behind the other: no queue, if the next frame is as late."""
    trend = DelayTrend()
    said = set()
    for frame in range(300):
        for i in range(10):
            sent = frame / 30 + i * 0.0001
            trend.add(sent, CLOCK + frame / 30 + 0.05 + i * 0.002)
            said.add(trend.usage)
    assert said == {BandwidthUsage.NORMAL}


def test_packets_held_up_and_released_at_once_are_one_burst() -> None:
    trend = DelayTrend()
    play(trend, (0.05 for _ in range(60)))
    # a radio sleeps for 80 ms, four times: five packets arrive within 1 ms of each other
    said = set()
    for nap in range(4):
        for i in range(5):
            sent = 1.2 + nap * 0.1 + i * 0.02
            trend.add(sent, CLOCK + 1.2 + nap * 0.1 + 0.13 + i * 0.001)
            said.add(trend.usage)
    assert said == {BandwidthUsage.NORMAL}
    assert trend._deltas < 60 + 8


def test_a_queue_that_drains_is_no_burst_without_end() -> None:
    trend = DelayTrend()
    play(trend, (0.05 for _ in range(60)))
    for i in range(200):  # sent every 20 ms, and let go every 2 ms
        trend.add(1.2 + i * 0.02, CLOCK + 2.7 + i * 0.002)
    assert trend._came - trend._arrived < 0.1


def test_one_point_is_no_queue_and_a_spike_moves_no_threshold() -> None:
    trend = DelayTrend()
    play(trend, (0.05 for _ in range(100)))
    threshold = trend._threshold
    trend._came += 0.1
    trend._detect(1.0, 100.0)
    assert play(trend, []) == set()
    said = [trend.usage]
    trend._came += 0.1
    trend._detect(1.0, 100.0)
    said.append(trend.usage)
    assert said == [BandwidthUsage.NORMAL, BandwidthUsage.OVER]
    assert trend._threshold == threshold


def test_resent_packets_are_no_delay_samples() -> None:
    trend = DelayTrend()
    play(trend, (0.05 for _ in range(60)))
    state = (trend._delay, trend._deltas, trend._came)
    trend.add(0.4, CLOCK + 9.0)
    assert (trend._delay, trend._deltas, trend._came) == state


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_was_set_begins_anew(jump: float) -> None:
    trend = DelayTrend()
    play(trend, (0.05 for _ in range(60)))
    said = play(trend, (0.05 + jump for _ in range(100)), start=1.2)
    assert said == {BandwidthUsage.NORMAL}
    play(trend, (0.05 + jump + 0.002 * i for i in range(40)), start=3.2)
    assert trend.usage is BandwidthUsage.OVER


def test_sums_stay_right() -> None:
    trend = DelayTrend()
    rng = random.Random(5)
    delay = 0.05
    for i in range(5000):
        delay = max(0.0, delay + rng.uniform(-0.01, 0.01))
        trend.add(i * 0.02, CLOCK + i * 0.02 + delay)
        if i % 97 == 0 and len(trend._points) == 20:
            xs, ys = zip(*trend._points, strict=True)
            assert trend._sx == pytest.approx(sum(xs), abs=1e-6)
            assert trend._sy == pytest.approx(sum(ys), abs=1e-6)
            assert trend._sxx == pytest.approx(sum(x * x for x in xs), rel=1e-9)
            assert trend._sxy == pytest.approx(sum(x * y for x, y in trend._points), rel=1e-9, abs=1e-3)
            assert max(xs) < 5000
    assert len(trend._points) == 20


def test_a_burst_moves_the_line_by_a_tenth() -> None:
    trend = DelayTrend()
    play(trend, (0.05 for _ in range(60)))
    play(trend, [0.06, 0.06], start=1.2)
    assert trend._delay == pytest.approx(10)
    assert trend._smoothed == pytest.approx(1.0)
