"""The parts of the monitor, each alone: confirmations, delivery of media, and the order of relays."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.session.catalogue.sentences import stream_of
from snugroom.client.session.monitor.delivery import Delivery
from snugroom.client.session.monitor.freshness import Beginning, Freshness
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.client.session.monitor.ordering import KEPT, Ordering
from snugroom.crypto.agreed.heartbeat import NO_HEARTBEAT

LIFE = b"server 1"


def fresh(words: dict[int, float]) -> Freshness:
    freshness = Freshness()
    for leaf, until in words.items():
        freshness.confirm(leaf, until, until)
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


@pytest.mark.parametrize(
    ("others", "hosts", "answers", "over"),
    [
        (0, set(), (), True),
        (1, {1}, (), False),
        (1, {1}, (1,), True),
        (3, {1}, (2, 3), False),  # an evicted member and its friends are no host
        (3, {1, 2}, (2,), True),
        (2, set(), (), False),
        (2, set(), (2,), True),  # two of three are more than half
        (3, set(), (2,), False),
        (3, set(), (2, 2), False),
        (3, set(), (2, 3), True),
    ],
)
def test_a_newcomer_waits_for_a_host_or_for_more_than_half(
    others: int, hosts: set[int], answers: tuple[int, ...], over: bool
) -> None:
    here = {leaf: leaf in hosts for leaf in range(1, others + 1)}
    beginning = Beginning(here)
    for leaf in answers:
        beginning.answered(leaf, here)
    assert beginning.over == over
    assert set(beginning.missing(here)) == (hosts or set(here)) - set(answers)


def test_a_newcomer_waits_for_nobody_who_has_gone() -> None:
    beginning = Beginning({1: True, 2: False})
    beginning.forget(1, {2: False})
    assert beginning.missing({2: False}) == [2]
    beginning.answered(2, {2: False})
    assert beginning.over
    alone = Beginning({1: True})
    alone.forget(1, {})
    assert alone.over


@given(st.integers(2, 40), st.data())
def test_at_most_one_side_of_a_partition_goes_on(members: int, data: st.DataObject) -> None:
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
    freshness.confirm(1, 7.0, 7.0)
    assert freshness.missing({1: False, 2: False}, 8.0) == [2]
    assert freshness.missing({1: False}, 9.0) == [1]
    freshness.forget(1)
    assert freshness.missing({1: False}, 1.0) == [1]


def test_the_interval_grows_with_the_room() -> None:
    assert [interval(n) for n in (1, 50, 100, 1000)] == [5.0, 5.0, 10.0, 100.0]


# -- delivery ----------------------------------------------------------------------------------------------


def reports(
    delivery: Delivery, *rounds: tuple[int, int], start: int = 0
) -> list[tuple[list[object], list[object]]]:
    """Leaf 1 on leaf 0's stream 0: (sent, got) every 5 s."""
    told: list[tuple[list[object], list[object]]] = []
    for at, (sent, got) in enumerate(rounds):
        delivery.record_sent(0, [(0, sent)])
        told.append(delivery.record_received(1, {0: {0: got}}, [0, 1], 5.0 * (start + at)))  # type: ignore[arg-type]
    return told


def test_three_heartbeats_without_delivery_are_told_once_and_so_is_the_end() -> None:
    delivery = Delivery()
    told = reports(
        delivery, (0, 0), (250, 250), (500, 250), (750, 250), (1000, 250), (1250, 250), (1500, 600)
    )
    assert [lost for lost, _ in told] == [[], [], [], [], [(0, 0)], [], []]
    assert [back for _, back in told] == [[], [], [], [], [], [], [(0, 0)]]
    assert delivery.not_reached((0, 0)) == []


def test_a_stream_that_is_not_sent_is_not_missed() -> None:
    delivery = Delivery()
    told = reports(delivery, (0, 0), (250, 200), *[(252, 200)] * 10)
    assert all(lost == [] for lost, _ in told)


def test_one_layer_is_enough_and_none_is_the_loss_of_one_stream() -> None:
    delivery = Delivery()
    # the larger ones are not forwarded; later the smallest alone is sent, and it does not come
    for at in range(8):
        delivery.record_sent(0, [(1, 100 * at), (4, 100 * at), (5, 100 * at)])
        assert delivery.record_received(
            1, {0: {1: 100 * min(at, 3), 4: 100 * max(0, at - 3)}}, [0, 1], 5.0 * at
        ) == (
            [],
            [],
        )
    told = []
    for at in range(8, 12):
        delivery.record_sent(0, [(1, 100 * at), (4, 700), (5, 700)])
        told += delivery.record_received(1, {0: {1: 300, 4: 400}}, [0, 1], 5.0 * at)[0]
    assert told == [(0, 1)]
    assert delivery.not_reached((0, 1)) == [1]


def test_heartbeats_in_quick_succession_count_as_one() -> None:
    delivery = Delivery()
    for n in range(18):
        delivery.record_sent(0, [(0, 50 * n)])
        assert delivery.record_received(1, {}, [0, 1], 0.5 * n)[0] == []


def test_a_new_connection_or_another_member_begins_again() -> None:
    for again in (Delivery.reset, Delivery.forget):
        for leaf in (0, 1):
            delivery = Delivery()
            reports(delivery, (0, 0), (250, 0), (500, 0))
            again(delivery, leaf)
            told = reports(delivery, (750, 0), (1000, 0), (1250, 0), (1500, 0), start=3)
            assert [lost for lost, _ in told] == [[], [], [], [(0, 0)]]


# -- order ------------------------------------------------------------------------------------------------


def ordering(*numbers: int, life: bytes = LIFE) -> Ordering:
    made = Ordering()
    made.set_incarnation(life)
    for number in numbers:
        assert made.record(number, bytes([number]) * 32)
    return made


def test_members_with_the_same_relays_have_the_same_window() -> None:
    ours, theirs = ordering(*range(1, 20)), ordering(*range(11, 20))  # who came later has fewer
    assert theirs.newest() == ours.newest()
    assert theirs.newest()[0] == 19
    assert not ours.check_claim(1, *theirs.newest(), 0.0)
    assert ours.window_at(18) != ours.window_at(19)


def test_a_window_needs_all_relays_that_it_covers() -> None:
    assert Ordering().newest() == (0, NO_HEARTBEAT)
    assert ordering(5, 6, 7).newest() == (0, NO_HEARTBEAT)
    assert ordering(1, 2, 4).newest()[0] == 2
    assert ordering(*range(3, 11), 13).newest()[0] == 10


def test_a_difference_is_told_at_the_second_time_and_once() -> None:
    ours = ordering(1, 2, 3)
    assert [ours.check_claim(1, 3, b"w" * 32, 0.0) for _ in range(4)] == [False, True, False, False]
    mine = ours.newest()
    ours = ordering(1, 2, 3)
    assert not ours.check_claim(1, 3, b"w" * 32, 0.0)
    assert not ours.check_claim(1, *mine, 0.0)
    assert not ours.check_claim(1, 3, b"w" * 32, 0.0), "not twice on end"


def test_relays_that_only_others_have_are_compared_when_they_come() -> None:
    ours, theirs = ordering(1, 2), ordering(1, 2, 3)
    assert not ours.check_claim(1, *theirs.newest(), 5.0)
    assert not ours.check_claim(1, 3, b"w" * 32, 9.0), "the first claim stays"
    assert ours.ahead_since(4.9) == []
    assert ours.ahead_since(5.0) == [1]
    ours.record(3, bytes([3]) * 32)
    assert ours.check_waiting_claims() == []
    assert ours.ahead_since(99.0) == []
    ours = ordering(1, 2)
    for claim in (3, 4):
        ours.check_claim(1, claim, b"w" * 32, 0.0)
        ours.record(claim, bytes(32))
        assert ours.check_waiting_claims() == ([1] if claim == 4 else [])


def test_one_number_is_one_message_on_one_connection() -> None:
    ours = ordering(1, 2)
    assert ours.record(2, bytes([2]) * 32)
    assert not ours.record(2, bytes(32))
    ours.disconnected()
    assert ours.record(1, bytes(32)), "the room was forgotten meanwhile, and counts anew"
    assert ours.newest()[0] == 1
    ours.set_incarnation(b"server 2")
    assert ours.newest() == (0, NO_HEARTBEAT)


def test_the_memory_of_relays_is_bounded() -> None:
    ours = Ordering()
    ours.set_incarnation(LIFE)
    for number in range(1, 3 * KEPT):
        ours.record(number, bytes(32))
    assert len(ours._digests) == KEPT
    assert ours.newest()[0] == 3 * KEPT - 1


def test_streams_have_names() -> None:
    assert [stream_of("Ada", n) for n in (0, 1, 2, 3, 7)] == [
        "\u201cAda\u201d's sound",
        "\u201cAda\u201d's video",
        "\u201cAda\u201d's screen's sound",
        "\u201cAda\u201d's screen",
        "\u201cAda\u201d's video",
    ]
