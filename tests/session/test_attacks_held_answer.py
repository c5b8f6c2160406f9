"""A join answer that the server holds back leads into the room as it was then: nothing is said there."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.features import absence, commit_rota
from snugroom.lab.simulation.world import Participant, World, heal
from snugroom.wire import messages as wire
from snugroom.wire.messages import encode
from tests.session.forked import Forked, Media, texts

HALF_AN_HOUR = 1800.0


class HeldAnswer(Forked):
    """Dan's answer is held back; Mallory, evicted meanwhile, has him for herself in the room as it was."""

    def hold(self) -> tuple[Participant, Participant, Participant, Participant]:
        ada, bo, mallory = self.meeting("Ada", "Bo", "Mallory")
        self.run(6)
        self.answers: list[wire.Posted] = []
        self.beats: list[wire.Broadcasted] = []
        dan = self.guest(self.link_of(ada), "Dan")

        def keep(who: Participant, message: object) -> bool:
            if who is mallory and isinstance(message, wire.Broadcasted) and "Dan" in mallory.roster:
                self.beats.append(message)
            if who is dan and isinstance(message, wire.Posted) and "Dan" in ada.roster:
                self.answers.append(message)
                return False
            return True

        self.down_filter = keep
        self.until(lambda: bool(self.answers) and "Dan" in mallory.roster and "Dan" in bo.roster)
        self.run(7)  # heartbeats of everybody in the epoch of the answer
        assert self.beats
        self.fork([dan, mallory])
        self.do(ada, ev.Remove(mallory.room.membership.own_leaf))
        self.until(lambda: "Mallory" not in [*ada.roster, *bo.roster])
        return ada, bo, mallory, dan

    def yield_answer(self, dan: Participant) -> None:
        self.down_filter = lambda who, message: True
        for answer in self.answers[:4]:
            self.send(dan, answer)
        self.until(lambda: dan.session.inside, 5)

    def send(self, who: Participant, message: wire.ServerMessage) -> None:
        for endpoint, link in list(who.links.items()):
            if (endpoint.day is None) != isinstance(message, wire.Posted):
                self._deliver(link, encode(message))

    def _connect(self, who: Participant, endpoint: ev.Endpoint) -> None:
        real, self.hub = self.hub, self._serves(who)
        try:
            super()._connect(who, endpoint)
        finally:
            self.hub = real

    def reunite(self, *people: Participant) -> None:
        """The server stops: everybody is in the one room again."""
        self.other = None
        for who in people:
            for link in list(who.links.values()):
                self.cut(link)


def test_a_held_answer_does_not_have_a_newcomer_talk_to_who_was_evicted_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commit_rota, "HEAL_ROUND", 1e6)  # Mallory makes no commit of her own
    monkeypatch.setattr(absence, "UNHEARD", 1e6)  # Ada's program keeps Dan
    w = HeldAnswer(470)
    ada, bo, mallory, dan = w.hold()
    w.now += HALF_AN_HOUR - 10
    w.run(10)
    w.yield_answer(dan)
    w.until(lambda: dan.room.is_synced(w.now), 5)
    media = Media(w, [dan, mallory])
    w.do(dan, ev.Say("to everybody"))
    began = w.now
    for _ in range(12):
        for beat in w.beats:  # what Ada and Bo signed in that epoch, half an hour ago
            w.send(dan, beat)
        w.run(2.5)
    assert "Mallory" in dan.roster, "the server shows Dan the room as it was"
    assert ("Dan", "to everybody") not in mallory.said
    assert ("Dan", "Mallory") not in media.opened
    assert dan.room.frames.seal("audio", 0, b"x", w.now) is None
    assert w.now - began > 25
    (told,) = texts(dan, "stale")
    assert "30 minutes" in told
    assert "Ada" in told
    w.reunite(dan, mallory)
    w.until(lambda: w.agreed([ada, bo, dan]), 30)
    w.until(lambda: all(("Dan", "to everybody") in p.said for p in (ada, bo)), 10)
    assert ("Dan", "to everybody") not in mallory.said
    assert texts(dan, "cleared") != []


def test_the_newcomer_is_told_within_nine_seconds() -> None:
    w = HeldAnswer(471)
    *_, dan = w.hold()
    w.run(90)
    w.yield_answer(dan)
    w.until(lambda: dan.room.is_synced(w.now), 5)
    assert w.until(lambda: "stale" in dan.alarms, 12) < 9
    assert "2 minutes" in texts(dan, "stale")[0]


def test_the_person_can_decide_otherwise() -> None:
    w = HeldAnswer(472)
    *_, mallory, dan = w.hold()
    w.run(2)
    w.yield_answer(dan)
    w.do(dan, ev.Say("whoever is there"))
    w.until(lambda: "stale" in dan.alarms, 20)
    assert "not answered your program since you came in" in texts(dan, "stale")[0]
    assert mallory.said == []
    w.do(dan, ev.Override())
    w.until(lambda: ("Dan", "whoever is there") in mallory.said, 5)
    assert dan.room.frames.seal("audio", 0, b"x", w.now) is not None


# -- honest servers ----------------------------------------------------------------------------------


def test_a_newcomer_speaks_within_two_seconds() -> None:
    w = World(473)
    people = w.meeting("Ada", "Bo", "Cem")
    dan = w.guest(w.link_of(people[0]), "Dan")
    w.until(lambda: dan.session.inside)
    w.do(dan, ev.Say("hello"))
    assert w.until(lambda: all(("Dan", "hello") in p.said for p in people), 5) < 2
    assert dan.room.frames.seal("audio", 0, b"x", w.now) is not None
    w.run(20)
    assert dan.alarms == []


def test_a_newcomer_on_a_slow_network_is_told_nothing() -> None:
    w = World(474, latency=1.5)
    ada, bo = w.meeting("Ada", "Bo")
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: cem.session.inside, 30)
    w.do(cem, ev.Say("hello"))
    w.until(lambda: all(("Cem", "hello") in p.said for p in (ada, bo)), 20)
    w.run(30)
    assert cem.alarms == []


def test_a_newcomer_in_a_room_that_its_only_host_leaves_at_once_may_speak() -> None:
    """Then more than half of all members decide."""
    w = World(475)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(5)
    dan = w.guest(w.link_of(ada), "Dan")
    w.until(lambda: dan.session.inside)
    w.do(ada, ev.Leave())
    w.do(dan, ev.Say("hello"))
    w.until(lambda: all(("Dan", "hello") in p.said for p in (bo, cem)), 30)


def test_a_member_that_came_back_says_nothing_until_a_host_has_answered() -> None:
    """The member that let it in again may have been evicted: see the test of the fork."""
    w = World(476)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    bo.room.needs_rejoin = True
    w.until(lambda: bo.session._guest is None and not bo.room.needs_rejoin, 30)
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Broadcasted))
    w.do(bo, ev.Say("am I heard?"))
    w.run(5)
    assert ada.said == cem.said == []
    w.down_filter = lambda who, message: True
    w.until(lambda: all(("Bo", "am I heard?") in p.said for p in (ada, cem)), 10)
    heal(w, bo)
    w.until(lambda: w.agreed(people))
