"""Which worker the members of a room get, and what the workers of one room are told."""

from __future__ import annotations

from dataclasses import dataclass

from snugroom.server.sfu.workers.pipe import Heartbeat, Leave, Remote
from snugroom.server.sfu.workers.slot import WorkerSlot
from snugroom.server.sfu.workers.spread import PIN_TIME, Spread, Told
from snugroom.wire.messages import Stream

ROOM, OTHER = b"r" * 16, b"o" * 16
STREAMS = [Stream(1, "audio")]


@dataclass
class Load:
    """A worker's facts."""

    number: int
    up: bool = True
    peers: int = 0
    rate: float = 0.0
    share: float = 0.0
    full: bool = False

    def busy(self) -> bool:
        return self.full


def name(number: int) -> bytes:
    return b"%08d" % number


class Pool:
    """Slots and a spread, as the pool uses them."""

    def __init__(self, slots: int, part_max: int) -> None:
        self.slots = [Load(number) for number in range(slots)]
        self.spread = Spread(part_max)

    def join(self, number: int, room: bytes = ROOM) -> int:
        slot = self.spread.choose(room, name(number), self.slots)
        self.slots[slot].peers += self.spread.join(room, name(number), slot)
        return slot

    def accepted(self, number: int, room: bytes = ROOM) -> list[tuple[int, str, bytes]]:
        self.join(number, room)
        return told(self.spread.accept(room, name(number), STREAMS))


def told(messages: Told) -> list[tuple[int, str, bytes]]:
    return [(slot, type(message).__name__, message.handle) for slot, message in messages]


def test_a_small_room_is_on_one_worker_and_a_large_one_on_further_workers() -> None:
    pool = Pool(3, part_max=4)
    assert [pool.join(n) for n in range(4)] == [0] * 4
    assert [pool.join(n) for n in range(4, 8)] == [1] * 4
    assert [pool.join(n) for n in range(8, 12)] == [2] * 4
    # when all have their part, the parts grow together; and whoever is known stays
    assert sorted(pool.join(n) for n in range(12, 18)) == [0, 0, 1, 1, 2, 2]
    assert [pool.join(n) for n in range(4)] == [0] * 4
    # those who leave make room
    for n in range(4):
        pool.spread.leave(ROOM, name(n))
    assert [pool.join(n) for n in range(20, 24)] == [0] * 4


def test_one_worker_keeps_all() -> None:
    pool = Pool(1, part_max=4)
    assert {pool.join(n) for n in range(50)} == {0}
    assert pool.accepted(3) == []


def test_a_busy_worker_gives_away_parts_of_rooms_that_are_not_small() -> None:
    pool = Pool(2, part_max=25)
    pool.slots[0].share = 0.6
    assert [pool.join(n) for n in range(12)] == [0] * 10 + [1] * 2
    pool.slots[0].share = 0.4
    assert [pool.join(n, OTHER) for n in range(12)] == [1] * 12


def test_a_worker_that_is_busy_or_down_or_has_more_gets_no_part() -> None:
    for change in ({"share": 0.6}, {"up": False}, {"full": True}, {"peers": 100}):
        pool = Pool(2, part_max=4)
        for n in range(4):
            pool.join(n)
        for attribute, value in change.items():
            setattr(pool.slots[1], attribute, value)
        assert pool.join(4) == 0, change


def test_workers_are_told_of_each_others_members() -> None:
    pool = Pool(2, part_max=2)
    assert pool.accepted(0) == []
    assert pool.accepted(1) == []
    pool.join(2)
    assert pool.spread.slot_of(ROOM, name(2)) == 1
    # nothing before its worker has accepted it; then each gets the other's members
    assert told(pool.spread.accept(ROOM, name(2), STREAMS)) == [
        (0, "Remote", name(2)),
        (1, "Remote", name(0)),
        (1, "Remote", name(1)),
    ]
    assert pool.accepted(3) == [(0, "Remote", name(3))]
    # a change of streams is told as well
    (message,) = [m for _, m in pool.spread.accept(ROOM, name(0), [])]
    assert isinstance(message, Remote)
    assert (message.worker, message.streams) == (0, [])
    # rooms have different numbers on a link
    for n in range(3):
        pool.accepted(n, OTHER)
    numbers = {pin.number for pin in pool.spread.pins.values()}
    assert len(numbers) == 2


def test_whoever_leaves_is_withdrawn_everywhere_at_once() -> None:
    pool = Pool(2, part_max=2)
    for n in range(4):
        pool.accepted(n)
    left = pool.spread.leave(ROOM, name(0))
    assert left is not None
    assert (left[0], told(left[1])) == (0, [(1, "Leave", name(0))])
    # the last one on a worker takes along what the worker has of the others
    left = pool.spread.leave(ROOM, name(1))
    assert left is not None
    assert told(left[1]) == [(1, "Leave", name(1)), (0, "Leave", name(2)), (0, "Leave", name(3))]
    assert pool.spread.leave(ROOM, name(1)) is None
    for n in (2, 3):
        left = pool.spread.leave(ROOM, name(n))
        assert left == (1, [])
    assert pool.spread.pins == {}


def test_a_refused_member_is_unknown_to_other_workers() -> None:
    pool = Pool(2, part_max=1)
    pool.accepted(0)
    assert pool.join(1) == 1
    assert pool.spread.leave(ROOM, name(1)) == (1, [])
    assert pool.spread.accept(ROOM, name(1), STREAMS) == []


def test_the_end_of_a_worker_concerns_its_own_members() -> None:
    pool = Pool(3, part_max=3)
    for n in range(6):
        pool.accepted(n)
    # two of them are just changing their streams, and their joins are repeated
    lost, messages = pool.spread.end(1, {(ROOM, name(4)), (ROOM, name(5))}, now=5.0)
    assert lost == [(ROOM, [name(3)])]
    assert told(messages) == [(0, "Leave", name(n)) for n in (3, 4, 5)]
    assert all(isinstance(message, Leave) for _, message in messages)
    assert told(pool.spread.accept(ROOM, name(4), STREAMS)) == [
        (0, "Remote", name(4)),
        *((1, "Remote", name(n)) for n in range(3)),
    ]
    assert told(pool.spread.accept(ROOM, name(5), STREAMS)) == [(0, "Remote", name(5))]
    # whoever comes back goes to the successor, wherever there are fewer
    pool.spread.leave(ROOM, name(0))
    assert pool.accepted(3) == [(0, "Remote", name(3))]
    assert pool.spread.slot_of(ROOM, name(3)) == 1
    # and the room gets no further worker
    assert {pool.join(n) for n in range(10, 20)} == {0, 1}


def test_a_room_that_has_lost_all_is_forgotten_after_a_time() -> None:
    pool = Pool(2, part_max=5)
    pool.accepted(0)
    pool.spread.end(0, set(), now=1.0)
    pool.spread.expire(1.0 + PIN_TIME - 0.1)
    pool.slots[0].peers = 100
    assert pool.join(7) == 0
    assert pool.spread.leave(ROOM, name(7)) == (0, [])
    pool.accepted(0)
    pool.spread.end(1, set(), now=50.0)
    pool.spread.expire(50.0 + PIN_TIME)
    assert pool.spread.pins == {}


def test_a_workers_share_of_a_core_is_smoothed_over_seconds() -> None:
    slot = WorkerSlot(0)
    slot.heard(Heartbeat({"forwarded": 100}, cpu=50.0, memory=0), now=10.0)
    assert (slot.share, slot.rate) == (0.0, 0.0)
    slot.heard(Heartbeat({"forwarded": 300}, cpu=52.0, memory=0), now=12.0)
    assert slot.rate == 100.0
    assert 0.0 < slot.share < 0.5  # one busy second, as of many joins, is not enough
    for second in range(10):
        slot.heard(Heartbeat({}, cpu=52.6 + 0.6 * second, memory=0), now=13.0 + second)
    assert 0.55 < slot.share < 0.65
