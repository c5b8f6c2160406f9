"""A member that was removed for absence comes back by a ticket: without a question, and by nobody else's."""

from __future__ import annotations

import pytest

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.features.absence import KEPT
from snugroom.lab.simulation.world import Participant, World, seeded
from tests.session.hosts import deputised
from tests.session.test_absence import closes
from tests.session.test_comeback import KEEP, come_back, kept_by, meeting


class Offline:
    """Participants whose networks have failed."""

    def __init__(self, w: World) -> None:
        self._who: list[Participant] = []
        connect = w._connect

        def connected(who: Participant, endpoint: ev.Endpoint) -> None:
            if who in self._who:
                w._feed(who, ev.Lost(endpoint, "no network"))
            else:
                connect(who, endpoint)

        w._connect = connected  # type: ignore[method-assign]
        self._w = w

    def add(self, who: Participant) -> None:
        self._who.append(who)
        for link in list(who.links.values()):
            self._w.cut(link)

    def remove(self, who: Participant) -> None:
        self._who.remove(who)


def removed(w: World, ada: Participant, *others: Participant) -> None:
    """Ada removes all who have not been heard for a while."""
    w.run(20)
    w.do(ada, ev.RemoveAbsent())
    w.until(lambda: w.agreed([ada, *others]))


def questions(who: Participant) -> int:
    return len(who.of(ev.Knocked))


def back(who: Participant, name: str) -> list[ev.Roster]:
    """Return what somebody was told of comebacks of that name."""
    return [e for e in who.of(ev.Roster) if e.rejoined and name in [each.name for each in e.added]]


def test_who_sees_its_own_removal_is_back_at_once_and_nobody_is_asked() -> None:
    w = World(5600)
    ada, bo, dana = w.meeting("Ada", "Bo", "Dana")
    asked, away = questions(ada), Offline(w)
    away.add(bo)
    removed(w, ada, dana)
    assert "Bo" not in ada.roster
    away.remove(bo)
    w.until(lambda: w.agreed([ada, bo, dana]), 15)
    told = [a for a in bo.of(ev.Alarm) if a.kind == "rejoining"]
    assert [a.text for a in told] == [
        "\u201cAda\u201d removed you while you were away. Your program asks to be let back in."
    ]
    assert questions(ada) == asked
    for each in (ada, dana):
        assert len(back(each, "Bo")) == 1, "all are told that Bo is back, not that somebody is new"
    assert bo.ended is None
    w.do(bo, ev.Say("here again"))
    w.until(lambda: ("Bo", "here again") in ada.said and ("Bo", "here again") in dana.said, 10)
    w.do(dana, ev.Say("welcome"))
    w.until(lambda: ("Dana", "welcome") in bo.said, 10)
    w.run(30)
    assert [p.incidents.open for p in (ada, bo, dana)] == [[]] * 3


def test_a_closed_page_that_is_opened_after_the_removal_is_the_same_member() -> None:
    w = World(5601)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    asked = questions(ada)
    closes(w, bo)
    w.until(lambda: w.agreed([ada, cem]), KEPT + 20)
    bo = come_back(w, bo)
    w.until(lambda: w.agreed([ada, bo, cem]), 3)
    assert questions(ada) == asked
    assert len(back(cem, "Bo")) == 1
    w.run(20)
    assert [p.alarms for p in (ada, bo, cem)] == [[]] * 3


def test_it_comes_back_into_a_locked_room_and_without_a_host() -> None:
    w = World(5602)
    ada, bo, dana = meeting(w, "Ada", "Bo", "Dana")
    closes(w, bo)
    w.until(lambda: w.agreed([ada, dana]), KEPT + 20)
    w.do(ada, ev.Lock(True))
    w.run(2)
    w.kill(ada)
    bo = come_back(w, bo)
    w.until(lambda: dana.roster == bo.roster == ["Ada", "Bo", "Dana"], 40)


def test_it_comes_back_to_another_leaf_if_somebody_has_its_own() -> None:
    w = World(5603)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    link, leaf = w.link_of(ada), bo.session.own_leaf
    closes(w, bo)
    w.until(lambda: w.agreed([ada, cem]), KEPT + 20)
    eve = w.guest(link, "Eve", options=KEEP)
    w.until(lambda: w.agreed([ada, cem, eve]))
    assert eve.session.own_leaf == leaf
    bo = come_back(w, bo)
    people = [ada, bo, cem, eve]
    w.until(lambda: w.agreed(people), 5)
    assert bo.session.own_leaf != leaf
    assert len(back(eve, "Bo")) == 1, "who came in between judges the ticket alike"
    w.do(bo, ev.Say("hello Eve"))
    w.until(lambda: ("Bo", "hello Eve") in eve.said, 10)
    w.run(20)
    assert [p.alarms for p in people] == [[]] * 4


def test_if_somebody_has_its_name_it_reads_so_once_and_is_not_let_in() -> None:
    w = World(5605)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    link = w.link_of(ada)
    closes(w, bo)
    w.until(lambda: w.agreed([ada, cem]), KEPT + 20)
    new = w.guest(link, "Bo", options=KEEP)
    w.until(lambda: w.agreed([ada, cem, new]))
    bo = come_back(w, bo)
    w.until(lambda: bo.ended is not None, 20)
    assert bo.ended == ev.Ended("refused", sentence("refusal.name_taken"))
    assert w.agreed([ada, cem, new])
    other = w.guest(link, "Bo on the phone")
    w.until(lambda: w.agreed([ada, cem, new, other]))


def test_a_host_ends_a_way_back_and_the_refusal_is_final() -> None:
    w = World(5606)
    ada, bo, dana = w.meeting("Ada", "Bo", "Dana")
    link, away = w.link_of(ada), Offline(w)
    away.add(bo)
    removed(w, ada, dana)
    w.do(ada, ev.Withdraw("Bo"))
    w.run(2)
    for each in (ada, dana):
        assert [s.text for s in each.of(ev.Status) if s.kind == "withdrawn"] == [
            "“Ada” has ended the way back of “Bo”, removed while away: from now on they have to knock."
        ]
    away.remove(bo)
    w.until(lambda: bo.ended is not None, 30)
    assert bo.ended == ev.Ended("refused", sentence("refusal.no_member"))
    assert len(bo.of(ev.Ended)) == 1
    w.run(20)
    assert w.agreed([ada, dana])
    again = w.guest(link, "Bo")
    w.until(lambda: w.agreed([ada, dana, again]))


@pytest.mark.parametrize("who", ["member", "stranger"])
def test_only_a_host_ends_a_way_back_and_only_one_that_there_is(who: str) -> None:
    w = World(5607)
    ada, bo, dana = w.meeting("Ada", "Bo", "Dana")
    with pytest.raises(ValueError, match="host" if who == "member" else "nobody named"):
        w.do(dana if who == "member" else ada, ev.Withdraw("Bo"))
    w.run(2)
    assert w.agreed([ada, bo, dana])


def test_who_is_evicted_has_no_way_back() -> None:
    w = World(5608)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    closes(w, bo)
    w.run(10)
    w.do(ada, ev.Remove(bo.session.own_leaf or 0))
    w.until(lambda: w.agreed([ada, cem]))
    bo = come_back(w, bo)
    w.until(lambda: bo.ended is not None, 30)
    assert bo.ended == ev.Ended("refused", sentence("refusal.no_member"))
    assert w.agreed([ada, cem])


def test_after_a_second_absence_what_was_kept_at_the_first_serves_nobody() -> None:
    w = World(5609)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    closes(w, bo)
    stolen = kept_by(bo)
    assert stolen is not None
    w.until(lambda: w.agreed([ada, cem]), KEPT + 20)
    bo = come_back(w, bo)
    w.until(lambda: w.agreed([ada, bo, cem]), 5)
    w.run(20)  # with a change of its own, which every member makes after it has come in again
    closes(w, bo)
    w.until(lambda: w.agreed([ada, cem]), KEPT + 20)
    thief = w.add("thief", Session.come_back(stolen, options=KEEP, now=w.now, rng=seeded(2)))
    w.run(40)
    assert thief.roster == []
    assert w.agreed([ada, cem])
    bo = come_back(w, bo)
    w.until(lambda: w.agreed([ada, bo, cem]), 5)


def test_a_host_is_removed_for_absence_as_before() -> None:
    w = World(5610)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    deputised(w, ada, bo)
    away = Offline(w)
    away.add(ada)
    removed(w, bo, cem)
    away.remove(ada)
    w.until(lambda: ada.ended is not None, 30)
    assert ada.ended is not None
    assert ada.ended.reason == "removed"
    assert "Your link still works" in ada.ended.text


def test_while_nobody_is_there_to_let_it_in_it_waits_and_says_so() -> None:
    w = World(5611)
    ada, bo, dana = w.meeting("Ada", "Bo", "Dana")
    away = Offline(w)
    away.add(bo)
    removed(w, ada, dana)
    away.remove(bo)
    w.until(lambda: "rejoining" in bo.alarms or bo.ended is not None, 15)
    w.kill(ada)
    w.kill(dana)
    w.run(60)
    assert bo.ended is None
    first, second = [a.text for a in bo.of(ev.Alarm) if a.kind == "rejoining"]
    assert "“Ada” removed you while you were away" in first
    assert "after your absence" in second


def test_who_missed_the_comeback_of_somebody_comes_back_to_both() -> None:
    """A member that it saw go may be there again, after a removal for absence."""
    w = World(5612)
    ada, bo, cem = meeting(w, "Ada", "Bo", "Cem")
    closes(w, bo)
    w.until(lambda: w.agreed([ada, cem]), KEPT + 20)
    w.run(2)
    w.kill(cem)
    bo = come_back(w, bo)
    w.until(lambda: bo.session.own_leaf is not None, 5)
    cem = come_back(w, cem)
    w.until(lambda: w.agreed([ada, bo, cem]), 10)
