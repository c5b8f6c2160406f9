"""Members who close their pages say so: nobody is alarmed, and hosts remove who does not come back."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.features.absence import KEPT, KEPT_IN_A_CROWD
from snugroom.client.session.monitor.heartbeats import OLD_KEY
from snugroom.lab.simulation.liars import held_by
from snugroom.lab.simulation.world import Participant, World
from tests.session.hosts import deputised
from tests.session.invites import invite
from tests.session.test_comeback import come_back, meeting

AWAY = ev.SetState(mic=False, camera=False, away=True)


def closes(w: World, who: Participant) -> None:
    """Somebody closes the page."""
    w.do(who, AWAY)
    w.run(2 * w.latency)
    w.kill(who)


def is_away(seen_by: Participant, name: str) -> bool:
    told = [e for e in seen_by.of(ev.StateTold) if e.name == name]
    return bool(told) and told[-1].away


def test_nobody_is_alarmed_by_a_closed_page_and_its_owner_leaves_after_a_while() -> None:
    w = World(2200)
    ada, bo, cem, dana = meeting(w, "Ada", "Bo", "Cem", "Dana")
    link = w.link_of(ada)
    closes(w, bo)
    assert is_away(ada, "Bo")
    assert is_away(cem, "Bo")
    w.run(KEPT - 10)
    assert w.agreed([ada, cem, dana]) is False
    assert len(ada.roster) == 4
    w.until(lambda: w.agreed([ada, cem, dana]), 20)
    (roster,) = [e for e in cem.of(ev.Roster) if e.removed]
    assert roster.left == (roster.removed[0].leaf,), "Bo has left, and nobody has removed Bo"
    w.run(20)
    assert [p.alarms for p in (ada, cem, dana)] == [[]] * 3
    assert w.link_of(ada) == link
    eve = w.guest(link, "Eve")
    w.until(lambda: w.agreed([ada, cem, dana, eve]), 10)


def test_who_comes_in_after_a_removal_for_absence_hears_everybody_and_is_heard() -> None:
    w = World(2209)
    ada, bo, cem, dana = meeting(w, "Ada", "Bo", "Cem", "Dana")
    link = w.link_of(ada)
    closes(w, bo)
    w.until(lambda: w.agreed([ada, cem, dana]), KEPT + 20)
    w.run(OLD_KEY)
    people = [ada, cem, dana, w.guest(link, "Eve")]
    w.until(lambda: w.agreed(people), 10)
    w.run(20)
    assert [held_by(each, w.now) for each in people] == [""] * 4
    assert [each.incidents.open for each in people] == [[]] * 4


def test_who_comes_back_in_time_is_not_removed() -> None:
    w = World(2201)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    closes(w, bo)
    w.run(20)
    bo = come_back(w, bo)
    w.until(lambda: w.agreed([ada, bo, cem]), 3)
    w.run(KEPT + 20)
    assert w.agreed([ada, bo, cem])
    assert [p.alarms for p in (ada, bo, cem)] == [[]] * 3


def test_a_page_that_was_not_closed_after_all_goes_on() -> None:
    w = World(2202)
    ada, bo, cem = people = meeting(w, "Ada", "Bo", "Cem")
    w.do(bo, AWAY)
    w.run(1)
    w.do(bo, ev.SetState(mic=True, camera=False))
    w.until(lambda: not is_away(ada, "Bo"), 5)
    w.run(KEPT + 20)
    assert w.agreed(people)
    assert cem.alarms == []


def test_who_only_says_so_and_goes_on_is_not_removed() -> None:
    """It is heard: nobody is taken off the list who is there."""
    w = World(2203)
    people = meeting(w, "Ada", "Bo", "Cem")
    w.do(people[1], AWAY)
    w.run(KEPT + 20)
    assert w.agreed(people)


def test_of_a_crowd_that_goes_home_the_rest_meets_on() -> None:
    w = World(2204)
    ada, bo, *others = meeting(w, "Ada", "Bo", "Cem", "Dana", "Eve", "Fay")
    for who in others:
        w.do(who, AWAY)
    w.run(2 * w.latency)
    for who in others:
        w.kill(who)
    w.until(lambda: w.agreed([ada, bo]), KEPT_IN_A_CROWD + 10)
    w.do(bo, ev.Say("just us"))
    w.until(lambda: ("Bo", "just us") in ada.said, 5)
    w.run(20)
    assert [*ada.alarms, *bo.alarms] == []


def test_a_host_that_closes_its_page_is_expected_by_all_and_removed_by_none_but_a_host() -> None:
    w = World(2205)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    closes(w, ada)
    w.run(KEPT + 20)
    assert len(bo.roster) == 3
    ada = come_back(w, ada)
    w.until(lambda: w.agreed([ada, bo, cem]), 3)


def test_the_absent_are_removed_by_the_next_host_if_the_first_is_absent_too() -> None:
    w = World(2206)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    deputised(w, ada, bo)
    closes(w, ada)
    w.until(lambda: bo.roster == cem.roster == ["Bo", "Cem"], KEPT + 20)
    w.run(80)
    assert w.agreed([bo, cem])
    assert "gone" not in bo.alarms


def test_a_leaver_whose_proposal_another_commit_overtakes_is_gone_all_the_same() -> None:
    w = World(2207)
    ada, bo, cem, dana = meeting(w, "Ada", "Bo", "Cem", "Dana")
    w.do(ada, ev.Lock(True))
    w.do(bo, ev.Leave())
    w.run(2 * w.latency)
    w.kill(bo)
    w.until(lambda: w.agreed([ada, cem, dana]), KEPT + 10)
    assert [p.alarms for p in (ada, cem, dana)] == [[]] * 3


def test_a_member_far_away_who_leaves_and_returns_at_once_is_let_in_under_the_same_name() -> None:
    w = World(2208, latency=1.0)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    link = w.link_of(ada)
    w.do(ada, ev.Lock(True))  # a commit is under way
    w.do(bo, ev.Leave())
    w.until(lambda: bo.ended is not None, 10)
    assert bo.ended == ev.Ended("left", "You left.")
    w.until(lambda: ada.roster == cem.roster == ["Ada", "Cem"], 3)
    w.do(ada, ev.Lock(False))
    again = w.guest(link, "Bo")
    w.until(lambda: w.agreed([ada, cem, again]), 30)


# -- what is said of the way back ---------------------------------------------------------------


def test_after_a_removal_for_absence_shared_links_work_and_an_invite_for_one_person_does_not() -> None:
    w = World(560)
    ada, _, bo = w.meeting("Ada", "Dana", "Bo")
    shared, once = w.link_of(ada), invite(w, ada, "Cem", once=True).link
    cem = w.guest(once, "Cem")
    w.until(lambda: "Cem" in ada.roster)
    w.run(5)
    w.kill(bo)
    w.kill(cem)
    w.run(20)
    w.do(ada, ev.RemoveAbsent())
    said = ada.of(ev.Status)[-1].text
    assert "Their programs can let them come back without a question" in said
    assert "an invite for one person is used up" in said
    w.until(lambda: ada.roster == ["Ada", "Dana"])
    w.guest(shared, "Bo")
    w.until(lambda: "Bo" in ada.roster)
    late = w.guest(once, "Cem")
    w.until(lambda: late.ended is not None)
    assert late.ended == ev.Ended("refused", sentence("refusal.over"))
    w.guest(invite(w, ada, "Cem again", once=True).link, "Cem")
    w.until(lambda: "Cem" in ada.roster)


def test_who_is_removed_after_a_long_silence_needs_a_new_invite_as_the_alarm_says() -> None:
    w = World(561)
    ada, bo, _ = w.meeting("Ada", "Bo", "Dana")
    old = w.link_of(ada)
    w.kill(bo)
    w.until(lambda: "gone" in ada.alarms, 90)
    (said,) = [a.text for a in ada.of(ev.Alarm) if a.kind == "gone"]
    assert "to come back, they then need a new invite" in said
    w.do(ada, ev.Remove(1))
    w.until(lambda: ada.roster == ["Ada", "Dana"])
    late = w.guest(old, "Bo")
    w.until(lambda: late.ended is not None)
    assert late.ended == ev.Ended("refused", sentence("refusal.over"))
    w.until(lambda: w.link_of(ada) != old)
    w.guest(w.link_of(ada), "Bo")
    w.until(lambda: "Bo" in ada.roster)
