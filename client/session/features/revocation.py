"""Invites that hosts have revoked by hand, sent to all hosts, including absent and later ones.

A removal revokes its invite by itself, in the ledger (protocol section 5). This module is for invites that
nobody has used yet: no member's verdict depends on it, but no host's program shows a knock by them.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.kdf import H

#: Seconds after which an unconfirmed message is sent again.
RESEND_AFTER: Final = 5.0


class Revocation(Feature):
    """The revoked invites, and those not yet sent. Only messages of hosts count."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        #: Indices of invites that hosts have revoked; at most 65,536 exist.
        self.revoked: set[int] = set()
        self._unsent: set[int] = set()
        self._in_flight: dict[bytes, tuple[set[int], float]] = {}  # by H(blob), until the blob has come back
        self._known_hosts: set[bytes] = set()

    def carry_over(self, old: Room) -> None:
        before = old.feature(Revocation)
        self.revoked, self._known_hosts = before.revoked, before._known_hosts
        self._unsent = before._unsent.union(*(some for some, _ in before._in_flight.values()))

    def revoke(self, index: int) -> None:
        """Revoke an invite, and inform the other hosts as soon as possible."""
        self.revoked.add(index)
        self._unsent.add(index)

    def tick(self, now: float) -> None:
        room = self.room
        for digest, (some, sent_at) in list(self._in_flight.items()):
            if now - sent_at > RESEND_AFTER:  # a connection may have been lost in between
                del self._in_flight[digest]
                self._unsent |= some
        if not self._unsent or room.host_keys is None or not room.speaks(now):
            return
        told = sorted(self._unsent)[: content.REVOKED_MAX]
        self._unsent.difference_update(told)
        self._in_flight[H(room.relay(content.Revoked(told)))] = (set(told), now)

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        self._in_flight.pop(digest, None)

    def adopted(self, change: Change, now: float) -> None:
        if any(self.room.membership.is_host(leaf) for leaf, _, _ in change.added):
            self._unsent |= self.revoked  # a returning host may have missed them

    def contents(self) -> Contents:
        return {content.Revoked: self._revoked}

    def overheard(self) -> Contents:
        return {content.Granted: self._host_confirmed}

    def _host_confirmed(self, received: mls.ApplicationMessage, what: content.Granted, now: float) -> None:
        newly = self.room.feature(HostKeyTransfer).confirmed - self._known_hosts
        if newly:  # a new host has nothing from before it came in
            self._known_hosts |= newly
            self._unsent |= self.revoked

    def _revoked(self, received: mls.ApplicationMessage, what: content.Revoked, now: float) -> None:
        m = self.room.membership
        if m.is_host(received.sender):
            new = set(what.invites) - self.revoked
            self.revoked |= new
            self._unsent.difference_update(what.invites)
            if new and m.is_host(m.own_leaf):
                name = m.name(received.sender)
                self.room.tell(sentences.status("revoked.by", name=name, count=len(new), invite=min(new)))
