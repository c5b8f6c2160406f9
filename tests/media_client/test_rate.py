"""The sender's estimate on simulated links, the pacer, and the rates of layers."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from snugroom.client.media.layers import layers_of, share
from snugroom.client.media.pacing import WAIT_MAX, Pacer
from snugroom.client.media.rate import FLOOR, REMB_AGE, Estimate
from snugroom.client.media.twcc_arrivals import Arrivals
from snugroom.wire.twcc import Report, parse

CEILING = 2_000_000
SIZE = 1_000


@dataclass
class Way:
    """A link of `rate` bits a second, `delay` seconds long, with a queue of `room` seconds."""

    rate: float
    room: float = 0.5
    delay: float = 0.05
    loss: float = 0.0
    free: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(3))

    def carry(self, size: int, now: float) -> float | None:
        """When the packet arrives; None: it is lost."""
        begins = max(self.free, now)
        if begins - now > self.room or self.rng.random() < self.loss:
            return None
        self.free = begins + 8 * size / self.rate
        return self.free + self.delay


def drive(
    way: Way, seconds: float, *, change: dict[float, float] | None = None, appetite: float = 1e9
) -> list[int]:
    """The target at the end of each tenth of a second; packets leave evenly at the target.

    `change`: other rates of the link, by the second. `appetite`: what the encoder makes at most.
    """
    estimate = Estimate(CEILING, 0.0)
    arriving: deque[tuple[float, int]] = deque()
    reports: deque[tuple[float, Report]] = deque()
    arrivals = Arrivals()
    targets: list[int] = []
    number, next_packet, changes = 0, 0.0, dict(change or {})
    for ms in range(0, round(seconds * 1_000), 5):
        now = ms / 1_000
        for at in [at for at in changes if at <= now]:
            way.rate = changes.pop(at)
        while next_packet <= now:
            estimate.sent(number & 0xFFFF, SIZE, now)
            arrival = way.carry(SIZE, now)
            if arrival is not None:
                arriving.append((arrival, number & 0xFFFF))
            number += 1
            next_packet += 8 * SIZE / min(estimate.target(now), appetite)
        while arriving and arriving[0][0] <= now:
            at, which = arriving.popleft()
            arrivals.record(which, at + 1_000)  # another clock
        if ms % 80 == 0:
            reports += [(now + way.delay, parse(data)) for data in arrivals.take(1)]
        while reports and reports[0][0] <= now:
            estimate.reported(reports.popleft()[1], now, 2 * way.delay)
        if ms % 100 == 95:
            targets.append(estimate.target(now))
    return targets


@pytest.mark.parametrize("rate", [120_000, 250_000, 500_000, 1_000_000])
def test_a_narrow_way_is_found_and_kept_to(rate: float) -> None:
    way = Way(rate)
    targets = drive(way, 40)
    settled = targets[100:]
    assert max(settled) < 1.25 * rate
    assert min(settled) > 0.55 * rate
    assert sum(settled) / len(settled) > 0.7 * rate


def test_a_wide_way_is_used_to_the_ceiling() -> None:
    targets = drive(Way(20_000_000), 40)
    assert targets[-1] == CEILING
    assert targets == sorted(targets)


def test_packets_lost_at_random_are_no_reason_to_send_less() -> None:
    """A tenth, as on bad radio; the way itself would carry ten times as much."""
    targets = drive(Way(20_000_000, loss=0.1), 30)
    assert min(targets) > 250_000
    assert targets[-1] > 1_000_000


def test_a_way_that_becomes_narrow_is_followed_in_seconds_and_widened_again() -> None:
    way = Way(2_000_000)
    targets = drive(way, 60, change={20: 300_000, 35: 2_000_000})
    assert targets[190] > 900_000
    assert max(targets[230:350]) < 400_000
    assert targets[-1] > 600_000


def test_half_of_all_lost_is_too_much_even_without_a_queue() -> None:
    assert drive(Way(20_000_000, loss=0.5), 15)[-1] < 100_000


def test_the_estimate_stays_near_the_rate_that_the_encoder_sends() -> None:
    targets = drive(Way(20_000_000), 60, appetite=150_000)
    assert targets[-1] < 700_000


def test_without_any_report_the_rate_halves_and_ends_at_the_floor() -> None:
    estimate = Estimate(CEILING, 0.0)
    for n in range(200):
        estimate.sent(n, SIZE, n / 10)
    assert estimate.target(20.0) == 300_000  # nobody ever reported: it may be a server that doesn't
    estimate.reported(Report(1, 199, 1, 0, [(199, 4_000)]), 20.0)
    for n in range(200, 400):
        estimate.sent(n, SIZE, n / 10)
    assert estimate.target(40.0) == FLOOR


def test_remb_is_an_upper_bound_for_a_while() -> None:
    estimate = Estimate(CEILING, 0.0)
    estimate.remb(150_000, 1.0)
    assert estimate.target(1.0) == estimate.target(1.0 + REMB_AGE) == 150_000
    estimate.remb(10_000, 1.0)
    assert estimate.target(1.0) == FLOOR
    assert estimate.target(1.1 + REMB_AGE) == 300_000


def test_receiver_reports_do_where_nothing_is_reported_by_number() -> None:
    estimate = Estimate(CEILING, 0.0)
    for second in range(1, 11):
        estimate.lost(0.02, float(second))
    assert estimate.target(10.0) > 600_000
    for second in range(11, 21):
        estimate.lost(0.4, float(second))
    assert estimate.target(20.0) < 250_000


# -- pacing ------------------------------------------------------------------------------------


def leave(pacer: Pacer[int], until: float) -> list[tuple[float, int]]:
    out, now = [], 0.0
    while now <= until:
        out += [(now, packet) for packet in pacer.take(now)]
        now += 0.001
    return out


def test_a_burst_is_spread_over_the_time_of_a_frame() -> None:
    pacer: Pacer[int] = Pacer()
    for n in range(20):
        pacer.push(1_000, n)
    pacer.aim(500_000)
    left = leave(pacer, 0.3)
    assert [packet for _, packet in left] == list(range(20))
    assert 0.8 * WAIT_MAX < left[-1][0] <= WAIT_MAX
    assert all(sum(a <= at < a + 0.01 for at, _ in left) <= 3 for a in (0.0, 0.02, 0.05))
    assert pacer.wait(0.3) is None


def test_a_small_frame_leaves_as_the_rate_says() -> None:
    pacer: Pacer[int] = Pacer()
    for n in range(3):
        pacer.push(500, n)
    pacer.aim(400_000)  # a million bits a second: 4 ms a packet
    assert [round(at, 3) for at, _ in leave(pacer, 0.1)] == pytest.approx([0.0, 0.001, 0.005], abs=0.0021)


def test_retransmissions_go_first_and_queues_are_bounded() -> None:
    pacer: Pacer[int] = Pacer()
    for n in range(3):
        pacer.push(1_000, n)
    pacer.push(1_000, 9, urgent=True)
    pacer.aim(100_000)
    assert [packet for _, packet in leave(pacer, 1.0)] == [9, 0, 1, 2]
    for n in range(5_000):
        pacer.push(10, n)
    assert len(pacer) == 2_000
    assert pacer.dropped == 3_000


# -- layers ------------------------------------------------------------------------------------


def test_layers_are_a_quarter_half_and_whole() -> None:
    assert [(x.width, x.height) for x in layers_of(640, 360, 3)] == [(160, 90), (320, 180), (640, 360)]
    assert [(x.width, x.height) for x in layers_of(640, 360, 1)] == [(640, 360)]
    assert [(x.width, x.height) for x in layers_of(150, 100, 2)] == [(74, 50), (150, 100)]
    small, middle, whole = layers_of(640, 360, 3)
    assert small.most < middle.most < whole.most == 500_000
    assert [whole.every(rate) for rate in (500_000, 100_000, 60_000)] == [1, 2, 3]


def test_the_smallest_layer_gets_its_share_first_and_larger_ones_what_is_of_use() -> None:
    layers = layers_of(640, 360, 3)
    small, middle, whole = layers
    none, everything = [0, 0, 0], [x.most for x in layers]
    assert share(10_000_000, layers, none) == everything
    assert share(60_000, layers, none) == [60_000, 0, 0]
    given = share(small.most + middle.most + whole.least, layers, everything)
    assert given == [small.most, middle.most, whole.least]
    # one that was left out comes back with some room, or each second would cost a key frame
    assert share(small.most + middle.most + whole.least, layers, [1, 1, 0])[2] == 0
    assert share(small.most + middle.least - 1, layers, everything)[1:] == [0, 0]
    for target in range(60_000, 1_000_000, 7_000):
        assert sum(share(target, layers, everything)) <= target
