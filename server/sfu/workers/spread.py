"""Which worker each member of each room is on, and what the workers of one room are told about each other.

A room begins on one worker, and its members stay there while it is small: packets that cross between workers
cost something. Further members of a large room get their transport on another worker. Members are not moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from snugroom.server.sfu.workers import pipe
from snugroom.wire.messages import Stream

#: Seconds for which a room that has lost its media stays on its workers.
PIN_TIME: Final = 10.0
#: The share of a core above which a worker gets no part of another room, and gives parts of its own rooms to
#: other workers, if they have at least this many members.
_BUSY: Final = 0.5
_PART_MIN: Final = 10


class Slot(Protocol):
    """A worker: see `server.sfu.workers.pool.WorkerSlot`."""

    number: int
    up: bool
    peers: int
    rate: float
    share: float

    def busy(self) -> bool: ...


@dataclass(slots=True)
class Member:
    """A connection with media. `streams`: the ones that its worker has accepted; None before that."""

    slot: int
    streams: list[Stream] | None = None


@dataclass(slots=True)
class Pin:
    """The workers of a room. A room without members stays pinned `until` a time of the caller's clock.

    `number` names the room on links between workers. `home` is the worker of the first member. `lost` has the
    workers of members whose worker has ended: they come back to its successor. `died`: a worker of this room
    has ended. The room gets no further worker, because it may be the cause.
    """

    number: int
    home: int
    members: dict[bytes, Member] = field(default_factory=dict)
    lost: dict[bytes, int] = field(default_factory=dict)
    until: float = 0.0
    died: bool = False

    def accepted(self) -> dict[bytes, Member]:
        """Return the members that their workers have accepted."""
        return {handle: member for handle, member in self.members.items() if member.streams is not None}


#: Messages for workers, each with the number of its slot.
Told = list[tuple[int, pipe.Remote | pipe.Leave]]


class Spread:
    """All rooms. `part_max`: members of a room on one worker before others go to the next one."""

    def __init__(self, part_max: int) -> None:
        self.part_max = part_max
        self.pins: dict[bytes, Pin] = {}
        self._numbers = 0

    def slot_of(self, room: bytes, handle: bytes) -> int | None:
        """Return the slot of a member; None if it has no media."""
        pin = self.pins.get(room)
        member = None if pin is None else pin.members.get(handle)
        return None if member is None else member.slot

    def choose(self, room: bytes, handle: bytes, slots: Sequence[Slot]) -> int:
        """Return the slot for a member, which is known or new. `slots`: all workers, by number."""
        pin = self.pins.get(room)
        if pin is None:
            return _least_loaded(slots).number
        member = pin.members.get(handle)
        if member is not None:
            return member.slot
        if handle in pin.lost:
            return pin.lost[handle]
        parts = Counter(member.slot for member in pin.members.values())
        if not parts:
            return pin.home
        number = min(parts, key=lambda number: (not slots[number].up, parts[number], number))
        here, count = slots[number], parts[number]
        crowded = count >= self.part_max or (count >= _PART_MIN and here.share > _BUSY)
        if pin.died or not crowded:
            return number
        others = [slot for slot in slots if slot.number not in parts and slot.up and not slot.busy()]
        if others:
            other = _least_loaded(others)
            if other.peers < here.peers and other.share <= _BUSY:
                return other.number
        return number

    def join(self, room: bytes, handle: bytes, slot: int) -> bool:
        """Put a member on a slot; return whether it is new."""
        pin = self.pins.get(room)
        if pin is None:
            self._numbers += 1
            pin = self.pins[room] = Pin(self._numbers, slot)
        pin.lost.pop(handle, None)
        if handle in pin.members:
            return False
        pin.members[handle] = Member(slot)
        return True

    def accept(self, room: bytes, handle: bytes, streams: list[Stream]) -> Told:
        """Take the streams that a member's worker has accepted; return what other workers must know."""
        pin = self.pins.get(room)
        member = None if pin is None else pin.members.get(handle)
        if pin is None or member is None:
            return []
        others = pin.accepted()
        others.pop(handle, None)
        first = not any(other.slot == member.slot for other in others.values())
        member.streams = streams
        remote = pipe.Remote(room, handle, member.slot, pin.number, streams)
        told: Told = [
            (slot, remote) for slot in sorted({m.slot for m in others.values()}) if slot != member.slot
        ]
        if first:
            told += [
                (member.slot, pipe.Remote(room, name, other.slot, pin.number, other.streams))
                for name, other in others.items()
                if other.streams is not None
            ]
        return told

    def leave(self, room: bytes, handle: bytes) -> tuple[int, Told] | None:
        """Remove a member. Return its slot, and what other workers must know; None if it has no media.

        The last member to leave ends the room's pin.
        """
        pin = self.pins.get(room)
        member = None if pin is None else pin.members.pop(handle, None)
        if pin is None or member is None:
            return None
        others = pin.accepted()
        told = self._withdraw({other.slot for other in others.values()}, room, handle, member)
        if member.streams is not None and not any(o.slot == member.slot for o in others.values()):
            told += [(member.slot, pipe.Leave(room, name)) for name in others]
        if not pin.members:
            del self.pins[room]
        return member.slot, told

    @staticmethod
    def _withdraw(parts: Iterable[int], room: bytes, handle: bytes, member: Member) -> Told:
        """Return what tells the workers `parts` of the room that a member is gone."""
        if member.streams is None:
            return []
        return [(slot, pipe.Leave(room, handle)) for slot in sorted(parts) if slot != member.slot]

    def end(
        self, slot: int, waiting: Container[tuple[bytes, bytes]], now: float
    ) -> tuple[list[tuple[bytes, list[bytes]]], Told]:
        """Process the end of a worker. Return the members that lose their media, and what to tell others.

        `waiting`: rooms and handles whose join is repeated at the successor.
        """
        every: list[tuple[bytes, list[bytes]]] = []
        told: Told = []
        for room, pin in self.pins.items():
            hit = {handle: member for handle, member in pin.members.items() if member.slot == slot}
            if not hit:
                continue
            pin.died = True
            parts = {other.slot for other in pin.accepted().values()}
            for handle, member in hit.items():
                told += self._withdraw(parts, room, handle, member)
                member.streams = None
            lost = sorted(handle for handle in hit if (room, handle) not in waiting)
            for handle in lost:
                del pin.members[handle]
                pin.lost[handle] = slot
            if lost:
                pin.until = now + PIN_TIME
                every.append((room, lost))
        return every, told

    def expire(self, now: float) -> None:
        """Forget lost members that have not come back, and rooms without members."""
        for room, pin in list(self.pins.items()):
            if now >= pin.until:
                pin.lost.clear()
                if not pin.members:
                    del self.pins[room]


def _least_loaded(slots: Sequence[Slot]) -> Slot:
    """Return the slot for a new room: running, with the fewest peers, then with the lowest rate."""
    return min(slots, key=lambda slot: (not slot.up, slot.peers, slot.rate, slot.number))
