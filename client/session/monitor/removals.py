"""Removals on their way to the others: hosts read whom each has not reached, and how long that can last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.member_table import MemberTable

#: Seconds after which a report names the members that a removal has not reached.
REMOVAL_WAIT: Final = 10.0
#: Removals that are remembered.
REMOVALS_MAX: Final = 8


@dataclass
class _Removal:
    """A removal on its way to the others."""

    slot: int
    names: tuple[str, ...]
    waiting: set[int]
    total: int
    host: bool  # a host was removed: its word still counts where the removal has not arrived
    at: float
    told: bool = False


class Removals:
    """The last removals, each until it has reached everybody."""

    def __init__(self, room: Room, members: MemberTable) -> None:
        self._room = room
        self._members = members
        self._removals: list[_Removal] = []

    def track(self, names: Iterable[str], now: float, *, host: bool) -> None:
        """Track the removal, in the current slot, of the members with those names, if we are a host.

        `host`: one of them was a host.
        """
        others = self._members.others
        if self._members.host and others:
            slot = self._room.membership.journal.slot
            self._removals.append(_Removal(slot, tuple(names), set(others), len(others), host, now))
            del self._removals[:-REMOVALS_MAX]

    def heard(self, leaf: int, slot: int) -> None:
        """Process the slot that a member has reached."""
        for removal in self._removals:
            if slot >= removal.slot:
                removal.waiting.discard(leaf)

    def judge(self, now: float, lease: float) -> None:
        """Report removals that have reached everybody, and those that take too long.

        `lease`: the seconds for which a member goes on at most that hears of no host any more.
        """
        for removal in list(self._removals):
            removal.waiting &= self._members.others.keys()
            if not removal.waiting:
                self._removals.remove(removal)
            elif removal.told or now - removal.at <= REMOVAL_WAIT:
                continue
            removal.told = True
            names, total, missing = removal.names, removal.total, self._members.names(removal.waiting)
            if not missing:
                self._room.tell(sentences.status("removal_reach.all", names=names, total=total))
                continue
            reached, left = total - len(missing), ceil(removal.at + lease - now)
            key = "removal_reach.bound" if left > 0 and self._has_end(removal) else "removal_reach"
            self._room.tell(
                sentences.status(
                    key, names=names, total=total, reached=reached, missing=missing, seconds=left
                )
            )

    def _has_end(self, removal: _Removal) -> bool:
        """Return whether those it has not reached stop by themselves: they have no host, or are too few."""
        others, count = self._members.others, len(removal.names)
        host = removal.host or any(others[leaf] for leaf in removal.waiting)
        return not host or 2 * (len(removal.waiting) + count) <= 1 + removal.total + count
