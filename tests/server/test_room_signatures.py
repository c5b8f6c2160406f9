"""A server signs one blob for each slot of one opening, whatever members and strangers ask for."""

from __future__ import annotations

from snugroom.wire import limits
from snugroom.wire.messages import Committed, Open, Opened
from tests.server.people import Table, commit, gate, opening, show

A, B = b"aaaaaaaa", b"bbbbbbbb"


def test_a_room_that_is_opened_anew_says_so_in_each_signature() -> None:
    """G5: when nobody has been inside for a while, anybody opens the room, as they like."""
    t = Table().opened(A)
    t.says(A, commit(1))
    [first] = [m for m in t.heard(A) if isinstance(m, Committed)]
    t.leave(A)
    t.arrive(B)
    t.wait(limits.OPEN_WAIT + 1)
    t.says(B, Open(0, gate(0), b"k" * 32))
    [opened] = [m for m in t.heard(B) if isinstance(m, Opened)]
    t.says(B, show(0))
    t.says(B, commit(1))
    [again] = [m for m in t.heard(B) if isinstance(m, Committed)]
    assert first.slot == again.slot
    assert first.chain != again.chain
    assert again.opening_id == opened.opening_id != first.opening_id


def test_an_opening_with_the_same_values_changes_nothing() -> None:
    t = Table().opened(A, B)
    before = t.room._signatures.opening_id
    [answer] = t.says(A, opening(0))
    assert isinstance(answer, Opened)
    assert answer.opening_id == before
