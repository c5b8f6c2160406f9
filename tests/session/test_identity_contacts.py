"""The contact book in meetings, and what a host is told of a knock."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.entry.identity_check import check_identity
from snugroom.client.session.options import Options
from snugroom.crypto.proof.identity import IdentityKey, fingerprint
from snugroom.lab.simulation.world import World
from tests.session.identities import (
    Thief,
    book,
    guest,
    host,
    knocks,
    meeting,
    vouched,
)

# -- the book in a meeting ----------------------------------------------------------------------------


def test_a_member_who_vouched_is_kept_named_and_verified() -> None:
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


def test_a_knock_shows_an_identity_only_on_request() -> None:
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


def test_the_host_hears_of_a_key_known_by_another_name() -> None:
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


def test_a_knock_with_a_stolen_identity_is_not_shown() -> None:
    w = World(20)
    ada = host(w, "Ada", book(), admission="ask")
    victim = book(9).own

    guest(w, ada, "Mallory", Contacts(Thief(victim.public)), shows=True)
    w.run(20)
    assert not knocks(ada)
    guest(w, ada, "Bo", Contacts(IdentityKey(victim.private)), shows=True)
    w.until(lambda: len(knocks(ada)) == 1)


def test_the_repr_of_a_session_has_no_private_key() -> None:
    own = book()
    assert own.own.private.hex() not in repr(Options(contacts=own))
    assert repr(own.own.private) not in repr(Options(contacts=own))


def test_the_next_member_at_a_leaf_is_not_verified_by_the_last_ones_vouch() -> None:
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
    with pytest.raises(ValueError, match="Bo was there before"):
        w.do(ada, ev.Verified(1))
    assert mine.everybody() == []
    w.do(ada, ev.Verified(1))
    (changed,) = [e for e in ada.told if isinstance(e, ev.BookChanged)]
    assert changed.fingerprint == vouched(ada)[1].fingerprint, "said again, it is meant"
