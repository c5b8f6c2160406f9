"""Heartbeats show a rewritten order, messages that are held back, and another life of the room."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.session.forked import (
    ours,
    texts,
)


def test_rewritten_order_is_seen_by_everybody() -> None:
    w = World(60)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    held: list[wire.Relayed] = []

    def swap(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Relayed) and len(held) < 2:
            held.append(message)
            if len(held) == 2:
                one, two = held
                for relay, blob in ((one.relay, two.blob), (two.relay, one.blob)):
                    w._deliver(bo.links[ev.ROOM], wire.encode(wire.Relayed(relay, blob)))
            return False
        return True

    w.down_filter = swap
    w.do(ada, ev.Say("yes"))
    w.run(0.5)
    w.do(cem, ev.Say("no"))
    w.until(lambda: len(held) == 2)
    began = w.now
    w.until(lambda: all(texts(p, "reordered") for p in people), 20)
    assert w.now - began < 11
    (told,) = texts(ada, "reordered")
    assert "\u201cBo\u201d reports other messages" in told
    assert "or \u201cBo\u201d's program is wrong; a host can remove it" in told
    w.until(lambda: "have signed that they were given other messages" in texts(bo, "reordered")[-1], 10)
    w.run(60)
    assert all(len(texts(p, "reordered")) <= 2 for p in people)


def test_messages_that_are_withheld_are_missed() -> None:
    w = World(65)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Relayed))
    w.do(ada, ev.Say("can you hear me?"))
    began = w.now
    w.until(lambda: bool(texts(bo, "reordered")), 20)
    assert w.now - began < 17
    w.until(lambda: "that server withholds them, unless they all lie" in texts(bo, "reordered")[-1], 10)
    # Ada and Cem may have said so before the first is told
    assert all("reports messages that have not arrived here" in text for text in texts(bo, "reordered")[:-1])
    assert len(texts(bo, "reordered")) <= 2
    assert not ours(ada)
    assert not ours(cem)


def test_two_messages_under_one_number_are_seen_at_once() -> None:
    w = World(62)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    w.run(20)

    def twice(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Relayed):
            w._deliver(bo.links[ev.ROOM], wire.encode(wire.Relayed(message.relay, w.rng(512))))
        return True

    w.down_filter = twice
    w.do(ada, ev.Say("yes"))
    w.until(lambda: bool(texts(bo, "reordered")), 2)


def test_a_server_that_claims_another_life_to_one_member_is_seen() -> None:
    w = World(63)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    w.run(20)

    def lie(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Entered) and message.incarnation != b"another1":
            forged = wire.Entered(message.handle, b"another1", message.slot, message.chain, message.handles)
            w._deliver(bo.links[ev.ROOM], wire.encode(forged))
            return False
        return not (who is bo and isinstance(message, wire.Relayed))  # so that Bo has no windows to compare

    w.down_filter = lie
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: bool(texts(ada, "reordered")) and bool(texts(bo, "reordered")), 9)


def test_a_room_that_all_had_left_counts_anew_without_an_alarm() -> None:
    w = World(64)
    ada, _, _ = people = w.meeting("Ada", "Bo", "Cem")
    for n in range(10):
        w.do(ada, ev.Say(f"{n}"))
    w.run(10)
    w._connect = lambda who, endpoint: w._feed(who, ev.Lost(endpoint, "no way"))  # type: ignore[method-assign]
    for who in people:
        for link in list(who.links.values()):
            w.cut(link)
    w.run(40)  # the server lives, and forgets the room
    del w._connect
    w.until(lambda: all(p.room.is_synced(w.now) for p in people), 10)
    for n in range(12):
        w.do(w.random.choice(people), ev.Say(f"again {n}"))
        w.run(4)
    assert [ours(p) for p in people] == [[]] * 3
