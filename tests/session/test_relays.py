"""Relays that come before older ones wait for these, but not for ever."""

from __future__ import annotations

from collections.abc import Iterable

from snugroom.client.session.kernel.relays import KEPT_BYTES, KEPT_MAX, KEPT_TIME, Relays
from snugroom.wire.messages import Relayed


def relay(number: int) -> Relayed:
    return Relayed(number, bytes([number % 256]))


def numbers(relays: Iterable[Relayed]) -> list[int]:
    return [each.relay for each in relays]


def behind() -> Relays:
    """It has 1 to 3; 7 and 8 have come, while a catch-up is under way."""
    relays = Relays()
    for number in (1, 2, 3):
        assert numbers(relays.arrived(relay(number), 0, catching_up=False)) == [number]
    for number in (7, 8):
        assert relays.arrived(relay(number), 0, catching_up=True) == []
    return relays


def test_those_that_a_catch_up_brings_are_read_first_and_none_is_read_twice() -> None:
    relays = behind()
    for number in (4, 5, 6, 7):
        assert numbers(relays.arrived(relay(number), 1, catching_up=True)) == [number]
    assert numbers(relays.caught_up(7)) == [8]
    assert relays.due(9, catching_up=False) == []


def test_what_the_server_no_longer_has_is_not_waited_for() -> None:
    relays = behind()
    assert relays.arrived(relay(6), 1, catching_up=True) == []
    assert numbers(relays.caught_up(8)) == [6, 7, 8]
    assert relays.number == 8


def test_a_catch_up_that_is_refused_or_unanswered_keeps_nothing_back() -> None:
    assert numbers(behind().due(1, catching_up=False)) == [7, 8]
    relays = behind()
    assert relays.due(KEPT_TIME - 0.1, catching_up=True) == []
    assert numbers(relays.due(KEPT_TIME, catching_up=True)) == [7, 8]
    relays = behind()
    for number in range(9, KEPT_MAX + 6):
        assert relays.arrived(relay(number), 1, catching_up=True) == []
    assert len(relays.arrived(relay(KEPT_MAX + 6), 1, catching_up=True)) == KEPT_MAX


def test_few_bytes_are_kept_too() -> None:
    relays = Relays()
    half = bytes(KEPT_BYTES // 2)
    assert relays.arrived(Relayed(5, half), 0, catching_up=True) == []
    assert numbers(relays.arrived(Relayed(6, half), 0, catching_up=True)) == [5, 6]


def test_a_lost_connection_takes_them_along_and_they_are_asked_for_again() -> None:
    relays = behind()
    relays.lost()
    assert relays.due(9, catching_up=False) == []
    assert relays.number == 3
    relays.restarted()
    assert relays.number == 0


def test_without_a_catch_up_a_gap_is_no_reason_to_wait() -> None:
    relays = Relays()
    assert numbers(relays.arrived(relay(5), 0, catching_up=False)) == [5]
    assert relays.number == 0
