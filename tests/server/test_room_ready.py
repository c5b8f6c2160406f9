"""The core of a room: when all its connections have shown a new slot's pass (section 10)."""

from __future__ import annotations

import pytest

from snugroom.server.rooms.effects import Send
from snugroom.wire import limits
from snugroom.wire.messages import Message, Ready
from tests.server.people import Table, commit, show
from tests.server.test_room import A, B, C, D

E, F = b"E" * 8, b"F" * 8


def ready(messages: list[Message]) -> list[int]:
    return [message.slot for message in messages if isinstance(message, Ready)]


def at_a_new_slot(*who: bytes) -> Table:
    """All are in step, and one of them takes slot 1."""
    t = Table().opened(*who)
    t.says(who[0], commit(1))
    t.inbox.clear()
    return t


def waited(t: Table, seconds: float) -> list[int]:
    return ready([e.message for e in t.wait(seconds) if isinstance(e, Send) and e.handle == A])


def test_a_slot_is_ready_once_all_have_shown_its_pass() -> None:
    t = at_a_new_slot(A, B, C)
    assert ready(t.says(A, show(1))) == []
    assert ready(t.says(B, show(1))) == []
    assert ready(t.says(B, show(1))) == []
    assert ready(t.says(C, show(1))) == [1]
    assert ready(t.heard(A)) == ready(t.heard(B)) == [1]
    assert ready(t.says(C, show(1))) == []
    assert waited(t, 2 * limits.READY_WAIT) == []


@pytest.mark.parametrize(("silent", "expected"), [(1, [1]), (2, [1]), (3, [])])
def test_two_connections_that_are_late_hold_nobody_up_for_long(silent: int, expected: list[int]) -> None:
    everybody = [A, B, C, D, E, F]
    t = at_a_new_slot(*everybody)
    for who in everybody[: len(everybody) - silent]:
        assert ready(t.says(who, show(1))) == []
    assert waited(t, 0.9 * limits.READY_WAIT) == []
    assert waited(t, 0.2 * limits.READY_WAIT) == expected
    assert waited(t, 10 * limits.READY_WAIT) == []


def test_an_older_pass_does_not_make_a_slot_ready() -> None:
    t = at_a_new_slot(A, B)
    t.says(A, show(1))
    assert ready(t.says(B, show(0))) == []
    assert ready(t.says(B, show(1))) == [1]


def test_who_was_not_in_step_before_is_not_waited_for() -> None:
    t = Table().opened(A, B)
    t.arrive(C)
    t.says(A, commit(1))
    t.arrive(D)
    t.says(A, show(1))
    assert ready(t.says(B, show(1))) == [1]
    assert ready(t.heard(C)) == [], "it may not receive"


def test_who_leaves_is_not_waited_for() -> None:
    t = at_a_new_slot(A, B)
    t.says(A, show(1))
    t.inbox.clear()
    t.leave(B)
    assert ready(t.heard(A)) == [1]


def test_the_next_slot_takes_its_place() -> None:
    t = at_a_new_slot(A, B)
    t.says(A, show(1))
    t.says(A, commit(2))
    assert ready(t.says(B, show(1))) == []
    t.says(B, show(2))
    assert ready(t.says(A, show(2))) == [2]
