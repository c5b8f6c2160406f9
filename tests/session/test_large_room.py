"""When a room counts as large: by what all members see alike, and not back and forth with one of them."""

from __future__ import annotations

from snugroom.client.session.kernel.large_room import is_large


def test_the_26th_member_makes_a_room_large() -> None:
    assert not is_large(())
    assert not is_large(range(25))
    assert is_large(range(26))
    assert is_large(range(1000))


def test_a_room_stays_large_while_some_come_and_go() -> None:
    assert is_large([*range(20), 25])
    assert is_large([*range(10, 31)])
    assert not is_large(range(24)), "nobody has a later leaf"
    assert not is_large([*range(19), 25]), "20 members are no large room, wherever they are"
