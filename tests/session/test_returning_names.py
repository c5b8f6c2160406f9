"""Knocks under a member's name: before it decides, the host learns who has it, and who is silent."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.lab.simulation.world import Participant, World
from tests.session.identities import book, guest, host, vouched
from tests.session.invites import alarms, invite, knocks
from tests.session.test_absence_back import Offline

#: Seconds after which a member counts as silent, with the time between two looks of a host.
SILENT = 22


def meeting(w: World) -> tuple[Participant, ...]:
    """Ada asks before she lets people in; Bo has come by a personal invite, Cem by the open link."""
    ada = host(w, "Ada", admission="ask")
    personal = invite(w, ada, "Bo", once=True).link
    bo, cem = w.guest(personal, "Bo"), w.guest(open_link(ada), "Cem")
    w.until(lambda: len(knocks(ada)) == 2)
    for knock in knocks(ada):
        w.do(ada, ev.Admit(knock.knock))
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.run(3)
    return ada, bo, cem


def open_link(ada: Participant) -> str:
    return next(e.link for e in ada.of(ev.InviteMade) if not e.label)


def personal_link(ada: Participant) -> str:
    return next(e.link for e in ada.of(ev.InviteMade) if e.label == "Bo")


def knock_of(w: World, ada: Participant, link: str, name: str) -> tuple[Participant, ev.Knocked]:
    before = len(knocks(ada))
    who = w.guest(link, name)
    w.until(lambda: len(knocks(ada)) > before)
    return who, knocks(ada)[-1]


def test_a_second_device_of_somebody_present_is_told_of_before_the_host_decides() -> None:
    w = World(7100)
    ada, bo, cem = meeting(w)
    phone, knock = knock_of(w, ada, open_link(ada), "bo")
    assert (knock.looks_like, knock.silent, knock.proof) == ("Bo", False, None)
    assert knock.warnings == (sentence("warning.name_held", name="Bo"),)
    for command in (ev.Admit(knock.knock), ev.Replace(knock.knock)):
        with pytest.raises(ValueError, match="is in the room"):
            w.do(ada, command)
    assert ada.alarms == [], "no alarm after a yes: the yes is impossible"
    w.do(ada, ev.Refuse(knock.knock))
    w.until(lambda: phone.ended is not None)
    assert phone.ended == ev.Ended("refused", sentence("refusal.name_held"))
    again, knock = knock_of(w, ada, open_link(ada), "Bo on the phone")
    w.do(ada, ev.Admit(knock.knock))
    w.until(lambda: w.agreed([ada, bo, cem, again]))


def test_a_stranger_under_a_silent_members_name_is_not_offered_that_place() -> None:
    w = World(7101)
    ada, bo, cem = meeting(w)
    Offline(w).add(bo)
    w.run(SILENT)
    _, knock = knock_of(w, ada, open_link(ada), "Bo")
    assert (knock.looks_like, knock.silent, knock.proof) == ("Bo", True, None)
    assert knock.warnings == (sentence("warning.name_silent", name="Bo"),)
    for command in (ev.Admit(knock.knock), ev.Replace(knock.knock)):
        with pytest.raises(ValueError, match="a server can make"):
            w.do(ada, command)
    w.run(5)
    assert "Bo" in ada.roster
    assert "Bo" in cem.roster


def test_the_personal_invite_takes_the_silent_members_place_and_all_are_told() -> None:
    w = World(7102)
    ada, bo, cem = meeting(w)
    away = Offline(w)
    away.add(bo)
    w.run(SILENT)
    phone, knock = knock_of(w, ada, personal_link(ada), "Bo")
    assert (knock.silent, knock.proof) == (True, "invite")
    assert knock.warnings == (sentence("warning.name_silent.invite", name="Bo"),)
    w.do(ada, ev.Replace(knock.knock))
    w.until(lambda: w.agreed([ada, cem, phone]))
    assert sorted(ada.roster) == ["Ada", "Bo", "Cem"]
    for each in (ada, cem):
        assert len(alarms(each, "replaced_silent")) == 1
        assert not alarms(each, "invite_leaked")
    w.do(phone, ev.Say("my laptop died"))
    w.until(lambda: ("Bo", "my laptop died") in cem.said, 10)
    away.remove(bo)
    w.until(lambda: bo.ended is not None, 30)
    assert bo.ended == ev.Ended("replaced", sentence("room.replaced.silent", by="Ada"))
    w.run(20)
    assert w.agreed([ada, cem, phone])
    assert [i.kind for i in cem.incidents.open] == ["replaced_silent"], "one line, until somebody reads it"


def test_the_personal_invite_of_somebody_else_or_another_name_takes_no_place() -> None:
    w = World(7103)
    ada, bo, _ = meeting(w)
    other = invite(w, ada, "Dana", once=True).link
    Offline(w).add(bo)
    w.run(SILENT)
    _, knock = knock_of(w, ada, other, "Bo")
    assert (knock.silent, knock.proof) == (True, None)
    thief = w.guest(personal_link(ada), "Eve")
    w.until(lambda: thief.ended is not None, 20)
    assert thief.ended == ev.Ended("refused", sentence("refusal.over"))
    assert len(alarms(ada, "invite_leaked")) == 1


def test_the_card_follows_the_member_who_comes_back() -> None:
    w = World(7104)
    ada, bo, cem = meeting(w)
    away = Offline(w)
    away.add(bo)
    w.run(SILENT)
    _, knock = knock_of(w, ada, personal_link(ada), "Bo")
    away.remove(bo)
    w.until(lambda: not knocks(ada)[-1].silent, 30)
    assert knocks(ada)[-1].knock == knock.knock
    assert knocks(ada)[-1].warnings == (sentence("warning.name_held", name="Bo"),)
    with pytest.raises(ValueError, match="is in the room"):
        w.do(ada, ev.Replace(knock.knock))
    w.run(5)
    assert w.agreed([ada, bo, cem])


def test_a_used_invite_opens_nothing_once_its_member_is_off_the_list() -> None:
    w = World(7105)
    ada, bo, cem = meeting(w)
    Offline(w).add(bo)
    w.run(SILENT)
    phone, _ = knock_of(w, ada, personal_link(ada), "Bo")
    w.do(ada, ev.RemoveAbsent())
    w.until(lambda: phone.ended is not None, 30)
    assert phone.ended == ev.Ended("refused", sentence("refusal.over"))
    assert ada.roster == cem.roster == ["Ada", "Cem"]


def test_a_silent_hosts_name_has_no_offer() -> None:
    w = World(7106)
    ada, bo, cem = meeting(w)
    w.do(ada, ev.Deputise(bo.session.own_leaf or 0))
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.run(5)
    Offline(w).add(bo)
    w.run(SILENT)
    _, knock = knock_of(w, ada, open_link(ada), "Bo")
    assert (knock.silent, knock.proof) == (True, None)


def test_the_identity_of_the_silent_member_takes_its_place_and_is_proof() -> None:
    w = World(7107)
    ada = host(w, "Ada", book(1), admission="ask")
    bo = guest(w, ada, "Bo", book(2), shows=True)
    w.until(lambda: len(knocks(ada)) == 1)
    w.do(ada, ev.Admit(knocks(ada)[0].knock))
    w.until(lambda: w.agreed([ada, bo]) and bool(vouched(ada)))
    w.run(3)
    away = Offline(w)
    away.add(bo)
    w.run(SILENT)
    before = len(knocks(ada))
    other = guest(w, ada, "Bo", book(3), shows=True)
    w.until(lambda: len(knocks(ada)) > before)
    assert (knocks(ada)[-1].silent, knocks(ada)[-1].proof) == (True, None), "another identity"
    w.do(ada, ev.Refuse(knocks(ada)[-1].knock))
    w.until(lambda: other.ended is not None)
    before = len(knocks(ada))
    phone = guest(w, ada, "Bo", book(2), shows=True)
    w.until(lambda: len(knocks(ada)) > before)
    knock = knocks(ada)[-1]
    assert (knock.silent, knock.proof) == (True, "identity")
    assert knock.warnings == (sentence("warning.name_silent.identity", name="Bo"),)
    w.do(ada, ev.Replace(knock.knock))
    w.until(lambda: w.agreed([ada, phone]))
    told = [e.text for e in ada.of(ev.Status) if e.kind == "cleared"]
    assert told[0] == "\u201cBo\u201d has shown the identity that goes with the name."
    assert not [i for i in ada.incidents.open if "replaced" in i.kind]


def test_an_absent_members_ticket_needs_no_card() -> None:
    w = World(7108)
    ada, bo, cem = meeting(w)
    asked, away = len(knocks(ada)), Offline(w)
    away.add(bo)
    w.run(SILENT)
    w.do(ada, ev.RemoveAbsent())
    w.until(lambda: w.agreed([ada, cem]))
    away.remove(bo)
    w.until(lambda: w.agreed([ada, bo, cem]), 20)
    assert len(knocks(ada)) == asked
