"""Clocks that jump: a machine was suspended. And clocks that are wrong: a host's, or a newcomer's."""

from __future__ import annotations

import pytest

from snugroom.client.connection import Clock
from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import Participant, World
from tests.session.signed_media import meeting, of_media

HOUR = 3600.0


def refuse_room(w: World, who: Participant) -> list[bool]:
    """The server lets nobody back into the room on new connections of `who`, until the list is cleared."""
    refusing = [True]
    connect = w._connect

    def refuse(person: Participant, endpoint: ev.Endpoint) -> None:
        if refusing and person is who and endpoint == ev.ROOM:
            w._feed(who, ev.Lost(endpoint, "refused", by_server=True))
        else:
            connect(person, endpoint)

    w._connect = refuse  # type: ignore[assignment, method-assign]
    return refusing


# -- jumps ---------------------------------------------------------------------------------------------------


def test_the_clock_follows_the_wall_clock_forward_and_never_goes_back() -> None:
    wall, monotonic = 1000.0, 50.0
    clock = Clock(lambda: wall, lambda: monotonic)
    monotonic += 5
    assert clock() == 1005, "a wall clock that is set back, or stands, changes nothing"
    wall, monotonic = 1010.5, 60.0
    assert clock() == 1010, "nor does a small difference"
    wall += HOUR
    assert clock() == 1010.5 + HOUR, "the machine was suspended"
    wall -= 2 * HOUR
    monotonic += 1
    assert clock() == 1011.5 + HOUR


@pytest.mark.parametrize("sleeper", [0, 1])
def test_a_clock_that_jumps_by_an_hour_raises_no_alarm_and_costs_no_membership(sleeper: int) -> None:
    w, media, people = meeting(51, "Ada", "Bo", "Cem")
    people[sleeper].clock += HOUR
    w.run(30)
    assert w.agreed(people)
    assert [who.alarms for who in people] == [[], [], []]
    assert all(who.ended is None for who in people)
    before = media.opened.copy()
    w.run(1)
    pairs = [(a.label, b.label) for a in people for b in people if a is not b]
    assert all(media.opened[pair] > before[pair] for pair in pairs), "sound and video go on"
    assert [of_media(who) for who in people] == [[], [], []]


def test_a_machine_that_sleeps_while_the_room_is_lost_comes_back() -> None:
    """Patience does not run while the machine sleeps: nothing was tried meanwhile."""
    w = World(52)
    people = w.meeting("Ada", "Bo", "Cem")
    bo = people[1]
    w.run(20)
    refusing = refuse_room(w, bo)
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: "dropped" in bo.alarms, 10)
    bo.clock += HOUR
    w.run(5)
    assert bo.ended is None
    refusing.clear()
    w.run(30)
    assert bo.ended is None
    assert w.agreed(people)
    assert bo.alarms == ["dropped"]


def test_a_machine_that_sleeps_before_a_drop_is_told_accuses_nobody_at_once() -> None:
    w = World(53)
    people = w.meeting("Ada", "Bo", "Cem")
    bo = people[1]
    w.run(20)
    refusing = refuse_room(w, bo)
    w.cut(bo.links[ev.ROOM])
    w.run(2.5)
    assert bo.alarms == []
    bo.clock += HOUR
    w.run(0.5)
    assert bo.alarms == [], "the probe is from before the sleep"
    refusing.clear()
    w.run(30)
    assert bo.alarms == []
    assert w.agreed(people)


# -- clocks that are wrong -----------------------------------------------------------------------------------


def of_clocks(who: Participant) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.Status) and e.kind == "clock"]


@pytest.mark.parametrize(
    ("guest", "host"),
    [(HOUR, 0.0), (-HOUR, 0.0), (0.0, HOUR), (0.0, -HOUR), (9 * HOUR, 0.0), (-9 * HOUR, 0.0)],
)
def test_a_wrong_clock_keeps_nobody_out(guest: float, host: float) -> None:
    """No decision about a card or a KeyPackage asks whose clock is right, on one day."""
    w = World(54)
    ada = w.host("Ada", clock=host)
    bo = w.guest(w.link_of(ada), "Bo", clock=host)
    w.until(lambda: w.agreed([ada, bo]))
    dana = w.guest(w.link_of(ada), "Dana", clock=guest)
    w.until(lambda: w.agreed([ada, bo, dana]), 5)
    w.run(30)
    assert [who.alarms for who in (ada, bo, dana)] == [[], [], []]


def test_a_newcomer_without_a_card_is_told_the_date_of_its_clock() -> None:
    w = World(60)
    ada = w.host("Ada")
    w.run(2)
    dana = w.guest(w.link_of(ada), "Dana", clock=48 * HOUR)
    w.run(29)
    assert of_clocks(dana) == []
    w.run(3)
    (text,) = of_clocks(dana)
    assert "by this computer's clock it is 2026-09-23 (UTC)" in text
