"""Rooms take turns: what one room does delays no other."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.config import Settings
from snugroom.server.rooms.turns import PATIENCE, QUANTUM, Turns

SETTINGS = Settings(
    room_deliveries_per_second=1000.0, room_delivery_burst=500.0, room_egress_per_second=1e6,
    room_egress_burst=1e6, egress_per_second=1e9, egress_burst=1e9,
)  # fmt: skip


class Load:
    """Connections that always have another message, and how much each caused."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.now = 0.0
        self.turns = Turns(settings, self.now)
        self.done: Counter[bytes] = Counter()
        self.costs: dict[bytes, tuple[bytes, int, int]] = {}

    def join(self, room: bytes, handle: bytes, deliveries: int, size: int = 0) -> None:
        self.costs[handle] = (room, deliveries, size)
        self.turns.offer(room, handle, self.now)

    def step(self) -> bytes | None:
        handle = self.turns.next(self.now)
        if handle is not None:
            room, deliveries, size = self.costs[handle]
            self.turns.spend(room, handle, deliveries, size, self.now)
            self.done[handle] += 1
            self.turns.offer(room, handle, self.now)
        return handle

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            while self.step() is not None:
                pass
            wait = self.turns.wait(self.now)
            assert wait is not None
            assert wait > 0
            self.now = min(end, self.now + wait + 1e-9)


def test_a_room_has_a_budget_and_its_senders_share_it() -> None:
    load = Load()
    for number in range(10):
        load.join(b"room", bytes([number]), 10)
    load.run(10.0)
    assert sum(load.done.values()) * 10 == pytest.approx(500 + 1000 * 10, rel=0.02)
    assert max(load.done.values()) - min(load.done.values()) <= 1
    assert load.turns.delayed > 100


def test_bytes_have_a_budget_too() -> None:
    load = Load()
    load.join(b"room", b"1", 1, 100_000)
    load.run(10.0)
    assert load.done[b"1"] * 100_000 == pytest.approx(1e6 + 1e7, rel=0.02)


def test_a_room_over_its_budget_delays_no_other() -> None:
    load = Load()
    for number in range(100):
        load.join(b"flood", bytes([number]), 99)
    while load.step() is not None:
        pass
    load.turns.offer(b"other", b"honest", load.now)
    assert load.turns.next(load.now) == b"honest"
    # nor one that never stops either, and has a budget
    load = Load()
    load.join(b"flood", b"flood", 600)
    load.join(b"steady", b"steady", 20)
    assert [load.step() for _ in range(6)].count(b"steady") == 5
    assert load.turns.waiting == 2


def test_a_room_that_had_nothing_waiting_goes_first_and_all_others_get_the_same() -> None:
    load = Load(Settings(room_delivery_burst=1e9, room_deliveries_per_second=1e9))
    for room in range(40):
        for number in range(1 + room % 3):
            load.join(bytes([room]), bytes([room, number]), 20 + room)
    for _ in range(5000):
        assert load.step() is not None
    load.turns.offer(b"other", b"honest", load.now)
    assert load.turns.next(load.now) == b"honest"
    work = Counter[int]()
    for handle, count in load.done.items():
        work[handle[0]] += count * (load.costs[handle][1] + 1)
    assert max(work.values()) - min(work.values()) <= 2 * QUANTUM


def test_the_servers_egress_is_shared() -> None:
    load = Load(Settings(egress_per_second=1e6, egress_burst=1e6))
    for room in (b"a", b"b"):
        load.join(room, room, 1, 20_000)
    load.run(10.0)
    assert sum(load.done.values()) * 20_000 == pytest.approx(1.1e7, rel=0.02)
    assert abs(load.done[b"a"] - load.done[b"b"]) <= QUANTUM / 2


def test_who_costs_most_is_named_when_messages_wait_for_too_long() -> None:
    turns = Turns(SETTINGS, 0.0)
    deliveries = {b"little": 1, b"more": 5, b"most": 20_000}
    for handle in deliveries:
        turns.offer(b"room", handle, 0.0)
    while (next_one := turns.next(0.0)) is not None:
        turns.spend(b"room", next_one, deliveries[next_one], 0, 0.0)
    for handle in (b"little", b"most"):
        turns.offer(b"room", handle, 0.1)
    assert list(turns.heaviest(PATIENCE)) == []
    assert list(turns.heaviest(PATIENCE + 0.2)) == [b"most"]
    assert list(turns.heaviest(PATIENCE + 0.3)) == []


def test_nothing_of_a_room_at_rest_is_remembered() -> None:
    turns = Turns(SETTINGS, 0.0)
    turns.offer(b"room", b"1", 0.0)
    assert turns.next(0.0) == b"1"
    turns.spend(b"room", b"1", 400, 0, 0.0)
    assert turns.next(0.0) is None
    turns.tick(0.1)
    assert turns._groups
    turns.tick(2.0)
    assert not turns._groups
    assert turns.wait(2.0) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(0, 300)), max_size=60))
def test_everybody_gets_a_turn_and_nobody_two_places(steps: list[tuple[int, int, int]]) -> None:
    turns, now = Turns(SETTINGS, 0.0), 0.0
    expected: dict[bytes, bytes] = {}
    for room, number, deliveries in steps:
        handle = bytes([room, number])
        match deliveries % 3:
            case 0:
                turns.offer(bytes([room]), handle, now)
                turns.offer(b"another room", handle, now)
                expected[handle] = bytes([room])
            case 1:
                turns.withdraw(handle)
                expected.pop(handle, None)
            case _:
                got = turns.next(now)
                if got is not None:
                    turns.spend(expected.pop(got), got, deliveries, deliveries, now)
        now += 0.01
        turns.tick(now)
        assert turns.waiting == len(expected)
    for _ in range(1000):
        if not expected:
            break
        got = turns.next(now)
        if got is not None:
            del expected[got]
        else:
            now += (turns.wait(now) or 0.0) + 1e-6
    assert not expected
