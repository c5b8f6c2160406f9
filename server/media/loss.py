"""How much the loss lets one receiver be sent: draft-ietf-rmcat-gcc-02, section 6, and one thought more.

The draft lowers the rate whenever more than a tenth is lost, and never raises it above two hundredths. On a
radio link that loses a tenth whatever is sent, that ends at the floor. So each change is a trial: if a full
queue was the reason, it is known how much less (or more) is lost after it. If as much is lost as before, that
is what the link loses by itself (`inherent`), and only what is lost beyond it counts from then on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

#: Lost beyond what is inherent: above the first the rate falls, below the second it grows.
_MUCH: Final = 0.10
_LITTLE: Final = 0.02
_GROWTH: Final = 1.08
#: Nothing is taken for inherent beyond this.
_INHERENT_MAX: Final = 0.3
#: A window ends after this much, or this many packets, but has at least `_SHORT`.
_LONG: Final = 1.0
_SHORT: Final = 0.25
_PACKETS: Final = 100
#: Packets without which a window tells nothing: it goes on.
_PACKETS_LEAST: Final = 10
#: A full queue has been shown to be the reason: for so long nothing more is tried while some loss goes on.
_SHOWN: Final = 10.0
#: The rate that was sent must have changed by so much, or nothing was tried.
_TRIED: Final = 0.02


class ByLoss:
    """`limit`: what the loss allows, infinite while little was lost. `inherent`: lost whatever is sent."""

    __slots__ = (
        "_before", "_bits", "_count", "_end", "_lost", "_not_before", "_shown", "_start", "inherent", "limit",
    )  # fmt: skip

    def __init__(self) -> None:
        self.limit = math.inf
        self.inherent = 0.0
        #: The window: of packets sent from `_start` to `_end`.
        self._start = self._end = 0.0
        self._count = self._lost = self._bits = 0
        #: Rate and loss before the last trial, until it is known what it showed.
        self._before: tuple[float, float] | None = None
        self._not_before = float("-inf")
        self._shown = float("-inf")

    def told(self, reports: Sequence[tuple[float, int, float | None]]) -> None:
        """What has become of packets: (sent at, size, arrived at or None), in order.

        Those sent before the last trial say nothing more.
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
        """End the window if it is long enough. `delayed`: the queue grows, so that loss is probably its."""
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
        """Of about `count` packets sent at `rate` within `span` seconds `fraction` was lost."""
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
        """What the last trial has shown."""
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
