"""How long this member may assume that the others share its epoch (protocol section 7).

After coming in, we seal and say nothing until the members have answered us (`Beginning`). Then
a confirmation is a member's recent signed statement that it is in our epoch, or in one that ours has lately
followed; it holds for a while. Audio and video are sealed only while the confirmations of more than half
hold, and the lease that a host's confirmation gives. Otherwise a member evicted by a withheld removal could
go on listening.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Final, NamedTuple

#: Seconds for which a member's confirmation holds, or that many beat intervals if they are longer.
FRESH: Final = (15.0, 3)
#: Maximum age of our acknowledged beat, in seconds or beat intervals: a held-back beat is not fresh.
ECHO: Final = (25.0, 5)
#: Seconds for which a host's confirmation lets more than half go on without another one of a host, since we
#: sent the beat that it acknowledges: delaying it gains nothing. In strict meetings it is `FRESH`.
LEASE: Final = 65.0


class Beginning:
    """Whether the others have answered us since we came in: an answer from the lobby may be old.

    It says that we are in the room as it was then. A server that holds it back, and serves us that room,
    could have us talk to a member that was evicted since. Nobody there can answer our heartbeats as a host.
    """

    def __init__(self, others: Iterable[int]) -> None:
        #: The members that were here before us: only heartbeats that answer ours count.
        self.before_us = set(others)
        #: Whether we may speak.
        self.over = not self.before_us
        self._answered: set[int] = set()

    def answered(self, leaf: int, others: Mapping[int, bool]) -> None:
        """Record a member's answer to a heartbeat of ours, and judge."""
        self._answered.add(leaf)
        self.over = self.over or self._is_enough(others)

    def forget(self, leaf: int, others: Mapping[int, bool]) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self.before_us.discard(leaf)
        self._answered.discard(leaf)
        self.over = self.over or not others

    def missing(self, others: Mapping[int, bool]) -> list[int]:
        """Return the leaves whose answer would be enough: hosts, if there are any."""
        hosts = [leaf for leaf, host in others.items() if host]
        return [leaf for leaf in hosts or others if leaf not in self._answered]

    def _is_enough(self, others: Mapping[int, bool]) -> bool:
        """Return whether a host has answered; without a host, more than half of all members."""
        hosts = {leaf for leaf, host in others.items() if host}
        if hosts:
            return bool(hosts & self._answered)
        return 2 * (1 + len(self._answered & others.keys())) > 1 + len(others)


class Lacking(NamedTuple):
    """Whether a host's confirmation is missing, and whether too few would be left with the hosts'."""

    no_host: bool
    few: bool


class Freshness:
    """All times are in seconds; this class reads no clock."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        self._leases: dict[int, float] = {}

    def confirm(self, leaf: int, until: float, lease: float) -> None:
        """Extend a leaf's confirmation to `until` and a host's lease to `lease`; shorten none."""
        self._until[leaf] = max(until, self.confirmed_until(leaf))
        self._leases[leaf] = max(lease, self._leases.get(leaf, 0.0))

    def end_lease(self, leaf: int) -> None:
        """End the lease of a host whose heartbeat contradicts our epoch; its confirmation runs out."""
        self._leases[leaf] = min(self._leases.get(leaf, 0.0), self.confirmed_until(leaf))

    def carry_over(self, old: Freshness, leaf: int, was: int) -> None:
        """Take over the confirmation and the lease of a member that was at the leaf `was`."""
        self._until[leaf] = old.confirmed_until(was)
        self._leases[leaf] = old._leases.get(was, 0.0)

    def confirmed_until(self, leaf: int) -> float:
        """Return the time until which a leaf's confirmation holds; 0 if it has given none."""
        return self._until.get(leaf, 0.0)

    def forget(self, leaf: int) -> float:
        """Forget the member of a leaf that is empty now or has another member; return its lease's end."""
        self._until.pop(leaf, None)
        return self._leases.pop(leaf, 0.0)

    def missing(self, others: Mapping[int, bool], now: float) -> list[int]:
        """Return the leaves without a valid confirmation, and the hosts without a lease."""
        return [
            leaf
            for leaf, host in others.items()
            if self.confirmed_until(leaf) <= now or (host and self._leases.get(leaf, 0.0) <= now)
        ]

    def lacks(self, others: Mapping[int, bool], now: float, *, host: bool) -> Lacking:
        """Return whether every host's lease is over, and whether too few would be left with the hosts'.

        Arguments as for `until`: both are False exactly while that is later than `now`.
        """
        no_host = not host and self._leased(others) <= now
        lost = [
            n for n, is_host in others.items() if self.confirmed_until(n) <= now and not (no_host and is_host)
        ]
        return Lacking(no_host, 2 * (1 + len(others) - len(lost)) <= 1 + len(others))

    def until(self, others: Mapping[int, bool], *, host: bool) -> float:
        """Return the time until which media may be sealed; infinity when alone.

        `others` maps each leaf but ours to whether it is a host; `host`: we are a host. Required are one
        lease, if the tree has a host, and more than half of all members, ourselves included: of two halves of
        a room at most one goes on.
        """
        if not others:
            return inf
        times = sorted(map(self.confirmed_until, others), reverse=True)
        enough = times[len(others) // 2 + len(others) % 2 - 1]
        return enough if host else min(enough, self._leased(others))

    def _leased(self, others: Mapping[int, bool]) -> float:
        """Return the time until which the last of the hosts' leases holds; infinity without a host."""
        return max((self._leases.get(leaf, 0.0) for leaf, host in others.items() if host), default=inf)
