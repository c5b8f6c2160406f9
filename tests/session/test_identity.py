"""Identities in meetings: who is shown one, who learns nothing, what a host is told before it says yes."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.entry.identity_check import check_identity
from snugroom.client.session.features.identity import EARLY_MAX, Vouching
from snugroom.client.session.options import Options
from snugroom.crypto import hpke
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import SnugCryptoError
from snugroom.crypto.proof import identity
from snugroom.crypto.proof.identity import VOUCH_SIZE, IdentityKey, VouchContext, fingerprint
from snugroom.server.wire import messages as wire
from snugroom.server.wire.limits import BUCKETS
from tests.session.world import ORIGIN, Participant, World, seeded


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
    """What the server hands on without keeping it, and to whom."""

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
        """Those of them that are vouches, to a member's eyes."""
        found = []
        for label, blob in self.seen:
            try:
                envelope.open(anybody.room.m.heartbeat_key, "vouch", anybody.room.number, blob)
            except SnugCryptoError:
                continue
            found.append((label, blob))
        return found


def ends(by: Participant, to: Participant) -> VouchContext:
    a, b = by.room, to.room
    return VouchContext(
        a.m.group.group_id,
        a.m.own_leaf,
        a.m.signature_key(a.m.own_leaf),
        hpke.public_key(a.box),
        b.m.own_leaf,
        b.m.signature_key(b.m.own_leaf),
        hpke.public_key(b.box),
    )


def broadcast(w: World, by: Participant, vouch: bytes) -> None:
    """A member sends what it likes as a vouch."""
    room = by.room
    room.broadcast(
        envelope.seal(room.m.heartbeat_key, "vouch", room.number, room.m.epoch_slot, vouch, BUCKETS)
    )
    w.run(2)


# -- one member, and nobody else ---------------------------------------------------------------------


def test_one_member_is_shown_an_identity_and_the_others_learn_nothing() -> None:
    w = World(1)
    own = book()
    ada, bo, cem = meeting(w, ("Ada", own), ("Bo", None), ("Cem", book(2)))
    seen = Wire(w)
    w.run(5)
    assert seen.vouches(ada) == [], "nothing is sent that nobody has asked for"
    w.do(ada, ev.Vouch(1))
    w.until(lambda: bool(vouched(bo)))
    w.run(5)
    assert vouched(bo) == [ev.Vouched(0, "Ada", "new", None, fingerprint(own.own.public))]
    assert not vouched(cem)
    assert not vouched(ada)
    assert statuses(ada).count("vouched") == 1
    for person in (ada, bo, cem):
        assert "vouched" not in person.alarms
    blobs = seen.vouches(cem)
    assert {label for label, _ in blobs} == {"Bo", "Cem"}, "all are handed it, one can read it"
    for _, blob in blobs:
        inner = envelope.open(cem.room.m.heartbeat_key, "vouch", cem.room.number, blob)
        assert (len(blob), len(inner)) == (BUCKETS[0], VOUCH_SIZE)
        assert own.own.public not in inner
        for box in (cem.room.box, ada.room.box):
            with pytest.raises(SnugCryptoError):
                identity.open_vouch(inner, box, ends(ada, bo).to_signature_key, ends(ada, bo).group_id)


def test_the_receiver_could_have_made_the_whole_message() -> None:
    """Deniability, on the wire: what Bo makes, with Ada's public key, convinces Bo all the same."""
    w = World(2)
    own = book()
    ada, bo = meeting(w, ("Ada", own), ("Bo", None))
    about = ends(ada, bo)
    box = bo.room.box
    proof = identity._vouch_mac(
        identity._exchange(box, own.own.public), identity._exchange(box, about.box), own.own.public, about
    )
    by_bo = identity._seal_vouch(about, own.own.public, proof, os.urandom)
    key, number, slot = bo.room.m.heartbeat_key, bo.room.number, bo.room.m.epoch_slot
    assert bo.room.feature(Vouching).broadcast_received(
        envelope.seal(key, "vouch", number, slot, by_bo, BUCKETS), w.now
    )
    w.run(1)
    assert [v.fingerprint for v in vouched(bo)] == [fingerprint(own.own.public)]
    chance = random.Random(5)
    real = own.own.vouch(about, ada.room.box, rng=chance.randbytes)
    assert real == identity._seal_vouch(about, own.own.public, proof, random.Random(5).randbytes)


def test_what_one_was_given_convinces_nobody_else() -> None:
    w = World(3)
    own = book()
    ada, mallory, cem = meeting(w, ("Ada", own), ("Mallory", None), ("Cem", None))
    given = own.own.vouch(ends(ada, mallory), ada.room.box)
    about = ends(ada, mallory)
    opened = identity.open_vouch(given, mallory.room.box, about.to_signature_key, about.group_id)
    for by in (ada, mallory):  # as Ada's, and as its own
        again = identity._seal_vouch(ends(by, cem), own.own.public, opened.proof, os.urandom)
        broadcast(w, mallory, again)
    broadcast(w, mallory, given)
    assert not vouched(cem)
    w.do(ada, ev.Vouch(2))
    w.until(lambda: bool(vouched(cem)), why="the true one still counts")
    assert vouched(cem)[0].name == "Ada"


def test_nobody_vouches_for_anothers_leaf_or_with_anothers_identity() -> None:
    w = World(4)
    own, other = book(), book(2)
    ada, mallory, bo = meeting(w, ("Ada", own), ("Mallory", other), ("Bo", None))
    adas = ends(ada, bo)
    broadcast(w, mallory, other.own.vouch(adas, mallory.room.box))  # Mallory's identity, Ada's leaf
    mallorys = ends(mallory, bo)
    broadcast(w, mallory, Thief(own.own.public).vouch(mallorys, mallory.room.box))
    true = other.own.vouch(mallorys, mallory.room.box)
    opened = identity.open_vouch(true, bo.room.box, mallorys.to_signature_key, mallorys.group_id)
    swapped = identity._seal_vouch(mallorys, own.own.public, opened.proof, os.urandom)
    broadcast(w, mallory, swapped)
    assert not vouched(bo)


def test_an_operator_changes_nothing_and_saying_it_twice_is_saying_it_once() -> None:
    w = World(5)
    ada, bo = meeting(w, ("Ada", book()), ("Bo", None))
    seen = Wire(w)
    seen.stops = lambda who: True
    w.do(ada, ev.Vouch(1))
    w.until(lambda: bool(seen.vouches(ada)))
    blob = seen.vouches(ada)[0][1]
    for at in range(0, len(blob), 7):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        w.do(bo, ev.Received(ev.ROOM, wire.Broadcasted(changed)))
    assert not vouched(bo)
    for _ in range(3):
        w.do(bo, ev.Received(ev.ROOM, wire.Broadcasted(blob)))
    assert len(vouched(bo)) == 1
    assert not bo.alarms


def test_the_vouch_of_another_meeting_is_nothing_here() -> None:
    w = World(6)
    own = book()
    ada, bo = meeting(w, ("Ada", own), ("Bo", None))
    elsewhere = replace(ends(ada, bo), group_id=bytes(16))
    broadcast(w, ada, own.own.vouch(elsewhere, ada.room.box))
    assert not vouched(bo)


def test_garbage_costs_a_check_and_no_memory() -> None:
    w = World(7)
    own = book()
    ada, mallory, bo = meeting(w, ("Ada", own), ("Mallory", book(2)), ("Bo", None))
    feature = bo.room.feature(Vouching)
    for n in range(40):
        broadcast(w, mallory, os.urandom(VOUCH_SIZE))
        broadcast(w, mallory, os.urandom(n))
        fake = replace(ends(ada, bo), leaf=7 + n, signature_key=bytes(32))
        broadcast(w, mallory, identity._seal_vouch(fake, own.own.public, bytes(32), os.urandom))
    assert len(feature._early) <= EARLY_MAX
    assert not vouched(bo)
    assert not bo.alarms
    w.do(ada, ev.Vouch(2))
    w.until(lambda: bool(vouched(bo)))


def test_a_leaf_has_one_identity_and_the_first_counts() -> None:
    w = World(8)
    mallory, bo = meeting(w, ("Mallory", book(2)), ("Bo", None))
    for seed in range(3, 8):
        broadcast(w, mallory, book(seed).own.vouch(ends(mallory, bo), mallory.room.box))
    assert [v.fingerprint for v in vouched(bo)] == [fingerprint(book(3).own.public)]


# -- connections that come and go -------------------------------------------------------------------


def test_who_was_away_is_shown_it_when_back() -> None:
    w = World(9)
    ada, bo, cem = meeting(w, ("Ada", book()), ("Bo", None), ("Cem", None))
    seen = Wire(w)
    seen.stops = lambda who: who is bo
    w.do(ada, ev.Vouch(1))
    w.until(lambda: bool(seen.vouches(ada)))
    assert not vouched(bo)
    seen.stops = lambda who: False
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: bool(vouched(bo)), why="it is said again to another connection")
    seen.stops = lambda who: True
    w.cut(ada.links[ev.ROOM])
    w.do(ada, ev.Vouch(2))
    w.run(5)
    seen.stops = lambda who: False
    w.cut(ada.links[ev.ROOM])
    w.until(lambda: bool(vouched(cem)), why="and by another connection")
    w.run(5)
    assert len(vouched(bo)) == 1
    assert statuses(ada).count("vouched") == 2, "once for each who was shown it"


def test_a_vouch_that_overtakes_its_makers_announcement_waits_for_it() -> None:
    w = World(10)
    own = book()
    ada, bo = meeting(w, ("Ada", own), ("Bo", None))
    announcement = dict(bo.room.announcements.boxes())[0]
    bo.room.announcements.forget(0)
    broadcast(w, ada, own.own.vouch(ends(ada, bo), ada.room.box))
    assert not vouched(bo)
    w.cut(ada.links[ev.ROOM])  # who comes back announces itself
    w.until(lambda: bool(vouched(bo)))
    assert dict(bo.room.announcements.boxes())[0] == announcement


def test_a_removal_gives_everybody_another_beat_key_and_vouches_still_arrive() -> None:
    w = World(11)
    ada, bo, cem = meeting(w, ("Ada", book()), ("Bo", None), ("Cem", None))
    seen = Wire(w)
    seen.stops = lambda who: True
    w.do(ada, ev.Vouch(2))
    w.until(lambda: bool(seen.vouches(ada)))
    seen.stops = lambda who: False
    w.do(ada, ev.Remove(1))
    w.until(lambda: bool(vouched(cem)))
    assert not vouched(bo)


def test_a_rejoin_costs_nobody_an_identity() -> None:
    w = World(12)
    own, bos = book(), book(2)
    ada, bo = meeting(w, ("Ada", own), ("Bo", bos))
    w.do(ada, ev.Vouch(1))
    w.until(lambda: bool(vouched(bo)))
    bo.room.needs_rejoin = True
    before = bo.room
    w.until(lambda: bo.room is not before and w.agreed([ada, bo]), why="Bo has rejoined")
    w.run(5)
    assert len(vouched(bo)) == 1
    w.do(bo, ev.Know(0))
    assert bos.standing(own.own.public) == "known"


# -- the book in a meeting ----------------------------------------------------------------------------


def test_who_has_vouched_is_kept_named_and_verified() -> None:
    w = World(13)
    own, bos = book(), book(2)
    ada, bo = meeting(w, ("Ada", own), ("Bo", bos))
    with pytest.raises(ValueError, match="Ada has shown you no identity"):
        w.do(bo, ev.Know(0))
    w.do(ada, ev.Vouch(1))
    w.until(lambda: bool(vouched(bo)))
    w.do(bo, ev.Know(0))
    w.do(bo, ev.Know(0, "Ada L."))
    w.do(bo, ev.Verified(0))
    changes = [e for e in bo.told if isinstance(e, ev.BookChanged)]
    assert [(c.name, c.verified) for c in changes] == [("Ada", False), ("Ada L.", False), ("Ada L.", True)]
    assert {c.public for c in changes} == {own.own.public}
    assert bos.standing(own.own.public) == "verified"
    contact = bos.find(own.own.public)
    assert contact is not None
    assert (contact.petname, contact.first_seen) == ("Ada L.", int(changes[0].at))


def test_commands_that_cannot_be_done_say_why() -> None:
    w = World(14)
    ada, bo = meeting(w, ("Ada", book()), ("Bo", None))
    for what in (ev.Vouch(0), ev.Vouch(5), ev.Know(0), ev.Verified(7)):
        with pytest.raises(ValueError, match="nobody else at leaf"):
            w.do(ada, what)
    for what in (ev.Vouch(0), ev.Know(0), ev.Verified(0)):
        with pytest.raises(ValueError, match="start with --contacts"):
            w.do(bo, what)
    outside = guest(World(15), ada, "Cem", book())
    with pytest.raises(ValueError, match="not in the room"):
        outside.session.handle(ev.Vouch(0), w.now)


def test_two_contacts_cannot_have_names_that_look_alike() -> None:
    w = World(16)
    own, bos = book(), book(2)
    bos.add(book(3).own.public.hex(), "Ada", w.now)
    ada, bo = meeting(w, ("Ada", own), ("Bo", bos))
    w.do(ada, ev.Vouch(1))
    w.until(lambda: bool(vouched(bo)))
    assert vouched(bo)[0].warnings == (
        "A contact named Ada is here with another key than Ada's: it may be somebody else.",
    )
    with pytest.raises(ValueError, match="somebody else as Ada"):
        w.do(bo, ev.Know(0))
    w.do(bo, ev.Know(0, "Ada from work"))
    assert bos.standing(own.own.public) == "known"


# -- at the door ---------------------------------------------------------------------------------------


def test_a_knock_shows_an_identity_only_if_it_is_to() -> None:
    w = World(17)
    adas = book()
    ada = host(w, "Ada", adas, admission="ask")
    own = book(2)
    guest(w, ada, "Bo", own, shows=True)
    w.until(lambda: len(knocks(ada)) == 1)
    shown = knocks(ada)[0]
    assert (shown.standing, shown.contact, shown.fingerprint) == ("new", None, fingerprint(own.own.public))
    guest(w, ada, "Cem", book(3))
    guest(w, ada, "Dan")
    w.until(lambda: len(knocks(ada)) == 3)
    assert [(k.standing, k.fingerprint, k.warnings) for k in knocks(ada)[1:]] == [("none", None, ())] * 2


def test_the_host_is_told_who_came_in_and_the_other_members_are_not() -> None:
    w = World(18)
    adas, own = book(), book(2)
    adas.learn(own.own.public, "Bo", w.now, verified=True)
    ada = host(w, "Ada", adas, admission="ask")
    cem = guest(w, ada, "Cem", book(3))
    w.until(lambda: len(knocks(ada)) == 1)
    w.do(ada, ev.Admit(knocks(ada)[0].knock))
    w.until(lambda: w.agreed([ada, cem]))
    bo = guest(w, ada, "Bo", own, shows=True)
    w.until(lambda: len(knocks(ada)) == 2)
    knock = knocks(ada)[1]
    assert (knock.standing, knock.contact, knock.warnings) == ("verified", "Bo", ())
    assert not vouched(ada), "who waits is not in the room"
    w.do(ada, ev.Admit(knock.knock))
    w.until(lambda: w.agreed([ada, cem, bo]))
    assert vouched(ada) == [ev.Vouched(2, "Bo", "verified", "Bo", fingerprint(own.own.public))]
    w.run(5)
    assert not vouched(cem)


def test_a_contacts_name_without_its_key_is_flagged_before_the_host_says_yes() -> None:
    w = World(19)
    adas = book()
    bos = book(2)
    adas.learn(bos.own.public, "Bo", w.now)
    ada = host(w, "Ada", adas, admission="ask")
    guest(w, ada, "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    assert knocks(ada)[0].warnings == (
        "A contact named Bo knocks without Bo's key: it may be somebody else.",
    )
    guest(w, ada, "B\u03bf", book(3), shows=True)  # a Greek omicron
    w.until(lambda: len(knocks(ada)) == 2)
    assert knocks(ada)[1].standing == "new"
    assert knocks(ada)[1].warnings == (
        "This name looks like that of your contact Bo, and comes with another key than Bo's: "
        "it may be somebody else.",
        f"This name looks like that of Bo, who waits too (knock {knocks(ada)[0].knock}).",
    )
    guest(w, ada, "Bo", bos, shows=True)
    w.until(lambda: len(knocks(ada)) == 3)
    true = knocks(ada)[2]
    assert (true.standing, true.contact) == ("known", "Bo")
    assert true.warnings == (
        f"Somebody else who waits (knock {knocks(ada)[0].knock}) calls itself Bo too.",
        f"This name looks like that of B\u03bf, who waits too (knock {knocks(ada)[1].knock}).",
    ), "and no word against Bo"


def test_a_key_known_by_another_name_is_told() -> None:
    contacts, other = book(), book(2)
    contacts.learn(other.own.public, "Bo", 1.0)
    seen = check_identity("Zoe", other.own.public, contacts)
    assert (seen.standing, seen.contact) == ("known", "Bo")
    assert seen.warnings == ("You know this key as Bo.",)
    contacts.learn(book(3).own.public, "Zoe", 1.0)
    assert check_identity("Zoe", other.own.public, contacts).warnings == (
        "You know this key as Bo.",
        "A contact named Zoe knocks with another key than Zoe's: it may be somebody else.",
    )


def test_without_a_book_identities_are_new_and_names_are_still_compared() -> None:
    public = IdentityKey.generate().public
    seen = check_identity("Bo", public, None, waiting=[(3, "Bo"), (4, "Dan"), (5, "BO")])
    assert (seen.standing, seen.contact, seen.fingerprint) == ("new", None, fingerprint(public))
    assert seen.warnings == (
        "Somebody else who waits (knock 3) calls itself Bo too.",
        "This name looks like that of BO, who waits too (knock 5).",
    )
    assert check_identity("Bo", None, None) == check_identity("Bo", None, book())
    assert check_identity("Bo", None, None).standing == "none"


def test_a_knock_that_shows_what_it_does_not_hold_is_not_shown() -> None:
    w = World(20)
    ada = host(w, "Ada", book(), admission="ask")
    victim = book(9).own

    guest(w, ada, "Mallory", Contacts(Thief(victim.public)), shows=True)
    w.run(20)
    assert not knocks(ada)
    guest(w, ada, "Bo", Contacts(IdentityKey(victim.private)), shows=True)
    w.until(lambda: len(knocks(ada)) == 1)


def test_what_is_read_of_a_meeting_has_no_private_key_in_it() -> None:
    own = book()
    assert own.own.private.hex() not in repr(Options(contacts=own))
    assert repr(own.own.private) not in repr(Options(contacts=own))


def test_who_takes_a_leaf_over_is_not_verified_in_the_place_of_who_was_there() -> None:
    """Ada reads Bo's digits; before she has typed it somebody else is at Bo's leaf, called Bo as well."""
    w = World(95)
    mine = book(1)
    ada, bo = meeting(w, ("Ada", mine), ("Bo", book(2)))
    w.do(bo, ev.Vouch(0))
    w.until(lambda: len(vouched(ada)) == 1)
    w.do(bo, ev.Leave())
    w.until(lambda: bo.ended is not None)
    mallory = guest(w, ada, "Bo", book(3))
    w.until(lambda: w.agreed([ada, mallory]))
    w.until(lambda: len(dict(ada.room.announcements.boxes())) >= 1)
    w.run(1)
    w.do(mallory, ev.Vouch(0))
    w.until(lambda: len(vouched(ada)) == 2)
    assert vouched(ada)[1].leaf == vouched(ada)[0].leaf == 1
    with pytest.raises(ValueError, match="where Bo was"):
        w.do(ada, ev.Verified(1))
    assert mine.everybody() == []
    w.do(ada, ev.Verified(1))
    (changed,) = [e for e in ada.told if isinstance(e, ev.BookChanged)]
    assert changed.fingerprint == vouched(ada)[1].fingerprint, "said again, it is meant"
