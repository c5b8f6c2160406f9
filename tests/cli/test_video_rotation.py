"""Video subscriptions: a fixed number at a time, all members in turn, independent of who speaks."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.media.video_rotation import TURN, turns
from snugroom.wire.messages import HandleStream


def room(people: int) -> list[HandleStream]:
    """Each has sound, and video under the next number."""
    return [
        HandleStream(bytes(8), 10 * person + of, "video" if of else "audio")
        for person in range(1, people + 1)
        for of in (0, 1)
    ]


def videos(asked: tuple[int, ...] | None) -> list[int]:
    assert asked is not None
    return [ssrc // 10 for ssrc in asked if ssrc % 10]


def test_few_are_all_and_nothing_needs_to_be_said() -> None:
    assert turns(room(9), 9, 0.0) is None
    assert turns([], 0, 5.0) is None


def test_many_have_their_turn() -> None:
    asked = [videos(turns(room(10), 4, TURN * n)) for n in range(4)]
    assert asked == [[1, 2, 3, 4], [5, 6, 7, 8], [1, 2, 9, 10], [3, 4, 5, 6]]
    assert turns(room(10), 4, TURN - 0.01) == turns(room(10), 4, 0.0)


def test_nobody_goes_unheard() -> None:
    for most in (0, 1, 9):
        asked = turns(room(100), most, 1000.0)
        assert asked is not None
        assert [ssrc for ssrc in asked if ssrc % 10 == 0] == [10 * n for n in range(1, 101)]
        assert len(videos(asked)) == most
        assert list(asked) == sorted(asked)


@given(st.integers(2, 40), st.integers(1, 12))
def test_turns_are_fair(people: int, most: int) -> None:
    if people <= most:
        return
    seen = Counter(n for turn in range(people) for n in videos(turns(room(people), most, TURN * turn)))
    assert set(seen.values()) == {most}


def test_the_order_in_which_a_server_lists_streams_changes_nothing() -> None:
    assert turns(room(10)[::-1], 4, TURN) == turns(room(10), 4, TURN)
