"""Meetings at several nodes, in memory. They survive a drain, a death, a freeze and a restart of the bus."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.events import ROOM
from snugroom.lab.simulation.world import Participant
from snugroom.server.nodes.records import Connected, Place
from snugroom.server.rooms.effects import Send
from snugroom.wire import messages as wire
from tests.nodes.world import TIMING, Nodes


def texts(who: Participant) -> list[str]:
    return [text for _, text in who.said]


def together(w: Nodes, people: list[Participant]) -> bool:
    """Whether all are in one room, at one node, and in step."""
    return len({w.node_of(who) for who in people}) == 1 and all(
        who.room.sync.is_synced(w.now) for who in people
    )


def chat(w: Nodes, people: list[Participant], word: str) -> None:
    for number, who in enumerate(people):
        w.do(who, ev.Say(f"{word} {number}"))


def hears_all(people: list[Participant], *words: str) -> bool:
    """Whether each has what all others said, each of it once."""
    return all(
        sorted(texts(who))
        == sorted(f"{word} {number}" for word in words for number, by in enumerate(people) if by is not who)
        for who in people
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_people_who_come_to_different_nodes_meet_at_one(seed: int) -> None:
    w = Nodes(seed, nodes=3)
    people = w.meeting("Ada", "Bo", "Cem", "Dee")
    assert together(w, people)
    chat(w, people, "hello")
    w.until(lambda: hears_all(people, "hello"))
    assert any(isinstance(e, ev.Connect) and e.path for who in people for e in who.performed)
    assert not any(who.alarms for who in people)
    leases = {key for _, key in w.bus.records if key.startswith("place.")}
    assert len(leases) == 2  # the room, and the day's lobby


@pytest.mark.parametrize("seed", [1, 2])
def test_a_drained_nodes_meeting_goes_on_at_another_and_loses_nothing(seed: int) -> None:
    w = Nodes(seed)
    people = w.meeting("Ada", "Bo", "Cem")
    chat(w, people, "before")
    first = w.node_of(people[0])
    w.drain(first)
    chat(w, people, "during")
    took = w.until(lambda: hears_all(people, "before", "during"))
    assert together(w, people)
    assert w.node_of(people[0]) != first
    assert took < 5
    assert not any(who.alarms for who in people)


def test_a_dead_nodes_meeting_reopens_elsewhere_after_its_lease() -> None:
    w = Nodes()
    people = w.meeting("Ada", "Bo", "Cem")
    first = w.node_of(people[0])
    w.stop(first)
    chat(w, people, "during")
    took = w.until(lambda: hears_all(people, "during"), most=30)
    assert TIMING.serve < took < 2 * TIMING.lease
    assert w.node_of(people[0]) != first
    assert not any("dropped" in who.alarms for who in people)  # the dead node is no server that drops people
    w.start(first)
    w.run(2 * TIMING.lease)
    assert together(w, people)


def test_a_frozen_node_that_wakes_serves_nobody() -> None:
    w = Nodes()
    people = w.meeting("Ada", "Bo", "Cem")
    first = w.node_of(people[0])
    frozen = w.hubs[first]
    w.stop(first)
    w.until(lambda: together(w, people) and w.node_of(people[0]) == 3 - first, most=30)
    w.stopped.discard(first)
    handles = [handle for facts in frozen.rooms() for handle in facts.handles]
    for handle in handles:  # a message that waited in its socket comes before its first tick
        effects = frozen.handle(handle, wire.CatchUp(0, 0), w.now)
        assert not [e for e in effects if isinstance(e, Send) and not isinstance(e.message, wire.Left)]
    assert sum(1 for _ in frozen.rooms()) == 0
    chat(w, people, "after")
    w.until(lambda: hears_all(people, "after"))


def test_a_restart_of_the_bus_interrupts_nobody() -> None:
    w = Nodes()
    people = w.meeting("Ada", "Bo")
    first = w.node_of(people[0])
    w.bus_up = False
    w.run(0.5 * TIMING.serve)
    w.bus.restart()
    w.bus_up = True
    for hub in w.hubs.values():
        w._of(hub, hub.bus_connected(Connected(w.bus.era), w.now))
    w.run(3 * TIMING.lease)
    assert not any(status.kind == "away" for who in people for status in who.of(ev.Status))
    assert w.node_of(people[0]) == first
    assert sum(isinstance(record, Place) for record, _ in w.bus.records.values()) == 2
    chat(w, people, "after")
    w.until(lambda: hears_all(people, "after"))


def test_without_a_bus_meetings_end_before_their_lease_and_go_on_when_it_is_back() -> None:
    w = Nodes()
    people = w.meeting("Ada", "Bo")
    w.bus_up = False
    w.run(TIMING.lease)
    assert not any(w.serving().values())
    w.bus_up = True
    chat(w, people, "after")
    w.until(lambda: hears_all(people, "after"), most=30)


# -- what a client does with redirects ---------------------------------------------------------------


def moved(w: Nodes, who: Participant, path: str) -> list[ev.Effect]:
    """A new connection of this participant, on which the server answers the door with a redirect."""
    w.cut(who.links[ROOM])
    began = len(who.performed)
    w.answers = False
    w.until(lambda: ev.Connect(ROOM) in who.performed[began:])
    w.answers = True
    w._feed(who, ev.Received(ROOM, wire.Challenge(1, who.session.origin, bytes(32), bytes(32))))
    began = len(who.performed)
    w._feed(who, ev.Received(ROOM, wire.MovedTo(path)))
    return who.performed[began:]


ELSEWHERE = [
    "/n/0",
    "/n/65",
    "/n/01",
    "/n/1/",
    "/n/1\n",
    "//evil.example/n/1",
    "https://evil.example/n/1",
    "",
    "/n/१",
]


def test_a_redirect_to_anything_but_a_node_of_the_origin_is_refused_by_name() -> None:
    w = Nodes()
    ada, bo = w.meeting("Ada", "Bo")
    for path in ELSEWHERE:
        after = moved(w, ada, path)
        assert after[0] == ev.Disconnect(ROOM), path
        assert not any(isinstance(effect, ev.Connect) for effect in after), path
        assert ada.alarms.count("misdirected") == 1  # one cause, one message
        w.until(lambda: together(w, [ada, bo]))


@pytest.mark.parametrize("path", ["/n/1", "/n/64"])
def test_two_redirects_are_followed_and_the_third_counts_as_a_loss(path: str) -> None:
    w = Nodes()
    ada, bo = w.meeting("Ada", "Bo")
    assert moved(w, ada, path) == [ev.Connect(ROOM, path)]
    began = len(ada.performed)
    w._feed(ada, ev.Received(ROOM, wire.MovedTo("/n/2")))
    assert ada.performed[began:] == [ev.Connect(ROOM, "/n/2")]
    w._feed(ada, ev.Received(ROOM, wire.MovedTo("/n/1")))
    assert ada.performed[began + 1] == ev.Disconnect(ROOM)
    assert not ada.alarms
    w.until(lambda: together(w, [ada, bo]))


def test_a_redirect_has_no_effect_once_somebody_is_inside() -> None:
    w = Nodes()
    ada, _ = w.meeting("Ada", "Bo")
    began = len(ada.performed)
    w._feed(ada, ev.Received(ROOM, wire.MovedTo("/n/2")))
    assert not [effect for effect in ada.performed[began:] if isinstance(effect, ev.Connect | ev.Disconnect)]
    assert ada.room.sync.is_synced(w.now)


@pytest.mark.parametrize("known", [True, False])
def test_another_node_is_asked_for_the_room_under_the_key_of_the_policy(known: bool) -> None:
    """All meet there under the newest key. The server of before may hold the room under an older one."""
    w = Nodes()
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.do(ada, ev.Deputise(2))
    w.until(lambda: cem.session._host is not None)
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Rekeyed))
    keys = bo.room.room_admin_keys
    w.do(ada, ev.Remove(2))
    w.until(lambda: not keys.is_latest and w.agreed([ada, bo]))
    before, newest = keys.current, bo.room.membership.policy.room_admin_public
    server = bo.room.sync.connection.server_key if known else bytes(32)
    w.cut(bo.links[ROOM])
    began = len(bo.performed)
    w.answers = False
    w.until(lambda: ev.Connect(ROOM) in bo.performed[began:])
    challenge = wire.Challenge(1, bo.session.origin, bytes(32), server)
    effects = bo.session.handle(ev.Received(ROOM, challenge), w.now)
    doors = [effect.message for effect in effects if isinstance(effect, ev.Transmit)]
    assert [door.room_admin_key for door in doors if isinstance(door, wire.RoomDoor)] == [
        before if known else newest
    ]


def test_a_newcomer_hears_that_the_nodes_send_each_others_visitors_on() -> None:
    w = Nodes()
    (ada,) = w.meeting("Ada")
    w.answers = False
    cem = w.guest(w.link_of(ada), "Cem")
    (began,) = cem.performed
    assert isinstance(began, ev.Connect)
    for number in (1, 2, 1):
        w._feed(cem, ev.Received(began.endpoint, wire.MovedTo(f"/n/{number}")))
    assert "its machines send your program from one to the other" in cem.of(ev.Status)[-1].text
    w.answers = True
    w.until(lambda: bool(ada.of(ev.Knocked)))
