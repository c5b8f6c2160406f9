"""The core of fairness: whose message is handled next.

Rooms take turns, and within a room its connections do (deficit round robin, with the two lists of RFC 8290: a
room that had nothing waiting goes before those that never stop). A message costs what its deliveries cost. A
room that has used up its budget waits, and so do its senders; no other room does. One budget for all rooms
limits the bytes that the server sends.

A group is a room, a lobby, or a connection that is in neither. A connection has one place in its group's
queue, however many messages it has waiting.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Final

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket

#: Deliveries that a group may cause in one turn.
QUANTUM: Final = 100.0
#: Bytes that cost as much as one more delivery.
_BYTES: Final = 16_384
#: Seconds between two connections of one group that are refused for what they cost.
_EASE: Final = 1.0
#: Seconds without a message after which a group begins anew.
_REST: Final = 1.0
#: Seconds that a message may wait for its turn. Beyond it the connection that cost most is to be refused.
PATIENCE: Final = 10.0


def cost(deliveries: int, size: int) -> float:
    """Return the cost of a message with these deliveries, of `size` bytes together, in deliveries."""
    return 1.0 + deliveries + size / _BYTES


class _Group:
    """The waiting connections of one group, what it may still cost, and what each connection has cost."""

    __slots__ = ("bytes", "credit", "deliveries", "eased_at", "listed", "spent", "spent_at", "waiting")

    def __init__(self, settings: Settings, now: float) -> None:
        #: Handles in order, each with the time since which it waits.
        self.waiting: dict[bytes, float] = {}
        self.credit = QUANTUM
        self.deliveries = TokenBucket(settings.room_deliveries_per_second, settings.room_delivery_burst, now)
        self.bytes = TokenBucket(settings.room_egress_per_second, settings.room_egress_burst, now)
        self.spent: dict[bytes, float] = {}
        self.spent_at = now
        #: When it was last relieved of a connection.
        self.eased_at = now
        #: Whether it is in one of the lists of `Turns`.
        self.listed = False

    def blocked(self, now: float) -> float:
        """Return the seconds until the group's budget allows another message; 0 if it does now."""
        return max(self.deliveries.wait(now), self.bytes.wait(now))

    def rested(self, now: float) -> bool:
        """Return whether nothing of the group is worth remembering."""
        resting = not self.listed and now - self.spent_at > _REST
        return resting and self.deliveries.full(now) and self.bytes.full(now)


class Turns:
    """The order of waiting connections. The caller handles the message of `next`, and reports its cost."""

    def __init__(self, settings: Settings, now: float) -> None:
        self._settings = settings
        self._groups: dict[Hashable, _Group] = {}
        self._group_of: dict[bytes, _Group] = {}
        self._new: deque[_Group] = deque()
        self._old: deque[_Group] = deque()
        #: Groups without a budget: (time at which they have one again, number, group).
        self._blocked: list[tuple[float, int, _Group]] = []
        self._number = 0
        self._egress = TokenBucket(settings.egress_per_second, settings.egress_burst, now)
        #: How often a group had to wait for its budget.
        self.delayed = 0

    @property
    def waiting(self) -> int:
        """The number of connections with a message that waits."""
        return len(self._group_of)

    def offer(self, name: Hashable, handle: bytes, now: float) -> None:
        """Let `handle`, which is in group `name`, wait for a turn. It has one place, behind the others."""
        if handle in self._group_of:
            return
        group = self._group(name, now)
        group.waiting[handle] = now
        self._group_of[handle] = group
        if not group.listed:
            group.listed = True
            (self._new if group.credit > 0 else self._old).append(group)

    def next(self, now: float) -> bytes | None:
        """Return the connection whose message is to be handled now. None: none may, or none waits."""
        while self._blocked and self._blocked[0][0] <= now:
            self._old.append(heapq.heappop(self._blocked)[2])
        if self._egress.wait(now) > 0:
            return None
        while self._new or self._old:
            queue = self._new or self._old
            group = queue.popleft()
            if not group.waiting:
                group.listed = False
            elif (wait := group.blocked(now)) > 0:
                self.delayed += 1
                self._number += 1
                heapq.heappush(self._blocked, (now + wait, self._number, group))
            elif group.credit <= 0:
                group.credit += QUANTUM
                self._old.append(group)
            else:
                queue.appendleft(group)
                handle = next(iter(group.waiting))
                del group.waiting[handle], self._group_of[handle]
                return handle
        return None

    def spend(self, name: Hashable, handle: bytes, deliveries: int, size: int, now: float) -> float:
        """Report what a message of `handle` in group `name` has cost. Return the cost in deliveries."""
        group = self._group(name, now)
        spent = cost(deliveries, size)
        group.credit -= spent
        group.deliveries.spend(now, deliveries)
        group.bytes.spend(now, size)
        self._egress.spend(now, size)
        group.spent_at = now
        group.spent[handle] = group.spent.get(handle, 0.0) + spent
        return spent

    def withdraw(self, handle: bytes) -> None:
        """Give up the place of a connection."""
        group = self._group_of.pop(handle, None)
        if group is not None:
            del group.waiting[handle]

    def wait(self, now: float) -> float | None:
        """Return the seconds after which `next` may have an answer; None while nobody waits."""
        if not self._group_of:
            return None
        wait = 0.0 if self._new or self._old or not self._blocked else self._blocked[0][0] - now
        return max(wait, self._egress.wait(now), 0.0)

    def heaviest(self, now: float) -> Iterator[bytes]:
        """Yield, of each group whose messages wait for too long, the connection that has cost most."""
        for group in list(self._groups.values()):
            if not group.waiting or not group.spent or now - group.eased_at < _EASE:
                continue
            if now - next(iter(group.waiting.values())) > PATIENCE:
                group.eased_at = now
                handle = max(group.spent, key=group.spent.__getitem__)
                del group.spent[handle]
                yield handle

    def tick(self, now: float) -> None:
        """Forget groups at rest, and what the connections of groups without a queue have cost."""
        for name, group in list(self._groups.items()):
            if not group.waiting:
                group.spent.clear()
                if group.rested(now):
                    del self._groups[name]

    def forget(self, handle: bytes, name: Hashable) -> None:
        """Forget a connection that has ended."""
        self.withdraw(handle)
        group = self._groups.get(name)
        if group is not None:
            group.spent.pop(handle, None)

    def _group(self, name: Hashable, now: float) -> _Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group(self._settings, now)
        return group
