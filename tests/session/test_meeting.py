"""Meetings in memory: entering, talking, removing, leaving, ending."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.crypto.entry.invite import Invite
from snugroom.crypto.errors import MalformedError, ValidationError
from snugroom.lab.simulation.world import World


def test_three_people_meet_and_agree() -> None:
    w = World(1)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    assert ada.roster == ["Ada", "Bo", "Cem"]
    w.do(ada, ev.Say("one"))
    w.do(cem, ev.Say("two"))
    w.until(lambda: ("Ada", "one") in bo.said and ("Cem", "two") in bo.said)
    w.run(2)
    assert [p.said for p in people] == [
        [("Cem", "two")],
        [("Ada", "one"), ("Cem", "two")] if bo.said[0][0] == "Ada" else [("Cem", "two"), ("Ada", "one")],
        [("Ada", "one")],
    ]
    assert not any(p.alarms for p in people)
    by = [e.by for e in bo.told if isinstance(e, ev.Roster)]
    assert by == [None, 0], "who let somebody in is known to all"


def test_a_host_is_asked_and_says_no() -> None:
    w = World(2)
    ada = w.host("Ada", admission="ask")
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: bool(ada.of(ev.Knocked)))
    knocked = ada.of(ev.Knocked)[0]
    assert isinstance(knocked, ev.Knocked)
    assert (knocked.name, knocked.invite, knocked.looks_like) == ("Bo", 0, None)
    w.run(15)
    assert len(ada.of(ev.Knocked)) == 1, "knocking again is not asking again"
    assert not bo.of(ev.Ended)
    assert ada.roster == ["Ada"], "nobody enters without the host's word"
    w.do(ada, ev.Refuse(knocked.knock))
    w.until(lambda: bo.ended is not None)
    assert bo.ended == ev.Ended("refused", "The host did not let you in.")
    with pytest.raises(ValueError, match="nobody waits"):
        w.do(ada, ev.Admit(knocked.knock))


def test_a_host_is_asked_and_says_yes() -> None:
    w = World(3)
    ada = w.host("Ada", admission="ask")
    bo, cem = w.guest(w.link_of(ada), "Bo"), w.guest(w.link_of(ada), "Cem")
    w.until(lambda: len(ada.of(ev.Knocked)) == 2)
    for knocked in ada.of(ev.Knocked):
        assert isinstance(knocked, ev.Knocked)
        w.do(ada, ev.Admit(knocked.knock))
    w.until(lambda: w.agreed([ada, bo, cem]))


def test_an_invite_that_was_not_made_by_the_host_is_never_shown() -> None:
    w = World(4)
    ada = w.host("Ada", admission="ask")
    real = Invite.parse(w.link_of(ada))
    forged = Invite(real.origin, real.secret, real.host_public, 7, bytes(16)).link()
    mallory = w.guest(forged, "Mallory")
    w.run(20)
    assert not ada.of(ev.Knocked)
    assert mallory.ended is None


def test_a_link_to_another_host_leads_nowhere() -> None:
    w = World(5)
    ada = w.host("Ada")
    real = Invite.parse(w.link_of(ada))
    forged = Invite(real.origin, real.secret, bytes(31) + b"\x01", 0, real.token).link()
    bo = w.guest(forged, "Bo")
    w.run(10)
    assert not ada.of(ev.Knocked), "the card is not by the link's host, so there is no knock"
    assert bo.ended is None


def test_a_name_that_looks_like_a_members_is_flagged_and_kept_out() -> None:
    w = World(6)
    ada, bo = w.meeting("Ada", "Bo")
    evil = w.guest(w.link_of(ada), "\u0410da")  # with a Cyrillic first letter
    w.until(lambda: evil.ended is not None)
    assert isinstance(evil.ended, ev.Ended)
    assert evil.ended.reason == "refused"
    knocked = ada.of(ev.Knocked)[-1]
    assert isinstance(knocked, ev.Knocked)
    assert knocked.looks_like == "Ada"
    assert ada.roster == bo.roster == ["Ada", "Bo"]
    assert evil.ended.text == sentence("refusal.name_held")
    assert ada.alarms == []


def test_removal_takes_effect_and_takes_the_invite_with_it() -> None:
    w = World(7)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    first = w.link_of(ada)
    w.do(ada, ev.Remove(1))
    w.until(lambda: bo.ended is not None and w.agreed([ada, cem]))
    assert bo.ended == ev.Ended("removed", "You were removed by \u201cAda\u201d.")
    w.until(lambda: w.link_of(ada) != first)
    again = w.guest(first, "Bo again")
    w.run(15)
    assert again.ended is not None
    assert again.ended.reason == "refused"
    assert ada.alarms == ["removed_knocks"]
    assert ada.roster == ["Ada", "Cem"], "the evicted one's invite opens nothing any more"
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, cem, dana]))


def test_only_hosts_remove() -> None:
    w = World(8)
    _, bo, _ = w.meeting("Ada", "Bo", "Cem")
    with pytest.raises(ValueError, match="only a host"):
        w.do(bo, ev.Remove(2))
    with pytest.raises(ValueError, match="only a host"):
        w.do(bo, ev.Admit(1))


def test_a_member_who_leaves_is_removed_from_the_group() -> None:
    w = World(9)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    first = w.link_of(ada)
    before = ada.epoch
    w.do(bo, ev.Leave())
    w.until(lambda: w.agreed([ada, cem]) and bo.ended is not None, 5)
    assert bo.ended == ev.Ended("left", "You left.")
    assert ada.epoch > before
    assert w.link_of(ada) == first, "leaving costs nobody the invite"
    last = [e for e in cem.told if isinstance(e, ev.Roster)][-1]
    assert [m.name for m in last.removed] == ["Bo"]
    again = w.guest(first, "Bo")
    w.until(lambda: w.agreed([ada, cem, again]))


def test_the_host_leaves_and_those_present_go_on() -> None:
    w = World(10)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.do(ada, ev.Leave())
    w.until(lambda: w.agreed([bo, cem]), 5)
    w.do(bo, ev.Say("still here"))
    w.until(lambda: ("Bo", "still here") in cem.said)


def test_a_host_ends_the_meeting_for_all() -> None:
    w = World(11)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    with pytest.raises(ValueError, match="only a host"):
        w.do(bo, ev.EndMeeting())
    w.do(ada, ev.EndMeeting())
    w.until(lambda: bo.ended is not None and cem.ended is not None)
    assert bo.ended == cem.ended == ev.Ended("ended", "\u201cAda\u201d ended the meeting.")


def test_a_member_who_is_no_host_cannot_end_it() -> None:
    w = World(12)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    from snugroom.client.session.catalogue import content

    bo.room.relay(content.End(bo.room.membership.journal.chain))
    w.run(3)
    assert ada.ended is None
    assert "false_end" in ada.alarms


def test_a_newcomer_hears_nothing_that_was_said_before() -> None:
    w = World(13)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(ada, ev.Say("before"))
    w.until(lambda: ("Ada", "before") in bo.said)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.run(5)
    assert cem.said == []


def test_keys_heal_although_nobody_comes_or_goes() -> None:
    w = World(14)
    people = w.meeting("Ada", "Bo", "Cem")
    before = people[0].epoch
    w.run(700)
    assert w.agreed(people)
    healers = {e.by for e in people[0].told if isinstance(e, ev.Roster) and e.epoch > before}
    assert healers == {0, 1, 2}, "each in turn"


def test_midnight_changes_the_lobby_and_nothing_else() -> None:
    w = World(15)
    ada, bo = w.meeting("Ada", "Bo")
    to_midnight = 86400 - w.now % 86400
    w.now += to_midnight - 60  # a minute before
    w.run(120)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))


def test_names_and_links_are_checked_where_they_are_typed() -> None:
    w = World(16)
    with pytest.raises(ValidationError):
        w.host(" Ada")
    with pytest.raises(MalformedError):
        w.guest("https://example.org/nothing", "Bo")


def test_silly_texts_are_refused_to_their_author() -> None:
    w = World(17)
    ada, _ = w.meeting("Ada", "Bo")
    for text in ("", "x" * (content.TEXT_MAX + 1)):
        with pytest.raises(ValueError, match="characters"):
            w.do(ada, ev.Say(text))
