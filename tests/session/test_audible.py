"""A host's choice: in a large room, all members receive the same 16 microphones."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.features import audible as feature
from snugroom.client.session.features.audible import SLOTS, TICK, audible
from snugroom.client.session.features.states import Microphone, States
from snugroom.client.session.features.subscriptions import Subscriptions
from snugroom.client.session.kernel import large_room
from snugroom.client.session.options import Options
from snugroom.lab.simulation.world import Link, Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.messages import decode_client

KEY = bytes(range(32))
LEAVES = range(60)


def shut() -> dict[int, Microphone]:
    return dict.fromkeys(LEAVES, Microphone(False, 0))


def chosen(microphones: dict[int, Microphone], tick: int, key: bytes = KEY) -> frozenset[int]:
    return audible(microphones, LEAVES, key, tick)[0]


# -- the set -----------------------------------------------------------------------------------


def test_the_set_has_at_most_sixteen_members_which_stay_for_half_a_minute() -> None:
    since, seen = dict.fromkeys(chosen(shut(), 1000), 1000), set[int]()
    stays: list[int] = []
    for tick in range(1001, 1300):
        now = chosen(shut(), tick)
        assert 9 <= len(now) <= SLOTS
        assert len(now - since.keys()) <= 1
        begun = [since.pop(leaf) for leaf in since.keys() - now]
        stays += [tick - at for at in begun if at > 1000]
        since |= dict.fromkeys(now - since.keys(), tick)
        seen |= now
    assert min(stays) == SLOTS
    assert len(seen) > 50, "it is everybody's turn"


def test_all_members_compute_the_same_set_and_nobody_without_the_key_does() -> None:
    microphones = shut() | {5: Microphone(True, 1990), 9: Microphone(False, 1999)}
    again = dict(reversed(microphones.items()))
    assert audible(again, LEAVES, KEY, 1001) == audible(microphones, list(LEAVES), KEY, 1001)
    assert chosen(microphones, 1001) != chosen(microphones, 1001, key=bytes(32))


def test_an_open_microphone_is_in_it_at_the_next_tick_and_stays_for_half_a_minute() -> None:
    (speaker, *_) = [leaf for leaf in LEAVES if not any(leaf in chosen(shut(), t) for t in range(990, 1060))]
    opened = shut() | {speaker: Microphone(True, 1000 * TICK + 1)}
    assert all(speaker in chosen(opened, tick) for tick in range(1001, 1060))
    closed = shut() | {speaker: Microphone(False, 1020 * TICK)}
    held = [tick for tick in range(1021, 1060) if speaker in chosen(closed, tick)]
    assert held == list(range(1021, 1021 + SLOTS))
    # a clock that is ahead keeps nobody out
    assert speaker in chosen(shut() | {speaker: Microphone(True, 10**9)}, 1001)


def test_one_who_opens_or_closes_takes_the_place_that_would_change_anyway() -> None:
    """The server sees at most one member come and one go, as at every other tick."""
    for tick in range(1001, 1200):
        before = chosen(shut(), tick - 1)
        speaker = next(leaf for leaf in LEAVES if leaf not in before)
        opened = shut() | {speaker: Microphone(True, (tick - 1) * TICK)}
        assert chosen(opened, tick) - before == {speaker}
        assert len(before - chosen(opened, tick)) <= 1
        spoke, closed = chosen(opened, tick + 4), shut() | {speaker: Microphone(False, (tick + 4) * TICK)}
        assert len(chosen(closed, tick + 5) - spoke) <= 1
        assert len(spoke - chosen(closed, tick + 5)) <= 1


def test_a_member_that_comes_or_goes_changes_little() -> None:
    microphones = shut() | {leaf: Microphone(True, 1900) for leaf in (3, 30)}
    for tick in range(1000, 1100):
        all_of_them = chosen(microphones, tick)
        fewer = audible(microphones, [leaf for leaf in LEAVES if leaf != 7], KEY, tick)[0]
        assert len(all_of_them ^ fewer) <= 4
        assert 7 not in fewer
        more = audible(microphones, range(61), KEY, tick)[0]
        assert len(all_of_them ^ more) <= 6


def test_seventeen_open_microphones_are_sixteen_and_one_that_waits() -> None:
    opened = {leaf: Microphone(True, 1900 + leaf) for leaf in range(17, 0, -1)}
    members, waiting = audible(shut() | opened, LEAVES, KEY, 1001)
    assert members == frozenset(range(1, 17))
    assert waiting == (17,)
    members, waiting = audible(shut() | opened | {4: Microphone(False, 2000)}, LEAVES, KEY, 1001)
    assert 17 in members
    assert waiting == ()
    # those who have left are in nobody's way
    members, waiting = audible(shut() | opened, [leaf for leaf in LEAVES if leaf != 1], KEY, 1001)
    assert (1 in members, 17 in members, waiting) == (False, True, ())


# -- in a meeting --------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four members are a large room, of whom two can be heard."""
    monkeypatch.setattr(large_room, "LARGE_LEAF", 3)
    monkeypatch.setattr(large_room, "LARGE_MEMBERS", 3)
    monkeypatch.setattr(feature, "SLOTS", 2)


class Meeting:
    """A host and guests, each with a microphone (SSRC 10 for leaf 0, 20 for leaf 1) and a camera (11)."""

    def __init__(self, seed: int, *names: str, sixteen: bool = True) -> None:
        self.world = w = World(seed)
        self.asked: dict[str, list[int] | None] = {}
        real = w._ascend

        def ascend(link: Link, frame: bytes) -> None:
            message = decode_client(frame)
            if isinstance(message, wire.Subscribe):
                self.asked[link.who.label] = message.ssrcs
            real(link, frame)

        w._ascend = ascend  # type: ignore[method-assign]
        self.people = [w.host(names[0], options=Options(sixteen=sixteen))]
        for name in names[1:]:
            self.join(name)
        self.publish(self.people[0])
        w.run(3)

    def join(self, name: str) -> Participant:
        guest = self.world.guest(self.world.link_of(self.people[0]), name)
        self.people.append(guest)
        self.world.until(lambda: self.world.agreed(self.people))
        self.publish(guest)
        return guest

    def publish(self, who: Participant) -> None:
        ssrc = 10 * (who.session.own_leaf or 0) + 10
        media = ev.Publish("ufrag", "p" * 22, bytes(32), ((ssrc, "audio", 0), (ssrc + 1, "video", 1)))
        self.world.do(who, media)

    def mic(self, who: Participant, is_open: bool) -> None:
        self.world.do(who, ev.SetState(is_open, False))

    def heard(self, who: Participant) -> set[int]:
        """The leaves whose sound this member has asked for."""
        asked = self.asked.get(who.label)
        assert asked is not None
        videos = {10 * (p.session.own_leaf or 0) + 11 for p in self.people if p is not who}
        assert videos <= set(asked), "videos are not limited"
        return {ssrc // 10 - 1 for ssrc in asked if ssrc % 10 == 0}

    def told(self, who: Participant) -> list[str]:
        return [
            e.text.key
            for e in who.told
            if isinstance(e, ev.Status) and e.kind == "audible" and isinstance(e.text, Sentence)
        ]


@pytest.mark.usefixtures("small")
def test_members_of_a_large_room_ask_for_the_same_microphones() -> None:
    meeting = Meeting(4100, "Ada", "Bo", "Cem")
    w, (ada, bo, cem) = meeting.world, meeting.people
    assert all(asked is None for asked in meeting.asked.values()), "three are no large room"
    assert meeting.told(ada) == []
    dana = meeting.join("Dana")
    w.run(5)
    assert [meeting.told(p) for p in meeting.people] == [["status.audible"]] * 4
    for p in (bo, cem):
        meeting.mic(p, True)
    w.run(5)
    assert meeting.heard(ada) == meeting.heard(dana) == {1, 2}
    assert (meeting.heard(bo), meeting.heard(cem)) == ({2}, {1})
    assert not any(p.room.feature(Subscriptions).subscribes_to_all for p in meeting.people)
    w.do(dana, ev.Leave())
    meeting.people.remove(dana)
    w.until(lambda: w.agreed(meeting.people))
    w.run(3)
    assert [meeting.asked[p.label] for p in meeting.people] == [None] * 3
    assert all(p.room.feature(Subscriptions).subscribes_to_all for p in meeting.people)
    assert [meeting.told(p) for p in meeting.people] == [["status.audible", "status.audible.all"]] * 3
    assert [p.alarms for p in meeting.people] == [[]] * 3


@pytest.mark.usefixtures("small")
def test_one_who_waits_is_told_why_and_when_it_is_over() -> None:
    meeting = Meeting(4101, "Ada", "Bo", "Cem", "Dana")
    w, (ada, bo, cem, dana) = meeting.world, meeting.people
    for p in (ada, bo, cem):
        meeting.mic(p, True)
        w.run(3)
    assert meeting.told(ada) == meeting.told(bo) == ["status.audible"]
    assert meeting.told(cem) == ["status.audible", "status.audible.waits"]
    assert "number 1 of those who wait" in [e for e in cem.told if isinstance(e, ev.Status)][-1].text
    assert meeting.heard(dana) == {0, 1}
    meeting.mic(ada, False)
    w.run(4)
    assert meeting.told(cem)[2:] == ["status.audible.heard"]
    assert meeting.heard(dana) == {1, 2}
    meeting.mic(ada, True)
    w.run(4)
    assert meeting.told(ada)[1:] == ["status.audible.waits"]
    meeting.mic(ada, False)
    w.run(4)
    assert meeting.told(ada)[2:] == [], "who gives up is not heard"


@pytest.mark.usefixtures("small")
def test_a_newcomer_computes_what_the_others_do() -> None:
    meeting = Meeting(4102, "Ada", "Bo", "Cem", "Dana")
    w, people = meeting.world, meeting.people
    for p in (people[2], people[1]):
        meeting.mic(p, True)
        w.run(3)
    finn = meeting.join("Finn")
    w.run(5)
    assert meeting.heard(finn) == meeting.heard(people[0]) == {1, 2}
    states = [p.room.feature(States).microphones() for p in (finn, people[0])]
    assert states[0][1] == states[1][1]
    assert states[0][1].since > states[0][2].since > 0


@pytest.mark.usefixtures("small")
def test_a_person_s_choice_of_videos_stays() -> None:
    meeting = Meeting(4103, "Ada", "Bo", "Cem", "Dana")
    w, (ada, bo, cem, _) = meeting.world, meeting.people
    meeting.mic(bo, True)
    meeting.mic(cem, True)
    w.do(ada, ev.SelectStreams((20, 30, 40, 31)))
    w.run(5)
    assert meeting.asked["Ada"] == [20, 30, 31], "the sound of two, and one video"
    assert ada.room.feature(Subscriptions).subscribed(3) == frozenset()
    assert ada.room.feature(Subscriptions).subscribed(2) == {0, 1}
    assert not ada.room.feature(Subscriptions).subscribes_to_all


@pytest.mark.usefixtures("small")
def test_without_the_host_s_choice_all_is_forwarded() -> None:
    meeting = Meeting(4104, "Ada", "Bo", "Cem", "Dana", sixteen=False)
    meeting.mic(meeting.people[1], True)
    meeting.world.run(5)
    assert all(asked is None for asked in meeting.asked.values())
    assert [meeting.told(p) for p in meeting.people] == [[]] * 4


def test_a_state_says_when_the_microphone_was_turned_on_or_off() -> None:
    w = World(4105)
    ada, bo = w.meeting("Ada", "Bo")
    sent: list[content.State] = []
    real = bo.room.feature(States).content_received

    def received(message: object, what: object, now: float) -> bool:
        if isinstance(what, content.State):
            sent.append(what)
        return bool(real(message, what, now))

    bo.room.feature(States).content_received = received
    for mic, hand in ((True, False), (True, True), (False, True)):
        w.do(ada, ev.SetState(mic, False, hand=hand))
        w.run(10)
    first, second, third = (state.since for state in sent)
    assert 0 < first == second < third
    assert third - first >= 19
