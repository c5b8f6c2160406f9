"""The order in which members make commits that any of them can make: healing, and removals of leavers.

All members compute the same order and wait by rank: usually one commits, and the next steps in only if it
does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from snugroom.client.session.kernel.intents import SelfRemoveIntent

#: Minimum seconds between two healing commits, and seconds for one round of the whole room.
HEAL_INTERVAL_MIN: Final = 10.0
HEAL_ROUND: Final = 300.0
#: Extra seconds that each next rank waits.
HEAL_STEP: Final = 5.0
SELF_REMOVE_STEP: Final = 1.0
#: Slots without a commit of a host after which a host commits, half of those after which a member may commit
#: a host's return (SNUG-9). Each next rank waits one more.
HOST_SLOTS: Final = 8


def _rank(order: Sequence[int], own: int) -> int:
    return order.index(own) if own in order else len(order)


class CommitRota:
    """The times of the members' commits, and the pending proposals of leavers."""

    def __init__(self, leaves: Iterable[int], now: float) -> None:
        self._healed = dict.fromkeys(leaves, now)
        self._self_removes: dict[int, tuple[SelfRemoveIntent, float]] = {}

    def committed(self, by: int, added: Iterable[int], removed: Iterable[int], now: float) -> None:
        """Record an adopted commit. Proposals end with their epoch: a remaining leaver proposes again."""
        self._healed[by] = now
        for leaf in removed:
            self._healed.pop(leaf, None)
        for leaf in added:
            self._healed[leaf] = now
        self._self_removes.clear()

    def heal_due(self, leaves: Sequence[int], own: int, now: float) -> bool:
        """Return whether `own` should commit an empty path now.

        Every max(10 s, 300 s / N) the member that has not committed for longest does; each next rank waits
        longer.
        """
        if len(leaves) < 2:
            return False
        period = max(HEAL_INTERVAL_MIN, HEAL_ROUND / len(leaves))
        last = max(self._healed.get(leaf, 0.0) for leaf in leaves)
        if now - last < period:
            return False
        order = sorted(leaves, key=lambda leaf: (self._healed.get(leaf, 0.0), leaf))
        return now - last >= period + HEAL_STEP * _rank(order, own)

    def add_self_remove(self, self_remove: SelfRemoveIntent, now: float) -> None:
        """Record a member's proposal to remove itself."""
        self._self_removes[self_remove.leaf] = (self_remove, now)

    @property
    def has_self_removes(self) -> bool:
        return bool(self._self_removes)

    def self_removes_due(
        self, members: Sequence[tuple[int, bool]], own: int, now: float
    ) -> list[SelfRemoveIntent]:
        """Return the proposals of leavers for `own` to commit.

        `members` are (leaf, whether a host); hosts commit first.
        """
        order = [leaf for leaf, host in sorted(members, key=lambda m: (not m[1], m[0]))]
        rank = _rank([leaf for leaf in order if leaf not in self._self_removes], own)
        return [
            self_remove
            for self_remove, since in self._self_removes.values()
            if now - since >= SELF_REMOVE_STEP * rank
        ]
