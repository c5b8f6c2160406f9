"""Healing commits, and commits of leavers' removals of themselves: work that any member can do."""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import content
from snugroom.client.session.features.commit_rota import HOST_SLOTS, CommitRota
from snugroom.client.session.features.states import States
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.intents import HealIntent, SelfRemoveIntent
from snugroom.client.session.kernel.large_room import Pace
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.errors import SnugError

#: Seconds that a leaver waits for another member to commit its removal.
SELF_REMOVE_WAIT: Final = 3.0


class Maintenance(Feature):
    """Commits both when `commit_rota.CommitRota` says that it is our turn; proposes our own removal."""

    def __init__(self, room: Room, now: float) -> None:
        super().__init__(room)
        self._rota = CommitRota((leaf for leaf, _, _ in room.membership.members()), now)
        self._pace = Pace()
        self._proposed_epoch: int | None = None
        #: Whether a commit of ours has to end the tickets by which we came back.
        self._unconfirmed = False

    def carry_over(self, old: Room) -> None:
        self._unconfirmed = True

    def leaving(self, now: float) -> None:
        m = self.room.membership
        if self._proposed_epoch != m.group.epoch:  # once in each epoch
            self._proposed_epoch = m.group.epoch
            self.room.relay(content.Leaving(m.leave_proposals.propose()))
            self.room.leave_by(now + SELF_REMOVE_WAIT)

    def adopted(self, change: Change, now: float) -> None:
        added = (leaf for leaf, _, _ in change.added)
        self._rota.committed(change.by, added, (leaf for leaf, _, _ in change.removed), now)
        if change.by == self.room.membership.own_leaf:
            self._unconfirmed = False

    def tick(self, now: float) -> None:
        room = self.room
        if room.idle:
            members = room.membership.members()
            confirm = self._unconfirmed and room.is_synced(now)
            heal = self._pace.is_due(now, len(members)) and self._rota.heal_due(
                [leaf for leaf, _, _ in members], room.membership.own_leaf, now
            )
            if confirm or heal or self._host_due():
                room.queue(HealIntent(room.membership.group.epoch), now)
        self._commit_self_removes(now)

    def contents(self) -> Contents:
        return {content.Leaving: self._leaves}

    def _leaves(self, received: mls.ApplicationMessage, what: content.Leaving, now: float) -> None:
        # if another commit overtakes the proposal, hosts remove it as they do those whose pages are closed
        self.room.feature(States).goes(received.sender, now)
        try:
            stored = self.room.membership.leave_proposals.store(what.proposal)
        except SnugError:
            return
        if stored.sender == received.sender and isinstance(stored.proposal, mls.Remove):
            self._rota.add_self_remove(SelfRemoveIntent(stored.sender, stored.reference, what.proposal), now)
            self._commit_self_removes(now)

    def _host_due(self) -> bool:
        """Return whether to commit as a host, so that all members can see that one is here."""
        m = self.room.membership
        if not m.is_host(m.own_leaf):
            return False
        waited = m.journal.slot - m.ledger.hosted
        return waited >= HOST_SLOTS and waited >= HOST_SLOTS + self.room.rank

    def _commit_self_removes(self, now: float) -> None:
        room = self.room
        if not self._rota.has_self_removes:
            return
        members = [(leaf, host) for leaf, _, host in room.membership.members()]
        for self_remove in self._rota.self_removes_due(members, room.membership.own_leaf, now):
            room.queue_once(self_remove, now)
