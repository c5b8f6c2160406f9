"""Healing commits and commits of farewells: work that any member can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snugroom.client.session.catalogue import content
from snugroom.client.session.features.commit_rota import Turns
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import FarewellIntent, HealIntent
from snugroom.client.session.kernel.membership import Change
from snugroom.crypto import mls
from snugroom.crypto.errors import SnugCryptoError

if TYPE_CHECKING:
    from snugroom.client.session.kernel.room import RoomSession


class Turning(Feature):
    """Commits both in this member's turn, which `turns.Turns` computes; proposes our own farewell."""

    def __init__(self, room: RoomSession, now: float) -> None:
        super().__init__(room)
        self._turns = Turns((leaf for leaf, _, _ in room.m.members()), now)
        self._proposed_epoch: int | None = None

    def farewell(self) -> None:
        """Propose our own removal, once in each epoch."""
        m = self.room.m
        if self._proposed_epoch != m.group.epoch:
            self._proposed_epoch = m.group.epoch
            self.room.relay(content.Leaving(m.propose_own_removal()))

    def adopted(self, change: Change, now: float) -> None:
        added = (leaf for leaf, _ in change.added)
        self._turns.committed(change.by, added, (leaf for leaf, _, _ in change.removed), now)

    def tick(self, now: float) -> None:
        room = self.room
        if room.idle:
            leaves = [leaf for leaf, _, _ in room.m.members()]
            if self._turns.heal_now(leaves, room.m.own_leaf, now):
                room.want(HealIntent(room.m.group.epoch), now)
        self._consider_farewells(now)

    def heard(self, received: mls.ApplicationMessage, what: content.AnyContent, now: float) -> bool:
        if not isinstance(what, content.Leaving):
            return False
        try:
            stored = self.room.m.store_proposal(what.proposal)
        except SnugCryptoError:
            return True
        if stored.sender == received.sender and isinstance(stored.proposal, mls.Remove):
            self._turns.leaves_us(FarewellIntent(stored.sender, stored.reference, what.proposal), now)
            self._consider_farewells(now)
        return True

    def _consider_farewells(self, now: float) -> None:
        room = self.room
        members = [(leaf, host) for leaf, _, host in room.m.members()]
        for farewell in self._turns.farewells_due(members, room.m.own_leaf, now):
            room.want_once(farewell, now)
