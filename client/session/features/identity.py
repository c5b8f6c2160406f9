"""Identities in the room: vouch for our own leaf to one other member, and receive vouches.

Protocol section 9. A vouch is a blob that the server does not store and no leaf signs (see
`crypto.proof.identity`). Each member sends one on a clock of its own, or a dummy. Only its receiver can tell
a vouch from a dummy, so that neither the server nor a member learns who shows an identity to whom.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.entry.identity_check import check_identity
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.crypto import hpke
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import SnugError
from snugroom.crypto.proof.identity import (
    IdentityKey,
    OpenedVouch,
    VouchContext,
    fingerprint,
    open_vouch,
)
from snugroom.wire.limits import BUCKETS

#: Vouches to us that arrived before their senders' announcements.
EARLY_MAX: Final = 8
#: Seconds after a newcomer takes over a leaf in which a command may still mean the previous member.
TAKEN: Final = 60.0


class Vouching(Feature):
    """Maps leaves to the identities that they have shown to us.

    Everything is kept by signature key, which a leaf keeps when it rejoins.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._identities: dict[bytes, bytes] = {}  # signature key -> identity
        #: Signature key -> the box that has had our vouch; empty: none yet. The next one in turn comes first.
        self._to: dict[bytes, bytes] = {}
        self._at = 0.0  # when we send the next vouch or dummy
        self._nobody: IdentityKey | None = None  # the identity in our dummies
        self._told: set[bytes] = set()
        self._handles: dict[int, bytes] = {}
        self._announced: set[int] = set()
        self._early: deque[OpenedVouch] = deque(maxlen=EARLY_MAX)
        self._left: dict[int, str] = {}  # previous member of a leaf that is free now
        self._taken: dict[int, tuple[float, str]] = {}  # when it was taken, and the previous member
        #: Members in the places of silent ones: signature key -> the identity that the silent one has shown.
        self._unverified: dict[bytes, bytes | None] = {}

    def carry_over(self, old: Room) -> None:
        before = old.feature(Vouching)
        self._identities, self._told, self._unverified = before._identities, before._told, before._unverified
        self._to = dict.fromkeys(before._to, b"")  # to be sent again: our box, and perhaps our leaf, are new

    def identity_of(self, signature_key: bytes) -> bytes | None:
        """Return the identity that the member with that key has shown to us (32 bytes); None without one."""
        return self._identities.get(signature_key)

    # -- commands ----------------------------------------------------------------------------------

    def vouch(self, leaf: int, now: float) -> None:
        """Show our identity to the member at `leaf`, in place of our next dummy.

        CommandError if there is no other member at that leaf, or we have no identity.
        """
        key = self._other(leaf, now)
        self._book()
        self._to = {key: b""} | {other: box for other, box in self._to.items() if other != key}

    def know(self, leaf: int, petname: str | None, now: float) -> None:
        """Add the identity shown at `leaf` to the book, by default under the member's name here.

        CommandError if there is no other member, no identity was shown, or the book cannot take it.
        """
        self._learn(leaf, petname, now, verified=False)

    def verify(self, leaf: int, now: float) -> None:
        """Mark the identity as verified, adding it to the book if needed; CommandError as for `know`."""
        self._learn(leaf, None, now, verified=True)

    def _learn(self, leaf: int, petname: str | None, now: float, *, verified: bool) -> None:
        key = self._other(leaf, now)
        book = self._book()
        name = self.room.membership.name(leaf)
        public = self._identities.get(key)
        if public is None:
            raise CommandError(sentence("cannot.no_identity", name=name))
        if petname is None and book.find(public) is None:
            petname = name
        contact = book.learn(public, petname, now, verified=verified)
        self.room.tell(ev.BookChanged(contact.petname, contact.fingerprint, contact.verified, public, now))

    def _other(self, leaf: int, now: float) -> bytes:
        key = self.room.membership.signature_key(leaf)
        if key is None or leaf == self.room.membership.own_leaf:
            raise CommandError(sentence("cannot.nobody_else", leaf=leaf))
        taken_at, before = self._taken.pop(leaf, (float("-inf"), ""))
        if now - taken_at < TAKEN:
            # The digits that the person has just compared are the previous member's.
            name = self.room.membership.name(leaf)
            raise CommandError(sentence("cannot.leaf_taken", name=name, leaf=leaf, before=before))
        return key

    def _book(self) -> Contacts:
        book = self.room.options.contacts
        if book is None:
            raise CommandError(sentence("cannot.no_book"))
        return book

    # -- to others -----------------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        self._again(self._to)
        if now >= self._at:  # after a restart of the server, the members' moments stay apart
            self._at = now + self._gap()

    def adopted(self, change: Change, now: float) -> None:
        if not change.rejoined:
            self._left |= {leaf: name for leaf, name, _ in change.removed}
            for leaf, name, _ in change.added:
                before = self._left.pop(leaf, None)
                if before is not None and not (change.back and before == name):
                    self._taken[leaf] = now, before
        if change.replaced:
            self._replaced(change)
        if change.removed:
            self._again(self._to)  # the heartbeat key is new: vouches under way cannot be opened any more

    def _replaced(self, change: Change) -> None:
        """Tell that a host has put somebody in a silent member's place, until an identity proves the name."""
        m = self.room.membership
        (leaf, name, _), (_, earlier, key) = change.added[0], change.removed[0]
        self._unverified[m.signature_key(leaf) or b""] = self._identities.get(key)
        self.room.tell(
            sentences.alarm("replaced_silent", by=m.name(change.by), name=name, earlier=earlier, leaf=leaf)
        )

    def tick(self, now: float) -> None:
        self._reconsider(now)
        self._send(now)

    def _again(self, keys: Iterable[bytes]) -> None:
        # Members that were away, or had other keys, have not received it; the others ignore duplicates.
        self._to.update(dict.fromkeys(list(keys), b""))

    def _gap(self) -> float:
        """Return the seconds until the next vouch or dummy: one to two intervals of heartbeats."""
        room = self.room
        members = len(room.membership.members())
        return interval(members) * (1 + room.member_index / members)

    def _send(self, now: float) -> None:
        # Whether, when and how large depends on no identity and on nobody's reconnection.
        room, m = self.room, self.room.membership
        if now < self._at or not room.is_synced(now):
            return
        self._at = now + self._gap()
        if len(m.members()) > 1:
            self._nobody = self._nobody or IdentityKey.generate(room.rng)
            vouch = self._vouch_in_turn(now) or self._dummy(self._nobody)
            room.broadcast(
                envelope.seal(
                    m.heartbeat_key, "vouch", room.number, m.epoch_slot, vouch, BUCKETS, rng=room.rng
                )
            )

    def _vouch_in_turn(self, now: float) -> bytes | None:
        room, book, m = self.room, self.room.options.contacts, self.room.membership
        if not self._to or book is None or not room.speaks(now):
            return None
        boxes = {m.signature_key(leaf): (leaf, box) for leaf, box in room.announcements.boxes()}
        for key, had in list(self._to.items()):
            leaf, box = boxes.get(key, (m.own_leaf, had))
            if box == had or leaf == m.own_leaf:
                continue
            del self._to[key]  # to the end of the queue: nobody who reconnects all the time delays the others
            self._to[key] = box
            try:
                vouch = book.own.vouch(self._ends(leaf, key, box), room.box, rng=room.rng)
            except SnugError:
                continue  # a box that is no key: no identity can be proven to its owner
            if key not in self._told:
                self._told.add(key)
                room.tell(sentences.status("vouched", name=m.name(leaf)))
            return vouch
        return None

    def _dummy(self, nobody: IdentityKey) -> bytes:
        """Return a vouch that only we could open: of nobody's identity, to ourselves."""
        room, m = self.room, self.room.membership
        own = m.signature_key(m.own_leaf) or b""
        return nobody.vouch(self._ends(m.own_leaf, own, hpke.public_key(room.box)), room.box, rng=room.rng)

    def _ends(self, leaf: int, key: bytes, box: bytes) -> VouchContext:
        m = self.room.membership
        own, own_box = m.signature_key(m.own_leaf) or b"", hpke.public_key(self.room.box)
        return VouchContext(m.group.group_id, m.own_leaf, leaf, own, key, own_box, box)

    # -- to us -----------------------------------------------------------------------------------------

    def announced(self, what: content.Announcement) -> None:
        if self._handles.get(what.leaf) != what.handle:  # a new connection, which has received nothing yet
            self._handles[what.leaf] = what.handle
            key = self.room.membership.signature_key(what.leaf)
            self._again(k for k in self._to if k == key)
        self._announced.add(what.leaf)

    def broadcast_received(self, blob: bytes, now: float) -> bool:
        room = self.room
        try:
            vouch = envelope.open(room.membership.heartbeat_key, "vouch", room.number, blob)
        except SnugError:
            return False
        own = room.membership.signature_key(room.membership.own_leaf) or b""
        try:
            opened = open_vouch(vouch, room.box, own, room.membership.group.group_id)
        except SnugError:
            return True  # for another member, or garbage: it costs one check
        if not self._consider(opened, now):
            self._early.append(opened)
        return True

    def _reconsider(self, now: float) -> None:
        if not self._announced:
            return
        announced, self._announced = self._announced, set()
        for opened in [early for early in self._early if early.leaf in announced]:
            if self._consider(opened, now):
                self._early.remove(opened)

    def _consider(self, opened: OpenedVouch, now: float) -> bool:
        """Return whether a vouch is settled; False: its sender's announcement may still arrive."""
        m = self.room.membership
        key, box = m.signature_key(opened.leaf), dict(self.room.announcements.boxes()).get(opened.leaf)
        if opened.leaf == m.own_leaf:
            return True
        if key is None or box is None:
            return False
        own = m.signature_key(m.own_leaf) or b""
        own_box = hpke.public_key(self.room.box)
        ends = VouchContext(m.group.group_id, opened.leaf, m.own_leaf, key, own, box, own_box)
        try:
            public = opened.verify(ends, self.room.box)
        except SnugError:
            return False
        self.record_identity(key, public)
        return True

    def record_identity(self, signature_key: bytes, public: bytes) -> None:
        """Record that the member of that signature key has proven the identity `public` (32 bytes) to us.

        The first identity counts: no honest program has two.
        """
        if signature_key in self._identities:
            return
        m = self.room.membership
        leaf = next((n for n, _, _ in m.members() if m.signature_key(n) == signature_key), None)
        if leaf is None:
            return
        self._identities[signature_key] = public
        name = m.name(leaf)
        seen = check_identity(name, public, self.room.options.contacts, verb="here")
        known = seen.standing == "verified" and not seen.warnings
        if signature_key in self._unverified and (known or self._unverified[signature_key] == public):
            del self._unverified[signature_key]
            self.room.tell(sentences.status("cleared.replaced_silent", name=name, leaf=leaf))
        self.room.tell(
            ev.Vouched(leaf, name, seen.standing, seen.contact, fingerprint(public), seen.warnings)
        )
