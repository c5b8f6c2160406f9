"""The core of the order of new WebSockets: so many a second, and first those clients that had the fewest.

The handshakes are the cost of a storm of connections. A client that made many of them lately waits behind all
clients that made few, so that a host comes in while a thousand others try.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Final

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket
from snugroom.server.rooms.clients import Client

#: Connections that may wait for their handshake at once.
WAITING_MAX: Final = 2048


class Handshakes:
    """The connections that wait for their handshake. A ticket stands for one of them."""

    def __init__(self, settings: Settings, now: float) -> None:
        self._tokens = TokenBucket(settings.handshakes_per_second, settings.handshake_burst, now)
        self._queue: list[tuple[float, int, Client]] = []
        self._waiting: Counter[Client] = Counter()
        self._tickets: set[int] = set()
        self._number = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def offer(self, client: Client) -> int | None:
        """Return a ticket that waits for its turn; None if too many wait already."""
        if len(self) >= WAITING_MAX:
            return None
        self._number += 1
        # clients without an address are many, and have no share of their own
        before = 0.0 if client.unlimited else client.share(lambda each: each.handshakes + self._waiting[each])
        heapq.heappush(self._queue, (before, self._number, client))
        self._tickets.add(self._number)
        self._waiting.update(client.both())
        return self._number

    def withdraw(self, ticket: int) -> None:
        """Give up a place in the queue. A ticket whose turn has come has none."""
        self._tickets.discard(ticket)

    def due(self, now: float) -> list[int]:
        """Return the tickets whose turn it is now."""
        tickets = []
        while self._queue:
            _, ticket, client = self._queue[0]
            if ticket in self._tickets:
                if not self._tokens.take(now):
                    break
                tickets.append(ticket)
                self._tickets.discard(ticket)
                for each in client.both():
                    each.handshakes += 1
            heapq.heappop(self._queue)
            self._waiting.subtract(client.both())
            self._waiting += Counter()  # drops the zeros
        return tickets

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next turn; None if nobody waits."""
        return self._tokens.wait(now) if self._tickets else None
