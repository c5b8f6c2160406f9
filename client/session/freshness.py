"""How long it may be taken for granted that we stand where the others stand (protocol section 7).

Each other member's word holds for a while: until then it has told us, lately, that it is in our epoch, or in
one that ours has followed lately. Sound and pictures are sealed only while the words of a host and of enough
others hold; else whoever a withheld removal has evicted could go on listening.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf


class Freshness:
    """Times are seconds; nothing here looks at a clock."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}

    def word(self, leaf: int, until: float) -> None:
        """A leaf's word holds until then; what held longer goes on to."""
        self._until[leaf] = max(until, self._until.get(leaf, 0.0))

    def of(self, leaf: int) -> float:
        """Until when a leaf's word holds; 0 if it has given none."""
        return self._until.get(leaf, 0.0)

    def forget(self, leaf: int) -> None:
        """Nobody, or another, is at that leaf now."""
        self._until.pop(leaf, None)

    def missing(self, others: Mapping[int, bool], now: float) -> list[int]:
        """Leaves whose word does not hold."""
        return [leaf for leaf in others if self._until.get(leaf, 0.0) <= now]

    def until(self, others: Mapping[int, bool], *, host: bool) -> float:
        """The time until which we may go on; infinity when alone.

        `others` says of each leaf but ours whether a host sits there; `host`: one sits at ours. Needed are
        one host, if any is in the tree, and with ourselves more than half of all, so that of two halves of a
        room at most one goes on.
        """
        if not others:
            return inf
        times = sorted((self._until.get(leaf, 0.0) for leaf in others), reverse=True)
        enough = times[len(others) // 2 + len(others) % 2 - 1]
        hosts = [self._until.get(leaf, 0.0) for leaf, is_host in others.items() if is_host]
        return enough if host or not hosts else min(enough, max(hosts))
