"""Bandwidth of one receiver: the estimate of its path, the choice of layers, and probes for more.

A receiver that reports nothing about arrivals gets everything that it wants. For the other receivers the
estimate comes from transport-wide feedback, or else from REMB and receiver reports. `Budget.target` is None
until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from snugroom.server.sfu.core.bandwidth.delay import DelayTrend
from snugroom.server.sfu.core.bandwidth.estimate import BandwidthEstimate, Throughput
from snugroom.server.sfu.core.bandwidth.loss import LossBasedController
from snugroom.server.sfu.core.bandwidth.probe import ProbePlan, Prober
from snugroom.server.sfu.core.layer_allocator import Allocation, LayerAllocator, VideoDemand
from snugroom.server.sfu.core.twcc_sequence import TwccFeedback
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp

#: Weight of each new measurement in a smoothed rate.
NEW: Final = 0.4
#: Queueing delay in seconds: below `_SHORT` it is harmless, above `_STANDING` the queue is too long. The rate
#: then falls to `_LESS` times the arrival rate.
_SHORT: Final = 0.12
_STANDING: Final = 0.25
_LESS: Final = 0.85
#: Seconds in one window. The minimum delay holds for one to two windows, because paths change.
_WINDOW: Final = 15.0
#: Seconds without feedback after which earlier measurements are discarded.
_GAP: Final = 3.0
#: Seconds for which feedback counts as current.
_FEEDBACK_AGE: Final = 30.0
#: Video is stopped only when the smallest layers need more than this multiple of the available rate. An
#: estimate is no more exact than that, and a video that stops is worse than one that stutters.
_STRETCH: Final = 1.6
#: Seconds after the end of a probe during which its queue is ignored.
_AFTER: Final = 0.6
#: Where no probe is possible: seconds between two trials at first and at most, seconds after which a trial
#: has gone well, and the factor by which a trial raises the rate.
_TRY: Final = 4.0
_TRY_MAX: Final = 16.0
_TRY_WELL: Final = 10.0
_TRY_MORE: Final = 2.0


class PathEstimate(BandwidthEstimate):
    """The bandwidth estimate, corrected for probes and for a standing queue.

    A full queue no longer grows, so the delay trend does not show it; the delay is still above its minimum. A
    probe fills the queue briefly, as a key frame does, and that says nothing about normal traffic. It says
    even less while the sender sends less than the path carries, because the arrival rate is then no measure
    of the capacity.
    """

    __slots__ = ("_base", "_base_until", "_before", "_lowered", "queue")

    def __init__(self, start: float, floor: float, ceiling: float) -> None:
        super().__init__(start, floor, ceiling)
        #: Queueing delay of the newest packet in seconds: its delay minus the minimum delay.
        self.queue = 0.0
        #: Minimum delay in the present window, and in the one before.
        self._base = self._before = float("inf")
        self._base_until = float("-inf")
        self._lowered = float("-inf")

    def on_feedback(
        self, reports: Sequence[tuple[float, int, float | None]], now: float, *, probing: bool
    ) -> None:
        """Process `feedback` and correct the rate by delay. `probing`: a probe runs, or has just ended."""
        if now - self._feedback_at > _GAP:  # earlier loss and delay say nothing about the path now
            self._trend, self._throughput, self._by_loss = DelayTrend(), Throughput(), LossBasedController()
            reports = [report for report in reports if now - report[0] < _GAP]
        self._measure(reports, now)
        rate = self._by_delay.rate
        self.feedback(reports, now)
        if self.queue > _STANDING:
            if now - self._lowered > max(_STANDING, self.rtt):
                self._lowered = self._delayed_at = now
                arriving = self._throughput.rate()
                if arriving is not None:
                    self._by_delay.set(min(self._by_delay.rate, _LESS * arriving), now)
        elif (probing or self.queue < _SHORT) and self._by_delay.rate < rate:
            self._by_delay.set(rate, now)
        self._settle()

    def reported(self, now: float) -> bool:
        """Whether the estimate comes from transport-wide feedback."""
        return now - self._feedback_at < _FEEDBACK_AGE

    @property
    def lossy(self) -> bool:
        """Whether loss limits the rate."""
        return self._by_loss.limit < float("inf")

    def _measure(self, reports: Sequence[tuple[float, int, float | None]], now: float) -> None:
        delays = [arrived - sent for sent, _, arrived in reports if arrived is not None]
        if not delays:
            return
        if now > self._base_until:
            self._before, self._base = self._base, float("inf")
            self._base_until = now + _WINDOW
        self._base = min(self._base, *delays)
        self.queue = delays[-1] - min(self._base, self._before)


class Budget:
    """The bandwidth of one receiver. Rates are bits a second, times seconds."""

    __slots__ = (
        "_padded", "_probed", "_since", "_tried", "_wait", "allocator", "estimate", "has_estimate", "prober",
        "rate",
    )  # fmt: skip

    def __init__(self, limits: MediaLimits, now: float) -> None:
        self.estimate = PathEstimate(limits.receiver_start, limits.receiver_floor, limits.receiver_ceiling)
        self.prober = Prober()
        self.allocator: LayerAllocator[int] = LayerAllocator()
        #: Something is known about the receiver's path.
        self.has_estimate = False
        #: Smoothed rate sent to the receiver.
        self.rate = 0.0
        self._since = now
        self._tried = now
        self._wait = _TRY
        self._probed = float("-inf")
        #: The time up to which a running probe has been padded.
        self._padded = now

    @property
    def target(self) -> float | None:
        """The rate that the receiver can take; None while nothing is known, so that nothing limits it."""
        return self.estimate.target if self.has_estimate else None

    def choose(
        self, audio: float, demands: Sequence[VideoDemand[int]], now: float, *, share: float = float("inf")
    ) -> Allocation[int]:
        """Choose a layer for each video. `audio`: the rate of all audio, which comes first.

        `share`: the most that the server has for this receiver, audio included (`core.traffic`).

        Audio packets have no transport-wide sequence number, so an estimate from this feedback covers video
        alone.
        """
        reported = self.estimate.reported(now)
        free = self.estimate.target - (0.0 if reported else audio) if self.has_estimate else float("inf")
        least = sum(next((rate for rate in demand.rates if rate > 0), 0.0) for demand in demands)
        # REMB is a guess that falls when less is sent. It selects layers, but only loss stops a video.
        if least <= _STRETCH * free or not (reported or self.estimate.lossy):
            free = max(free, 1.001 * least)
        return self.allocator.choose(min(free, max(0.0, share - audio)), 0.0, demands, now)

    # -- sending ---------------------------------------------------------------------------

    def measure(self, now: float, octets: int, *, reported: bool) -> None:
        """Record `octets` sent since the last call. `reported`: some packets had transport-wide numbers."""
        passed = now - self._since
        self._since = now
        if passed > 0:
            self.rate += (8 * octets / passed - self.rate) * NEW
        self.estimate.tick(now, reported)
        self.prober.tick(self.estimate.rtt, now)

    # -- feedback --------------------------------------------------------------------------

    def on_feedback(self, item: TwccFeedback, now: float) -> None:
        """Process transport-wide feedback."""
        if not item.reports:
            return
        self.has_estimate = True
        self.estimate.on_feedback(item.reports, now, probing=now - self._probed < _AFTER)
        shown = self.prober.feedback(item.reports, self.estimate.target, self.estimate.rtt, now)
        if shown is not None:
            self.estimate.probed(shown, now)

    def on_remb(self, bitrate: int, now: float) -> None:
        """Process the receiver's own estimate, `bitrate` in bits a second."""
        self.has_estimate = True
        self.estimate.remb(bitrate, now)

    def on_receiver_report(self, blocks: Sequence[rtcp.ReportBlock], now: float) -> None:
        """Process a receiver report. While nothing else is known, only loss above 26/256 counts."""
        if not blocks or (not self.has_estimate and max(block.fraction for block in blocks) <= 26):
            return
        self.has_estimate = True
        fraction = sum(block.fraction for block in blocks) / len(blocks) / 256
        self.estimate.loss(fraction, self.rate, now)

    # -- probes ----------------------------------------------------------------------------

    def probe(self, wanted: float, now: float, *, able: bool) -> ProbePlan | None:
        """Begin a probe if the receiver wants more than is known to pass.

        `able`: there are packets to probe with, and the receiver sends feedback. Otherwise the rate is raised
        from time to time as a trial, because a receiver that gets less than it could take cannot know it.
        """
        if not self.has_estimate:
            return None
        if not able:
            target = self.estimate.target
            if wanted > target and now - self._tried >= self._wait and not self.estimate.delayed(now):
                self._tried = now
                self._wait = min(2 * self._wait, _TRY_MAX)
                self.estimate.probed(min(wanted, _TRY_MORE * target), now)
            return None
        if now - self._tried > _TRY_WELL:
            self._wait = _TRY
        plan = self.prober.plan(wanted, self.estimate.target, self.estimate.delayed(now), now)
        if plan is not None:
            self._padded = now
            self._probed = now + plan.duration
        return plan

    def padding(self, now: float) -> float:
        """Return the bytes to send now beside the media, so that a running probe reaches its rate."""
        plan = self.prober.running
        if plan is None or not self.prober.sends(now):
            return 0.0
        passed, self._padded = now - self._padded, now
        return max(0.0, plan.rate - self.rate) * passed / 8
