"""The room's rules G1 to G4, as dialogues in memory; G8 is with the hub, in `test_hub`."""

from __future__ import annotations

from hashlib import sha256
from typing import TypeVar

import msgspec
import pytest
from nacl.signing import SigningKey

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Forget, Send
from snugroom.wire import limits, signed
from snugroom.wire.messages import (
    Arrived,
    Broadcast,
    Broadcasted,
    CatchUp,
    CaughtUp,
    Closing,
    Commit,
    Committed,
    Entered,
    Left,
    Message,
    Open,
    Opened,
    Refused,
    Relay,
    Relayed,
    Shown,
    Stale,
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


def test_an_entrant_learns_who_is_there_and_they_learn_of_it() -> None:
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
    t.arrive(B)
    t.leave(B)
    t.leave(A)
    assert t.wait(29.9) == []
    assert t.wait(0.2) == [Forget(NUMBER)]


def test_a_room_that_only_one_connection_ever_saw_does_not_linger() -> None:
    t = Table(Settings(room_linger=30.0)).opened(A)
    t.leave(A)
    assert t.wait(0.0) == [Forget(NUMBER)]


def test_a_member_who_comes_back_in_time_keeps_the_room() -> None:
    t = Table(Settings(room_linger=30.0)).opened(A)
    t.arrive(B)
    t.leave(B)
    t.leave(A)
    t.wait(20)
    t.arrive(A)
    assert t.wait(1000) == []
    assert only(Entered, t.heard(A)[-1:]).slot == 0


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


def test_the_room_admin_opens_and_all_who_wait_are_told_with_a_receipt() -> None:
    t = Table()
    t.arrive(A, B)
    t.inbox.clear()
    t.says(A, opening(5, b"k" * 32))
    for who in (A, B):
        opened = only(Opened, t.heard(who))
        assert (opened.slot, opened.chain) == (5, b"k" * 32)
        text = signed.RoomOpened(NUMBER, opened.opening_id, 5, b"k" * 32).encode()
        SERVER.verify_key.verify(text, opened.signature)


@pytest.mark.parametrize("what", ["key", "number", "slot", "gate", "chain", "signature"])
def test_a_forged_open_changes_nothing(what: str) -> None:
    t = Table()
    t.arrive(A, B)
    t.inbox.clear()
    good = opening()
    forged: Open = {
        "key": opening(key=SigningKey.generate()),
        "number": opening(number=bytes(16)),
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
    assert codes(t.says(B, opening())) == ["Opened"]
    assert t.heard(A) == []
    assert codes(t.says(B, opening(chain=b"k" * 32))) == ["open"]
    assert codes(t.says(B, opening(at=gate(7)))) == ["open"]
    t.says(A, commit(1))
    assert codes(t.says(B, opening()))[-1] == "open"
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
        before, chain = chain, signed.chain_next(chain, message.slot, message.blob)
        assert (committed.slot, committed.blob) == (message.slot, message.blob)
        assert (committed.before, committed.chain) == (before, chain)
        digest = sha256(message.blob).digest()
        taken = signed.SlotTaken(NUMBER, committed.opening_id, message.slot, before, digest)
        SERVER.verify_key.verify(taken.encode(), committed.signature)


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


def test_a_signed_commit_for_the_slot_of_the_opening_before_which_no_chain_is_known_is_stale() -> None:
    late = msgspec.structs.replace(commit(5), opening=bytes(64))
    assert Table().opened(A, B, slot=5).says(B, late) == [Stale(5, 5)]


def test_a_commit_needs_a_pass_that_fits_an_open_gate() -> None:
    t = Table().opened(A)
    t.arrive(B)
    t.heard(B)
    assert codes(t.says(B, commit(1))) == ["pass"]
    t.host_takes(A, 1)
    assert codes(t.says(A, commit(2))) == ["pass"]
    assert t.room.slot == 1
    t.says(A, show(1))
    t.says(A, commit(2))
    assert t.room.slot == 2


@pytest.mark.parametrize("size", [513, 1000, 262143])
def test_a_blob_has_the_size_of_a_bucket(size: int) -> None:
    t = Table().opened(A)
    assert codes(t.says(A, Commit(1, bytes(size)))) == ["size"]
    assert codes(t.says(A, Relay(bytes(size)))) == ["size"]
    assert t.room.slot == 0


def test_every_bucket_is_taken() -> None:
    t = Table().opened(A)
    for size in limits.BUCKETS:
        assert codes(t.says(A, Relay(bytes(size)))) == ["Relayed"]


def test_a_broadcast_reaches_present_members_and_is_not_stored() -> None:
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
        t.host_takes(A, n)
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
    t.host_takes(A, 1)
    t.says(A, show(1))
    assert Shown(0) in t.says(A, show(0))
    t.says(A, commit(2))
    assert t.room.slot == 2


def test_holders_of_a_closed_pass_receive_for_ten_seconds_and_may_not_commit() -> None:
    t = Table().opened(A, B)
    t.host_takes(A, 1)
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
    assert codes(t.heard(B)) == ["Opened"], "and gets no blob"
    assert codes(t.says(B, Relay(blob("late")))) == ["pass"]


def test_the_grace_of_a_slot_runs_from_its_closing_whatever_is_taken_since() -> None:
    t = Table().opened(A, B)
    for n in (1, 2, 3):
        t.host_takes(A, n)
        if n == 3:
            t.says(A, show(n))
        t.wait(4)
    # 12 s after slot 1: slots 1, 2 and 3 came within B's grace
    assert slots(t.heard(B)) == [1, 2, 3]
    t.host_takes(A, 4)
    assert slots(t.heard(B)) == []


def test_a_member_who_shows_the_pass_late_receives_again_and_catches_up() -> None:
    t = Table().opened(A, B)
    t.host_takes(A, 1)
    t.heard(B)
    t.wait(9)
    t.says(A, show(1))
    t.wait(2)
    t.host_takes(A, 2)
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
    t.host_takes(A, 1)
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
    t.host_takes(A, 1)
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


def test_catch_up_needs_any_pass_of_the_last_slots() -> None:
    t = Table().opened(A)
    for n in (1, 2, 3):
        t.host_takes(A, n)
        t.says(A, show(n))
    t.arrive(B)
    t.heard(B)
    assert codes(t.says(B, CatchUp(0, 0))) == ["pass"]
    t.says(B, show(1))
    t.heard(B)
    # the gates of its later slots may have fitted nobody
    assert slots(t.says(B, CatchUp(2, 0))) == [3]
    assert slots(t.says(B, CatchUp(1, 0))) == [2, 3]


def test_a_pass_that_has_left_the_window_catches_up_no_more() -> None:
    t = Table().opened(A, B)
    for n in range(1, 70):
        t.host_takes(A, n)
        t.says(A, show(n))
        t.wait(0.1)
    t.heard(B)
    assert codes(t.says(B, CatchUp(0, 0))) == ["pass"]


def test_messages_no_longer_held_are_reported_as_gone() -> None:
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
    assert relays(t.says(B, CatchUp(0, 400))) == [1]


def test_catch_ups_have_a_rate() -> None:
    t = Table(Settings(catch_up_burst=2, catch_ups_per_second=1)).opened(A)
    answers = [codes(t.says(A, CatchUp(0, 0)))[0] for _ in range(3)]
    assert answers == ["CaughtUp", "CaughtUp", "rate"]
    t.wait(1)
    assert codes(t.says(A, CatchUp(0, 0))) == ["CaughtUp"]
