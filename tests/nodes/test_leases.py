"""At most one node serves a lease: dialogues between nodes and a bus in memory, and a search for a split."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from snugroom.server.nodes.leases import ASKED_MAX
from snugroom.server.nodes.outcomes import At, Here, Nowhere, Placed
from snugroom.server.nodes.records import Place, Session, Settled, decode, encode, place_key
from tests.nodes.register import TIMING, Node, World

ROOM, OTHER = b"r" * 16, b"o" * 16


def test_a_room_is_at_the_node_that_asked_first() -> None:
    one, two = World().begin().nodes
    here = one.where(ROOM)
    assert isinstance(here, Here)
    assert two.where(ROOM) == At(1)
    assert one.where(ROOM) == here
    assert isinstance(two.where(OTHER), Here)
    assert one.where(OTHER) == At(2)


def test_a_room_that_is_over_may_begin_elsewhere_under_a_larger_fencing_number() -> None:
    one, two = World().begin().nodes
    first = one.where(ROOM)
    one.release(ROOM)
    one.settle()
    second = two.where(ROOM)
    assert isinstance(first, Here)
    assert isinstance(second, Here)
    assert second.fencing > first.fencing


def test_it_lasts_as_long_as_the_node_lives_without_a_write_of_its_own() -> None:
    world = World().begin()
    one, two = world.nodes
    one.where(ROOM)
    at = world.bus.records[world.bus.era, place_key(ROOM)]
    world.pass_time(20 * TIMING.lease)
    assert one.serves(ROOM)
    assert two.where(ROOM) == At(1)
    assert world.bus.records[world.bus.era, place_key(ROOM)] == at


def test_a_dead_nodes_rooms_begin_elsewhere_after_its_lease() -> None:
    world = World().begin()
    one, two = world.nodes
    one.where(ROOM)
    world.pass_time(0.7 * TIMING.lease, two)
    assert two.where(ROOM) == At(1)
    world.pass_time(0.9 * TIMING.lease, two)
    assert isinstance(two.where(ROOM), Here)


def test_a_node_that_cannot_renew_stops_before_its_lease_ends() -> None:
    world = World().begin()
    one, two = world.nodes
    one.where(ROOM)
    while one.serves(ROOM):
        assert not isinstance(two.where(ROOM), Here)
        world.pass_time(0.25, two)
    assert two.where(ROOM) == At(1)  # nobody serves it yet
    one.tick()
    assert one.lost == [ROOM]
    assert one.where(OTHER) != At(1)


@pytest.mark.parametrize("rates", [(0.91, 1.09), (1.09, 0.91)])
def test_clocks_may_run_wrong_by_a_tenth(rates: tuple[float, ...]) -> None:
    world = World(rates).begin()
    one, two = world.nodes
    one.where(ROOM)
    while not isinstance(two.where(ROOM), Here):
        world.pass_time(0.05, two)
    assert not one.serves(ROOM)
    assert one.where(ROOM) != At(1)


def test_a_frozen_node_serves_nothing_when_it_wakes() -> None:
    world = World().begin()
    one, two = world.nodes
    one.where(ROOM)
    world.pass_time(3 * TIMING.lease, two)
    assert isinstance(two.where(ROOM), Here)
    assert not one.serves(ROOM)
    assert one.leases.deadline <= one.now  # the hub asks before it reads another message
    one.take(one.leases.expire(one.now))
    assert one.lost == [ROOM]
    world.pass_time(TIMING.lease)
    assert one.where(ROOM) == At(2)


def test_a_draining_node_gives_its_rooms_away_at_once() -> None:
    world = World().begin()
    one, two = world.nodes
    one.where(ROOM)
    one.take(one.leases.drain(one.now))
    assert one.lost == [ROOM]
    assert not one.serves(ROOM)
    one.settle()
    assert one.leases.gone
    assert isinstance(two.where(ROOM), Here)
    assert one.where(OTHER) == Nowhere("stopping")


def test_a_node_drains_even_while_its_sign_of_life_is_on_the_way() -> None:
    world = World().begin()
    one, two = world.nodes
    one.where(ROOM)
    world.time += TIMING.beat
    one.tick()
    one.send()
    one.take(one.leases.drain(one.now))
    before = one.leases.gone
    one.settle()
    assert (before, one.leases.gone) == (False, True)
    assert isinstance(two.where(ROOM), Here)


def test_a_restarted_bus_interrupts_no_room() -> None:
    world = World().begin()
    one, two = world.nodes
    here = one.where(ROOM)
    world.bus.restart()
    two.connect()
    world.pass_time(0.5, two)
    assert two.where(ROOM) == Nowhere("settling")
    one.connect()
    world.pass_time(2 * TIMING.lease)
    assert one.lost == []
    assert one.where(ROOM) == here
    assert two.where(ROOM) == At(1)
    assert isinstance(two.where(OTHER), Here)


def test_a_node_that_has_not_noticed_the_restart_takes_no_room() -> None:
    world = World().begin()
    one, two = world.nodes
    assert isinstance(one.where(ROOM), Here)
    world.bus.restart()
    assert two.where(ROOM) == Nowhere("bus")


def test_a_bus_that_stays_away_ends_all_rooms_and_opens_none() -> None:
    world = World().begin()
    one, _ = world.nodes
    one.where(ROOM)
    for _ in range(100):
        world.time += 0.25
        one.tick()
        while one.requests:
            one.time_out(0, lost=True)
        while one.answers:
            one.hear()
    assert one.lost == [ROOM]
    assert one.where(ROOM) == Nowhere("bus")


def test_a_newcomer_to_a_settled_bus_need_not_wait() -> None:
    world = World((1.0,)).begin()
    late = Node(world, 2, 1.0)
    late.connect()
    late.settle()
    assert isinstance(late.where(ROOM), Here)


def test_a_nodes_number_is_free_again_after_the_lease_of_the_process_before() -> None:
    world = World().begin()
    one, two = world.nodes
    one.where(ROOM)
    again = world.crash(one)
    again.connect()
    world.pass_time(0.5 * TIMING.lease)
    assert not again.leases.certain(again.now)
    assert two.where(ROOM) == At(1)
    world.pass_time(TIMING.lease)
    assert again.leases.certain(again.now)
    assert isinstance(again.where(ROOM), Here)


def test_two_processes_with_one_number_notice() -> None:
    world = World((1.0,)).begin()
    (one,) = world.nodes
    rival = Node(world, 1, 1.0)
    world.nodes.append(rival)
    rival.connect()
    world.pass_time(TIMING.lease)
    assert rival.leases.rival
    assert one.leases.certain(one.now)
    assert not rival.leases.certain(rival.now)


def test_a_delete_that_comes_late_deletes_nothing() -> None:
    one, two = World().begin().nodes
    one.where(ROOM)
    one.release(ROOM)
    late = one.requests.pop()
    assert isinstance(one.where(ROOM), Here)
    one.requests.append(late)
    one.settle()
    assert two.where(ROOM) == At(1)


def test_so_many_wait_for_the_bus_and_no_more() -> None:
    one, _ = World().begin().nodes
    for number in range(ASKED_MAX + 1):
        one.find(number.to_bytes(16, "big"))
    assert one.placed == [Placed(ASKED_MAX.to_bytes(16, "big"), Nowhere("busy"))]
    one.settle()
    assert sum(isinstance(each.where, Here) for each in one.placed) == ASKED_MAX


@pytest.mark.parametrize(
    "record", [Session(b"12345678"), Session(b"12345678", False), Place(64, b"12345678"), Settled()]
)
def test_records_are_written_and_read(record: Session | Place | Settled) -> None:
    key = {Session: "session.1", Place: place_key(ROOM), Settled: "settled"}[type(record)]
    assert decode(key, encode(record)) == record


@pytest.mark.parametrize(
    ("key", "data"),
    [("session.1", b"00 living"), ("session.1", b"settled"), ("place.00", b"x 00"), ("place.00", b"\xff 00")],
)
def test_others_records_are_refused(key: str, data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # UnicodeDecodeError is one
        decode(key, data)


class Split(RuleBasedStateMachine):
    """Searches for two nodes that serve one lease: late and lost messages, dead nodes, a dead bus."""

    nodes = st.integers(0, 2)
    rooms = st.sampled_from([ROOM, OTHER])

    @initialize(rates=st.tuples(*[st.sampled_from([0.91, 1.0, 1.09])] * 3), settled=st.booleans())
    def start(self, rates: tuple[float, ...], settled: bool) -> None:
        self.world = World(rates)
        if settled:
            self.world.begin()

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.0, 4.0, 8.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.world.time += seconds

    @rule(seconds=st.sampled_from([1.0, 3.0, 9.0, 13.0]), frozen=st.integers(0, 3))
    def run(self, seconds: float, frozen: int) -> None:
        others = [node for node in self.world.nodes if node.number - 1 != frozen]
        self.world.pass_time(seconds, *others)

    @rule(number=nodes)
    def tick(self, number: int) -> None:
        self.world.nodes[number].tick()

    @rule(number=nodes)
    def settle(self, number: int) -> None:
        self.world.nodes[number].settle()

    @rule(number=nodes, index=st.integers(0, 3))
    def send(self, number: int, index: int) -> None:
        node = self.world.nodes[number]
        if node.requests:
            node.send(index % len(node.requests))

    @rule(number=nodes, index=st.integers(0, 3))
    def hear(self, number: int, index: int) -> None:
        node = self.world.nodes[number]
        if node.answers:
            node.hear(index % len(node.answers))

    @rule(number=nodes, index=st.integers(0, 3), lost=st.booleans())
    def time_out(self, number: int, index: int, lost: bool) -> None:
        node = self.world.nodes[number]
        if node.requests:
            node.time_out(index % len(node.requests), lost)

    @rule(number=nodes, room=rooms)
    def find(self, number: int, room: bytes) -> None:
        self.world.nodes[number].find(room)

    @rule(number=nodes, room=rooms)
    def come(self, number: int, room: bytes) -> None:
        self.world.nodes[number].where(room)

    @rule(number=nodes, room=rooms)
    def release(self, number: int, room: bytes) -> None:
        self.world.nodes[number].release(room)

    @rule(number=nodes)
    def connect(self, number: int) -> None:
        self.world.nodes[number].connect()

    @rule()
    def restart_the_bus(self) -> None:
        self.world.bus.restart()

    @rule(number=nodes)
    def crash(self, number: int) -> None:
        self.world.crash(self.world.nodes[number])

    @precondition(lambda self: self.world.time > 0)
    @rule(number=nodes)
    def drain(self, number: int) -> None:
        node = self.world.nodes[number]
        node.take(node.leases.drain(node.now))

    @invariant()
    def at_most_one_serves(self) -> None:
        if hasattr(self, "world"):
            for room in (ROOM, OTHER):
                assert sum(node.serves(room) for node in self.world.nodes) <= 1


#: `SNUG_SPLITS=20000` searches for some minutes.
EXAMPLES = int(os.environ.get("SNUG_SPLITS", "40"))
Split.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
TestSplit = Split.TestCase
