"""Vouches in meetings: one member verifies an identity, and the others learn nothing."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.features.identity import EARLY_MAX, Vouching
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import SnugError
from snugroom.crypto.proof import identity
from snugroom.crypto.proof.identity import VOUCH_SIZE, fingerprint
from snugroom.lab.simulation.world import World
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.identities import (
    Thief,
    Wire,
    book,
    broadcast,
    ends,
    meeting,
    opens,
    statuses,
    vouched,
)

# -- one member, and nobody else ---------------------------------------------------------------------


def test_one_member_is_shown_an_identity_and_the_others_learn_nothing() -> None:
    w = World(1)
    own = book()
    ada, bo, cem = meeting(w, ("Ada", own), ("Bo", None), ("Cem", book(2)))
    seen = Wire(w)
    w.do(ada, ev.Vouch(1))
    w.until(lambda: bool(vouched(bo)))
    w.run(10)
    assert vouched(bo) == [ev.Vouched(0, "Ada", "new", None, fingerprint(own.own.public))]
    assert not vouched(cem)
    assert not vouched(ada)
    assert statuses(ada).count("vouched") == 1
    for person in (ada, bo, cem):
        assert "vouched" not in person.alarms
    blobs = seen.vouches(cem)
    real = {blob for _, blob in blobs if opens(bo, blob)}
    assert len(real) == 1
    assert {label for label, blob in blobs if blob in real} == {"Bo", "Cem"}, "one of the two can read it"
    assert len({blob for _, blob in blobs}) > 3, "all members send dummies, which look the same to Cem"
    for _, blob in blobs:
        inner = envelope.open(cem.room.membership.heartbeat_key, "vouch", cem.room.number, blob)
        assert (len(blob), len(inner)) == (BUCKETS[0], VOUCH_SIZE)
        assert own.own.public not in inner
        assert not opens(cem, blob)
        if blob in real:
            with pytest.raises(SnugError):
                identity.open_vouch(
                    inner, ada.room.box, ends(ada, bo).to_signature_key, ends(ada, bo).group_id
                )


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
    key, number, slot = bo.room.membership.heartbeat_key, bo.room.number, bo.room.membership.epoch_slot
    assert bo.room.feature(Vouching).broadcast_received(
        envelope.seal(key, "vouch", number, slot, by_bo, BUCKETS), w.now
    )
    w.run(1)
    assert [v.fingerprint for v in vouched(bo)] == [fingerprint(own.own.public)]
    chance = random.Random(5)
    real = own.own.vouch(about, ada.room.box, rng=chance.randbytes)
    assert real == identity._seal_vouch(about, own.own.public, proof, random.Random(5).randbytes)


def test_a_vouch_convinces_only_its_receiver() -> None:
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
    w.until(lambda: any(opens(bo, blob) for _, blob in seen.vouches(ada)))
    blob = next(blob for _, blob in seen.vouches(ada) if opens(bo, blob))
    for at in range(0, len(blob), 7):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        w.do(bo, ev.Received(ev.ROOM, wire.Broadcasted(changed)))
    assert not vouched(bo)
    for _ in range(3):
        w.do(bo, ev.Received(ev.ROOM, wire.Broadcasted(blob)))
    assert len(vouched(bo)) == 1
    assert not bo.alarms


def test_the_vouch_of_another_meeting_is_refused() -> None:
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


def test_a_member_who_was_away_gets_the_vouch_afterwards() -> None:
    w = World(9)
    ada, bo, cem = meeting(w, ("Ada", book()), ("Bo", None), ("Cem", None))
    seen = Wire(w)
    seen.stops = lambda who: who is bo
    w.do(ada, ev.Vouch(1))
    w.until(lambda: "vouched" in statuses(ada))
    assert not vouched(bo)
    seen.stops = lambda who: False
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: bool(vouched(bo)), why="it is said again to another connection")
    seen.stops = lambda who: True
    w.cut(ada.links[ev.ROOM])
    w.do(ada, ev.Vouch(2))
    w.until(lambda: statuses(ada).count("vouched") == 2)
    w.run(1)
    assert not vouched(cem)
    seen.stops = lambda who: False
    w.cut(ada.links[ev.ROOM])
    w.until(lambda: bool(vouched(cem)), why="and by another connection")
    w.run(5)
    assert len(vouched(bo)) == 1
    assert statuses(ada).count("vouched") == 2, "once for each who was shown it"


# Between the announcement that is forgotten and the vouch, Bo ticks or does not.
@pytest.mark.parametrize("seed", [10, 13])
def test_a_vouch_that_overtakes_its_makers_announcement_waits_for_it(seed: int) -> None:
    w = World(seed)
    own = book()
    ada, bo = meeting(w, ("Ada", own), ("Bo", None))
    announcement = dict(bo.room.announcements.boxes())[0]
    bo.room.announcements.forget(0)
    broadcast(w, ada, own.own.vouch(ends(ada, bo), ada.room.box))
    assert not vouched(bo)
    w.cut(ada.links[ev.ROOM])  # who comes back announces itself
    w.until(lambda: bool(vouched(bo)))
    assert dict(bo.room.announcements.boxes())[0] == announcement


def test_vouches_arrive_under_the_heartbeat_key_after_a_removal() -> None:
    w = World(11)
    ada, bo, cem = meeting(w, ("Ada", book()), ("Bo", None), ("Cem", None))
    seen = Wire(w)
    seen.stops = lambda who: True
    w.do(ada, ev.Vouch(2))
    w.until(lambda: "vouched" in statuses(ada))
    w.run(1)
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
