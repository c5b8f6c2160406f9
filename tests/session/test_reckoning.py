"""What the watch reckons with, alone: whose word holds, whose media arrives, whether the order is one."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.session.catalogue.sentences import listed, stream_of
from snugroom.client.session.monitor.delivery import Reaching
from snugroom.client.session.monitor.freshness import Freshness
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.client.session.monitor.ordering import KEPT, Order
from snugroom.crypto.agreed.heartbeat import NO_HEARTBEAT

LIFE = b"server 1"


def fresh(words: dict[int, float]) -> Freshness:
    freshness = Freshness()
    for leaf, until in words.items():
        freshness.word(leaf, until)
    return freshness


def test_alone_everything_is_fresh_for_ever() -> None:
    assert fresh({}).until({}, host=False) == inf


@pytest.mark.parametrize(
    ("words", "hosts", "host", "until"),
    [
        ({1: 9.0}, {1}, False, 9.0),
        ({1: 9.0}, set(), False, 9.0),
        ({1: 9.0, 2: 5.0}, set(), False, 9.0),  # two of three are more than half
        ({1: 9.0, 2: 5.0}, {2}, False, 5.0),
        ({1: 9.0, 2: 5.0}, {2}, True, 9.0),
        ({1: 9.0, 2: 5.0}, {1, 2}, False, 9.0),
        ({1: 9.0, 2: 5.0, 3: 3.0}, {1}, False, 5.0),
        ({1: 9.0, 2: 5.0, 3: 3.0, 4: 1.0}, set(), True, 5.0),
        ({1: 9.0, 2: 5.0, 3: 3.0, 4: 1.0, 5: 0.5}, set(), True, 3.0),
    ],
)
def test_a_host_and_more_than_half_are_needed(
    words: dict[int, float], hosts: set[int], host: bool, until: float
) -> None:
    others = {leaf: leaf in hosts for leaf in words}
    assert fresh(words).until(others, host=host) == until


@given(st.integers(2, 40), st.data())
def test_of_two_sides_that_hear_only_themselves_at_most_one_goes_on(
    members: int, data: st.DataObject
) -> None:
    side = data.draw(st.sets(st.integers(0, members - 1)))
    goes_on = set()
    for own in range(members):
        heard = side if own in side else set(range(members)) - side
        freshness = fresh(dict.fromkeys(heard, 10.0))
        if freshness.until({leaf: False for leaf in range(members) if leaf != own}, host=False) > 5.0:
            goes_on.add(own in side)
    assert len(goes_on) <= 1


def test_a_word_is_not_shortened_by_a_later_one_and_goes_with_its_leaf() -> None:
    freshness = fresh({1: 9.0})
    freshness.word(1, 7.0)
    assert freshness.missing({1: False, 2: False}, 8.0) == [2]
    assert freshness.missing({1: False}, 9.0) == [1]
    freshness.forget(1)
    assert freshness.missing({1: False}, 1.0) == [1]


def test_the_interval_grows_with_the_room() -> None:
    assert [interval(n) for n in (1, 50, 100, 1000)] == [5.0, 5.0, 10.0, 100.0]


# -- reaching ----------------------------------------------------------------------------------------------


def reports(
    reaching: Reaching, *rounds: tuple[int, int], start: int = 0
) -> list[tuple[list[object], list[object]]]:
    """Leaf 1 on leaf 0's stream 0: (sent, got) every 5 s."""
    told: list[tuple[list[object], list[object]]] = []
    for at, (sent, got) in enumerate(rounds):
        reaching.sends(0, [(0, sent)])
        told.append(reaching.reports(1, {0: {0: got}}, [0, 1], 5.0 * (start + at)))  # type: ignore[arg-type]
    return told


def test_three_beats_without_what_is_sent_are_told_once_and_so_is_the_end() -> None:
    reaching = Reaching()
    told = reports(
        reaching, (0, 0), (250, 250), (500, 250), (750, 250), (1000, 250), (1250, 250), (1500, 600)
    )
    assert [lost for lost, _ in told] == [[], [], [], [], [(0, 0)], [], []]
    assert [back for _, back in told] == [[], [], [], [], [], [], [(0, 0)]]
    assert reaching.losers((0, 0)) == []


def test_what_is_not_sent_is_not_missed() -> None:
    reaching = Reaching()
    told = reports(reaching, (0, 0), (250, 200), *[(252, 200)] * 10)
    assert all(lost == [] for lost, _ in told)


def test_of_layers_one_is_enough_and_none_is_a_loss_of_one_stream() -> None:
    reaching = Reaching()
    # the larger ones are not forwarded; later the smallest alone is sent, and it does not come
    for at in range(8):
        reaching.sends(0, [(1, 100 * at), (4, 100 * at), (5, 100 * at)])
        assert reaching.reports(1, {0: {1: 100 * min(at, 3), 4: 100 * max(0, at - 3)}}, [0, 1], 5.0 * at) == (
            [],
            [],
        )
    told = []
    for at in range(8, 12):
        reaching.sends(0, [(1, 100 * at), (4, 700), (5, 700)])
        told += reaching.reports(1, {0: {1: 300, 4: 400}}, [0, 1], 5.0 * at)[0]
    assert told == [(0, 1)]
    assert reaching.losers((0, 1)) == [1]


def test_beats_in_quick_succession_count_as_one() -> None:
    reaching = Reaching()
    for n in range(18):
        reaching.sends(0, [(0, 50 * n)])
        assert reaching.reports(1, {}, [0, 1], 0.5 * n)[0] == []


def test_a_new_connection_or_another_member_begins_again() -> None:
    for again in (Reaching.begin_again, Reaching.forget):
        for leaf in (0, 1):
            reaching = Reaching()
            reports(reaching, (0, 0), (250, 0), (500, 0))
            again(reaching, leaf)
            told = reports(reaching, (750, 0), (1000, 0), (1250, 0), (1500, 0), start=3)
            assert [lost for lost, _ in told] == [[], [], [], [(0, 0)]]


# -- order ------------------------------------------------------------------------------------------------


def order(*numbers: int, life: bytes = LIFE) -> Order:
    made = Order()
    made.life(life)
    for number in numbers:
        assert made.hear(number, bytes([number]) * 32)
    return made


def test_who_has_the_same_relays_vouches_for_the_same() -> None:
    ours, theirs = order(*range(1, 20)), order(*range(11, 20))  # who came later has fewer
    assert theirs.newest() == ours.newest()
    assert theirs.newest()[0] == 19
    assert not ours.claimed(1, *theirs.newest(), 0.0)
    assert ours.at(18) != ours.at(19)


def test_nothing_is_vouched_for_without_all_that_a_window_covers() -> None:
    assert Order().newest() == (0, NO_HEARTBEAT)
    assert order(5, 6, 7).newest() == (0, NO_HEARTBEAT)
    assert order(1, 2, 4).newest()[0] == 2
    assert order(*range(3, 11), 13).newest()[0] == 10


def test_a_difference_is_told_at_the_second_time_and_once() -> None:
    ours = order(1, 2, 3)
    assert [ours.claimed(1, 3, b"w" * 32, 0.0) for _ in range(4)] == [False, True, False, False]
    mine = ours.newest()
    ours = order(1, 2, 3)
    assert not ours.claimed(1, 3, b"w" * 32, 0.0)
    assert not ours.claimed(1, *mine, 0.0)
    assert not ours.claimed(1, 3, b"w" * 32, 0.0), "not twice on end"


def test_what_others_have_and_we_have_not_is_compared_when_it_comes() -> None:
    ours, theirs = order(1, 2), order(1, 2, 3)
    assert not ours.claimed(1, *theirs.newest(), 5.0)
    assert not ours.claimed(1, 3, b"w" * 32, 9.0), "the first claim stays"
    assert ours.behind(4.9) == []
    assert ours.behind(5.0) == [1]
    ours.hear(3, bytes([3]) * 32)
    assert ours.settle() == []
    assert ours.behind(99.0) == []
    ours = order(1, 2)
    for claim in (3, 4):
        ours.claimed(1, claim, b"w" * 32, 0.0)
        ours.hear(claim, bytes(32))
        assert ours.settle() == ([1] if claim == 4 else [])


def test_one_number_is_one_message_on_one_connection() -> None:
    ours = order(1, 2)
    assert ours.hear(2, bytes([2]) * 32)
    assert not ours.hear(2, bytes(32))
    ours.disconnected()
    assert ours.hear(1, bytes(32)), "the room was forgotten meanwhile, and counts anew"
    assert ours.newest()[0] == 1
    ours.life(b"server 2")
    assert ours.newest() == (0, NO_HEARTBEAT)


def test_the_memory_of_relays_is_bounded() -> None:
    ours = Order()
    ours.life(LIFE)
    for number in range(1, 3 * KEPT):
        ours.hear(number, bytes(32))
    assert len(ours._digests) == KEPT
    assert ours.newest()[0] == 3 * KEPT - 1


def test_names_are_listed_as_people_do() -> None:
    assert [listed(["Ada", "Bo", "Cem"][:n]) for n in range(4)] == [
        "",
        "Ada",
        "Ada and Bo",
        "Ada, Bo and Cem",
    ]
    assert listed("abcdefghij") == "a, b, c, d, e and 5 more"
    assert [stream_of("Ada's", n) for n in (0, 1, 2, 3, 7)] == [
        "Ada's sound",
        "Ada's pictures",
        "Ada's screen's sound",
        "Ada's screen",
        "Ada's pictures",
    ]
