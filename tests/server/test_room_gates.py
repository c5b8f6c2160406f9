"""The core of a room: whose pass opens it (G3, G5), whose commit goes first (G6), whose seat it is (G7)."""

from __future__ import annotations

import msgspec
import pytest
from nacl.signing import SigningKey

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop
from snugroom.wire import limits, signed
from snugroom.wire.messages import (
    Broadcast,
    CatchUp,
    Closing,
    Committed,
    Entered,
    Open,
    Opened,
    Refused,
    Relay,
    Show,
    Shown,
    Stale,
)
from tests.server.people import Table, blob, commit, gate, hosts_commit, opening, room_pass, show
from tests.server.test_room import A, B, C, D, codes, only, relays, slots

# -- G3 ----------------------------------------------------------------------------------------------


def test_a_gate_that_a_member_names_closes_no_other_gate() -> None:
    t = Table().opened(A, B)
    t.says(A, commit(1, twist=b"private"))
    t.says(A, commit(2, twist=b"private"))
    assert t.says(B, show(0)) == [Shown(2)], "an older pass that still opens the room counts for this slot"
    assert codes(t.says(B, Relay(blob("x")))) == ["Relayed"]
    assert codes(t.says(B, commit(3))) == ["Committed"]
    t.arrive(C)
    assert t.says(C, Show([room_pass(3, b"wrong"), room_pass(0)]))[-1] == Shown(3)
    assert slots(t.says(C, CatchUp(0, 0))) == [1, 2, 3]


def test_a_slot_that_the_room_admin_signed_closes_all_earlier_gates() -> None:
    t = Table().opened(A, B)
    t.says(B, commit(1, twist=b"private"))
    t.host_takes(A, 2)
    for twist, slot in ((b"private", 1), (b"", 0)):
        assert t.says(B, show(slot, twist)) == [Shown(slot)]
        assert codes(t.says(B, commit(3))) == ["pass"]
    assert t.says(A, show(2)) == [Shown(2)]
    assert codes(t.says(A, commit(3))) == ["Committed"]


def test_many_private_gates_do_not_push_out_the_gate_that_the_members_use() -> None:
    t = Table().opened(A, B)
    for n in range(1, 200):
        t.says(A, commit(n, twist=b"private"))
    assert t.says(B, show(0)) == [Shown(199)]
    t.arrive(C)
    assert t.says(C, show(0))[-1] == Shown(199)
    assert t.room.facts().gates == limits.CATCH_UP_SLOTS + 1
    # a host's slot ends it
    t.host_takes(B, 200)
    assert codes(t.says(C, show(0))) == ["pass"]
    assert t.room.facts().gates == limits.CATCH_UP_SLOTS


def test_the_signature_of_a_slot_goes_on_to_all_who_receive() -> None:
    t = Table().opened(A, B)
    message = hosts_commit(1, t.room.chain)
    t.says(A, message)
    assert only(Committed, t.heard(B)).opening == message.opening
    assert message.opening is not None


@pytest.mark.parametrize("what", ["key", "chain", "gate", "slot"])
def test_a_forged_signature_takes_no_slot(what: str) -> None:
    t = Table().opened(A, B)
    good = hosts_commit(1, t.room.chain)
    forged = {
        "key": hosts_commit(1, t.room.chain, key=SigningKey.generate()),
        "chain": hosts_commit(1, bytes(31) + b"x"),
        "gate": msgspec.structs.replace(good, blob=good.blob[:8] + gate(1, b"x") + good.blob[40:]),
        "slot": msgspec.structs.replace(good, opening=hosts_commit(2, t.room.chain).opening),
    }[what]
    assert codes(t.says(A, forged)) == ["signature"]
    assert t.room.slot == 0
    assert codes(t.says(A, good)) == ["Committed"]


def test_a_host_needs_no_pass_to_take_a_slot() -> None:
    """A slot with a wrong gate that the room admin signed is mended by the next one."""
    t = Table().opened(A, B)
    t.host_takes(A, 1, twist=b"wrong")
    assert codes(t.says(B, show(1))) == ["pass"]
    t.arrive(C)
    t.heard(C)
    t.host_takes(C, 2)
    assert t.says(B, show(2)) == [Shown(2)]


def test_a_blob_sealed_two_slots_ago_is_not_relayed() -> None:
    t = Table().opened(A, B)
    for n in (1, 2):
        t.says(A, commit(n))
        t.says(A, show(n))
    # the pass of slot 0 still opens the room, but B has not said that it is at slot 2
    assert codes(t.says(B, Relay(blob("x")))) == ["pass"]
    assert codes(t.says(B, Broadcast(blob("x")))) == ["pass"]
    t.says(B, show(0))
    assert codes(t.says(B, Relay(blob("x")))) == ["Relayed"]


# -- G1 and G5 -----------------------------------------------------------------------------------------


def test_any_member_may_pass_on_an_opening_that_the_room_admin_signed() -> None:
    t = Table()
    t.arrive(A)
    t.heard(A)
    message = hosts_commit(5, b"k" * 32)
    chain = signed.chain_next(b"k" * 32, 5, message.blob)
    assert codes(t.says(A, Open(5, gate(5), chain, message.opening))) == ["Opened"]
    assert t.says(A, show(5)) == [Shown(5)]


def test_a_later_opening_of_the_room_admin_replaces_an_earlier_one() -> None:
    """An evicted member may open a restarted room first, with an opening from before its eviction."""
    t = Table()
    t.arrive(A, B)
    t.says(A, opening(3))
    t.says(A, show(3))
    t.says(A, commit(4, twist=b"private"))
    t.inbox.clear()
    assert codes(t.says(B, opening(2))) == ["open"]
    assert codes(t.says(B, opening(3, b"k" * 32))) == ["open"]
    assert codes(t.says(B, opening(7))) == ["Opened"]
    assert isinstance(t.heard(A)[-1], Opened)
    assert codes(t.says(A, commit(8))) == ["pass"], "nobody is inside by a pass of before"
    assert codes(t.says(A, show(3))) == ["pass"]
    assert t.says(B, show(7)) == [Shown(7)]
    # what hosts take afterwards counts as an opening too
    t.host_takes(B, 8)
    assert codes(t.says(A, opening(8, b"k" * 32))) == ["open"]


def test_without_a_signature_a_room_opens_when_nobody_else_opens_it() -> None:
    t = Table()
    t.arrive(A, B)
    t.heard(A)
    unsigned = Open(3, gate(3), b"k" * 32)
    assert codes(t.says(A, unsigned)) == ["open"]
    t.wait(limits.OPEN_WAIT - 0.1)
    assert codes(t.says(A, unsigned)) == ["open"]
    t.wait(0.2)
    assert codes(t.says(A, unsigned)) == ["Opened"]
    assert codes(t.says(B, msgspec.structs.replace(unsigned, slot=4))) == ["open"]
    # any signed opening is worth more
    assert codes(t.says(B, opening(1))) == ["Opened"]
    assert t.room.slot == 1


def test_a_room_in_which_nobody_is_can_be_opened_again() -> None:
    t = Table()
    t.arrive(A, B)
    t.says(A, opening(100, at=gate(100, b"private")))
    t.says(A, show(100, b"private"))
    t.inbox.clear()
    unsigned = Open(3, gate(3), b"k" * 32)
    t.wait(60)
    t.arrive(C)
    t.heard(C)
    assert codes(t.says(C, unsigned)) == ["open"]
    t.leave(A)
    t.wait(limits.OPEN_WAIT - 0.1)
    assert codes(t.says(C, unsigned))[-1] == "open"
    t.wait(0.2)
    assert codes(t.says(C, unsigned)) == ["Opened"]
    assert t.says(C, show(3)) == [Shown(3)]


# -- G6 ----------------------------------------------------------------------------------------------


def test_members_other_than_hosts_take_few_slots() -> None:
    t = Table(Settings(slot_burst=3, slots_per_second=0.5)).opened(A, B)
    for n in (1, 2, 3):
        assert codes(t.says(A, commit(n, twist=b"private"))) == ["Committed"]
    assert t.says(A, commit(4)) == []
    assert t.wait(1.9) == []
    assert t.room.slot == 3
    t.wait(0.2)
    assert t.room.slot == 4
    # hosts wait for nothing
    assert t.says(A, commit(5)) == []
    t.inbox.clear()
    assert slots(t.host_takes(B, 5)) == [5]
    assert codes(t.heard(A)) == ["Committed", "Stale"]


def test_new_connections_gain_no_turn() -> None:
    t = Table(Settings(slot_burst=1, slots_per_second=0.5)).opened(A, B)
    t.says(A, commit(1))
    t.says(A, commit(2, "A"))
    t.leave(A)
    t.arrive(C)
    t.says(C, show(0))
    t.says(C, commit(2, "C"))  # the same attacker on a new connection: it waits first
    t.says(B, commit(2, "B"))
    t.wait(2.1)
    got = [m for m in t.heard(B) if isinstance(m, Committed)]
    assert got[-1].blob == commit(2, "B").blob


def test_two_hosts_who_race_alternate_and_members_do_not_hold_them_back() -> None:
    t = Table().opened(A, B, C)
    winners = []
    for slot in range(1, 9):
        # A is always the quicker, and C always too late
        commits = [hosts_commit(slot, t.room.chain, name) for name in ("A", "B")]
        began = t.now
        t.says(A, commits[0])
        t.says(B, commits[1])
        t.wait(limits.FAIRNESS_HOLD + 0.01)
        t.says(C, commit(slot))
        assert t.room.slot == slot
        assert t.now - began < 0.6
        got = [m for m in t.heard(C) if isinstance(m, Committed)]
        winners.append(only(Committed, [*got]).blob[40:41])
        for who in (A, B, C):
            t.says(who, show(slot))
        t.inbox.clear()
    assert winners == [b"A", b"B"] * 4


def test_a_members_commit_does_not_take_the_place_of_a_hosts() -> None:
    t = Table().opened(A, B, C)
    chain = t.room.chain
    t.says(A, hosts_commit(1, chain, "A"))
    t.says(B, hosts_commit(1, chain, "B"))  # too late: the next slot is B's
    for who in (A, B, C):
        t.says(who, show(1))
    assert codes(t.says(A, hosts_commit(2, t.room.chain, "A"))) == []
    assert codes(t.says(C, commit(2, "C"))) == []  # has never won a slot, and is no host
    t.wait(limits.FAIRNESS_HOLD + 0.01)
    assert [m for m in t.heard(B) if isinstance(m, Committed)][-1].blob[40:41] == b"A"


# -- G7 ----------------------------------------------------------------------------------------------


def test_a_connection_without_a_pass_is_dropped_while_somebody_is_inside() -> None:
    t = Table().opened(A)
    t.arrive(B)
    t.says(B, show(0, b"forged"))
    t.wait(limits.PASS_WAIT - 0.1)
    assert B not in t.dropped
    effects = t.wait(0.2)
    assert t.dropped == {B: Closing("pass", "this connection has shown no pass in time")}
    assert [e.handle for e in effects if isinstance(e, Drop)] == [B]


def test_nobody_is_dropped_while_nobody_is_inside() -> None:
    t = Table().opened(A)
    t.arrive(B)
    t.leave(A)
    t.wait(3600)
    assert B not in t.dropped
    t.arrive(C)
    t.says(C, show(0))
    t.says(C, commit(1))
    t.wait(limits.PASS_WAIT - 0.1)
    assert B not in t.dropped, "B has its ten seconds from now on"
    t.wait(0.2)
    assert B in t.dropped


def test_in_a_full_room_members_take_the_place_of_who_shows_no_pass() -> None:
    t = Table(Settings(max_members=3)).opened(A)
    t.arrive(B)
    t.wait(1)
    t.arrive(C)
    t.inbox.clear()
    t.arrive(D)
    last = t.dropped[B]
    assert isinstance(last, Closing)
    assert last.code == "pass"
    assert isinstance(t.heard(D)[-1], Entered)
    assert t.says(D, show(0)) == [Shown(0)]
    # C goes next, and those who have shown a pass stay
    t.arrive(B)
    t.says(B, show(0))
    assert set(t.dropped) == {B, C}
    [drop] = t.arrive(b"eeeeeeee")
    assert isinstance(drop, Drop)
    assert isinstance(drop.last, Refused)
    assert drop.last.code == "full"


def test_a_stale_answer_still_names_the_current_slot() -> None:
    t = Table().opened(A)
    t.host_takes(A, 1)
    assert t.says(A, commit(1)) == [Stale(1, 1)]
    assert relays(t.heard(A)) == []


def test_a_room_lingers_for_newcomers_who_a_commit_let_in() -> None:
    t = Table(Settings(room_linger=30.0)).opened(A)
    t.says(A, commit(1))
    t.leave(A)
    assert t.wait(29.9) == []
    t.arrive(B)
    assert only(Entered, t.heard(B)[-1:]).slot == 1


def test_a_full_room_gives_no_members_place_away_while_they_learn_the_next_pass() -> None:
    t = Table(Settings(max_members=3)).opened(A, B, C)
    t.host_takes(A, 1)  # it lets D in
    [drop] = t.arrive(D)
    assert isinstance(drop, Drop)
    assert isinstance(drop.last, Refused)
    assert (drop.handle, drop.last.code) == (D, "full")
    t.wait(1)
    for who in (A, B, C):
        assert Shown(1) in t.says(who, show(1))
    # C is removed: its place is free when its grace ends, and it gains nothing by what it knows
    t.host_takes(A, 2)
    assert all(Shown(2) in t.says(who, show(2)) for who in (A, B))
    t.wait(limits.PASS_GRACE - 1)
    assert t.says(C, show(1)) == [Shown(1)]
    t.arrive(D)
    assert set(t.dropped) == {D}
    t.wait(1)
    t.arrive(D)
    assert isinstance(t.heard(D)[-1], Entered)
    assert set(t.dropped) == {C, D}


def test_an_opening_gives_no_members_place_away_and_strangers_gain_none_by_it() -> None:
    t = Table(Settings(max_members=3)).opened(A, B)
    t.arrive(C)
    t.says(A, opening(4))
    t.arrive(D)
    assert set(t.dropped) == {C}
    t.says(A, show(4))
    t.says(A, opening(5))  # B, which has lost its pass, has no more time by another opening
    t.wait(limits.PASS_GRACE)
    t.says(A, show(5))
    t.arrive(C)
    assert len(t.dropped) == 2
    assert A not in t.dropped
