"""Participants with identities, and the vouches that the server broadcasts."""

from __future__ import annotations

import os
from collections.abc import Callable

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.options import Options
from snugroom.crypto import hpke
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import SnugError
from snugroom.crypto.proof.identity import IdentityKey, VouchContext, open_vouch
from snugroom.lab.simulation.world import ORIGIN, Participant, World, seeded
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS


class Thief(IdentityKey):
    """Has the victim's public key, and not the private one."""

    __slots__ = ()

    def __init__(self, victim: bytes) -> None:
        super().__init__(os.urandom(32))
        self.public = victim


def book(seed: int = 1) -> Contacts:
    return Contacts.new(seeded(seed))


def host(w: World, name: str, contacts: Contacts | None = None, admission: str = "all") -> Participant:
    session = Session.host(
        origin=ORIGIN,
        name=name,
        admission=admission,  # type: ignore[arg-type]  # tests say "ask" or "all"
        options=Options(contacts=contacts),
        now=w.now,
        rng=seeded(w.random.getrandbits(32)),
    )
    return w.add(name, session)


def guest(
    w: World, at: Participant, name: str, contacts: Contacts | None = None, *, shows: bool = False
) -> Participant:
    session = Session.join(
        w.link_of(at),
        name=name,
        options=Options(contacts=contacts, show_identity=shows),
        now=w.now,
        rng=seeded(w.random.getrandbits(32)),
    )
    return w.add(name, session)


def meeting(w: World, *people: tuple[str, Contacts | None]) -> list[Participant]:
    """The first hosts; all inside, announced and agreed."""
    inside = [host(w, *people[0])]
    for name, contacts in people[1:]:
        inside.append(guest(w, inside[0], name, contacts))
        w.until(lambda: w.agreed(inside))
    w.until(lambda: all(len(dict(p.room.announcements.boxes())) >= len(inside) - 1 for p in inside))
    return inside


def vouched(who: Participant) -> list[ev.Vouched]:
    return [e for e in who.told if isinstance(e, ev.Vouched)]


def knocks(who: Participant) -> list[ev.Knocked]:
    return [e for e in who.told if isinstance(e, ev.Knocked)]


def statuses(who: Participant) -> list[str]:
    return [e.kind for e in who.told if isinstance(e, ev.Status)]


class Wire:
    """Records the messages that the server broadcasts without keeping them, and their receivers."""

    def __init__(self, w: World) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.stops: Callable[[Participant], bool] = lambda who: False
        w.down_filter = self._look

    def _look(self, who: Participant, message: object) -> bool:
        if not isinstance(message, wire.Broadcasted):
            return True
        self.seen.append((who.label, message.blob))
        return not self.stops(who)

    def vouches(self, anybody: Participant) -> list[tuple[str, bytes]]:
        """The recorded messages that are vouches or dummies, read with a member's key."""
        found = []
        for label, blob in self.seen:
            try:
                envelope.open(anybody.room.membership.heartbeat_key, "vouch", anybody.room.number, blob)
            except SnugError:
                continue
            found.append((label, blob))
        return found


def opens(who: Participant, blob: bytes) -> bool:
    """Whether the blob is another member's vouch to that one."""
    room, m = who.room, who.room.membership
    try:
        inner = envelope.open(m.heartbeat_key, "vouch", room.number, blob)
        opened = open_vouch(inner, room.box, m.signature_key(m.own_leaf) or b"", m.group.group_id)
    except SnugError:
        return False
    return bool(opened.leaf != m.own_leaf)


def ends(by: Participant, to: Participant) -> VouchContext:
    a, b = by.room, to.room
    return VouchContext(
        a.membership.group.group_id,
        a.membership.own_leaf,
        b.membership.own_leaf,
        a.membership.signature_key(a.membership.own_leaf),
        b.membership.signature_key(b.membership.own_leaf),
        hpke.public_key(a.box),
        hpke.public_key(b.box),
    )


def broadcast(w: World, by: Participant, vouch: bytes) -> None:
    """Broadcast any bytes as a member's vouch."""
    room = by.room
    room.broadcast(
        envelope.seal(
            room.membership.heartbeat_key, "vouch", room.number, room.membership.epoch_slot, vouch, BUCKETS
        )
    )
    w.run(2)
