"""A host's choice: in a large room, all members receive the same 16 microphones."""

from __future__ import annotations

import itertools

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
from tests.session.contents import overheard

KEY = bytes(range(32))
LEAVES = {leaf: leaf == 0 for leaf in range(60)}  # the host has leaf 0


def shut() -> dict[int, Microphone]:
    return dict.fromkeys(LEAVES, Microphone(False, 0))


def without(leaf: int) -> dict[int, bool]:
    return {other: host for other, host in LEAVES.items() if other != leaf}


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
    assert audible(again, LEAVES, KEY, 1001) == audible(
        microphones, dict(reversed(LEAVES.items())), KEY, 1001
    )
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
        fewer = audible(microphones, without(7), KEY, tick)[0]
        assert len(all_of_them ^ fewer) <= 4
        assert 7 not in fewer
        more = audible(microphones, LEAVES | {60: False}, KEY, tick)[0]
        assert len(all_of_them ^ more) <= 6


def test_sixteen_open_microphones_are_heard_and_seventeen_take_turns() -> None:
    opened = {leaf: Microphone(True, 1900 + leaf) for leaf in range(17, 0, -1)}
    members, waiting = audible(shut() | opened | {4: Microphone(False, 2000)}, LEAVES, KEY, 1001)
    assert members == frozenset(opened) - {4}
    assert waiting == frozenset()
    for tick in range(1001, 1040):
        members, waiting = audible(shut() | opened, LEAVES, KEY, tick)
        assert len(members) == SLOTS
        assert members | waiting == frozenset(opened)
    # those who have left are in nobody's way
    members, waiting = audible(shut() | opened, without(1), KEY, 1001)
    assert (1 in members, 17 in members, waiting) == (False, True, frozenset())


@pytest.mark.parametrize("claimed", [0, 1, 10**9])
def test_members_that_are_there_to_be_in_the_way_hold_no_slot_for_ever(claimed: int) -> None:
    """Sixteen that were planted say that they have spoken since the beginning; five others want to speak."""
    planted = {leaf: Microphone(True, claimed) for leaf in range(10, 26)}
    honest = {leaf: Microphone(True, 1990 + leaf) for leaf in (0, 3, 40, 41, 59)}
    ticks, heard, most = range(1001, 2001), dict.fromkeys([*planted, *honest], 0), 0
    before = chosen(shut() | planted | honest, 1000)
    for tick in ticks:
        now = chosen(shut() | planted | honest, tick)
        most = max(most, len(now - before))
        for leaf in now:
            heard[leaf] += 1
        before = now
    assert heard[0] == len(ticks), "the host's is no member's to take"
    fair = (SLOTS - 1) / 20 * len(ticks)
    assert all(0.7 * fair < heard[leaf] < 1.3 * fair for leaf in heard if leaf != 0)
    assert most == 1, "at each tick, one goes and one comes"


def test_a_claim_decides_nothing_where_microphones_take_turns() -> None:
    opened = {leaf: Microphone(True, 1990) for leaf in range(1, 30)}
    for tick in range(1001, 1033):
        lies = opened | {leaf: Microphone(True, leaf * tick) for leaf in range(1, 15)}
        assert chosen(shut() | lies, tick) == chosen(shut() | opened, tick)


def test_hosts_are_heard_first_and_take_turns_among_themselves() -> None:
    opened = {leaf: Microphone(True, 1990) for leaf in range(40)}
    few, many = ({leaf: leaf < count for leaf in LEAVES} for count in (3, 20))
    seen = set[int]()
    for tick in range(1001, 1100):
        assert {0, 1, 2} <= audible(opened, few, KEY, tick)[0]
        members = audible(opened, many, KEY, tick)[0]
        assert members < set(range(20))
        seen |= members
    assert seen == set(range(20))


def test_a_microphone_that_opens_or_closes_disturbs_few_others_turns() -> None:
    opened = {leaf: Microphone(True, 1990) for leaf in range(1, 31)}
    for tick in range(1001, 1100):
        both = chosen(shut() | opened, tick), chosen(shut() | opened | {31: Microphone(True, 1990)}, tick)
        assert len(both[0] ^ both[1]) <= 2


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
    """The host is always heard, and the two others take turns."""
    meeting = Meeting(4101, "Ada", "Bo", "Cem", "Dana")
    w, (ada, bo, cem, dana) = meeting.world, meeting.people
    for p in (bo, cem):
        meeting.mic(p, True)
    w.run(3)
    assert [meeting.told(p) for p in (bo, cem)] == [["status.audible"]] * 2
    meeting.mic(ada, True)
    seen = set[int]()
    for _ in range(40):
        w.run(1)
        now = meeting.heard(dana)
        assert len(now) <= 2
        seen |= now
    assert {0, 1, 2} <= seen
    assert meeting.told(ada) == ["status.audible"]
    for p in (bo, cem):
        turns = meeting.told(p)[1:]
        assert turns[:2] == ["status.audible.waits", "status.audible.heard"], p.label
        assert all(one != other for one, other in itertools.pairwise(turns))
    waits = next(p for p in (bo, cem) if meeting.told(p)[-1] == "status.audible.waits")
    assert "more than 2 microphones are open" in [e for e in waits.told if isinstance(e, ev.Status)][-1].text
    before = meeting.told(waits)
    meeting.mic(waits, False)
    w.run(4)
    assert meeting.told(waits) == before, "who gives up is not heard"


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
    sent = overheard(bo, content.State)
    for mic, hand in ((True, False), (True, True), (False, True)):
        w.do(ada, ev.SetState(mic, False, hand=hand))
        w.run(10)
    first, second, third = (state.since for _, state in sent)
    assert 0 < first == second < third
    assert third - first >= 19
