"""Whose turn it is to commit what nobody in particular has to: healing, and farewells of those who leave.

All members reckon alike, and wait by their rank, so that mostly one commits and another steps in only when
that one does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from client.session.intents import FarewellIntent

#: Seconds between two healing commits, at least, and for the whole room to come round.
HEAL_LEAST: Final = 10.0
HEAL_ROUND: Final = 300.0
#: Seconds that each next in rank waits longer.
HEAL_STEP: Final = 5.0
FAREWELL_STEP: Final = 1.0


def _rank(order: Sequence[int], own: int) -> int:
    return order.index(own) if own in order else len(order)


class Turns:
    """Who has committed when, and who wants to leave."""

    def __init__(self, leaves: Iterable[int], now: float) -> None:
        self._healed = dict.fromkeys(leaves, now)
        self._farewells: dict[int, tuple[FarewellIntent, float]] = {}

    def committed(self, by: int, added: Iterable[int], removed: Iterable[int], now: float) -> None:
        """A commit was adopted. Proposals end with their epoch: who still leaves proposes again."""
        self._healed[by] = now
        for leaf in removed:
            self._healed.pop(leaf, None)
        for leaf in added:
            self._healed[leaf] = now
        self._farewells.clear()

    def heal_now(self, leaves: Sequence[int], own: int, now: float) -> bool:
        """Whether `own` should commit an empty path: every max(10 s, 300 s / N) the longest unhealed does."""
        if len(leaves) < 2:
            return False
        period = max(HEAL_LEAST, HEAL_ROUND / len(leaves))
        last = max(self._healed.get(leaf, 0.0) for leaf in leaves)
        order = sorted(leaves, key=lambda leaf: (self._healed.get(leaf, 0.0), leaf))
        return now - last >= period + HEAL_STEP * _rank(order, own)

    def leaves_us(self, farewell: FarewellIntent, now: float) -> None:
        """A member has proposed its own removal."""
        self._farewells[farewell.leaf] = (farewell, now)

    def farewells_due(
        self, members: Sequence[tuple[int, bool]], own: int, now: float
    ) -> list[FarewellIntent]:
        """Those for `own` to commit; `members` are (leaf, whether a host): hosts go first."""
        order = [leaf for leaf, host in sorted(members, key=lambda m: (not m[1], m[0]))]
        rank = _rank([leaf for leaf in order if leaf not in self._farewells], own)
        return [
            farewell for farewell, since in self._farewells.values() if now - since >= FAREWELL_STEP * rank
        ]
