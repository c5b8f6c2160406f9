"""Everyday trouble: no red line on any screen, and nothing left when it is over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.lab.simulation.dishonest import spoil_path
from snugroom.lab.simulation.servers import Servers
from snugroom.lab.simulation.world import ORIGIN, Link, Participant, World
from tests.session.signed_media import Media
from tests.session.test_absence import closes

#: Seconds after which nothing of it is left on a screen.
OVER = 75.0


class Sparse(Media):
    """Few frames: enough for the members' counters."""

    SOUND_EVERY = 0.2
    VIDEO_EVERY = 0.5


def lines(who: Participant) -> list[tuple[str, str]]:
    return [(each.severity, each.kind) for each in who.incidents.open]


def calm_after(w: World, people: list[Participant]) -> None:
    """Everybody is together; soon no line is left, and none was red."""
    w.until(lambda: w.agreed(people), 60, "together again")
    for _ in range(int(OVER)):
        w.run(1)
        for who in people:
            who.incidents.tick(w.now)
    left = {who.label: lines(who) for who in people if lines(who)}
    assert left == {}
    red = [each for who in people for each in who.incidents.history if each.severity == "attack"]
    assert red == []


def talks(w: World, people: list[Participant]) -> Media:
    media = Sparse(w)
    media.join(*people)
    w.run(8)
    return media


@pytest.mark.parametrize("seed", range(2300, 2302))
def test_a_cut_of_fifteen_seconds(seed: int) -> None:
    w = Servers(seed)
    people = w.meeting("Ada", "Bo", "Cem")
    talks(w, people)
    bo = people[1]
    w.unreachable.add((bo.label, ORIGIN))
    w.cut(bo.links[ev.ROOM])
    w.run(0.5)
    assert lines(bo) == [("attention", "away")]
    w.run(14.5)
    assert lines(bo) == [("attention", "away")], "one line for one cause"
    assert {severity for who in people for severity, _ in lines(who)} <= {"calm", "attention"}
    w.unreachable.clear()
    calm_after(w, people)


@pytest.mark.parametrize("seed", range(2310, 2312))
def test_a_restart_of_the_server(seed: int) -> None:
    w = World(seed)
    people = w.meeting("Ada", "Bo", "Cem")
    talks(w, people)
    w.kill_server()
    w.run(4)
    assert [lines(who) for who in people] == [[("attention", "away")]] * 3
    w.start_server()
    calm_after(w, people)


def test_a_change_that_one_member_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(2315)
    _, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    with monkeypatch.context() as patch:
        spoil_path(patch, bo, cem)
        bo.room.queue(HealIntent(bo.epoch), w.now)
        w.do(bo, ev.Tick())
    w.until(lambda: lines(cem) == [("attention", "rejoining")], 10)
    w.until(lambda: w.agreed(people), 15)
    w.run(1)
    assert lines(cem) == [], "it is in step by another membership"
    told = [s.text.key for s in cem.of(ev.Status) if isinstance(s.text, Sentence)]
    assert told.count("status.cleared.in_step") == 1
    calm_after(w, people)


def sleeps(w: World, who: Participant, seconds: float) -> None:
    """A laptop's lid is shut: its program stands still, and the server gives the connections up."""
    who.alive = False
    links = list(who.links.values())
    for link in links:
        link.up = False
        w._after(30, partial(w._server_lost, link))
    w.run(seconds)
    who.alive = True
    for link in links:
        who.links.pop(link.endpoint, None)
        w._feed(who, ev.Lost(link.endpoint, "cut", True))


@pytest.mark.parametrize("seed", range(2320, 2322))
@pytest.mark.parametrize("asleep", ["Ada", "Bo"])
def test_two_minutes_of_sleep(seed: int, asleep: str) -> None:
    w = World(seed)
    people = w.meeting("Ada", "Bo", "Cem")
    talks(w, people)
    sleeper = next(who for who in people if who.label == asleep)
    sleeps(w, sleeper, 120)
    assert {severity for who in people for severity, _ in lines(who)} <= {"calm", "attention"}
    calm_after(w, people)


@pytest.mark.parametrize(
    ("decoded", "late", "severities"),
    [
        (0.3, 2.0, set()),  # it still shows a third of all frames: nobody is accused
        (0.3, 6.0, {"attention"}),
        (0.0, 6.0, {"attention"}),
    ],
    ids=["slow", "slower", "stopped"],
)
def test_a_starved_computer(
    decoded: float, late: float, severities: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    w = World(2330)
    people = w.meeting("Ada", "Bo", "Cem")
    media = talks(w, people)
    bo = people[1]
    deliver = w._deliver

    def read_late(link: Link, frame: bytes) -> None:
        if link.who is bo:  # it reads everything in order
            link.last_down = max(link.last_down, w.now + w.random.uniform(0, late))
        deliver(link, frame)

    monkeypatch.setattr(w, "_deliver", read_late)
    media.passes = lambda sender, receiver: receiver is not bo or w.random.random() < decoded
    seen: set[str] = set()
    for _ in range(90):
        w.run(1)
        seen |= {severity for who in people for severity, _ in lines(who)}
    assert seen - {"calm"} == severities
    monkeypatch.undo()
    media.passes = lambda sender, receiver: True
    calm_after(w, people)


@pytest.mark.parametrize("shuts", [closes, World.kill], ids=["closed", "killed"])
def test_a_tab_that_is_closed(shuts: Callable[[World, Participant], None]) -> None:
    w = World(2340)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    talks(w, people)
    shuts(w, bo)
    w.run(61)
    assert {severity for who in (ada, cem) for severity, _ in lines(who)} <= {"calm"}
    if bo.session.own_leaf in {m.leaf for m in ada.of(ev.Roster)[-1].members}:
        w.do(ada, ev.Remove(bo.session.own_leaf or 0))
    calm_after(w, [ada, cem])
