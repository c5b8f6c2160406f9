"""Heartbeats raise no alarm in an honest meeting, whatever goes wrong in it."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.lab.simulation.world import World
from tests.session.forked import (
    Media,
    last_heartbeat,
    ours,
    texts,
)

# -- honest trouble --------------------------------------------------------------------------------------


def test_an_honest_meeting_has_no_alarm_and_true_heartbeats() -> None:
    w = World(1)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    w.run(120)
    assert [ours(p) for p in people] == [[]] * 4
    assert all(len(media.opened[a.label, b.label]) > 800 for a in people for b in people if a is not b)
    ada, bo = people[:2]
    beat = last_heartbeat(bo)
    assert beat.slot == bo.room.membership.journal.slot
    assert beat.chain == ada.room.membership.journal.chain
    sent = dict(beat.sent)
    got = {g.leaf: dict(g.frames) for g in last_heartbeat(ada).got}[1]
    assert sent[0] == pytest.approx(2 * sent[1])
    assert 0 <= sent[0] - got[0] <= 75, "what Ada has opened of Bo is what Bo has sent, but for one beat"
    assert beat.relay > 0


def test_heartbeats_come_at_every_interval_and_not_more_often() -> None:
    w = World(2)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(5)
    first = last_heartbeat(bo).seq
    w.run(20 * interval(2))
    assert 19 <= last_heartbeat(bo).seq - first <= 24
    assert ada.epoch == bo.epoch


def test_a_member_alone_needs_no_confirmation() -> None:
    w = World(3)
    ada = w.host("Ada")
    w.run(100)
    assert ours(ada) == []
    assert ada.room.frames.seal("audio", 0, b"x", w.now) is not None


@pytest.mark.parametrize("seed", range(6))
def test_cuts_and_dead_servers_are_no_hostile_acts(seed: int) -> None:
    w = World(10 + seed, latency=0.1)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    for _ in range(8):
        w.run(w.random.uniform(2, 12))
        if w.random.random() < 0.4:
            w.kill_server()
            w.run(w.random.uniform(0, 12))
            w.start_server()
        else:
            for who in w.random.sample(people, w.random.randint(1, 3)):
                for link in list(who.links.values()):
                    w.cut(link)
        w.do(w.random.choice(people), ev.Say("still here"))
    w.run(20)
    assert {p.label: ours(p) for p in people} == {p.label: [] for p in people}
    assert all(p.room.frames.seal("audio", 0, b"x", w.now) is not None for p in people)
    assert media.sealed_after(people[0], w.now - 5) > 25


def test_a_long_outage_pauses_without_an_alarm_and_ends_with_the_outage() -> None:
    w = World(20)
    people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    w.run(20)
    w.kill_server()
    w.run(40)
    assert media.sealed_after(people[1], w.now - 20) == 0, "nobody can say who is in the room"
    w.start_server()
    back = w.now
    w.until(lambda: all(p.room.frames.seal("audio", 0, b"x", w.now) is not None for p in people), 10)
    assert w.now - back < 6
    w.run(40)
    assert [ours(p) for p in people] == [[]] * 3


def test_a_laptop_that_was_shut_accuses_nobody_when_it_is_opened() -> None:
    w = World(24)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    for sleeper in (ada, bo):
        sleeper.alive = False
        w.run(20)
        sleeper.alive = True
        back = w.now
        w.run(0.2)
        assert sleeper.room.frames.seal("audio", 0, b"x", w.now) is None, "nobody has confirmed anything yet"
        w.until(lambda: sleeper.room.frames.seal("audio", 0, b"x", w.now) is not None, 8)
        assert w.now - back < 8
    w.run(30)
    assert [text for text in ours(ada) if "Bo" not in text] == []
    assert [text for text in ours(bo) if "Ada" not in text] == []
    assert len(texts(ada, "silent")) == len(texts(bo, "silent")) == 1, "each has missed the other, once"
    assert not texts(ada, "stale")
    assert not texts(bo, "stale"), "Ada's word still holds"


@pytest.mark.parametrize("latency", [0.5, 1.5])
def test_a_slow_network_is_no_hostile_act(latency: float) -> None:
    w = World(21, latency=latency)
    host = w.host("Ada")
    people = [host]
    for name in ("Bo", "Cem", "Dana"):
        people.append(w.guest(w.link_of(host), name))
        w.until(lambda: w.agreed(people), 60)
    Media(w, people)
    w.run(60)
    assert [ours(p) for p in people] == [[]] * 4


def test_joins_and_leaves_and_removals_are_no_hostile_acts() -> None:
    w = World(22)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, [ada, bo, cem])
    people = [ada, bo, cem]
    for at, name in enumerate(("Dana", "Eve", "Finn", "Gus")):
        w.run(7)
        people.append(w.guest(w.link_of(ada), name))
        w.until(lambda: w.agreed(people))
        media.add(people[-1])
        w.run(9)
        goes = people.pop(1)
        w.do(goes, ev.Leave() if at % 2 else ev.Say("bye"))
        if not at % 2:
            w.do(ada, ev.Remove(goes.session.own_leaf or 0))
        w.until(lambda: w.agreed(people))
    w.run(30)
    assert {p.label: ours(p) for p in w.people} == {p.label: [] for p in w.people}


def test_twenty_members_are_no_hostile_act() -> None:
    w = World(23)
    people = w.meeting(*(f"Guest {'abcdefghijklmnopqrst'[n]}" for n in range(20)))
    w.run(25)
    w.cut(people[3].links[ev.ROOM])
    w.kill_server()
    w.run(3)
    w.start_server()
    w.run(25)
    assert [ours(p) for p in people] == [[]] * 20
