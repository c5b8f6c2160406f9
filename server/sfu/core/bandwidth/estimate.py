"""The bandwidth towards one receiver: draft-ietf-rmcat-gcc-02 at the sender, as browsers implement it now.

Two controllers estimate a rate, and the lower rate counts. By delay (`delay.DelayTrend`): when a queue grows,
the rate falls below the arrival rate; otherwise it grows again, slowly near the rate at which the queue grew
before. By loss: above a tenth the rate falls, unless loss does not fall with it. Then the sender does not
cause the loss, and a still lower rate would not help.

Receivers without transport-wide feedback send REMB, which then replaces the first controller, or only the
fraction lost in their reports. Rates are bits a second, times seconds; nothing here has a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from snugroom.server.sfu.core.bandwidth.delay import BandwidthUsage, DelayTrend
from snugroom.server.sfu.core.bandwidth.loss import LossBasedController

#: The rate after the queue has grown, as a share of the arrival rate.
_BETA: Final = 0.85
#: Growth a second far from the rate at which the queue grew last.
_GROWTH: Final = 1.08
#: The target is never raised beyond this multiple of the arrival rate, and a little.
_AHEAD: Final = 1.5
_AHEAD_LEAST: Final = 10_000
#: Seconds of one slot in which throughput is counted, the number of slots of a measurement, and a smaller
#: number for a full path, whose throughput is even.
_SLOT: Final = 0.02
_SLOTS: Final = 25
_SLOTS_FULL: Final = 10
#: Seconds for which feedback replaces REMB and receiver reports, and seconds for which a REMB counts.
_FEEDBACK_AGE: Final = 3.0
_REMB_AGE: Final = 5.0
#: Seconds without feedback, though packets were sent, after which the target falls; each second it falls to
#: this share of itself.
_SILENCE: Final = 1.0
_SILENCE_FACTOR: Final = 0.8
#: The least share of the earlier rate to which it falls.
_SILENCE_LEAST: Final = 0.25
#: Seconds after the queue has grown during which the rate should not be raised.
_DELAYED: Final = 1.0


class Throughput:
    """Bytes that arrived in the last half second, in slots of 20 ms of the receiver's clock."""

    __slots__ = ("_begin", "_bytes", "_slot")

    def __init__(self) -> None:
        self._bytes = [0] * (_SLOTS + 1)
        self._slot = self._begin = -1

    def add(self, arrived: float, size: int) -> None:
        slot = int(arrived / _SLOT)
        ahead = slot - self._slot
        if ahead:
            if self._begin < 0 or ahead > 50 * _SLOTS or ahead < -50 * _SLOTS:  # first, or another clock
                self._bytes = [0] * (_SLOTS + 1)
                self._begin = self._slot = slot
            elif ahead < 0:
                if -ahead > _SLOTS:
                    return
            else:
                for empty in range(max(self._slot, slot - _SLOTS - 1) + 1, slot + 1):
                    self._bytes[empty % (_SLOTS + 1)] = 0
                self._slot = slot
        self._bytes[slot % (_SLOTS + 1)] += size

    def rate(self, slots: int = _SLOTS) -> float | None:
        """Return bits a second over the last full `slots`.

        None before a quarter of a second (or before all slots, if there are fewer).
        """
        have = min(slots, self._slot - self._begin)
        if have < min(slots, 12):
            return None
        total = sum(self._bytes[(self._slot - back) % (_SLOTS + 1)] for back in range(1, have + 1))
        return total * 8 / (have * _SLOT)


class LinkCapacity:
    """The rate at which the queue grew before: mean and deviation of the throughputs then; kbit/s."""

    __slots__ = ("_deviation", "mean")

    def __init__(self) -> None:
        self.mean: float | None = None
        self._deviation = 0.4

    def update(self, rate: float) -> None:
        sample = rate / 1000
        if self.mean is None:
            self.mean = sample
            return
        self.mean = 0.95 * self.mean + 0.05 * sample
        error = (self.mean - sample) ** 2 / max(self.mean, 1.0)
        self._deviation = min(max(0.95 * self._deviation + 0.05 * error, 0.4), 2.5)

    def within(self, rate: float) -> bool:
        """Whether `rate` is within three deviations of the mean; True while nothing is known."""
        return self.mean is None or abs(rate / 1000 - self.mean) <= 3 * math.sqrt(self._deviation * self.mean)

    def forget(self) -> None:
        self.mean = None
        self._deviation = 0.4


class DelayBasedController:
    """The rate that the delay allows: additive growth near the capacity, multiplicative elsewhere (5.5)."""

    __slots__ = ("_capacity", "_changed", "_growing", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._capacity = LinkCapacity()
        self._changed: float | None = None
        self._growing = True

    def set(self, rate: float, now: float) -> None:
        """Set the rate from better evidence: a probe, REMB."""
        self.rate = rate
        self._changed = now

    def update(
        self, usage: BandwidthUsage, arriving: float | None, full: float | None, rtt: float, now: float
    ) -> bool:
        """Update the rate; True if it went down.

        `arriving`: throughput, `full`: throughput over the shorter window, `rtt`: round trip.
        """
        if usage is BandwidthUsage.OVER:
            return self._lower(full if full is not None else arriving, rtt, now)
        passed = 0.0 if self._changed is None else min(now - self._changed, 1.0)
        if usage is BandwidthUsage.UNDER:  # the queue drains: wait
            self._growing = False
        elif not self._growing:
            self._growing = True
        elif arriving is not None:
            self._raise(arriving, rtt, passed)
        self._changed = now
        return False

    def _raise(self, arriving: float, rtt: float, passed: float) -> None:
        capacity = self._capacity.mean
        if capacity is not None and arriving > 1000 * capacity and not self._capacity.within(arriving):
            self._capacity.forget()
        # The sender may have less to send than the target; the target then stays where it is.
        most = _AHEAD * arriving + _AHEAD_LEAST
        if self.rate >= most:
            return
        if self._capacity.mean is not None:  # about one packet a round trip
            packets = math.ceil(self.rate / 30 / (1200 * 8))
            step = max(4000.0, self.rate / 30 / packets / (rtt + 0.1)) * passed
        else:
            step = max(self.rate * (_GROWTH**passed - 1), 1000 * passed)
        self.rate = min(self.rate + step, most)

    def _lower(self, arriving: float | None, rtt: float, now: float) -> bool:
        wait = min(max(rtt, 0.01), 0.2)
        if (
            self._changed is not None
            and not self._growing
            and now - self._changed < wait
            and (arriving is None or arriving >= self.rate / 2)
        ):
            return False
        if arriving is None:
            lowered = self.rate / 2
        else:
            lowered = _BETA * arriving
            if lowered > self.rate and self._capacity.mean is not None:
                lowered = _BETA * 1000 * self._capacity.mean
            if not self._capacity.within(arriving) and arriving < 1000 * (self._capacity.mean or 0):
                self._capacity.forget()
            self._capacity.update(arriving)
        done = lowered < self.rate
        self.rate = min(self.rate, lowered)
        self._growing = False
        self._changed = now
        return done


class BandwidthEstimate:
    """The bandwidth estimate of one receiver: takes measurements of the path; `target` is the result.

    `start`: the target before anything is known. The target stays within `floor` and `ceiling`.
    """

    __slots__ = (
        "_by_delay", "_by_loss", "_ceiling", "_delayed_at", "_feedback_at", "_floor", "_quiet", "_remb",
        "_remb_at", "_report_at", "_throughput", "_trend", "rtt", "target",
    )  # fmt: skip

    def __init__(self, start: float = 300_000, floor: float = 30_000, ceiling: float = 20_000_000) -> None:
        self._floor = floor
        self._ceiling = ceiling
        self.target = start
        #: Smoothed round trip in seconds, with the value assumed before it is measured.
        self.rtt = 0.1
        self._trend = DelayTrend()
        self._throughput = Throughput()
        self._by_delay = DelayBasedController(start)
        self._by_loss = LossBasedController()
        self._delayed_at = self._feedback_at = self._remb_at = self._report_at = float("-inf")
        self._remb = 0.0
        #: The time since which no feedback has come, and the rate then.
        self._quiet: tuple[float, float] | None = None

    # -- knowledge of the path -------------------------------------------------------------

    def feedback(self, reports: Sequence[tuple[float, int, float | None]], now: float) -> None:
        """Process transport-wide feedback from `TwccSequence.settle`: (sent, size, arrived or None)."""
        add, throughput = self._trend.add, self._throughput.add
        newest = float("-inf")
        for sent, size, arrived in reports:
            if arrived is not None:
                add(sent, arrived)
                throughput(arrived, size)
                newest = sent
        self._by_loss.add_reports(reports)
        if newest > float("-inf"):
            self.add_rtt(now - newest)
        self._feedback_at = now
        self._quiet = None
        usage = self._trend.usage
        if usage is BandwidthUsage.OVER:
            self._delayed_at = now
        arriving, full = self._throughput.rate(), self._throughput.rate(_SLOTS_FULL)
        self._by_delay.update(usage, arriving, full, self.rtt, now)
        self._by_loss.judge(self.target, self.delayed(now), now)
        self._settle()

    def add_rtt(self, seconds: float) -> None:
        """Add a measured round trip (a report's, RFC 3550 6.4.1, or from packet to feedback)."""
        if 0 <= seconds < 10:
            self.rtt += (seconds - self.rtt) / 8

    def remb(self, bitrate: float, now: float) -> None:
        """Process the receiver's own estimate by delay; ignored while it sends transport-wide feedback."""
        if now - self._feedback_at < _FEEDBACK_AGE:
            return
        if bitrate < self._by_delay.rate:
            self._delayed_at = now
        self._remb_at = now
        self._by_delay.set(bitrate, now)
        self._settle()

    def loss(self, fraction: float, sent: float, now: float) -> None:
        """Process a receiver report: `fraction` lost (0 to 1), `sent`: bits a second sent since its last one.

        Ignored while the receiver sends transport-wide feedback. Without REMB too, loss is all that is known,
        and the rate grows while there is little loss.
        """
        if now - self._feedback_at < _FEEDBACK_AGE:
            return
        span = min(now - self._report_at, 5.0)
        self._report_at = now
        count = sent * span / (8 * 1000)
        if count < 10:
            return
        if now - self._remb_at > _REMB_AGE and fraction < 0.5:
            self._by_delay.update(BandwidthUsage.NORMAL, sent * (1 - fraction), None, self.rtt, now)
        self._by_loss.window(fraction, count, sent, self.target, span, self.delayed(now), now)
        self._settle()

    def probed(self, rate: float, now: float) -> None:
        """A probe (`probe.Prober`) has shown that `rate` passes."""
        if rate > self._by_delay.rate:
            self._by_delay.set(rate, now)
        self._by_loss.limit = max(self._by_loss.limit, rate)
        self._settle()

    def tick(self, now: float, sending: bool) -> None:
        """Lower the rate if feedback is overdue. `sending`: packets of the last second await feedback."""
        if self._feedback_at == float("-inf"):
            return
        if not sending:
            self._quiet = None
            return
        if self._quiet is None:
            self._quiet = max(self._feedback_at, now - _SILENCE), self._by_delay.rate
        since, rate = self._quiet
        if now - since > _SILENCE:
            factor = _SILENCE_FACTOR ** (now - since - _SILENCE)
            self._by_delay.set(min(self._by_delay.rate, rate * max(factor, _SILENCE_LEAST)), now)
            self._settle()

    # -- the result ------------------------------------------------------------------------

    def delayed(self, now: float) -> bool:
        """Whether the queue has grown within the last second; then the rate should not be raised."""
        return now - self._delayed_at < _DELAYED

    @property
    def inherent(self) -> float:
        """The loss of the link itself, as far as is known: 0 to 0.3."""
        return self._by_loss.inherent

    def _settle(self) -> None:
        self._by_delay.rate = min(max(self._by_delay.rate, self._floor), self._ceiling)
        self._by_loss.limit = max(self._by_loss.limit, self._floor)
        self.target = min(self._by_delay.rate, self._by_loss.limit)
