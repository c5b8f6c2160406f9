"""One budget for the memory of signaling: exactly counted, and the largest rooms give first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.config import Settings
from snugroom.server.rooms.backlog import Backlog
from snugroom.server.rooms.memory import BLOB, CloseRoom, DropReader, Holding, Ledger, Trim, relief
from snugroom.wire import limits
from snugroom.wire.messages import Committed

SIZES = st.integers(0, 3_000_000)
HOLDINGS = st.lists(
    st.builds(
        lambda connections, commits, relays, queues: (connections, commits, relays, queues),
        st.integers(0, 5),
        SIZES,
        SIZES,
        st.lists(SIZES, max_size=4),
    ),
    max_size=8,
).map(
    lambda rooms: [
        Holding(bytes([n]), c, commits + relays, relays, [(bytes([n, i]), q) for i, q in enumerate(queues)])
        for n, (c, commits, relays, queues) in enumerate(rooms)
    ]
)


def after(holdings: list[Holding], effects: list[Trim | DropReader | CloseRoom]) -> dict[bytes, int]:
    left = {holding.name: holding.total for holding in holdings}
    queues = {handle: (h.name, size) for h in holdings for handle, size in h.queues}
    for effect in effects:
        match effect:
            case Trim(name, size):
                left[name] -= size
            case DropReader(handle):
                name, size = queues[handle]
                left[name] -= size
            case CloseRoom(name):
                left[name] = 0
    return left


@given(HOLDINGS, st.integers(100_000, 10_000_000))
def test_relief_is_enough_and_takes_from_the_largest(holdings: list[Holding], budget: int) -> None:
    total = sum(holding.total for holding in holdings)
    effects = relief(holdings, total, budget)
    if total <= budget:
        assert effects == []
        return
    left = after(holdings, effects)
    assert all(size >= 0 for size in left.values())
    # what all may keep for their connections is at most half of the budget
    assert sum(left.values()) <= budget
    touched = [h for h in holdings if left[h.name] < h.total]
    spared = [h for h in holdings if left[h.name] == h.total]
    least = min((h.total - 65_536 * h.connections for h in touched), default=0)
    floor = 65_536 * 5
    assert all(h.total - 65_536 * h.connections <= least + floor for h in spared)


def test_relays_go_first_then_readers_then_the_room() -> None:
    small = Holding(b"small", 2, 50_000, 50_000, [(b"s", 10_000)])
    large = Holding(b"large", 2, 9_000_000, 8_000_000, [(b"slow", 900_000), (b"fast", 0)])
    assert relief([small, large], 9_960_000, 6_000_000) == [Trim(b"large", 4_560_001)]
    assert relief([small, large], 9_960_000, 1_000_000) == [CloseRoom(b"large")]
    readers = Holding(b"large", 2, 500_000, 400_000, [(b"slow", 9_000_000), (b"fast", 10)])
    assert relief([small, readers], 9_960_000, 2_000_000) == [Trim(b"large", 400_000), DropReader(b"slow")]


def test_rooms_that_hold_little_for_each_connection_are_left_alone() -> None:
    school = Holding(b"school", 100, 5_000_000, 4_000_000, [])
    attacks = [Holding(bytes([n]), 2, 3_000_000, 0, []) for n in range(3)]
    effects = relief([school, *attacks], 14_000_000, 13_900_000)
    assert effects
    assert {e.name for e in effects if isinstance(e, CloseRoom | Trim)} <= {bytes([n]) for n in range(3)}


@given(st.lists(st.tuples(st.sampled_from("crftx"), st.sampled_from(limits.BUCKETS)), max_size=40))
def test_what_is_counted_is_what_is_there(steps: list[tuple[str, int]]) -> None:
    ledger = Ledger()
    settings = Settings(ring_relays=8, ring_bytes=300_000, commit_bytes=300_000)
    rooms = [Backlog(settings, ledger), Backlog(settings, ledger)]
    for number, (what, size) in enumerate(steps):
        room = rooms[number % 2]
        match what:
            case "c":
                room.add_commit(Committed(number, bytes(size), bytes(32), bytes(32), bytes(8), bytes(64)))
            case "r":
                room.add_relay(number, bytes(size))
            case "f":
                room.forget_commits()
            case "t":
                room.forget_relays(size)
            case _:
                room.clear()
        there = [
            *(len(c.blob) + BLOB for r in rooms for c in r.commits),
            *(len(relayed.blob) + BLOB for r in rooms for _, relayed in r.relays),
        ]
        assert ledger.blobs == sum(there) == sum(r.memory for r in rooms)
