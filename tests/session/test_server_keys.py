"""Heartbeats sign the key that the server shows: a server that shows two is found."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec
import pytest

from snugroom.client.session import events as ev
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.lab.simulation.liars import Liar, held_by
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant, World
from snugroom.wire import messages as wire
from tests.session.forked import texts
from tests.session.test_mirror import mirrored as in_mirror
from tests.session.test_refused_members import shown


def another_key(beat: Heartbeat) -> Heartbeat:
    return replace(beat, server=b"another1")


def severities(who: Participant) -> list[str]:
    return [line.severity for line in who.incidents.open if line.cause == "server_key"]


def words_about_keys(who: Participant, w: World) -> list[str]:
    """The sentences in a member's evidence about keys that the server has shown."""
    words = [word for exhibit in shown(who, w).exhibits for word in exhibit.last_words]
    return [word.text for word in words if word.code == "server_key"]


# -- members that lie ----------------------------------------------------------------------------------------


def test_one_members_word_about_another_key_is_hedged_told_once_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(2100)
    *honest, mallory = w.meeting("Ada", "Bo", "Cem", "Mallory")
    w.run(20)
    liar = Liar(monkeypatch, w, mallory)
    liar.lie = another_key
    for _ in range(3):
        liar.beat()
        for _ in range(80):
            w.run(0.1)
            assert not any(held_by(who, w.now) for who in honest)
        assert liar.comes_in_again()
    liar.beat()
    w.run(10)
    for who in honest:
        (told,) = texts(who, "server_key")
        assert told.startswith("\u201cMallory\u201d reports another key of this server than yours.")
        assert "or \u201cMallory\u201d's program is wrong" in told
        assert severities(who) == ["attention"]


def test_a_word_that_is_taken_back_is_no_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(2101)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    first, second = Liar(monkeypatch, w, bo), Liar(monkeypatch, w, cem)
    first.lie = another_key
    w.run(12)
    first.lie, second.lie = None, another_key
    w.run(12)
    assert len(texts(ada, "server_key")) == 1
    assert severities(ada) == ["attention"]


def test_two_members_words_are_more_and_a_third_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(2102)
    ada, *others = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(20)
    for who in others:
        Liar(monkeypatch, w, who).lie = another_key
        w.run(12)
    hedged, proven = texts(ada, "server_key")
    assert "or \u201cBo\u201d's program is wrong" in hedged
    assert proven.startswith("\u201cBo\u201d and \u201cCem\u201d have signed that this server shows them")
    assert severities(ada) == ["attack"]


# -- a server that lies --------------------------------------------------------------------------------------


class TwoKeys(World):
    """To the members in `victims`, the server shows another key than to the others, under one incarnation."""

    def __init__(self, seed: int) -> None:
        self.victims: set[str] = set()
        super().__init__(seed)

    def _deliver(self, link: Link, frame: bytes) -> None:
        message = wire.decode_server(frame)
        if link.who.label in self.victims and isinstance(message, wire.Challenge):
            frame = wire.encode(msgspec.structs.replace(message, server_key=bytes(31) + b"\1"))
        super()._deliver(link, frame)

    def meets_again(self, who: Participant) -> None:
        self.cut(who.links[ev.ROOM])
        self.run(2)
        self.until(lambda: bool(who.room.is_synced(self.now)))


def test_a_server_that_shows_a_newcomer_another_key_is_found_by_all() -> None:
    w = TwoKeys(2110)
    w.victims.add("Dana")
    ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.until(lambda: severities(dana) == ["attack"], 15)
    assert "have signed that this server shows them another key than you" in texts(dana, "server_key")[-1]
    w.run(20)
    for who in (ada, bo, cem):
        (told,) = texts(who, "server_key")
        assert told.startswith("\u201cDana\u201d reports another key"), "Dana alone says so to them"
        assert severities(who) == ["attention"]


def test_a_server_that_goes_over_to_another_key_without_a_restart_is_found_by_that_member_itself() -> None:
    w = TwoKeys(2111)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(12)
    w.victims.add("Bo")
    w.meets_again(bo)
    turned = texts(bo, "server_key")[0]
    assert turned.startswith("This server looked restarted to you, and was not")
    w.until(lambda: len(texts(bo, "server_key")) == 2, 15)
    assert texts(bo, "server_key")[1].startswith("\u201cAda\u201d has signed that this server shows them"), (
        "with what Bo has seen, the host's word is enough"
    )
    assert severities(ada) == ["attention"]


def test_a_restart_that_was_played_to_one_member_is_told_and_kept() -> None:
    w = Servers(2112)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(12)
    (key,) = {exhibit.server_key for exhibit in shown(bo, w).exhibits}
    false = w.shown[bo.label, ORIGIN] = w.new_hub()
    w.copies.append(false)
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: ev.ROOM in bo.links and bo.links[ev.ROOM].hub is false and bo.room.is_synced(w.now), 30)
    w.run(20)
    assert "server_key" not in bo.alarms, "so far, it looks like any restart"
    assert held_by(bo, w.now), "and as long as nobody answers, nothing is sent"
    del w.shown[bo.label, ORIGIN]
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: "server_key" in bo.alarms, 30)
    (told,) = texts(bo, "server_key")
    assert told.startswith("This server looked restarted to you, and was not")
    assert severities(bo) == ["attack"]
    assert key.hex() in words_about_keys(bo, w)[0]
    assert {exhibit.server_key for exhibit in shown(bo, w).exhibits} == {key, bytes(false._server_key)}
    w.run(20)
    assert not any("server_key" in who.alarms for who in (ada, cem))


def test_a_liar_beside_a_server_that_shows_two_keys_takes_nothing_from_honest_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = TwoKeys(2113)
    w.victims.add("Dana")
    ada, bo, mallory, dana = w.meeting("Ada", "Bo", "Mallory", "Dana")
    Liar(monkeypatch, w, mallory).lie = another_key
    w.run(30)
    assert severities(dana) == ["attack"], "Ada and Bo are two"
    assert severities(ada) == severities(bo) == ["attack"], "and so are Dana and the liar"


# -- and plain bad luck --------------------------------------------------------------------------------------


def test_restarts_and_lost_connections_say_nothing_of_keys() -> None:
    chance = random.Random(2120)
    w = World(2120)
    people = w.meeting("Ada", "Bo", "Cem")
    for _ in range(6):
        w.run(chance.uniform(0, 7))
        if chance.random() < 0.5:
            w.kill_server()
            w.run(chance.uniform(0, 3))
            w.start_server()
        for who in people:
            if chance.random() < 0.7 and ev.ROOM in who.links:
                w.run(chance.uniform(0, 0.1))  # between the challenge and the entry, among other moments
                w.cut(who.links[ev.ROOM])
    w.until(lambda: all(who.room.is_synced(w.now) for who in people), 60)
    w.run(20)
    assert not any("server_key" in who.alarms for who in people)
    assert not any(words_about_keys(who, w) for who in people)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_meeting_that_moves_and_comes_back_says_nothing_of_keys(mirrored: bool) -> None:
    if mirrored:
        w, people = in_mirror(2121, "Ada", "Bo", "Cem", servers=OTHERS)
    else:
        w = Servers(2121)
        people = w.meeting("Ada", "Bo", "Cem")
        listed(w, people[0], *OTHERS)
    for origin in (OTHERS[0], ORIGIN, OTHERS[1]):
        w.do(people[0], ev.Move(origin))
        w.until(lambda origin=origin: all(p.room.here.origin == origin for p in people), 30)  # type: ignore[misc]
        w.until(lambda: all(p.room.is_synced(w.now) for p in people), 30)
        w.run(15)
    w.fails(OTHERS[1])
    w.run(40)
    w.restart(OTHERS[1])
    w.run(40)
    assert not any("server_key" in who.alarms for who in people)
