"""A path to one receiver, simulated: a bottleneck with a queue, delay, random loss; all of it by a seed.

The sender does what the SFU does (`twcc_sequence`, `estimate`, `probe`), the receiver what a browser does
(`twcc_arrivals`). Video is elastic here: it takes the whole target, up to what is wanted. Audio goes beside
it and carries no number.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count

from snugroom.server.sfu.core.bandwidth.estimate import BandwidthEstimate
from snugroom.server.sfu.core.bandwidth.probe import Prober
from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.core.twcc_sequence import TwccSequence
from snugroom.wire import twcc

AUDIO = 172
PIECE = 1100
#: The receiver's clock is this far ahead of ours.
CLOCK = 12_345.678


class Path:
    """`capacity`: bits a second at a time; `queue`: bytes; `delay`: one way."""

    def __init__(
        self,
        capacity: Callable[[float], float],
        *,
        wanted: Callable[[float], float],
        delay: float = 0.025,
        queue: int = 60_000,
        loss: float = 0.0,
        jitter: float = 0.0,
        start: float = 300_000,
        probes: bool = True,
        seed: int = 1,
    ) -> None:
        self.capacity, self.wanted = capacity, wanted
        self.delay, self.queue, self.loss, self.jitter, self.probes = delay, queue, loss, jitter, probes
        self.rng = random.Random(seed)
        self.estimate = BandwidthEstimate(start=start)
        self.prober = Prober()
        self.twcc_sequence = TwccSequence()
        self.row = self.twcc_sequence.open()
        self.arrivals = Arrivals()
        self.now = 0.0
        self.free = 0.0
        self.order = count()
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.padding = 0
        #: (time, target), every 50 ms; (time, seconds in the queue); (time, size) of what passed.
        self.targets: list[tuple[float, float]] = []
        self.queued: list[tuple[float, float]] = []
        self.passed: list[tuple[float, int]] = []
        self.lost = self.total = self.padded = self.begun = 0
        self.at(0.0, self.audio)
        self.at(0.0, self.video)
        self.at(0.0, self.tick)
        self.at(0.0, self.receiver)
        #: Cuts the way back.
        self.deaf = False

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (when, next(self.order), what))

    def run(self, until: float) -> None:
        while self.events[0][0] < until:
            self.now, _, what = heapq.heappop(self.events)
            what()
        self.now = until

    # -- the sender ------------------------------------------------------------------------

    def audio(self) -> None:
        self.carry(None, AUDIO)
        self.at(self.now + 0.02, self.audio)

    def video(self) -> None:
        rate = min(self.estimate.target, self.wanted(self.now))
        size = int(max(rate, 20_000) / 8 / 30 * self.rng.uniform(0.8, 1.2))
        pieces = max(1, round(size / PIECE))
        gap = size / pieces * 8 / (2.5 * max(self.estimate.target, 100_000))
        for i in range(pieces):
            self.at(self.now + i * gap, lambda: self.send(size // pieces))
        self.at(self.now + 1 / 30, self.video)

    def send(self, size: int) -> None:
        if self.prober.sends(self.now):
            self.padding -= size
        self.carry(self.twcc_sequence.assign(self.row, size, self.now), size)

    def carry(self, number: int | None, size: int) -> None:
        self.total += 1
        backlog = max(0.0, self.free - self.now)
        rate = self.capacity(self.now)
        if backlog * rate / 8 + size > self.queue or self.rng.random() < self.loss:
            self.lost += 1
            return
        self.free = max(self.free, self.now) + size * 8 / rate
        self.queued.append((self.now, self.free - self.now))
        here = self.free + self.delay + self.rng.random() * self.jitter
        self.at(here, lambda: self.arrive(number, size))

    def tick(self) -> None:
        if self.probes:
            self.prober.tick(self.estimate.rtt, self.now)
            plan = self.prober.plan(
                self.wanted(self.now), self.estimate.target, self.estimate.delayed(self.now), self.now
            )
            if plan is not None:
                self.begun += 1
                self.padding = 0
            running = self.prober.running
            if running is not None and self.prober.sends(self.now):
                self.padding += int(running.rate * 0.01 / 8)
                while self.padding > 0:
                    self.padded += PIECE
                    self.send(PIECE)
        self.at(self.now + 0.01, self.tick)

    def hear(self, data: bytes) -> None:
        reports = self.twcc_sequence.match_report(self.row, twcc.parse(data))
        self.estimate.feedback(reports, self.now)
        rate = self.prober.feedback(reports, self.estimate.target, self.estimate.rtt, self.now)
        if rate is not None:
            self.estimate.probed(rate, self.now)

    # -- the receiver ----------------------------------------------------------------------

    def arrive(self, number: int | None, size: int) -> None:
        self.passed.append((self.now, size))
        if number is not None:
            self.arrivals.record(number, self.now + CLOCK)

    def receiver(self) -> None:
        for data in self.arrivals.due(1, self.now + CLOCK):
            if not self.deaf and self.rng.random() >= self.loss:
                self.at(self.now + self.delay, lambda data=data: self.hear(data))  # type: ignore[misc]
        self.targets.append((self.now, self.estimate.target))
        self.estimate.tick(self.now, True)
        self.at(self.now + 0.05, self.receiver)

    # -- what came of it -------------------------------------------------------------------

    def target(self, begin: float, end: float) -> float:
        """The mean target."""
        found = [target for at, target in self.targets if begin <= at < end]
        return sum(found) / len(found)

    def wait(self, begin: float, end: float) -> float:
        """The mean time in the queue."""
        found = [wait for at, wait in self.queued if begin <= at < end]
        return sum(found) / len(found)

    def rate(self, begin: float, end: float) -> float:
        """The rate of arrivals, bits a second."""
        return sum(8 * size for at, size in self.passed if begin <= at < end) / (end - begin)

    def first(self, begin: float, holds: Callable[[float], bool]) -> float:
        """Seconds from `begin` until the target holds so; infinite if never."""
        return next(
            (at - begin for at, target in self.targets if at >= begin and holds(target)), float("inf")
        )
