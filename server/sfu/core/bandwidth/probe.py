"""Probes: they find out whether a path carries more than is being sent. Only sending more can show it.

When more is wanted than the estimate allows, a short burst is sent at a higher rate, filled up with padding
or with packets that were sent before. The feedback on the burst shows which rate passed. A probe that fails
has done a little harm, so the next one waits twice as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

#: The length of a burst in seconds, longer if it would have too few packets.
_TIME: Final = 0.1
_TIME_MAX: Final = 0.25
_PACKETS: Final = 12
_PACKET: Final = 1100
#: The rate of a probe: a little more than is wanted, since less will be measured. At most these multiples of
#: the target: before a probe has failed, and afterwards.
_MORE: Final = 1.1
_STEP_FIRST: Final = 3.0
_STEP: Final = 2.0
#: A measured rate below `_FULL` times the sent rate is the capacity of the path; it counts times `_LESS`.
_FULL: Final = 0.9
_LESS: Final = 0.95
#: A probe succeeds if it shows at least this multiple of the target.
_GAIN: Final = 1.1
#: Waits: after a success, after the first failure, and at most.
_AGAIN: Final = 0.25
_WAIT: Final = 1.0
_WAIT_MAX: Final = 10.0
#: Without enough feedback, a probe ends after this time and a round trip.
_PATIENCE: Final = 1.0
#: The number of packets of a burst, and the share of the reported bytes, that must have arrived.
_TOLD: Final = 5
_ARRIVED: Final = 0.7


class ProbePlan(NamedTuple):
    """Send at `rate` (bits a second) for `duration` seconds: `size` bytes in all, media included."""

    rate: float
    size: int
    duration: float


class Prober:
    """The probes towards one receiver. One at a time."""

    __slots__ = ("_arrived", "_end", "_failed", "_next", "_plan", "_reports", "_start", "_waits")

    def __init__(self) -> None:
        self._next = float("-inf")
        self._waits = _WAIT
        self._failed = False
        self._plan: ProbePlan | None = None
        self._start = self._end = 0.0
        self._reports: list[tuple[float, int, float | None]] = []
        self._arrived = False

    @property
    def running(self) -> ProbePlan | None:
        """The present probe: running, or not yet judged."""
        return self._plan

    def sends(self, now: float) -> bool:
        """Whether the burst is running; padding is sent then."""
        return self._plan is not None and now < self._end

    def plan(self, wanted: float, target: float, delayed: bool, now: float) -> ProbePlan | None:
        """Begin a probe now, or return None: nothing more is wanted, a probe is running, or it is too early.

        `wanted`: the useful rate of all streams together. `delayed`: the queue grows.
        """
        if self._plan is not None or delayed or now < self._next or wanted <= target:
            return None
        step = _STEP if self._failed else _STEP_FIRST
        rate = min(_MORE * wanted, step * target)
        duration = min(max(_TIME, _PACKETS * _PACKET * 8 / rate), _TIME_MAX)
        self._plan = ProbePlan(rate, int(rate * duration / 8), duration)
        self._start, self._end = now, now + duration
        self._reports = []
        return self._plan

    def feedback(
        self, reports: Sequence[tuple[float, int, float | None]], target: float, rtt: float, now: float
    ) -> float | None:
        """Process the reports of `BandwidthEstimate.feedback`. Return the rate that a probe shows to pass.

        Pass it to `BandwidthEstimate.probed`. None: there is no probe, it is undecided, or it showed nothing
        better.
        """
        if self._plan is None:
            return None
        over = False
        for report in reports:
            if report[0] > self._end:
                over = True
            elif report[0] >= self._start:
                self._reports.append(report)
        if not over and now < self._end + _PATIENCE + rtt:
            return None
        plan, self._plan = self._plan, None
        rate = self._measure()
        self._reports = []
        if rate is None:
            self._fail(now)
            return None
        if rate < _FULL * plan.rate or rate < _GAIN * target:
            self._fail(now)
        else:
            self._waits = _WAIT
            self._failed = False
            self._next = now + _AGAIN
        return rate if rate > target else None

    def tick(self, rtt: float, now: float) -> None:
        """Give up a probe on which no feedback comes."""
        if self._plan is not None and now >= self._end + _PATIENCE + rtt:
            self._plan = None
            self._reports = []
            self._fail(now)

    def _fail(self, now: float) -> None:
        self._failed = True
        self._next = now + self._waits
        self._waits = min(2 * self._waits, _WAIT_MAX)

    def _measure(self) -> float | None:
        """Return the rate at which the burst arrived (bits a second), at most the rate of sending."""
        came = [(sent, size, arrived) for sent, size, arrived in self._reports if arrived is not None]
        total = sum(size for _, size, _ in self._reports)
        got = sum(size for _, size, _ in came)
        if len(came) < _TOLD or got < _ARRIVED * total:
            return None
        sending = came[-1][0] - came[0][0]
        first, last = min(came, key=lambda c: c[2]), max(came, key=lambda c: c[2])
        receiving = last[2] - first[2]
        if sending <= 0 or receiving <= 0:
            return None
        sent_rate = 8 * (got - came[-1][1]) / sending
        received_rate = 8 * (got - first[1]) / receiving
        if received_rate > 2 * sent_rate:  # the packets were held up somewhere: no result
            return None
        rate = min(sent_rate, received_rate)
        return _LESS * received_rate if received_rate < _FULL * sent_rate else rate
