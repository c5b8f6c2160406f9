"""Too few are left to speak: a host's program goes on without the silent, who come back by themselves."""

from __future__ import annotations

from dataclasses import replace

from snugroom.client.session import events as ev
from snugroom.client.session.features.silent_majority import AGAIN, PATIENCE
from snugroom.client.session.monitor.freshness import FRESH
from snugroom.lab.simulation.liars import held_by
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.session.forked import signed_by
from tests.session.hosts import deputised
from tests.session.test_comeback import KEEP, come_back, meeting


def without(who: Participant) -> list[str]:
    """Return what somebody was told about going on without others."""
    return [e.text for e in who.of(ev.Status) if e.kind == "going_on_without"]


def test_two_survivors_of_four_go_on_and_the_others_come_back_without_a_question() -> None:
    w = World(2300)
    ada, bo, cem, dana = meeting(w, "Ada", "Bo", "Cem", "Dana")
    w.run(10)
    for who in (cem, dana):
        w.kill(who)
    w.until(lambda: held_by(bo, w.now) != "", FRESH[0] + 1)
    took = w.until(lambda: without(ada) != [], PATIENCE + 5)
    assert [line.kind for line in ada.incidents.shown] == ["going_on_without"], "the pause has one line"
    took += w.until(lambda: held_by(ada, w.now) == held_by(bo, w.now) == "", 5)
    assert took < PATIENCE + 5
    assert len(ada.roster) == 3, "one is enough: two of three are more than half"
    assert len(without(ada)) == 1
    assert without(bo) == []
    w.run(60)
    assert [p.incidents.open for p in (ada, bo)] == [[]] * 2 or len(ada.roster) == 3
    knocks = len(ada.of(ev.Knocked))
    cem, dana = come_back(w, cem), come_back(w, dana)
    w.until(lambda: w.agreed([ada, bo, cem, dana]), 20)
    assert len(ada.of(ev.Knocked)) == knocks, "nobody is asked"
    w.do(cem, ev.Say("here again"))
    w.until(lambda: all(("Cem", "here again") in p.said for p in (ada, bo, dana)), 10)


def test_a_program_does_it_once_in_ten_minutes_for_each_member() -> None:
    """An operator that makes people silent has no see-saw."""
    w = World(2301)
    ada, _bo, cem, dana = people = meeting(w, "Ada", "Bo", "Cem", "Dana")
    deputised(w, ada, dana)
    w.run(10)
    w.kill(cem)
    w.kill(dana)  # a host: no program takes it off the list by itself
    w.until(lambda: len(ada.roster) == 3, 60)
    done = w.now
    people[2] = cem = come_back(w, cem)
    w.until(lambda: len(ada.roster) == 4, 20)
    w.run(20)
    w.kill(cem)
    w.until(lambda: held_by(ada, w.now) != "", 40)
    w.run(AGAIN - (w.now - done) - 30)
    assert held_by(ada, w.now) != ""
    assert len(without(ada)) == 1
    w.until(lambda: held_by(ada, w.now) == "", 60)
    assert len(without(ada)) == 2


def test_a_host_that_is_alone_removes_nobody() -> None:
    """It may be cut off itself, and the others are elsewhere."""
    w = World(2302)
    ada, *others = meeting(w, "Ada", "Bo", "Cem", "Dana")
    w.run(10)
    for who in others:
        w.kill(who)
    w.run(3 * PATIENCE + FRESH[0])
    assert without(ada) == []
    assert len(ada.roster) == 4


def test_whoever_is_heard_again_gives_the_next_ones_time() -> None:
    w = World(2303)
    ada, bo, cem, *others = people = meeting(w, "Ada", "Bo", "Cem", "Dana", "Eve", "Fay", "Gil")
    w.run(10)
    silent = {who.room.membership.own_leaf for who in people[2:]}

    def arrives(who: Participant, message: object) -> bool:
        return not isinstance(message, wire.Broadcasted) or signed_by(who, message.blob) not in silent

    w.down_filter = arrives
    w.run(FRESH[0] + PATIENCE - 6)
    assert without(ada) == []
    silent.remove(cem.room.membership.own_leaf)
    w.run(PATIENCE - 2)
    assert held_by(bo, w.now) != "", "three of seven are too few"
    assert without(ada) == []
    w.until(lambda: without(ada) != [], 12)
    names = [other.room.membership.name(other.room.membership.own_leaf) for other in others]
    assert sum(name in without(ada)[0] for name in names) == 2, "five are left, and three of them are heard"


def test_a_host_can_choose_to_wait() -> None:
    w = World(2305)
    ada = w.host("Ada", options=replace(KEEP, waits_for_silent=True))
    people = [ada]
    for name in ("Bo", "Cem", "Dana"):
        people.append(w.guest(w.link_of(ada), name))
        w.until(lambda: w.agreed(people))
    w.run(10)
    for who in people[2:]:
        w.kill(who)
    w.run(120)
    assert without(ada) == []
    assert held_by(ada, w.now) != ""


def test_only_a_host_does_it() -> None:
    w = World(2304)
    ada, bo, *others = meeting(w, "Ada", "Bo", "Cem", "Dana", "Eve")
    w.run(10)
    for who in (ada, *others[1:]):
        w.kill(who)
    w.run(120)
    assert without(bo) == without(others[0]) == []
    assert len(bo.roster) == 5
