"""Clocks that jump: a machine was suspended. And clocks that are wrong: a host's, or a newcomer's."""

from __future__ import annotations

import pytest

from snugroom.client.connection import Clock
from snugroom.client.session import events as ev
from snugroom.client.session.entry import clocks
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
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


@pytest.mark.parametrize(("clock", "minutes", "how"), [(HOUR, 50, "fast"), (-HOUR, 59, "slow")])
def test_a_newcomers_wrong_clock_is_told_to_both_sides(clock: float, minutes: int, how: str) -> None:
    w = World(54)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(10)
    dana = w.guest(w.link_of(ada), "Dana", clock=clock)
    took = w.until(lambda: bool(of_clocks(dana)) and bool(of_clocks(ada)), 5)
    assert took < 5
    w.run(35)
    (text,) = of_clocks(dana)
    assert text.startswith("You can't knock yet: by this computer's clock, the host's card ")
    told = int(text.split(" min")[0].split()[-1])
    assert minutes <= told <= minutes + 9, "a lower bound: a card is up to 8 minutes old"
    assert f"This clock is {how} by that or more" in text
    (text,) = of_clocks(ada)
    assert f"can't knock: their clock is 60 min {how} by yours" in text
    assert "theirs looks wrong" in text, "Bo's clock agrees with Ada's"
    assert of_clocks(bo) == []
    assert ada.alarms == bo.alarms == []


@pytest.mark.parametrize(("clock", "how", "newcomers"), [(HOUR, "fast", "slow"), (-HOUR, "slow", "fast")])
def test_a_hosts_wrong_clock_is_told_to_both_sides(clock: float, how: str, newcomers: str) -> None:
    w = World(55)
    ada = w.host("Ada")
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: w.agreed([ada, bo]))
    w.run(10)
    ada.clock += clock
    w.run(10)
    if clock < 0:  # a session's clock never goes back, so she comes in again
        w = World(56)
        ada = w.host("Ada", clock=clock)
        bo = w.guest(w.link_of(ada), "Bo", clock=clock)
        w.until(lambda: w.agreed([ada, bo]))
        bo.clock = 0.0
        w.run(10)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: bool(of_clocks(dana)) and bool(of_clocks(ada)), 5)
    assert f"This clock is {newcomers} by that or more, or the host's is {how}" in of_clocks(dana)[0]
    (text,) = of_clocks(ada)
    assert f"this computer's clock looks wrong: it is 60 min {how} by the other members' clocks" in text


def test_with_nobody_else_in_the_room_either_clock_may_be_wrong() -> None:
    w = World(57)
    ada = w.host("Ada")
    w.run(2)
    dana = w.guest(w.link_of(ada), "Dana", clock=-HOUR)
    w.until(lambda: bool(of_clocks(dana)) and bool(of_clocks(ada)), 5)
    assert "their clock is 60 min slow by yours. One of the two is wrong" in of_clocks(ada)[0]


@pytest.mark.parametrize(
    ("apart", "others", "looks_wrong"),
    [
        (3600, [], "either"),
        (3600, [120.0, 120.0], "theirs"),
        (-3600, [1.0, -2.0, 3600.0], "theirs"),
        (3600, [3590.0, 3600.0], "ours"),
        (-3600, [-3600.0, -3600.0, 0.0], "ours"),
    ],
)
def test_the_clock_that_is_further_from_the_others_looks_wrong(
    apart: float, others: list[float], looks_wrong: str
) -> None:
    assert clocks.report(apart, others).text.key == f"status.clock.{looks_wrong}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("clock", [-280.0, 280.0])
def test_a_small_difference_is_tolerated(clock: float) -> None:
    w = World(58)
    ada = w.host("Ada")
    w.run(2)
    dana = w.guest(w.link_of(ada), "Dana", clock=clock)
    w.until(lambda: dana.session.inside, 10)
    assert of_clocks(ada) == of_clocks(dana) == []


def test_an_old_card_that_the_server_repeats_accuses_no_host() -> None:
    """The newcomer cannot tell it from a slow clock, and says so. The host knows its own cards."""
    w = World(59)
    ada = w.host("Ada")
    bo = w.guest(w.link_of(ada), "Bo")
    kept: list[wire.Posted] = []

    def keep(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Posted):
            kept.append(message)
        return True

    w.down_filter = keep
    w.until(lambda: w.agreed([ada, bo]))
    for who in (ada, bo):
        who.clock += HOUR
    w.run(5)
    w.down_filter = lambda who, message: not (who.label == "Dana" and isinstance(message, wire.Posted))
    dana = w.guest(w.link_of(ada), "Dana", clock=HOUR)
    w.run(2)
    (lobby,) = [endpoint for endpoint in dana.links if endpoint.day is not None]
    for message in kept:
        w._feed(dana, ev.Received(lobby, message))
    w.run(5)
    assert "or the server repeats an old card" in of_clocks(dana)[0]
    assert of_clocks(ada) == []


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
