"""What beats show: every act of a hostile server that they are there for, and honest trouble that is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.crypto.agreed.heartbeat import Got
from snugroom.server.wire import messages as wire
from snugroom.server.wire.messages import decode_client
from tests.session.hostile import (
    Forked,
    Media,
    heal,
    last_beat,
    last_digest,
    monitor,
    ours,
    send_beat,
    signed_by,
    texts,
)
from tests.session.world import Link, Participant, World

# -- honest trouble --------------------------------------------------------------------------------------


def test_an_honest_meeting_has_no_alarm_and_all_that_is_said_of_it_is_so() -> None:
    w = World(1)
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    w.run(120)
    assert [ours(p) for p in people] == [[]] * 4
    assert all(len(media.opened[a.label, b.label]) > 800 for a in people for b in people if a is not b)
    ada, bo = people[:2]
    beat = last_beat(bo)
    assert beat.slot == bo.room.m.journal.slot
    assert beat.chain == ada.room.m.journal.chain
    sent = dict(beat.sent)
    got = {g.leaf: dict(g.frames) for g in last_beat(ada).got}[1]
    assert sent[0] == pytest.approx(2 * sent[1])
    assert 0 <= sent[0] - got[0] <= 75, "what Ada has opened of Bo is what Bo has sent, but for one beat"
    assert beat.relay > 0


def test_beats_come_every_five_seconds_and_not_more_often() -> None:
    w = World(2)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(5)
    first = last_beat(bo).seq
    w.run(100)
    assert 19 <= last_beat(bo).seq - first <= 24
    assert ada.epoch == bo.epoch


def test_alone_nothing_is_asked_of_anybody() -> None:
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
    assert len(texts(bo, "stale")) == 1, "Ada is the only host"
    assert not texts(ada, "stale")


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


# -- forks and withheld changes --------------------------------------------------------------------------


def test_a_partition_is_told_by_who_signed_the_other_story() -> None:
    w = Forked(30)
    ada, _, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    Media(w, people)
    w.run(10)
    w.fork([cem, dana])
    w.bridged = True
    forked = w.now
    heal(w, ada)
    heal(w, cem)
    w.until(lambda: all(texts(p, "two_stories") for p in people), 12)
    assert w.now - forked < 8
    assert "Cem" in texts(ada, "two_stories")[0] or "Dana" in texts(ada, "two_stories")[0]
    assert "Ada" in texts(dana, "two_stories")[0] or "Bo" in texts(dana, "two_stories")[0]
    w.run(60)
    assert all(len(texts(p, "two_stories")) <= 2 for p in people), (
        "told once, and once more with two reporters"
    )


def test_a_silent_partition_silences_the_side_without_a_host_and_both_halves() -> None:
    w = Forked(31)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    w.run(20)
    w.fork([cem, dana])
    forked = w.now
    w.until(lambda: bool(texts(cem, "stale")), 20)
    assert w.now - forked < 16
    w.until(lambda: all(texts(p, "stale") for p in people), 5)
    assert "No host has been heard" in texts(cem, "stale")[0]
    assert "Ada" in texts(cem, "stale")[0]
    assert "No host" not in texts(bo, "stale")[0]
    w.run(60)
    assert all(media.sealed_after(p, forked + 16) == 0 for p in people)
    assert texts(ada, "silent")
    assert all(len(texts(p, "stale")) == 1 for p in people)


def test_of_two_sides_the_larger_one_with_the_host_goes_on() -> None:
    w = Forked(32)
    *many, eve = people = w.meeting("Ada", "Bo", "Cem", "Dana", "Eve")
    media = Media(w, people)
    w.run(20)
    w.fork([eve])
    w.run(40)
    assert all(media.sealed_after(p, w.now - 5) > 25 for p in many)
    assert media.sealed_after(eve, w.now - 20) == 0
    assert not texts(many[1], "stale")
    assert texts(eve, "stale")


def test_a_withheld_change_stops_media_at_once_and_is_told() -> None:
    w = World(33)
    ada, bo, _ = people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    w.run(20)
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Committed))
    heal(w, ada)
    began = w.now
    w.until(lambda: bool(texts(bo, "withheld")), 10)
    assert w.now - began < 6
    assert "Ada" in texts(bo, "withheld")[0] or "Cem" in texts(bo, "withheld")[0]
    assert media.sealed_after(bo, began + 1.5) == 0
    assert not ours(ada)
    w.run(5)
    w.down_filter = lambda who, message: True
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: bool(texts(bo, "cleared")), 10)
    w.until(lambda: bo.room.frames.seal("audio", 0, b"x", w.now) is not None, 5)
    assert len(texts(bo, "withheld")) == 1


def test_a_change_that_the_server_owns_up_to_and_does_not_hand_over() -> None:
    w = World(34)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(10)
    w.down_filter = lambda who, message: (
        not (who is bo and isinstance(message, wire.Committed | wire.CaughtUp | wire.Broadcasted))
    )
    heal(w, ada)
    w.run(1)
    # the next connection says where the room is, and hands nothing over
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: bool(texts(bo, "withheld")), 10)
    assert "the server itself" in texts(bo, "withheld")[0]
    assert bo.room.frames.seal("audio", 0, b"x", w.now) is None
    assert cem.alarms == []


@pytest.mark.parametrize("beats_too", [False, True], ids=["the change alone", "beats as well"])
def test_a_withheld_removal_leaves_the_evicted_listening_for_seconds(beats_too: bool) -> None:
    w = World(35)
    ada, bo, cem, _ = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    w.run(30)
    conspiring = (bo, cem)  # the server tells neither Bo, whom it wants to hear, nor Cem, who listens

    def withhold(who: Participant, message: object) -> bool:
        if who not in conspiring:
            return True
        if isinstance(message, wire.Broadcasted) and beats_too:
            return signed_by(bo, message.blob) in (1, 2)  # it lets them hear each other
        return not isinstance(message, wire.Committed)

    w.down_filter = withhold
    w.do(ada, ev.Remove(2))
    removed = w.now
    w.until(lambda: "Cem" not in ada.roster)
    if beats_too:
        w.until(lambda: bool(texts(bo, "stale")), 20)
        assert w.now - removed < 16
        assert "No host has been heard" in texts(bo, "stale")[0]
    else:
        w.until(lambda: bool(texts(bo, "withheld")), 20)
        assert w.now - removed < 6
    heard = media.opened["Bo", "Cem"]
    w.run(12)
    if beats_too:  # else Bo finds its way back sooner
        assert "1 of 2: not Bo" in texts(ada, "removal_reach")[0]
    w.run(40)
    limit = removed + (15.5 if beats_too else 1.5)
    if beats_too:
        assert media.sealed_after(bo, limit) == 0, "no frame is sealed under keys that the evicted has"
    assert len(heard) > 150
    assert max(heard) <= limit, "Bo may be back in the room by now, and Cem is not"


def test_a_removal_that_reached_everybody_is_told_to_the_host() -> None:
    w = World(36)
    ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.do(ada, ev.Remove(2))
    took = w.until(lambda: bool(texts(ada, "removal_reach")), 5)
    assert took < 3
    assert "of Cem has reached everybody (2 of 2)" in texts(ada, "removal_reach")[0]
    assert not texts(bo, "removal_reach")
    w.do(dana, ev.Leave())
    w.run(20)
    assert len(texts(ada, "removal_reach")) == 1, "who leaves is nobody's removal"
    assert cem.ended is not None


def test_beats_that_are_held_back_do_not_pass_for_fresh() -> None:
    w = World(37)
    _, bo, _ = people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    w.run(20)

    def delay(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Broadcasted):
            w._after(40, lambda: w._feed(bo, ev.Received(ev.ROOM, message)))
            return False
        return True

    w.down_filter = delay
    began = w.now
    w.run(100)
    assert texts(bo, "stale")
    assert media.sealed_after(bo, began + 26) == 0
    w.down_filter = lambda who, message: True
    w.until(lambda: sentences.FRESH_AGAIN in texts(bo, "cleared"), 12)
    w.until(lambda: media.sealed_after(bo, w.now - 1) > 5, 3)


def test_a_beat_of_another_group_state_at_our_own_slot_is_not_fresh() -> None:
    w = World(41)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(12)
    bo.alive = False
    beat = replace(last_beat(bo), got=(Got(0, 2**31, ()),))  # it acknowledges all that Ada ever sends
    for _ in range(6):
        beat = replace(beat, seq=beat.seq + 1, prev=last_digest(monitor(ada), 1), authenticator=bytes(32))
        send_beat(w, bo, beat)
        w.run(5)
    assert texts(ada, "stale")
    assert not texts(ada, "silent")


def test_a_liar_does_not_cover_up_what_is_true() -> None:
    w = World(40)
    _, bo, cem, _ = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(12)
    beat = last_beat(cem)
    send_beat(w, cem, replace(beat, seq=beat.seq + 1, prev=beat.digest, slot=beat.slot + 9, chain=bytes(32)))
    cem.alive = False
    w.until(lambda: bool(texts(bo, "withheld")), 5)
    w.run(14)
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Committed))
    heal(w, people[0])
    w.until(lambda: len(texts(bo, "withheld")) == 2, 10)
    assert "Ada" in texts(bo, "withheld")[1]


def test_a_member_who_invents_a_later_change_is_named_and_stops_nobody_for_long() -> None:
    w = World(38)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    Media(w, people)
    w.run(12)
    cem.alive = False  # its program is its own now
    lied = w.now
    beat = last_beat(cem)
    for _ in range(8):
        beat = replace(beat, seq=beat.seq + 1, prev=beat.digest, slot=beat.slot + 1000, chain=bytes(32))
        send_beat(w, cem, beat)
        w.run(5)
    assert texts(ada, "withheld") == texts(bo, "withheld")
    assert "by the word of Cem" in texts(ada, "withheld")[0]
    assert w.now - lied > 30
    assert ada.room.frames.seal("audio", 0, b"x", w.now) is not None
    assert dana.room.frames.seal("audio", 0, b"x", w.now) is not None


def test_a_person_can_go_on_anyway() -> None:
    w = World(39)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    w.run(20)
    with pytest.raises(ValueError, match="not paused"):
        w.do(bo, ev.Override())
    w.kill(ada)
    w.until(lambda: bool(texts(bo, "stale")), 25)
    assert texts(bo, "stale")[0].startswith("No host has been heard; Ada")
    assert "/override" in texts(bo, "stale")[0]
    w.do(bo, ev.Override())
    w.run(20)
    assert media.sealed_after(bo, w.now - 10) > 50
    assert media.sealed_after(cem, w.now - 10) == 0
    assert len(texts(bo, "stale")) == 1
    w.kill(cem)  # somebody more is missing: that has to be decided anew
    w.run(25)
    assert bo.room.frames.seal("audio", 0, b"x", w.now) is None
    assert len(texts(bo, "stale")) == 2


# -- who hears whom --------------------------------------------------------------------------------------


def test_a_member_from_whom_nothing_comes_is_named_and_then_offered_for_removal() -> None:
    w = World(50)
    ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(10)
    w.kill(dana)
    died = w.now
    w.until(lambda: bool(texts(bo, "silent")), 25)
    assert w.now - died < 21
    assert "Nothing has come from Dana for 15 s" in texts(bo, "silent")[0]
    w.until(lambda: bool(texts(ada, "gone")), 60)
    assert w.now - died < 66
    assert "/remove 3" in texts(ada, "gone")[0]
    w.run(60)
    assert not texts(bo, "gone"), "only hosts can remove"
    assert [len(texts(p, "silent")) for p in (ada, bo, cem)] == [1, 1, 1]
    w.do(ada, ev.Remove(3))
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.run(30)
    assert [len(ours(p)) for p in (ada, bo, cem)] == [2, 1, 1]


def test_a_member_whom_the_server_silences_learns_of_it_too() -> None:
    w = World(51)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(20)
    real = w._ascend
    w._ascend = lambda link, frame: (  # type: ignore[method-assign]
        None if link.who is bo and b'"broadcast"' in frame else real(link, frame)
    )
    began = w.now
    w.until(lambda: bool(texts(bo, "unheard")), 30)
    assert w.now - began < 21
    assert texts(bo, "unheard")[0].startswith("The others do not hear you")
    w.until(lambda: bool(texts(ada, "silent")), 5)
    assert "Bo" in texts(ada, "silent")[0]
    w._ascend = real  # type: ignore[method-assign]
    w.until(lambda: bool(texts(ada, "cleared")) and bool(texts(bo, "cleared")), 15)
    w.run(30)
    assert len(texts(bo, "unheard")) == 1
    assert not ours(cem)[1:]
    assert len(people) == 4
    assert dana.ended is None


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_a_selective_drop_is_seen_by_the_victim_and_reported_to_the_others(kind: str) -> None:
    w = World(52)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    w.run(30)
    media.carries = lambda sender, what, receiver: not (sender is ada and receiver is bo and what == kind)
    began = w.now
    w.until(lambda: all(texts(p, "not_reaching") for p in people), 30)
    assert w.now - began < 26
    what = {"audio": "Ada's sound", "video": "Ada's pictures"}[kind]
    assert f"not reaching you: {what}. The server drops that" in texts(bo, "not_reaching")[0]
    told = f"By the word of Bo this is sent and does not come there: {what}."
    assert told in texts(cem, "not_reaching")[0]
    assert told.replace("Ada's", "your") in texts(ada, "not_reaching")[0]
    w.run(30)
    media.carries = lambda sender, what, receiver: True
    w.until(lambda: all(f"Reaching Bo again: {what}." in texts(p, "cleared") for p in (cem, dana)), 15)
    assert all(len(texts(p, "not_reaching")) == 1 for p in people)


def test_two_who_report_the_same_put_it_on_the_server() -> None:
    w = World(53)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    media = Media(w, people)
    w.run(30)
    media.carries = lambda sender, what, receiver: not (sender is ada and receiver in (bo, cem))
    w.run(30)
    assert any(
        "not reaching Bo and Cem: Ada's" in text and "The server drops that" in text
        for text in texts(dana, "not_reaching")
    )


def test_who_is_muted_or_has_just_come_is_not_missed() -> None:
    w = World(54)
    ada, _, _ = people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    w.run(30)
    media.muted.add("Ada")  # sends nothing at all any more
    w.run(60)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]))
    w.run(12)  # its media takes long to come up
    media.add(dana)
    finn = w.guest(w.link_of(ada), "Finn")
    w.until(lambda: w.agreed([*people, dana, finn]))
    media.carries = lambda sender, kind, receiver: receiver is not finn
    media.add(finn)
    w.run(22)
    media.carries = lambda sender, kind, receiver: True
    w.run(40)
    assert [ours(p) for p in (*people, dana, finn)] == [[]] * 5


# -- order -------------------------------------------------------------------------------------------------


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
    assert "The server gave Bo other messages" in texts(ada, "reordered")[0]
    w.run(60)
    assert all(len(texts(p, "reordered")) <= 2 for p in people)


def test_messages_that_are_held_back_are_missed() -> None:
    w = World(61)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Relayed))
    w.do(ada, ev.Say("can you hear me?"))
    began = w.now
    w.until(lambda: bool(texts(bo, "reordered")), 20)
    assert w.now - began < 17
    assert "messages that it has not given you" in texts(bo, "reordered")[0]
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


def asked(w: World) -> list[tuple[str, object]]:
    """What each has asked the server for, from here on."""
    told: list[tuple[str, object]] = []
    real = w._ascend

    def ascend(link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if isinstance(message, wire.Subscribe):
            told.append((link.who.label, message.ssrcs))
        real(link, frame)

    w._ascend = ascend  # type: ignore[method-assign]
    return told


def test_who_asks_for_fewer_streams_misses_none_and_is_missed_by_nobody() -> None:
    w = World(55)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    told = asked(w)
    w.run(30)
    assert told == [], "all is how every connection begins"
    ears = (1, 5)
    w.do(bo, ev.SelectStreams(ears))
    media.carries = lambda sender, kind, receiver: not (receiver is bo and kind == "video")
    w.run(40)
    assert told == [("Bo", [1, 5])]
    assert [ours(p) for p in people] == [[]] * 3, "what was not asked for is not held back"
    w.do(bo, ev.SelectStreams(None))
    media.carries = lambda sender, kind, receiver: True
    w.run(40)
    assert told[1:] == [("Bo", None)]
    assert [ours(p) for p in people] == [[]] * 3
    # and from then on it is noticed again
    media.carries = lambda sender, kind, receiver: not (sender is ada and receiver is bo and kind == "video")
    w.until(lambda: all(texts(p, "not_reaching") for p in (ada, bo, cem)), 30)


def test_what_is_asked_for_is_said_again_on_each_connection() -> None:
    w = World(56)
    people = w.meeting("Ada", "Bo")
    Media(w, people)
    w.run(5)
    told = asked(w)
    w.do(people[1], ev.SelectStreams((1,)))
    w.do(people[1], ev.SelectStreams((1,)))
    w.run(2)
    assert told == [("Bo", [1])]
    w.cut(people[1].links[ev.ROOM])
    w.run(5)
    assert told == [("Bo", [1])] * 2
    w.kill_server()
    w.run(3)
    w.do(people[1], ev.SelectStreams(()))
    w.start_server()
    w.run(5)
    assert told[2:] == [("Bo", [])], "once the server has our media, and not before"
