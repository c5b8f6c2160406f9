"""What one receiver can be sent, and what of it: the estimate of its way, and probes for more.

A receiver that says nothing of how packets arrive is sent what it wants. What is known of the others' way
comes by transport-wide feedback, or else by REMB and receiver reports; `Budget.target` is None until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from server.media import rtcp
from server.media.allot import Allotment, Allotted, Wish
from server.media.delay import Trend
from server.media.estimate import Estimate, Throughput
from server.media.limits import MediaLimits
from server.media.loss import ByLoss
from server.media.probe import Plan, Prober

#: A smoothed rate takes this much of each new measurement.
NEW: Final = 0.4
#: Seconds of a queue that are nothing to worry about, and that are too many; what is sent then, of what
#: arrives.
_SHORT: Final = 0.12
_STANDING: Final = 0.25
_LESS: Final = 0.85
#: The shortest way counts for one to two such times: ways change.
_WINDOW: Final = 15.0
#: Without feedback for so long, what was measured before is forgotten.
_GAP: Final = 3.0
#: Feedback counts for so long.
_FEEDBACK_AGE: Final = 30.0
#: Pictures are stopped only when the smallest layers need more than so many times what there is: an
#: estimate is no more exact than that, and a picture that stops is worse than one that stutters.
_STRETCH: Final = 1.6
#: A probe that has ended is felt for so long.
_AFTER: Final = 0.6
#: Where nothing can be probed: seconds between two trials at first and at most, how long one has to go well,
#: and how much more is tried.
_TRY: Final = 4.0
_TRY_MAX: Final = 16.0
_TRY_WELL: Final = 10.0
_TRY_MORE: Final = 2.0


class Way(Estimate):
    """The estimate, and two things that it can't know: what probes do, and how long a standing queue is.

    A queue that is full grows no more, so that no trend tells of it; but the way is longer than it was at its
    shortest. And a probe fills the queue for a moment, as a key frame does, which says nothing about what is
    sent without it: the less so as mostly less is sent than would pass, and what arrives is no measure then.
    """

    __slots__ = ("_base", "_base_until", "_before", "_lowered", "queue")

    def __init__(self, start: float, floor: float, ceiling: float) -> None:
        super().__init__(start, floor, ceiling)
        #: Seconds beyond the shortest way, of the newest packet.
        self.queue = 0.0
        #: The shortest way in the present window, and in the one before.
        self._base = self._before = float("inf")
        self._base_until = float("-inf")
        self._lowered = float("-inf")

    def heard(self, reports: Sequence[tuple[float, int, float | None]], now: float, *, probing: bool) -> None:
        """`feedback`, and the conclusions. `probing`: a probe is out, or has just been."""
        if now - self._feedback_at > _GAP:  # what was lost and late then says nothing of now
            self._trend, self._throughput, self._by_loss = Trend(), Throughput(), ByLoss()
            reports = [report for report in reports if now - report[0] < _GAP]
        self._measure(reports, now)
        rate = self._by_delay.rate
        self.feedback(reports, now)
        if self.queue > _STANDING:
            if now - self._lowered > max(_STANDING, self.trip):
                self._lowered = self._delayed_at = now
                arriving = self._throughput.rate()
                if arriving is not None:
                    self._by_delay.set(min(self._by_delay.rate, _LESS * arriving), now)
        elif (probing or self.queue < _SHORT) and self._by_delay.rate < rate:
            self._by_delay.set(rate, now)
        self._settle()

    def reported(self, now: float) -> bool:
        """Whether what is known comes from transport-wide feedback."""
        return now - self._feedback_at < _FEEDBACK_AGE

    @property
    def lossy(self) -> bool:
        """Whether so much is lost that less has to be sent."""
        return self._by_loss.limit < float("inf")

    def _measure(self, reports: Sequence[tuple[float, int, float | None]], now: float) -> None:
        ways = [arrived - sent for sent, _, arrived in reports if arrived is not None]
        if not ways:
            return
        if now > self._base_until:
            self._before, self._base = self._base, float("inf")
            self._base_until = now + _WINDOW
        self._base = min(self._base, *ways)
        self.queue = ways[-1] - min(self._base, self._before)


class Budget:
    """Of one receiver. Rates are bits a second, times seconds."""

    __slots__ = (
        "_padded",
        "_probed",
        "_since",
        "_tried",
        "_wait",
        "allotment",
        "estimate",
        "heard",
        "prober",
        "rate",
    )

    def __init__(self, limits: MediaLimits, now: float) -> None:
        self.estimate = Way(limits.receiver_start, limits.receiver_floor, limits.receiver_ceiling)
        self.prober = Prober()
        self.allotment: Allotment[int] = Allotment()
        #: Something is known of its way.
        self.heard = False
        #: What is sent to it of late.
        self.rate = 0.0
        self._since = now
        self._tried = now
        self._wait = _TRY
        self._probed = float("-inf")
        #: Up to when a running probe has been filled up.
        self._padded = now

    @property
    def target(self) -> float | None:
        """What it can be sent; None: as much as is wanted, for nothing is known."""
        return self.estimate.target if self.heard else None

    def choose(self, audio: float, wishes: Sequence[Wish[int]], now: float) -> Allotted[int]:
        """A layer for each picture. `audio`: what the sound takes, which comes first.

        Sound carries no numbers: who reports by them reports on the rest.
        """
        reported = self.estimate.reported(now)
        free = self.estimate.target - (0.0 if reported else audio)
        least = sum(next((rate for rate in wish.rates if rate > 0), 0.0) for wish in wishes)
        # REMB is a guess, and sinks with less: it chooses layers, and loss alone stops a picture
        if least <= _STRETCH * free or not (reported or self.estimate.lossy):
            free = max(free, 1.001 * least)
        return self.allotment.choose(free, 0.0, wishes, now)

    # -- what is sent ----------------------------------------------------------------------

    def measure(self, now: float, octets: int, *, reported: bool) -> None:
        """`octets` were sent to it since this was called last. `reported`: some of them with numbers."""
        passed = now - self._since
        self._since = now
        if passed > 0:
            self.rate += (8 * octets / passed - self.rate) * NEW
        self.estimate.tick(now, reported)
        self.prober.tick(self.estimate.trip, now)

    # -- what is heard ---------------------------------------------------------------------

    def arrived(self, item: rtcp.Arrived, now: float) -> None:
        """Transport-wide feedback."""
        if not item.reports:
            return
        self.heard = True
        self.estimate.heard(item.reports, now, probing=now - self._probed < _AFTER)
        shown = self.prober.feedback(item.reports, self.estimate.target, self.estimate.trip, now)
        if shown is not None:
            self.estimate.probed(shown, now)

    def remb(self, bitrate: int, now: float) -> None:
        """The receiver's own estimate."""
        self.heard = True
        self.estimate.remb(bitrate, now)

    def lost(self, blocks: Sequence[rtcp.ReportBlock], now: float) -> None:
        """A receiver report: without anything else, loss is all that is known, and only much of it counts."""
        if not blocks or (not self.heard and max(block.fraction for block in blocks) <= 26):
            return
        self.heard = True
        fraction = sum(block.fraction for block in blocks) / len(blocks) / 256
        self.estimate.loss(fraction, self.rate, now)

    # -- probes ----------------------------------------------------------------------------

    def probe(self, wanted: float, now: float, *, able: bool) -> Plan | None:
        """Begin a probe, if more is wanted than is known to pass.

        `able`: there are packets to probe with, and feedback. Else more is tried now and then, since who gets
        less than it could take can't know it.
        """
        if not self.heard:
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
        """Bytes to send now beside the media, so that a running probe has its rate."""
        plan = self.prober.running
        if plan is None or not self.prober.sends(now):
            return 0.0
        passed, self._padded = now - self._padded, now
        return max(0.0, plan.rate - self.rate) * passed / 8
