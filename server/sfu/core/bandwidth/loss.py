"""The rate that the loss allows for one receiver: draft-ietf-rmcat-gcc-02, section 6, with one extension.

The draft lowers the rate whenever more than a tenth is lost, and never raises it above two hundredths. On a
radio link that loses a tenth at any rate, this ends at the floor. So each change of rate is a trial. If a
full queue caused the loss, the change predicts how much less (or more) is lost after it. If the loss stays as
it was, it is the link's own (`inherent`), and only loss beyond it counts from then on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

#: Loss beyond the inherent loss: above `_MUCH` the rate falls, below `_LITTLE` it grows.
_MUCH: Final = 0.10
_LITTLE: Final = 0.02
_GROWTH: Final = 1.08
#: The most loss that counts as inherent.
_INHERENT_MAX: Final = 0.3
#: A window ends after `_LONG` seconds or `_PACKETS` packets, but lasts at least `_SHORT` seconds.
_LONG: Final = 1.0
_SHORT: Final = 0.25
_PACKETS: Final = 100
#: A window with fewer packets says nothing, and continues.
_PACKETS_LEAST: Final = 10
#: Seconds after a full queue has proved to be the cause, in which the rate is not tried higher while some
#: loss continues.
_SHOWN: Final = 10.0
#: The smallest change of the sent rate, as a share of it, that counts as a trial.
_TRIED: Final = 0.02


class LossBasedController:
    """`limit`: the rate that the loss allows, infinite while little is lost. `inherent`: loss at any rate."""

    __slots__ = (
        "_before", "_bits", "_count", "_end", "_lost", "_not_before", "_shown", "_start", "inherent", "limit",
    )  # fmt: skip

    def __init__(self) -> None:
        self.limit = math.inf
        self.inherent = 0.0
        #: The window: packets sent from `_start` to `_end`.
        self._start = self._end = 0.0
        self._count = self._lost = self._bits = 0
        #: Rate and loss before the last trial, until its result is known.
        self._before: tuple[float, float] | None = None
        self._not_before = float("-inf")
        self._shown = float("-inf")

    def add_reports(self, reports: Sequence[tuple[float, int, float | None]]) -> None:
        """Process reports on packets: (sent at, size, arrived at or None), in order.

        Packets sent before the last trial are ignored.
        """
        begin = self._not_before
        sizes = [size for sent, size, _ in reports if sent >= begin]
        if not sizes:
            return
        if not self._count:
            self._start = max(reports[0][0], begin)
        self._end = max(self._end, reports[-1][0])
        self._count += len(sizes)
        self._bits += 8 * sum(sizes)
        self._lost += sum(arrived is None for sent, _, arrived in reports if sent >= begin)

    def judge(self, target: float, delayed: bool, now: float) -> None:
        """End the window if it is long enough. `delayed`: the queue grows, and probably causes the loss."""
        span = self._end - self._start
        count = self._count
        if span < _SHORT or count < _PACKETS_LEAST or (span < _LONG and count < _PACKETS):
            return
        self.window(self._lost / count, count, self._bits / span, target, span, delayed, now)
        self._count = self._lost = self._bits = 0

    def window(
        self,
        fraction: float,
        count: float,
        rate: float,
        target: float,
        span: float,
        delayed: bool,
        now: float,
    ) -> None:
        """Judge about `count` packets sent at `rate` within `span` seconds, of which `fraction` was lost."""
        known = max(self.inherent, _LITTLE)
        noise = math.sqrt(known * (1 - known) / max(count, 1.0))
        self._learn(fraction, rate, delayed, now)
        beyond = (fraction - self.inherent) / (1 - self.inherent)
        if beyond > _MUCH + noise:
            base = min(self.limit, target, max(rate, target / 4))
            self._try(base * (1 - beyond / 2), rate, fraction, now)
        elif self.limit == math.inf:
            return
        elif beyond < _LITTLE + noise:
            self.limit *= _GROWTH ** min(span, _LONG)
            if self.limit > 2 * target:
                self.limit = math.inf
        elif not delayed and now - self._shown > _SHOWN:
            self._try(self.limit * _GROWTH, rate, fraction, now)

    def _try(self, limit: float, rate: float, fraction: float, now: float) -> None:
        self.limit = limit
        self._before = rate, fraction
        self._not_before = now

    def _learn(self, fraction: float, rate: float, delayed: bool, now: float) -> None:
        """Learn from the last trial."""
        before, self._before = self._before, None
        if fraction <= self.inherent:
            self.inherent += (fraction - self.inherent) / 4
        elif before is not None and abs(rate / before[0] - 1) >= _TRIED:
            expected = max(self.inherent, 1 - before[0] * (1 - before[1]) / rate)
            if abs(fraction - expected) < abs(fraction - before[1]):
                self._shown = now
                if rate > before[0]:
                    self.limit = min(self.limit, before[0])
            elif not delayed:
                self.inherent = min(self.inherent + (fraction - self.inherent) / 2, _INHERENT_MAX)
