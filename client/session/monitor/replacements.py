"""A member that came back in the place of a program that is still running: two programs have its keys.

Protocol section 6. A program that has asked to rejoin says so in its heartbeats (`Act.REJOIN`). Another
heartbeat of that old membership proves that another program runs it, if it cannot be older than the rejoin.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import inf
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.heartbeats import Heartbeats
from snugroom.crypto.agreed.heartbeat import Act, Heartbeat
from snugroom.crypto.errors import SnugError

#: Seconds after a rejoin during which the program before it may still go on without an alarm.
GRACE: Final = 10.0
#: Replaced memberships that are remembered.
REPLACED_MAX: Final = 16


@dataclass(frozen=True)
class _Replaced:
    """A membership that a rejoin has ended, at `slot` and at the time `at`."""

    key: bytes
    slot: int
    name: str
    at: float


class Replacements:
    """The last rejoins, each until its old membership is heard: then everybody is told, once."""

    def __init__(self, room: Room, heartbeats: Heartbeats) -> None:
        self._room = room
        self._heartbeats = heartbeats
        self._replaced: OrderedDict[int, _Replaced] = OrderedDict()  # by the old leaf

    def adopted(self, change: Change, now: float) -> None:
        """Remember the membership that a rejoin in the current slot has ended."""
        if change.rejoined:
            for leaf, name, key in change.removed:
                self._remember(leaf, _Replaced(key, self._room.membership.journal.slot, name, now))

    def came_back(self, old: Room) -> None:
        """Remember our own membership of before: we have just come back."""
        m, leaf = self._room.membership, old.membership.own_leaf
        key = m.signature_key(m.own_leaf)
        assert key is not None
        self._remember(leaf, _Replaced(key, m.journal.slot, m.name(m.own_leaf), inf))

    def _remember(self, leaf: int, replaced: _Replaced) -> None:
        self._replaced[leaf] = replaced
        self._replaced.move_to_end(leaf)
        if len(self._replaced) > REPLACED_MAX:
            self._replaced.popitem(last=False)

    def heard(self, payload: bytes) -> None:
        """Process any member's heartbeat, still encoded and unverified."""
        if not self._replaced:
            return
        try:
            beat = Heartbeat.decode(payload)
            replaced = self._replaced.get(beat.leaf)
            if replaced is None or beat.since >= replaced.slot or not self._is_later(beat, replaced):
                return
            if any(act.act is Act.REJOIN for act in beat.pending):
                return  # it has asked for that rejoin, and the server keeps the commit from it
            beat.verify(self._room.number, replaced.key)
        except SnugError:
            return
        del self._replaced[beat.leaf]
        self._room.tell(sentences.alarm("replaced", name=replaced.name))

    def _is_later(self, beat: Heartbeat, replaced: _Replaced) -> bool:
        """Return whether a heartbeat of the old membership cannot be older than its end.

        It names the rejoin's slot with our chain, or acknowledges a heartbeat of ours that we sent later.
        """
        m = self._room.membership
        if beat.slot >= replaced.slot and m.journal.chains.get(beat.slot) == beat.chain:
            return True
        answered = self._heartbeats.sent_at(beat.acknowledged(m.own_leaf))
        # A member that has not seen our present membership acknowledges heartbeats of the one before.
        return beat.slot >= self._heartbeats.since and answered is not None and answered > replaced.at + GRACE
