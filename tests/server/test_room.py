"""The room's rules G1 to G6, as dialogues in memory."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import msgspec
import pytest
from nacl.signing import SigningKey, VerifyKey

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Forget, MediaJoin, MediaLeave, MediaSubscribe, Send
from snugroom.server.wire import limits, signed
from snugroom.server.wire.messages import (
    Arrived,
    Broadcast,
    Broadcasted,
    CatchUp,
    CaughtUp,
    Closing,
    Commit,
    Committed,
    Entered,
    HandleStream,
    Left,
    Media,
    Message,
    Open,
    Opened,
    Post,
    Refused,
    Regated,
    Relay,
    Relayed,
    Shown,
    Stale,
    Stream,
    Streams,
    Subscribe,
)
from tests.server.people import (
    NUMBER,
    SERVER,
    ZERO,
    Table,
    blob,
    commit,
    gate,
    media,
    opening,
    regating,
    room_pass,
    show,
)

A, B, C, D = b"aaaaaaaa", b"bbbbbbbb", b"cccccccc", b"dddddddd"
M = TypeVar("M", bound=Message)


def only(kind: type[M], messages: list[Message]) -> M:
    """The one message that there is, and of this kind."""
    assert len(messages) == 1, messages
    assert isinstance(messages[0], kind), messages
    return messages[0]


def codes(messages: list[Message]) -> list[str]:
    return [m.code if isinstance(m, Refused) else type(m).__name__ for m in messages]


def slots(messages: list[Message]) -> list[int]:
    return [m.slot for m in messages if isinstance(m, Committed)]


def relays(messages: list[Message]) -> list[int]:
    return [m.relay for m in messages if isinstance(m, Relayed)]


# -- coming and going ------------------------------------------------------------------------------


def test_who_enters_learns_who_is_there_and_they_learn_of_it() -> None:
    t = Table()
    t.arrive(A)
    assert only(Entered, t.heard(A)) == Entered(A, b"incarnat", None, None, [])
    t.arrive(B)
    assert only(Entered, t.heard(B)).handles == [A]
    assert t.heard(A) == [Arrived(B)]
    t.leave(B)
    assert t.heard(A) == [Left(B)]


def test_entered_tells_slot_and_chain_of_an_open_room() -> None:
    t = Table().opened(A, slot=3)
    t.says(A, commit(4))
    t.arrive(B)
    entered = only(Entered, t.heard(B))
    assert (entered.slot, entered.chain) == (4, t.room.chain)


def test_a_full_room_drops_the_next_and_no_one_else() -> None:
    t = Table(Settings(max_members=2)).opened(A, B)
    [drop] = t.arrive(C)
    assert isinstance(drop, Drop)
    assert isinstance(drop.last, Refused)
    assert (drop.handle, drop.last.code, drop.last.fatal) == (C, "full", True)
    assert not t.heard(A)
    t.leave(B)
    t.arrive(C)
    assert isinstance(t.heard(C)[0], Entered)


def test_an_empty_room_lingers_then_is_forgotten() -> None:
    t = Table(Settings(room_linger=30.0)).opened(A)
    t.leave(A)
    assert t.wait(29.9) == []
    assert t.wait(0.2) == [Forget(NUMBER)]


def test_who_comes_back_in_time_stops_the_forgetting() -> None:
    t = Table(Settings(room_linger=30.0)).opened(A)
    t.leave(A)
    t.wait(20)
    t.arrive(A)
    assert t.wait(1000) == []
    assert only(Entered, t.heard(A)).slot == 0


def test_an_unopened_room_is_forgotten_at_once_and_waiting_in_it_has_an_end() -> None:
    t = Table(Settings(idle_time=60.0))
    t.arrive(A)
    t.wait(30)
    t.arrive(B)
    assert t.wait(29) == []
    effects = t.wait(2)
    assert Drop(A, Closing("unopened", "nobody has opened this room")) in effects
    assert B not in t.dropped
    assert Send(B, Left(A)) in effects
    effects = t.wait(30)
    assert B in t.dropped
    assert Forget(NUMBER) in effects


def test_an_opened_room_drops_nobody_for_waiting() -> None:
    t = Table(Settings(idle_time=60.0)).opened(A)
    assert not [e for e in t.wait(10_000) if isinstance(e, Drop)]


# -- G1 ----------------------------------------------------------------------------------------------


def test_only_open_has_a_place_before_opening() -> None:
    t = Table()
    t.arrive(A)
    t.heard(A)
    for message in (show(0), commit(1), Relay(blob("x")), media(1), Subscribe(None), CatchUp(0, 0)):
        assert codes(t.says(A, message)) == ["unopened"]
    assert codes(t.says(A, regating(t.nonce(A), 0, gate(0)))) == ["unopened"]


def test_the_room_admin_opens_and_all_who_wait_are_told_with_a_receipt() -> None:
    t = Table()
    t.arrive(A, B)
    t.inbox.clear()
    t.says(A, opening(t.nonce(A), 5, b"k" * 32))
    for who in (A, B):
        opened = only(Opened, t.heard(who))
        assert (opened.slot, opened.chain) == (5, b"k" * 32)
        VerifyKey(bytes(SERVER.verify_key)).verify(signed.receipt(NUMBER, 5, b"k" * 32), opened.signature)


@pytest.mark.parametrize("what", ["key", "nonce", "number", "slot", "gate", "chain", "signature"])
def test_a_forged_open_changes_nothing(what: str) -> None:
    t = Table()
    t.arrive(A, B)
    t.inbox.clear()
    good = opening(t.nonce(A))
    forged: Open = {
        "key": opening(t.nonce(A), key=SigningKey.generate()),
        "nonce": opening(t.nonce(B)),
        "number": opening(t.nonce(A), number=bytes(16)),
        "slot": msgspec.structs.replace(good, slot=1),
        "gate": msgspec.structs.replace(good, gate=gate(9)),
        "chain": msgspec.structs.replace(good, chain=b"k" * 32),
        "signature": msgspec.structs.replace(good, signature=bytes(64)),
    }[what]
    assert codes(t.says(A, forged)) == ["signature"]
    assert t.heard(B) == []
    assert t.room.slot is None
    assert codes(t.says(A, good)) == ["Opened"]


def test_an_open_room_cannot_be_opened_elsewhere_but_the_same_open_is_answered() -> None:
    t = Table().opened(A, B)
    assert codes(t.says(B, opening(t.nonce(B)))) == ["Opened"]
    assert t.heard(A) == []
    assert codes(t.says(B, opening(t.nonce(B), chain=b"k" * 32))) == ["open"]
    assert codes(t.says(B, opening(t.nonce(B), at=gate(7)))) == ["open"]
    assert codes(t.says(B, opening(t.nonce(B), 1))) == ["open"]
    t.says(A, commit(1))
    assert codes(t.says(B, opening(t.nonce(B))))[-1] == "open"
    assert t.room.slot == 1


# -- G2 ----------------------------------------------------------------------------------------------


def test_a_commit_takes_the_next_slot_and_everybody_gets_it_with_a_receipt() -> None:
    t = Table().opened(A, B)
    first, second = commit(1, size=1024), commit(2)
    for message in (first, second):
        t.says(A, message)
        t.says(A, show(message.slot))
    chain = ZERO
    got = [m for m in t.heard(B) if isinstance(m, Committed)]
    assert got == [m for m in t.heard(A) if isinstance(m, Committed)]
    for message, committed in zip((first, second), got, strict=True):
        chain = signed.next_chain(chain, message.slot, message.blob)
        assert (committed.slot, committed.blob, committed.chain) == (message.slot, message.blob, chain)
        VerifyKey(bytes(SERVER.verify_key)).verify(
            signed.receipt(NUMBER, message.slot, chain), committed.signature
        )


def test_the_second_of_two_for_one_slot_is_stale() -> None:
    t = Table().opened(A, B)
    t.says(A, commit(1, "A's"))
    t.heard(B)
    assert t.says(B, commit(1, "B's")) == [Stale(1, 1)]
    assert t.room.slot == 1


def test_a_slot_too_far_is_stale_too() -> None:
    t = Table().opened(A)
    assert t.says(A, commit(2)) == [Stale(2, 0)]
    assert t.says(A, commit(limits.SLOT_MAX)) == [Stale(limits.SLOT_MAX, 0)]


def test_a_commit_needs_the_pass_of_the_slot_before() -> None:
    t = Table().opened(A)
    t.arrive(B)
    t.heard(B)
    assert codes(t.says(B, commit(1))) == ["pass"]
    t.says(A, commit(1))
    assert codes(t.says(A, commit(2))) == ["pass"]
    assert t.room.slot == 1
    t.says(A, show(1))
    t.says(A, commit(2))
    assert t.room.slot == 2


@pytest.mark.parametrize("size", [513, 1000, 262143])
def test_a_blob_has_the_size_of_a_bucket(size: int) -> None:
    t = Table().opened(A)
    assert codes(t.says(A, Commit(1, bytes(size), gate(1)))) == ["size"]
    assert codes(t.says(A, Relay(bytes(size)))) == ["size"]
    assert t.room.slot == 0


def test_every_bucket_is_taken() -> None:
    t = Table().opened(A)
    for size in limits.BUCKETS:
        assert codes(t.says(A, Relay(bytes(size)))) == ["Relayed"]


def test_what_is_passed_on_reaches_the_others_who_are_here_and_is_kept_for_nobody() -> None:
    t = Table().opened(A, B)
    t.arrive(C)
    for who in (A, B, C):
        t.heard(who)
    assert t.says(A, Broadcast(blob("beat"))) == []
    assert t.heard(B) == [Broadcasted(blob("beat"))]
    assert t.heard(C) == []  # C has shown no pass
    assert codes(t.says(C, Broadcast(blob("x")))) == ["pass"]
    assert codes(t.says(A, Broadcast(bytes(700)))) == ["size"]
    t.says(C, show(0))
    assert codes(t.says(C, CatchUp(0, 0))) == ["CaughtUp"]
    assert t.room.facts().relays == ()


# -- passes and G3 -----------------------------------------------------------------------------------


def test_a_wrong_pass_opens_nothing() -> None:
    t = Table().opened(A)
    t.arrive(B)
    t.heard(B)
    assert codes(t.says(B, show(0, b"forged"))) == ["pass"]
    assert codes(t.says(B, Relay(blob("x")))) == ["pass"]
    t.heard(B)
    t.says(A, Relay(blob("secret")))
    assert t.heard(B) == []


def test_passes_of_the_last_64_slots_are_known_and_older_ones_are_not() -> None:
    t = Table().opened(A)
    for n in range(1, 81):
        t.says(A, commit(n))
        t.says(A, show(n))
    t.wait(11)
    t.arrive(B)
    t.heard(B)
    assert codes(t.says(B, show(16))) == ["pass"]
    assert t.says(B, show(17)) == [Shown(17)]
    assert codes(t.says(B, CatchUp(17, 0))) == ["Committed"] * 63 + ["CaughtUp"]
    assert len(t.room.facts().commits) == limits.CATCH_UP_SLOTS


def test_an_older_pass_shown_later_takes_nothing_away() -> None:
    t = Table().opened(A)
    t.says(A, commit(1))
    t.says(A, show(1))
    assert Shown(0) in t.says(A, show(0))
    t.says(A, commit(2))
    assert t.room.slot == 2


def test_holders_of_the_last_pass_receive_for_ten_seconds_and_may_not_commit() -> None:
    t = Table().opened(A, B)
    t.says(A, commit(1))
    t.says(A, show(1))
    t.heard(B)
    t.wait(9.9)
    t.says(A, Relay(blob("within the grace")))
    assert relays(t.heard(B)) == [1]
    assert codes(t.says(B, Relay(blob("in flight")))) == ["Relayed"]
    assert codes(t.says(B, commit(2))) == ["pass"]
    t.wait(0.2)
    t.heard(B)
    t.says(A, Relay(blob("after")))
    t.says(A, commit(2))
    assert codes(t.heard(B)) == ["Opened"], "it learns that the room moved on, and gets no blob"
    assert codes(t.says(B, Relay(blob("late")))) == ["pass"]


def test_the_grace_of_a_slot_runs_from_its_taking_whatever_is_taken_since() -> None:
    t = Table().opened(A, B)
    for n in (1, 2, 3):
        t.says(A, commit(n))
        t.says(A, show(n))
        t.wait(4)
    # 12 s after slot 1: slots 1, 2 and 3 came within B's grace
    assert slots(t.heard(B)) == [1, 2, 3]
    t.says(A, commit(4))
    assert slots(t.heard(B)) == []


def test_who_shows_the_pass_late_receives_again_and_asks_for_the_rest() -> None:
    t = Table().opened(A, B)
    t.says(A, commit(1))
    t.says(A, show(1))
    t.heard(B)
    t.wait(11)
    t.says(A, commit(2))
    t.heard(B)
    # B comes with the pass of slot 1, within the grace of slot 2
    assert codes(t.says(B, show(1))) == ["Shown"]
    answer = t.says(B, CatchUp(1, 0))
    assert codes(answer) == ["Committed", "CaughtUp"]
    assert slots(answer) == [2]
    t.says(A, show(2))
    t.heard(B)
    t.says(A, commit(3))
    assert slots(t.heard(B)) == [3]


def test_a_pass_past_its_grace_does_not_receive() -> None:
    t = Table().opened(A)
    t.says(A, commit(1))
    t.says(A, show(1))
    t.wait(10.1)
    t.arrive(B)
    t.heard(B)
    assert t.says(B, show(0)) == [Shown(0)]
    t.heard(B)
    t.says(A, Relay(blob("x")))
    assert t.heard(B) == []


# -- G4 ----------------------------------------------------------------------------------------------


def test_catch_up_replays_all_in_the_order_in_which_it_came() -> None:
    t = Table().opened(A)
    for n in (1, 2):
        t.says(A, Relay(blob(f"chat {n}")))
        t.says(A, commit(n))
        t.says(A, show(n))
    t.arrive(B)
    t.says(B, show(2))
    t.heard(B)
    answer = t.says(B, CatchUp(0, 0))
    assert codes(answer) == ["Relayed", "Committed", "Relayed", "Committed", "CaughtUp"]
    assert answer[-1] == CaughtUp(2, 2, 0)
    assert codes(t.says(B, CatchUp(2, 2))) == ["CaughtUp"]
    assert codes(t.says(B, CatchUp(1, 1))) == ["Relayed", "Committed", "CaughtUp"]


def test_an_older_pass_gets_commits_but_relays_only_with_the_current_one() -> None:
    t = Table().opened(A)
    t.says(A, commit(1))
    t.says(A, show(1))
    t.says(A, Relay(blob("not for slot 0")))
    t.wait(11)
    t.arrive(B)
    t.says(B, show(0))
    t.heard(B)
    assert t.says(B, CatchUp(0, 0))[1:] == [CaughtUp(1, 0, 0)]
    assert relays(t.heard(B)) == []
    t.says(B, show(1))
    t.heard(B)
    answer = t.says(B, CatchUp(1, 0))
    assert relays(answer) == [1]
    assert answer[-1] == CaughtUp(1, 1, 0)


def test_catch_up_needs_a_pass_from_the_slot_before_on() -> None:
    t = Table().opened(A)
    for n in (1, 2, 3):
        t.says(A, commit(n))
        t.says(A, show(n))
    t.arrive(B)
    t.heard(B)
    assert codes(t.says(B, CatchUp(0, 0))) == ["pass"]
    t.says(B, show(1))
    t.heard(B)
    assert codes(t.says(B, CatchUp(3, 0))) == ["pass"]
    # s-1 is enough: the gate of a void slot may have fitted nobody
    assert slots(t.says(B, CatchUp(2, 0))) == [3]
    assert slots(t.says(B, CatchUp(1, 0))) == [2, 3]


def test_a_pass_that_has_left_the_window_catches_up_no_more() -> None:
    t = Table().opened(A, B)
    for n in range(1, 70):
        t.says(A, commit(n))
        t.says(A, show(n))
        t.wait(1)
    t.heard(B)
    assert codes(t.says(B, CatchUp(0, 0))) == ["pass"]


def test_what_is_no_longer_held_is_said_to_be_gone() -> None:
    t = Table(Settings(commit_bytes=2048)).opened(A)
    for n in range(1, 5):
        t.says(A, commit(n, size=1024))
        t.says(A, show(n))
    assert codes(t.says(A, CatchUp(1, 0))) == ["gone"]
    assert slots(t.says(A, CatchUp(2, 0))) == [3, 4]
    assert codes(t.says(A, CatchUp(5, 0))) == ["slot"]


def test_a_reopened_room_has_nothing_from_before_its_opening() -> None:
    t = Table().opened(A, slot=7)
    assert codes(t.says(A, CatchUp(6, 0))) == ["gone"]
    assert codes(t.says(A, CatchUp(7, 0))) == ["CaughtUp"]


def test_relays_that_fell_off_the_ring_are_counted() -> None:
    t = Table(Settings(ring_relays=3)).opened(A, B)
    for n in range(10):
        t.says(A, Relay(blob(str(n))))
    t.heard(B)
    answer = t.says(B, CatchUp(0, 4))
    assert relays(answer) == [8, 9, 10]
    assert answer[-1] == CaughtUp(0, 10, 3)


def test_the_ring_is_bounded_in_bytes_too() -> None:
    t = Table(Settings(ring_bytes=4096)).opened(A)
    for n in range(10):
        t.says(A, Relay(blob(str(n), 1024)))
    t.says(A, Relay(blob("big", 2048)))
    answer = t.says(A, CatchUp(0, 0))
    assert relays(answer) == [9, 10, 11]
    assert answer[-1] == CaughtUp(0, 11, 8)
    t.says(A, Relay(blob("too big to keep", 8192)))
    assert t.says(A, CatchUp(0, 0)) == [CaughtUp(0, 12, 12)]


def test_a_relay_number_from_another_life_of_the_room_means_all() -> None:
    t = Table().opened(A, B)
    t.says(A, Relay(blob("x")))
    t.heard(B)
    assert relays(t.says(B, CatchUp(0, 400))) == [1]


def test_catch_ups_have_a_rate() -> None:
    t = Table(Settings(catch_up_burst=2, catch_ups_per_second=1)).opened(A)
    answers = [codes(t.says(A, CatchUp(0, 0)))[0] for _ in range(3)]
    assert answers == ["CaughtUp", "CaughtUp", "rate"]
    t.wait(1)
    assert codes(t.says(A, CatchUp(0, 0))) == ["CaughtUp"]


# -- G5 ----------------------------------------------------------------------------------------------


def test_a_wrong_gate_is_mended_by_the_room_admin() -> None:
    t = Table().opened(A, B)
    t.says(B, commit(1, twist=b"wrong"))
    t.says(B, show(1, b"wrong"))
    t.inbox.clear()
    assert codes(t.says(A, show(1))) == ["pass"]
    t.says(A, regating(t.nonce(A), 1, gate(1)))
    assert t.heard(B) == [Regated(1)]
    assert t.heard(A)[-1] == Regated(1)
    # what the wrong gate let in counts no more
    assert codes(t.says(B, commit(2))) == ["pass"]
    assert codes(t.says(B, show(1, b"wrong"))) == ["pass"]
    assert codes(t.says(A, show(1))) == ["Shown"]
    t.says(A, commit(2))
    assert t.room.slot == 2


def test_mending_gives_the_grace_anew_to_those_who_still_receive_only() -> None:
    t = Table().opened(A, B)
    t.arrive(C)
    t.says(A, commit(1, twist=b"wrong"))
    t.wait(9)
    t.says(A, regating(t.nonce(A), 1, gate(1)))
    t.inbox.clear()
    t.wait(9)
    t.says(A, Relay(blob("x")))
    assert relays(t.heard(B)) == [1]
    t.wait(1.5)
    t.inbox.clear()
    t.says(A, regating(t.nonce(A), 1, gate(1, b"again")))
    t.says(C, show(1, b"again"))
    t.says(C, Relay(blob("y")))
    assert relays(t.heard(B)) == []


@pytest.mark.parametrize("what", ["key", "nonce", "gate"])
def test_a_forged_regate_changes_nothing(what: str) -> None:
    t = Table().opened(A, B)
    good = regating(t.nonce(A), 0, gate(0, b"new"))
    forged = {
        "key": regating(t.nonce(A), 0, gate(0, b"new"), SigningKey.generate()),
        "nonce": regating(t.nonce(B), 0, gate(0, b"new")),
        "gate": msgspec.structs.replace(good, gate=gate(0, b"other")),
    }[what]
    assert codes(t.says(A, forged)) == ["signature"]
    assert t.heard(B) == []
    assert codes(t.says(B, show(0))) == ["Shown"]


def test_only_the_current_gate_can_be_mended() -> None:
    t = Table().opened(A)
    t.says(A, commit(1))
    assert t.says(A, regating(t.nonce(A), 0, gate(0, b"new"))) == [Stale(0, 1)]


def test_the_same_gate_again_takes_no_pass_away() -> None:
    t = Table().opened(A, B)
    t.says(A, regating(t.nonce(A), 0, gate(0)))
    t.inbox.clear()
    t.says(B, commit(1))
    assert t.room.slot == 1


# -- G6 ----------------------------------------------------------------------------------------------


def race(t: Table, slot: int, first: bytes, second: bytes) -> None:
    """`first` takes `slot` just before `second`; both go on to its pass."""
    t.says(first, commit(slot))
    assert Stale(slot, slot) in t.says(second, commit(slot, "late"))
    for who in (first, second):
        t.says(who, show(slot))
    t.inbox.clear()


def test_of_two_who_race_the_loser_wins_next() -> None:
    t = Table().opened(A, B)
    race(t, 1, A, B)
    assert t.says(A, commit(2, "A again")) == []
    assert t.room.slot == 1
    t.wait(0.3)
    t.inbox.clear()
    answer = t.says(B, commit(2, "B's turn"))
    assert only(Committed, answer).blob == blob("B's turn")
    assert codes(t.heard(A)) == ["Committed", "Stale"]
    assert t.wait(5) == []
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
        winners.append(bytes(only(Committed, [*got]).blob[:1]))
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
    assert only(Committed, t.heard(B)).blob == blob("A again")
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


def test_who_leaves_while_held_is_forgotten() -> None:
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
    assert only(Committed, t.says(C, commit(2, "C"))).blob == blob("C")
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
    assert only(Committed, t.heard(C)).blob == blob("C")
    assert t.heard(A)[1:] == [only(Committed, t.heard(B)), Stale(3, 3)]


def test_who_never_had_the_pass_is_no_loser() -> None:
    t = Table().opened(A)
    t.arrive(B)
    t.says(A, commit(1))
    assert codes(t.says(B, commit(1)))[-1] == "pass"
    t.says(A, show(1))
    t.inbox.clear()
    assert codes(t.says(A, commit(2))) == ["Committed"]


def test_a_held_commit_does_not_outlive_its_gate() -> None:
    t = Table().opened(A, B)
    race(t, 1, A, B)
    t.says(A, commit(2))
    t.says(B, regating(t.nonce(B), 1, gate(1, b"new")))
    assert codes(t.heard(A)) == ["pass", "Regated"]
    t.wait(1)
    assert t.room.slot == 1


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
    assert codes(t.says(A, Post(blob("x")))) == ["state"]


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
    t.says(A, commit(1))
    t.says(A, show(1))
    t.inbox.clear()
    assert t.wait(9.9) == []
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
    effects = t.room.media_refused(B)
    assert effects[0] == MediaLeave(NUMBER, B)
    assert effects[1:] == [Send(A, Streams([]))]
    assert t.room.media_refused(B) == []


def test_changes_of_media_have_a_rate() -> None:
    t = Table(Settings(media_change_burst=2, media_changes_per_second=1)).opened(A)
    answers = [codes(t.says(A, media(n))) for n in (1, 2, 3)]
    assert answers == [["Streams"], [], ["rate"]]
    t.wait(1)
    assert codes(t.says(A, media(3))) == []


# -- what is held ------------------------------------------------------------------------------------


def test_facts_tell_what_is_held() -> None:
    t = Table().opened(A, B)
    t.says(A, commit(1, size=1024))
    t.says(A, show(1))
    t.says(A, Relay(blob("x", 2048)))
    t.says(A, media(9))
    facts = t.room.facts()
    assert facts.commits == ((1, 1024, t.now),)
    assert facts.relays == ((1, 2048),)
    assert (facts.slot, facts.handles, facts.passes_current, facts.gates) == (1, (A, B), 1, 2)
    assert facts.streams == ("audio",)
    assert room_pass(1) not in repr(dataclasses.asdict(facts)).encode()
