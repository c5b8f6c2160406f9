"""The core of a room: G6, relays, media and its disclosure."""

from __future__ import annotations

import dataclasses

import msgspec

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import MediaJoin, MediaLeave, MediaSubscribe, Send
from snugroom.wire import limits
from snugroom.wire.messages import (
    Committed,
    HandleStream,
    Media,
    Post,
    Ready,
    Relay,
    Relayed,
    Stale,
    Stream,
    Streams,
    Subscribe,
)
from tests.server.people import (
    NUMBER,
    Table,
    blob,
    commit,
    media,
    room_pass,
    show,
)
from tests.server.test_room import A, B, C, codes, only

# -- G6 ----------------------------------------------------------------------------------------------


def race(t: Table, slot: int, first: bytes, second: bytes) -> None:
    """`first` takes `slot` just before `second`; both go on to its pass."""
    t.says(first, commit(slot))
    assert Stale(slot, slot) in t.says(second, commit(slot, "late"))
    for who in (first, second):
        t.says(who, show(slot))
    t.inbox.clear()


def test_the_loser_of_a_race_wins_the_next_slot() -> None:
    t = Table().opened(A, B)
    race(t, 1, A, B)
    assert t.says(A, commit(2, "A again")) == []
    assert t.room.slot == 1
    t.wait(0.3)
    t.inbox.clear()
    answer = t.says(B, commit(2, "B's turn"))
    assert only(Committed, answer).blob == commit(2, "B's turn").blob
    assert codes(t.heard(A)) == ["Committed", "Stale"]
    assert {type(e.message) for e in t.wait(5) if isinstance(e, Send)} == {Ready}
    assert t.room.slot == 2


def test_two_who_race_for_ever_alternate() -> None:
    t = Table().opened(A, B)
    winners = []
    for slot in range(1, 13):
        # A is always the quicker
        t.says(A, commit(slot, "A"))
        t.says(B, commit(slot, "B"))
        t.wait(limits.FAIRNESS_HOLD + 0.01)
        got = [m for m in t.heard(A) if isinstance(m, Committed)]
        winners.append(bytes(only(Committed, [*got]).blob[40:41]))
        for who in (A, B):
            t.says(who, show(slot))
        t.inbox.clear()
    assert winners == [b"A", b"B"] * 6


def test_if_the_loser_does_not_come_the_held_commit_is_taken() -> None:
    t = Table().opened(A, B)
    race(t, 1, A, B)
    t.says(A, commit(2, "A again"))
    assert t.wait(limits.FAIRNESS_HOLD - 0.01) == []
    t.wait(0.02)
    assert only(Committed, t.heard(B)).blob == commit(2, "A again").blob
    # B lost nothing this time, and A need not wait again
    t.says(A, show(2))
    t.inbox.clear()
    assert codes(t.says(A, commit(3))) == ["Committed"]


def test_a_loser_who_leaves_is_not_waited_for() -> None:
    t = Table().opened(A, B)
    race(t, 1, A, B)
    t.says(A, commit(2))
    t.leave(B)
    assert t.room.slot == 2


def test_a_member_who_leaves_while_its_commit_waits_is_forgotten() -> None:
    t = Table().opened(A, B)
    race(t, 1, A, B)
    t.says(A, commit(2))
    t.leave(A)
    t.wait(1)
    assert t.room.slot == 1
    assert codes(t.says(B, commit(2))) == ["Committed"]


def test_a_third_who_never_won_is_not_held_back() -> None:
    t = Table().opened(A, B, C)
    race(t, 1, A, B)
    t.says(C, show(1))
    t.says(A, commit(2, "A"))
    t.inbox.clear()
    assert only(Committed, t.says(C, commit(2, "C"))).blob == commit(2, "C").blob
    assert codes(t.heard(A)) == ["Committed", "Stale"]


def test_only_one_is_held_and_the_others_learn_who_took_the_slot() -> None:
    t = Table().opened(A, B, C)
    race(t, 1, C, B)
    t.says(A, show(1))
    t.inbox.clear()
    race(t, 2, A, B)
    t.says(C, show(2))
    t.inbox.clear()
    # B has never won; C won before A did
    assert t.says(A, commit(3, "A")) == []
    assert t.says(C, commit(3, "C")) == []
    assert codes(t.says(A, commit(3, "A once more"))) == ["state"]
    t.wait(limits.FAIRNESS_HOLD + 0.01)
    assert only(Committed, t.heard(C)).blob == commit(3, "C").blob
    assert t.heard(A)[1:] == [only(Committed, t.heard(B)), Stale(3, 3)]


def test_a_connection_without_the_pass_loses_no_race() -> None:
    t = Table().opened(A)
    t.arrive(B)
    t.says(A, commit(1))
    assert t.says(B, commit(1))[-1] == Stale(1, 1)
    t.says(A, show(1))
    t.inbox.clear()
    assert codes(t.says(A, commit(2))) == ["Committed"]


# -- relay -------------------------------------------------------------------------------------------


def test_relays_are_numbered_and_reach_all_the_sender_too() -> None:
    t = Table().opened(A, B)
    t.says(A, Relay(blob("one")))
    t.says(B, Relay(blob("two")))
    expected = [Relayed(1, blob("one")), Relayed(2, blob("two"))]
    assert t.heard(A) == expected
    assert t.heard(B) == expected


def test_a_lobby_message_has_no_place() -> None:
    t = Table().opened(A)
    assert codes(t.says(A, Post(None, blob("x")))) == ["state"]


# -- media -------------------------------------------------------------------------------------------


def test_media_joins_and_everybody_sees_the_streams_of_the_others() -> None:
    t = Table().opened(A, B, C)
    t.says(A, media(1, 2))
    assert t.effects == [MediaJoin(NUMBER, A, media(1, 2)), Send(A, Streams([]))]
    t.heard(A)
    t.says(B, media(3))
    assert [(s.handle, s.ssrc) for s in only(Streams, t.heard(A)).streams] == [(B, 3)]
    assert [(s.handle, s.ssrc) for s in only(Streams, t.heard(B)).streams] == [(A, 1), (A, 2)]
    # who has no transport needs no list
    assert t.heard(C) == []
    t.says(C, media())
    assert [s.ssrc for s in only(Streams, t.heard(C)).streams] == [1, 2, 3]
    assert t.heard(A) == []
    t.says(B, media(3, 4))
    assert [s.ssrc for s in only(Streams, t.heard(A)).streams] == [3, 4]
    t.inbox.clear()
    t.effects.clear()
    t.leave(B)
    assert t.effects[0] == MediaLeave(NUMBER, B)
    assert [s.ssrc for s in only(Streams, t.heard(A)[1:]).streams] == []
    assert [s.ssrc for s in only(Streams, t.heard(C)[1:]).streams] == [1, 2]


def test_an_ssrc_is_unique_in_the_room() -> None:
    t = Table().opened(A, B)
    t.says(A, media(1))
    t.effects.clear()
    assert codes(t.says(B, media(1))) == ["ssrc"]
    assert codes(t.says(B, media(2, 2))) == ["ssrc"]
    assert not [e for e in t.effects if isinstance(e, MediaJoin)]
    # one's own may be said again, and somebody else's is free when they have gone
    t.says(A, media(1, 5))
    t.leave(A)
    t.inbox.clear()
    assert codes(t.says(B, media(1))) == ["Streams"]


def sends(*streams: Stream) -> Media:
    return msgspec.structs.replace(media(), streams=list(streams))


def test_layers_and_what_is_sent_again_have_ssrcs_of_their_own() -> None:
    t = Table().opened(A, B)
    layered = sends(Stream(1, "video", [2, 3], [4, 5, 6]))
    t.says(B, media(9))
    t.says(A, layered)
    assert only(Streams, t.heard(B)[1:]).streams == [HandleStream(A, 1, "video", layers=2, rtx=4)]
    for taken in range(1, 7):
        assert codes(t.says(B, media(taken))) == ["ssrc"]
    for stream, code in (
        (Stream(1, "audio", [2]), "layers"),
        (Stream(1, "audio", [], [2]), "rtx"),
        (Stream(1, "video", [2], [3]), "rtx"),
        (Stream(1, "video", [2, 1]), "ssrc"),
    ):
        assert codes(t.says(A, sends(stream))) == [code]
    many = [Stream(10 * i, "video", [10 * i + 1, 10 * i + 2]) for i in range(1, 4)]
    assert codes(t.says(A, sends(*many))) == ["streams"]


def test_media_needs_the_pass_and_want_needs_media() -> None:
    t = Table().opened(A)
    t.arrive(B)
    t.heard(B)
    assert codes(t.says(B, media(1))) == ["pass"]
    assert codes(t.says(A, Subscribe([1]))) == ["media"]
    assert codes(t.says(A, media())) == ["Streams"]
    t.effects.clear()
    t.says(A, Subscribe([7, 8]))
    t.says(A, Subscribe(None))
    assert t.effects == [MediaSubscribe(NUMBER, A, (7, 8)), MediaSubscribe(NUMBER, A, None)]
    t.says(A, Subscribe([7, 8], [0, 2]))
    assert t.effects[-1] == MediaSubscribe(NUMBER, A, (7, 8), (0, 2))
    for wrong in (Subscribe([7, 8], [1]), Subscribe(None, [1])):
        assert codes(t.says(A, wrong))[-1:] == ["layers"]


def test_media_lapses_with_the_pass_and_comes_back_by_media() -> None:
    t = Table().opened(A, B)
    t.says(A, media(1))
    t.says(B, media(2))
    t.host_takes(A, 1)
    t.says(A, show(1))
    t.inbox.clear()
    t.wait(0.2)  # the slot is ready without B
    t.inbox.clear()
    assert t.wait(9.7) == []
    effects = t.wait(0.2)
    assert MediaLeave(NUMBER, B) in effects
    assert MediaLeave(NUMBER, A) not in effects
    assert only(Streams, t.heard(A)).streams == []
    assert codes(t.heard(B)) == ["pass"]
    assert codes(t.says(B, Subscribe(None))) == ["pass"]
    t.says(B, show(1))
    assert codes(t.says(B, Subscribe(None)))[-1] == "media"
    t.effects.clear()
    t.says(B, media(2))
    assert MediaJoin(NUMBER, B, media(2)) in t.effects
    assert [s.ssrc for s in only(Streams, t.heard(A)).streams] == [2]


def test_media_that_the_sfu_refuses_is_taken_back() -> None:
    t = Table().opened(A, B)
    t.says(A, media(1))
    t.says(B, media(2))
    effects = t.room.media.refused(B)
    assert effects[0] == MediaLeave(NUMBER, B)
    assert effects[1:] == [Send(A, Streams([]))]
    assert t.room.media.refused(B) == []


def test_changes_of_media_have_a_rate() -> None:
    t = Table(Settings(media_change_burst=2, media_changes_per_second=1)).opened(A)
    answers = [codes(t.says(A, media(n))) for n in (1, 2, 3)]
    assert answers == [["Streams"], [], ["rate"]]
    t.wait(1)
    assert codes(t.says(A, media(3))) == []


# -- what is held ------------------------------------------------------------------------------------


def test_facts_tell_what_is_held() -> None:
    t = Table().opened(A, B)
    t.host_takes(A, 1)
    t.says(A, show(1))
    t.says(A, Relay(blob("x", 2048)))
    t.says(A, media(9))
    facts = t.room.facts()
    assert facts.commits == ((1, 512, t.now),)
    assert facts.relays == ((1, 2048),)
    assert (facts.slot, facts.handles, facts.passes_current, facts.gates) == (1, (A, B), 1, 2)
    assert facts.streams == ("audio",)
    assert room_pass(1) not in repr(dataclasses.asdict(facts)).encode()
