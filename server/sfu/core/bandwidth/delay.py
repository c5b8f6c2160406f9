"""Detection of a growing queue towards a receiver: draft-ietf-rmcat-gcc-02, section 5, as browsers do it now.

Packets are grouped into bursts (5.2). For each burst, the increase in delay since the burst before it is
summed up and smoothed. The slope of a line through the last 20 such points replaces the draft's Kalman
filter, and is compared with an adaptive threshold (5.4).
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

#: Packets sent within this time belong to one burst.
_BURST: Final = 0.005
#: Packets that arrive right after each other, faster than they were sent, belong to one burst too, of at most
#: this length: something released them at once.
_BURST_MAX: Final = 0.1
#: Arrivals this far from each other are not compared.
_JUMP: Final = 3.0
#: Successive bursts that arrive before the burst sent earlier: the clock was set.
_BACKWARDS: Final = 3
_WINDOW: Final = 20
_SMOOTHING: Final = 0.9
_GAIN: Final = 4.0
_DELTAS_MAX: Final = 60
#: The threshold, in ms of modified trend: its first value, bounds, speeds up and down, and how far beyond it
#: a trend is an outlier and ignored.
_THRESHOLD: Final = 12.5
_THRESHOLD_MIN: Final = 6.0
_THRESHOLD_MAX: Final = 600.0
_UP: Final = 0.0087
_DOWN: Final = 0.039
_OUTLIER: Final = 15.0
#: Milliseconds for which a trend must exceed the threshold.
_OVERUSE: Final = 10.0
#: Points after which the sums are computed anew, so that rounding errors do not accumulate.
_ANEW: Final = 64


class BandwidthUsage(Enum):
    """The state of the queue: it grows, shrinks, or does neither."""

    OVER = "over"
    UNDER = "under"
    NORMAL = "normal"


class DelayTrend:
    """The delay trend towards one receiver. `usage` is the result."""

    __slots__ = (
        "_anchor", "_arrived", "_backwards", "_begun", "_came", "_delay", "_deltas", "_first", "_fresh",
        "_last", "_modified_at", "_over", "_over_count", "_points", "_prior_came", "_prior_last", "_slope",
        "_smoothed", "_sx", "_sxx", "_sxy", "_sy", "_threshold", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self.usage = BandwidthUsage.NORMAL
        self._threshold = _THRESHOLD
        self._modified_at: float | None = None
        self._reset()

    def _reset(self) -> None:
        #: The present burst: sent first and last, arrived first and last.
        self._begun = False
        self._first = self._last = self._arrived = self._came = 0.0
        #: The burst before it; none if `_prior_last` is negative infinity.
        self._prior_last = self._prior_came = float("-inf")
        self._backwards = 0
        self._deltas = 0
        self._delay = self._smoothed = 0.0
        #: (arrival since `_anchor`, smoothed delay) in ms, and their sums.
        self._points: deque[tuple[float, float]] = deque()
        self._anchor = 0.0
        self._sx = self._sy = self._sxx = self._sxy = 0.0
        self._fresh = 0
        self._slope = 0.0
        self._over = -1.0
        self._over_count = 0
        self.usage = BandwidthUsage.NORMAL

    def add(self, sent: float, arrived: float) -> None:
        """Add a packet: `sent` by the own clock and `arrived` by the receiver's clock, both in seconds."""
        if not self._begun:
            self._begun = True
            self._first = self._last = sent
            self._arrived = self._came = arrived
            return
        first = self._first
        if sent < first:  # sent long before, or reported late: it says nothing about now
            return
        if sent - first <= _BURST:
            together = True
        else:
            since = arrived - self._came
            together = (
                -_BURST_MAX < since <= _BURST
                and since < sent - self._last
                and arrived - self._arrived < _BURST_MAX
            )
        if together:
            if sent > self._last:
                self._last = sent
            if arrived > self._came:
                self._came = arrived
            return
        if self._prior_last > float("-inf"):
            between = self._came - self._prior_came
            if between < 0:
                self._backwards += 1
                if self._backwards >= _BACKWARDS:
                    self._reset()
                    return
            elif between > _JUMP:
                self._reset()
                return
            else:
                self._backwards = 0
                self._point(1000 * (self._last - self._prior_last), 1000 * between)
        if self._came >= self._prior_came:
            self._prior_last, self._prior_came = self._last, self._came
        self._first = self._last = sent
        self._arrived = self._came = arrived

    def _point(self, sent: float, arrived: float) -> None:
        """Add a burst, sent and arrived so many ms after the burst before it."""
        self._deltas = min(self._deltas + 1, _DELTAS_MAX)
        self._delay += arrived - sent
        self._smoothed = y = _SMOOTHING * self._smoothed + (1 - _SMOOTHING) * self._delay
        points = self._points
        if not points:
            self._anchor = self._came
        x = 1000 * (self._came - self._anchor)
        points.append((x, y))
        self._sx += x
        self._sy += y
        self._sxx += x * x
        self._sxy += x * y
        if len(points) > _WINDOW:
            x, y = points.popleft()
            self._sx -= x
            self._sy -= y
            self._sxx -= x * x
            self._sxy -= x * y
        self._fresh += 1
        if self._fresh >= _ANEW:
            self._gather()
        slope = self._slope
        if len(points) == _WINDOW:
            width = _WINDOW * self._sxx - self._sx * self._sx
            if width > 1e-6:
                slope = (_WINDOW * self._sxy - self._sx * self._sy) / width
        self._detect(slope, sent)

    def _gather(self) -> None:
        start = self._points[0][0]
        self._anchor += start / 1000
        self._points = deque((x - start, y) for x, y in self._points)
        self._sx = sum(x for x, _ in self._points)
        self._sy = sum(y for _, y in self._points)
        self._sxx = sum(x * x for x, _ in self._points)
        self._sxy = sum(x * y for x, y in self._points)
        self._fresh = 0

    def _detect(self, slope: float, sent: float) -> None:
        modified = self._deltas * slope * _GAIN
        threshold = self._threshold
        if modified > threshold:
            self._over = self._over + sent if self._over >= 0 else sent / 2
            self._over_count += 1
            if self._over > _OVERUSE and self._over_count > 1 and slope >= self._slope:
                self._over = 0.0
                self._over_count = 0
                self.usage = BandwidthUsage.OVER
        else:
            self._over = -1.0
            self._over_count = 0
            self.usage = BandwidthUsage.UNDER if modified < -threshold else BandwidthUsage.NORMAL
        self._slope = slope
        self._adapt(abs(modified))

    def _adapt(self, modified: float) -> None:
        """Adapt the threshold: with a fixed one, traffic with loss-based control would starve this one."""
        now = self._came
        passed = 0.0 if self._modified_at is None else min(1000 * (now - self._modified_at), 100.0)
        self._modified_at = now
        threshold = self._threshold
        if passed <= 0 or modified > threshold + _OUTLIER:
            return
        threshold += (_DOWN if modified < threshold else _UP) * (modified - threshold) * passed
        self._threshold = min(max(threshold, _THRESHOLD_MIN), _THRESHOLD_MAX)
