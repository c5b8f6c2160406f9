"""The core of the memory budget: what signaling holds, counted as it changes, and whom to take from.

Counted are the bytes of blobs and frames, and for each of them, and for each connection, an amount for the
objects around them. A frame that waits in many queues counts in each: that is too much, and never too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Bytes around a blob that a room holds, around a frame in a queue, of a connection of HTTP (WebSocket or
#: not), and more of one with TLS of the server's own, as measured with hundreds and thousands of them.
BLOB: Final = 256
FRAME: Final = 128
CONNECTION: Final = 24_576
TLS: Final = 40_960
#: After relief this share of the budget is in use, so that it does not begin again at once.
_EASE: Final = 0.9
#: Bytes that a room may hold for each of its connections before it is asked for any.
_FLOOR: Final = 65_536


class Ledger:
    """A count of bytes. Each holder adds what it takes, and subtracts the same when it lets go."""

    __slots__ = ("blobs", "frames", "inbox", "most")

    def __init__(self) -> None:
        self.blobs = 0  # in the rooms' backlogs, and commits on hold
        self.frames = 0  # in the queues of readers
        self.inbox = 0  # messages that arrive, and that wait for their turn
        self.most = 0

    def total(self, connections: int, *, tls: bool = False) -> int:
        """Return all bytes, given the number of connections, and whether they have TLS."""
        each = CONNECTION + TLS * tls
        total = self.blobs + self.frames + self.inbox + each * connections
        self.most = max(self.most, total)
        return total


@dataclass(frozen=True, slots=True)
class Holding:
    """The memory of a room or lobby. `relays`: part of `blobs`. `queues`: (handle, bytes) of its readers."""

    name: bytes
    connections: int
    blobs: int
    relays: int
    queues: Sequence[tuple[bytes, int]]

    @property
    def total(self) -> int:
        """All its bytes."""
        return self.blobs + sum(size for _, size in self.queues)


@dataclass(frozen=True, slots=True)
class Trim:
    """Let the room `name` forget its oldest relays, `size` bytes of them or a little more."""

    name: bytes
    size: int


@dataclass(frozen=True, slots=True)
class DropReader:
    """Drop the connection `handle`, for which too much waits."""

    handle: bytes


@dataclass(frozen=True, slots=True)
class CloseRoom:
    """Close the room `name`."""

    name: bytes


Relief = Trim | DropReader | CloseRoom
#: Names of reliefs, for counters.
WHAT: Final[dict[type, str]] = {Trim: "relays", DropReader: "readers", CloseRoom: "rooms"}


def relief(holdings: Sequence[Holding], total: int, budget: int) -> list[Relief]:
    """Return what brings `total` below `budget` again; nothing if it is not above.

    The largest rooms give until they are all equally large: their oldest relays, then their slowest readers.
    A room that is still too large is closed. Rooms below that level give nothing.
    """
    if total <= budget:
        return []
    floors = sum(holding.connections for holding in holdings) * _FLOOR
    floor = _FLOOR * min(1.0, budget / 2 / floors) if floors else 0.0
    sizes = [holding.total - floor * holding.connections for holding in holdings]
    level = _level(sizes, total - _EASE * budget)
    cuts = ((holding, size - level) for holding, size in zip(holdings, sizes, strict=True))
    return [effect for holding, cut in cuts if cut > 0 for effect in _cut(holding, cut)]


def _level(sizes: list[float], wanted: float) -> float:
    """Return the level for which the parts of `sizes` above it are `wanted` together; at least 0."""
    ordered = sorted((size for size in sizes if size > 0), reverse=True)
    above = 0.0
    for count, size in enumerate(ordered, 1):
        above += size
        below = ordered[count] if count < len(ordered) else 0.0
        if above - count * below >= wanted:
            return max(0.0, (above - wanted) / count)
    return 0.0


def _cut(holding: Holding, cut: float) -> list[Relief]:
    effects: list[Relief] = []
    if holding.relays:
        size = min(holding.relays, int(cut) + 1)
        effects.append(Trim(holding.name, size))
        cut -= size
    for handle, size in sorted(holding.queues, key=lambda queue: -queue[1]):
        if cut <= 0 or not size:
            break
        effects.append(DropReader(handle))
        cut -= size
    return effects if cut <= 0 else [CloseRoom(holding.name)]
