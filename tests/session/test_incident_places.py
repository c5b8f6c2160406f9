"""A bad network in meetings with several servers: no red line on any screen, and nothing left afterwards.

The network to one server can fail while that to another works. What one server brings then tells nothing
about what the other withholds.
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.lab.simulation.servers import CONNECT_TIME, OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant
from snugroom.server.rooms.hub import Hub
from tests.session.test_incident_scenes import calm_after, lines, talks
from tests.session.test_mirror import mirrored

EVERYWHERE = (ORIGIN, *OTHERS)


def meeting(mirror: bool, seed: int) -> tuple[Servers, list[Participant]]:
    """Three members whose host has named two further servers."""
    if mirror:
        w, people = mirrored(seed, "Ada", "Bo", "Cem")
    else:
        w = Servers(seed)
        people = w.meeting("Ada", "Bo", "Cem")
        listed(w, people[0], *OTHERS)
        w.run(8)
    talks(w, people)
    return w, people


def changes(w: Servers, ada: Participant) -> None:
    """Something is said, and the room changes: others have what a cut member lacks."""
    w.run(0.5)
    w.do(ada, ev.Say("hello"))
    w.do(ada, ev.Lock(True))


def moves(who: Participant) -> list[tuple[str, str]]:
    """The lines about a move: the sentence, and the server that it names."""
    texts = [each.text for each in who.incidents.open if each.cause == "move"]
    return [(text.key, str(text.args["origin"])) for text in texts if isinstance(text, Sentence)]


def test_a_move_is_one_line_that_says_where_the_meeting_is() -> None:
    w, people = meeting(False, 2470)
    w.do(people[0], ev.Move(OTHERS[0]))
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}, 10)
    w.until(lambda: all(moves(who) == [("status.back.moved", OTHERS[0])] for who in people), 5)
    assert [lines(who) for who in people] == [[("calm", "back")]] * 3
    w.do(people[1], ev.ListServers())
    text = [s.text for s in people[1].of(ev.Status) if s.kind == "servers"][-1]
    assert isinstance(text, Sentence)
    assert text.args == {"origin": OTHERS[0], "servers": f"{OTHERS[1]}, {ORIGIN}"}
    calm_after(w, people)


@pytest.mark.parametrize("dead", [OTHERS, OTHERS[:1]], ids=["all", "one"])
def test_a_move_to_a_dead_server_is_not_told_for_ever(dead: Collection[str]) -> None:
    w, people = meeting(False, 2471)
    for origin in dead:
        w.fails(origin)
    w.do(people[0], ev.Move(OTHERS[0]))
    w.until(lambda: all(moves(who) == [("status.moving", OTHERS[0])] for who in people), 5)

    def told() -> bool:
        """Each reads that the meeting is where it is."""
        places = [[origin for key, origin in moves(who) if key != "status.moving"] for who in people]
        return any(w.at(at) == {"Ada", "Bo", "Cem"} and places == [[at]] * 3 for at in EVERYWHERE)

    w.until(lambda: told() and w.agreed(people), 30, "everybody knows")
    keys = {key for who in people for key, _ in moves(who)}
    assert keys <= {"status.back.stayed", "status.back.moved"}
    assert len(dead) == 1 or keys == {"status.back.stayed"}
    calm_after(w, people)


def not_red(w: Servers, people: list[Participant], seconds: float) -> None:
    for _ in range(int(seconds)):
        w.run(1)
        red = [(who.label, kind) for who in people for severity, kind in lines(who) if severity == "attack"]
        assert red == []


@pytest.mark.parametrize("mirror", [False, True], ids=["listed", "mirrored"])
@pytest.mark.parametrize("origins", [(ORIGIN,), EVERYWHERE], ids=["one", "all"])
@pytest.mark.parametrize("seconds", [3, 6, 9])
def test_a_cut_of_seconds(mirror: bool, origins: tuple[str, ...], seconds: float) -> None:
    w, people = meeting(mirror, 2401)
    bo = people[1]
    w.unreachable |= {(bo.label, origin) for origin in origins}
    for link in [*bo.links.values()]:
        if link.hub in [w.hubs[origin] for origin in origins]:
            w.cut(link)
    changes(w, people[0])
    not_red(w, people, seconds)
    w.unreachable.clear()
    not_red(w, people, 30)
    calm_after(w, people)


def stall(
    w: Servers, who: Participant, origins: Collection[str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packets between a member and these servers are lost for a while, and neither end notices it."""
    end, hubs = w.now + seconds, [w.hubs[origin] for origin in origins]
    deliver, ascend, join = w._deliver, w._ascend, w._join

    def is_stalled(link: Link) -> bool:
        return link.who is who and link.hub in hubs and w.now < end

    def down(link: Link, frame: bytes) -> None:
        if is_stalled(link):
            link.last_down = max(link.last_down, end)
        deliver(link, frame)

    def up(link: Link, frame: bytes) -> None:
        if is_stalled(link):
            link.last_up = max(link.last_up, end)
        ascend(link, frame)

    def enter(guest: Participant, endpoint: ev.Endpoint, hub: Hub) -> None:
        left, number = end - w.now, guest.tries[endpoint]

        def late() -> None:
            if guest.tries[endpoint] == number:  # it has not given this connection up
                join(guest, endpoint, hub)

        if guest is not who or hub not in hubs or left <= 0:
            join(guest, endpoint, hub)
        elif left > CONNECT_TIME:
            w._after(CONNECT_TIME, lambda: w._feed(guest, ev.Lost(endpoint, "no answer")))
        else:
            w._after(left, late)

    monkeypatch.setattr(w, "_deliver", down)
    monkeypatch.setattr(w, "_ascend", up)
    monkeypatch.setattr(w, "_join", enter)


@pytest.mark.parametrize("seed", [2404, 2406, 2411, 2417])
def test_a_way_back_from_another_server_is_no_restart(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bo was in step with nobody but itself at another server, which has another key."""
    monkeypatch.setattr(
        Servers, "TICK", 0.1
    )  # the clocks of real clients: these ways back end between two ticks
    monkeypatch.setattr(Servers, "SERVER_TICK", 0.05)
    w, people = meeting(False, seed)
    stall(w, people[1], (ORIGIN,), 9, monkeypatch)
    changes(w, people[0])
    w.run(39)
    told = [str(event.text) for event in people[1].told if isinstance(event, ev.Status)]
    assert any(f"The meeting goes on at {origin}." in told for origin in OTHERS)
    assert all("restarted" not in line for line in told)
    calm_after(w, people)


@pytest.mark.parametrize("mirror", [False, True], ids=["listed", "mirrored"])
@pytest.mark.parametrize("origins", [(ORIGIN,), EVERYWHERE], ids=["one", "all"])
@pytest.mark.parametrize("seconds", [4, 6, 9])
def test_a_network_that_stands_still(
    mirror: bool, origins: tuple[str, ...], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    w, people = meeting(mirror, 2401)
    stall(w, people[1], origins, seconds, monkeypatch)
    changes(w, people[0])
    not_red(w, people, seconds + 30)
    calm_after(w, people)
