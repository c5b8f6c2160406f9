"""What a host tells all members of a meeting (SNUG-18), and repeats until it names the current chain."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

from snugroom.client.session.catalogue import content, reasons, sentences
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.agreed import policy
from snugroom.crypto.errors import ValidationError
from snugroom.crypto.kdf import H

_C = TypeVar("_C", content.End, content.Move)


class Announcement(Feature, Generic[_C]):
    """Relays ours for the current chain, and again for a new chain; follows those of other hosts."""

    KIND: type[_C]
    ALARM: str  # the key of the alarm at one that breaks SNUG-18

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._sent: _C | None = None
        self._digest = b""  # H(blob) of what we sent
        self._false: set[int] = set()  # leaves that sent one without being hosts: reported once

    @abstractmethod
    def wanted(self, chain: bytes) -> _C | None:
        """Return what we want to announce for that chain value (32 bytes); None: nothing."""

    @abstractmethod
    def follow(self, what: _C, by: int, now: float) -> None:
        """Do what the host at that leaf has announced; our own comes back from the server first."""

    def announce(self, now: float) -> None:
        """Announce what we want, as soon as we are in step with the server."""
        self._sent = None
        self.tick(now)

    # -- hooks -------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        room, chain = self.room, self.room.membership.journal.chain
        if not room.is_synced(now) or (self._sent is not None and self._sent.chain == chain):
            return
        self._sent = self.wanted(chain)
        if self._sent is not None:
            self._digest = H(room.relay(self._sent))

    def adopted(self, change: Change, now: float) -> None:
        self._false -= {leaf for leaf, _, _ in change.removed}

    def lost(self, why: str, now: float, *, by_server: bool) -> None:
        self._sent = None  # it may not have arrived

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        sent, m = self._sent, self.room.membership
        if sent is not None and digest == self._digest and sent.chain == m.journal.chain:
            self._follow(sent, m.own_leaf, now)

    def contents(self) -> Contents:
        return {self.KIND: self._heard}

    def _heard(self, received: mls.ApplicationMessage, what: _C, now: float) -> None:
        m, leaf = self.room.membership, received.sender
        by_host, chain = m.is_host(leaf), m.journal.chain
        if by_host and what.chain != chain and what.chain in m.journal.chains.values():
            return  # a commit came between: the host sends it again
        try:
            policy.snug_18(by_host=by_host, chain=what.chain, current_chain=chain)
        except ValidationError as error:
            if leaf not in self._false:
                self._false.add(leaf)
                self.room.tell(sentences.alarm(self.ALARM, name=m.name(leaf), why=reasons.in_full(error)))
        else:
            self._follow(what, leaf, now)

    def _follow(self, what: _C, by: int, now: float) -> None:
        self._sent = None
        self.follow(what, by, now)
