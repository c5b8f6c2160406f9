"""The sender's estimate of the bitrate that the path to the server carries. A pure core.

The estimate uses the server's reports on numbered packets (`wire.twcc`). A growing queue delays
packets long before it loses any. When a queue grows, the rate falls at once, well below the rate that
arrived. Without a growing queue the rate rises a little each second. Loss counts only from a fifth on,
because radio links lose packets without congestion. REMB, the server's limit for what receivers can take, is
always an upper bound.

All times are seconds on the caller's monotonic clock, rates bits a second.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from snugroom.wire import twcc

FIRST: Final = 300_000
FLOOR: Final = 60_000
#: Queue length in seconds: from CALM on the rate does not rise, above FULL the path is congested.
QUEUE_CALM: Final = 0.025
QUEUE_FULL: Final = 0.060
#: Share of sent packets; from this loss on even a path with random loss is congested.
LOSS_FULL: Final = 0.2
DECREASE: Final = 0.85
#: Queue length in seconds above which a decrease must also empty the queue.
QUEUE_LONG: Final = 0.2
DECREASE_LONG: Final = 0.7
#: Growth a second, as a share of the rate, until the first decrease.
INCREASE_FIRST: Final = 0.25
#: Growth a second after it, as a share; near the last congested rate and above it, bits a second each second.
INCREASE: Final = 0.08
INCREASE_NEAR: Final = 12_000
#: How far the rate may exceed twice the rate that arrives: enough for one more layer to begin.
UNTRIED: Final = 300_000
#: Seconds between two decreases, plus the round trip: packets in flight must arrive before the next decrease.
DECREASE_EVERY: Final = 0.3
REMB_AGE: Final = 5.0
#: Seconds without a report while packets are sent, after which the path counts as blocked in one direction.
SILENCE: Final = 1.5
#: Seconds over which the arriving rate (WINDOW) and the loss (LOSS_WINDOW) are measured.
WINDOW: Final = 1.0
LOSS_WINDOW: Final = 2.0
_LOSS_PACKETS: Final = 20
#: Seconds for which the fastest packet defines the delay of the empty path.
_EMPTY: Final = 10.0
_OUTSTANDING_MAX: Final = 2_048


class Estimate:
    """The bitrate estimate. `target` is the permitted rate, between FLOOR and `ceiling`.

    Sent packets (`sent`) and feedback (`remb`, `lost`, `reported`) change it.
    """

    def __init__(self, ceiling: int, now: float, *, first: int = FIRST) -> None:
        self._ceiling = float(ceiling)
        self._rate = float(min(first, ceiling))
        self._outstanding: dict[int, tuple[float, int]] = {}
        #: (arrival on the server's clock, bytes), and (time of the report, whether it arrived), of reported
        #: packets.
        self._through: deque[tuple[float, int]] = deque()
        self._fates: deque[tuple[float, bool]] = deque()
        self._empty: deque[tuple[float, float]] = deque()
        self._remb = (float("inf"), float("-inf"))
        self._queue: float | None = None
        self._trend = 0.0
        self._decreased_at = float("-inf")
        self._congested: float | None = None
        self._raised_at = now
        self._heard_at: float | None = None
        self._silent_from: float | None = None

    @property
    def loss(self) -> float:
        """The share of recently reported numbered packets that did not arrive."""
        return sum(not came for _, came in self._fates) / len(self._fates) if self._fates else 0.0

    @property
    def queue(self) -> float:
        """Seconds that packets wait in queues, compared with the packets that waited least."""
        return self._queue or 0.0

    def target(self, now: float) -> int:
        """Return bits a second for video, including headers and retransmissions."""
        rate = self._rate
        if now - self._remb[1] <= REMB_AGE:
            rate = min(rate, self._remb[0])
        return round(max(FLOOR, min(rate, self._ceiling)))

    def sent(self, number: int, size: int, now: float) -> None:
        """Take note that a packet of `size` bytes with this number (16 bits) has left."""
        self._outstanding.pop(number, None)
        self._outstanding[number] = (now, size)
        while len(self._outstanding) > _OUTSTANDING_MAX:
            del self._outstanding[next(iter(self._outstanding))]
        if self._heard_at is None:
            return
        if self._silent_from is None:
            self._silent_from = now
        elif now - self._silent_from > SILENCE:
            self._silent_from = now
            self._rate = max(FLOOR, self._rate / 2)

    def remb(self, bitrate: int, now: float) -> None:
        """Take the server's limit for what receivers can take, bits a second."""
        self._remb = (float(bitrate), now)

    def lost(self, fraction: float, now: float) -> None:
        """Take a receiver report on own video: the lost `fraction`, 0 to 1.

        It counts only until the first report on numbered packets.
        """
        if self._heard_at is not None:
            return
        if fraction >= LOSS_FULL:
            self._rate = max(FLOOR, self._rate * (1 - fraction / 2))
        else:
            self._raise(now)
        self._raised_at = now

    def reported(self, report: twcc.Report, now: float, round_trip: float = 0.0) -> None:
        """Take the server's report on numbered packets."""
        self._heard_at, self._silent_from = now, None
        delays = []
        ticks = dict(report.arrivals)
        for number in [n for n in self._outstanding if (n - report.base) & 0xFFFF < report.statuses]:
            sent_at, size = self._outstanding.pop(number)
            tick = ticks.get(number)
            self._fates.append((now, tick is not None))
            if tick is not None:
                arrival = tick / twcc.TICKS
                delays.append(arrival - sent_at)
                self._through.append((arrival, size))
        while self._fates and self._fates[0][0] < now - LOSS_WINDOW:
            self._fates.popleft()
        if not delays:
            return
        self._measure(delays, now)
        if self._congestion():
            self._lower(now, round_trip)
        elif self.queue < QUEUE_CALM and self._trend < QUEUE_CALM / 2:
            self._raise(now)
        self._raised_at = now

    # -- inside ------------------------------------------------------------------------------

    def _measure(self, delays: list[float], now: float) -> None:
        least, mean = min(delays), sum(delays) / len(delays)
        # the fastest packet of the last seconds: delays ascend from the head, so the head is the minimum
        while self._empty and self._empty[-1][1] >= least:
            self._empty.pop()
        self._empty.append((now, least))
        while self._empty[0][0] < now - _EMPTY:
            self._empty.popleft()
        waited = mean - self._empty[0][1]
        before = waited if self._queue is None else self._queue
        self._queue = (before + waited) / 2
        self._trend = self._queue - before

    def _congestion(self) -> bool:
        if self.queue > QUEUE_FULL and self._trend > -0.002:
            return True
        return len(self._fates) >= _LOSS_PACKETS and self.loss >= LOSS_FULL

    def _came_through(self) -> float | None:
        """Return the bits that arrived in the last second of the server's clock; None with little data."""
        if len(self._through) < 2:
            return None
        newest = self._through[-1][0]
        while self._through[0][0] < newest - WINDOW:
            self._through.popleft()
        span = newest - self._through[0][0]
        return 8 * sum(size for _, size in self._through) / span if span > WINDOW / 3 else None

    def _lower(self, now: float, round_trip: float) -> None:
        if now - self._decreased_at < DECREASE_EVERY + round_trip:
            return
        self._decreased_at = now
        through = self._came_through()
        rate = self._rate if through is None else min(self._rate, through)
        self._congested = rate
        self._rate = max(FLOOR, (DECREASE_LONG if self.queue > QUEUE_LONG else DECREASE) * rate)

    def _raise(self, now: float) -> None:
        since = min(1.0, max(0.0, now - self._raised_at))
        through = self._came_through()
        if through is not None and self._rate > 2 * through + UNTRIED:
            return  # the encoder sends much less: a higher rate would be a guess
        near = self._congested is not None and self._rate > 0.85 * self._congested
        share = INCREASE_FIRST if self._decreased_at == float("-inf") else INCREASE
        step = INCREASE_NEAR if near else share * self._rate
        self._rate = min(self._ceiling, self._rate + step * since)
        if self._congested is not None and self._rate > 1.2 * self._congested:
            self._congested = None  # the path has gained capacity since
