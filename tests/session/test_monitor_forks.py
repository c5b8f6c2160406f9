"""Heartbeats show forks and withheld changes; a member that invents a change is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.features.silent_majority import PATIENCE
from snugroom.client.session.monitor.freshness import FRESH
from snugroom.crypto.agreed.heartbeat import Got
from snugroom.lab.simulation.world import Participant, World, heal
from snugroom.wire import messages as wire
from tests.session.forked import (
    Forked,
    Media,
    last_digest,
    last_heartbeat,
    monitor,
    ours,
    send_heartbeat,
    signed_by,
    texts,
)


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
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana", strict=True)
    media = Media(w, people)
    w.run(20)
    w.fork([cem, dana])
    forked = w.now
    w.until(lambda: bool(texts(cem, "stale")), 20)
    assert w.now - forked < 16
    w.until(lambda: all(texts(p, "stale") for p in people), 10)
    assert "hears no host" in texts(cem, "stale")[0]
    assert "Ada" in texts(cem, "stale")[0]
    assert "No host" not in texts(bo, "stale")[0]
    w.run(FRESH[0] + PATIENCE - (w.now - forked) - 5)
    assert all(media.sealed_after(p, forked + 16) == 0 for p in people)
    assert texts(ada, "silent")
    assert all(len(texts(p, "stale")) == 1 for p in people)
    w.run(60)
    assert media.sealed_after(bo, w.now - 10) > 50, "the host's program goes on without one of the others"
    assert all(media.sealed_after(p, forked + 16) == 0 for p in (cem, dana)), "and of two sides one goes on"


def test_the_larger_side_of_a_partition_with_the_host_goes_on() -> None:
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


def test_a_change_that_the_server_admits_and_withholds() -> None:
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
    assert "The server says" in texts(bo, "withheld")[0]
    assert bo.room.frames.seal("audio", 0, b"x", w.now) is None
    assert cem.alarms == []


@pytest.mark.parametrize("beats_too", [False, True], ids=["the change alone", "beats as well"])
def test_a_withheld_removal_leaves_the_evicted_listening_for_seconds(beats_too: bool) -> None:
    w = World(35)
    ada, bo, cem, _ = people = w.meeting("Ada", "Bo", "Cem", "Dana", strict=True)
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
        w.until(lambda: bool(texts(ada, "removal_reach")), 20)
        assert w.now - removed < 11
        assert "1 of 2 members, but not \u201cBo\u201d" in texts(ada, "removal_reach")[0]
        assert "for 5 s at most" in texts(ada, "removal_reach")[0]
        w.until(lambda: bool(texts(bo, "stale")), 20)
        assert w.now - removed < 16
        assert "hears no host" in texts(bo, "stale")[0]
    else:
        w.until(lambda: bool(texts(bo, "withheld")), 20)
        assert w.now - removed < 6
    heard = media.opened["Bo", "Cem"]
    w.run(52)
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
    assert "of \u201cCem\u201d has reached everybody (2 of 2)" in texts(ada, "removal_reach")[0]
    assert not texts(bo, "removal_reach")
    w.do(dana, ev.Leave())
    w.run(20)
    assert len(texts(ada, "removal_reach")) == 1, "who leaves is nobody's removal"
    assert cem.ended is not None


def test_delayed_heartbeats_do_not_pass_for_fresh() -> None:
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
    w.until(lambda: sentence("status.cleared.fresh") in texts(bo, "cleared"), 12)
    w.until(lambda: media.sealed_after(bo, w.now - 1) > 5, 3)


def test_a_heartbeat_of_another_group_state_at_our_own_slot_is_not_fresh() -> None:
    w = World(41)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(12)
    bo.alive = False
    beat = replace(last_heartbeat(bo), got=(Got(0, 2**31, ()),))  # it acknowledges all that Ada ever sends
    for _ in range(6):
        beat = replace(beat, seq=beat.seq + 1, prev=last_digest(monitor(ada), 1), authenticator=bytes(32))
        send_heartbeat(w, bo, beat)
        w.run(5)
    assert texts(ada, "stale")
    assert not texts(ada, "silent")


def test_a_liar_does_not_cover_up_what_is_true() -> None:
    w = World(40)
    _, bo, cem, _ = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(12)
    beat = last_heartbeat(cem)
    lie = replace(beat, seq=beat.seq + 1, prev=beat.digest, slot=beat.slot + 9, chain=bytes(32))
    send_heartbeat(w, cem, lie)
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
    beat = last_heartbeat(cem)
    for _ in range(8):
        beat = replace(beat, seq=beat.seq + 1, prev=beat.digest, slot=beat.slot + 1000, chain=bytes(32))
        send_heartbeat(w, cem, beat)
        w.run(5)
    assert texts(ada, "withheld") == texts(bo, "withheld")
    assert "\u201cCem\u201d reports that" in texts(ada, "withheld")[0]
    assert w.now - lied > 30
    assert ada.room.frames.seal("audio", 0, b"x", w.now) is not None
    assert dana.room.frames.seal("audio", 0, b"x", w.now) is not None


def test_a_person_can_go_on_anyway() -> None:
    w = World(39)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    media = Media(w, people)
    w.run(20)
    with pytest.raises(ValueError, match="nothing of yours waits"):
        w.do(bo, ev.Override())
    w.kill(ada)
    w.until(lambda: bool(texts(bo, "stale")), 65)
    assert texts(bo, "stale")[0].startswith("Your program hears no host: \u201cAda\u201d")
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
