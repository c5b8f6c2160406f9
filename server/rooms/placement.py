"""Doors of rooms and lobbies that may be at another node: the hub's part in `server.nodes`.

A lease names a meeting by a hash of its door key, which stays the same when the room gets another number
(G8), or a lobby by a hash of its number. The hash is keyed with the nodes' secret: the bus learns no key.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import msgspec

from snugroom.server.nodes.leases import Leases
from snugroom.server.nodes.outcomes import At, Here, Lost, Nowhere, Outcome, Placed
from snugroom.server.nodes.records import Answer, Connected, Delete, Read, Request, Write
from snugroom.server.rooms.effects import Effect, Send
from snugroom.wire.messages import ClientMessage, Entered, LobbyDoor, MovedTo, Refused, Rekey, RoomDoor

#: Messages that one connection may send behind its door message while the bus is asked.
EARLY_MAX: Final = 8
_WHY: Final = {
    "bus": "this node does not reach the others: try again",
    "settling": "the nodes have just been started: try again in some seconds",
    "busy": "too many rooms are being opened at once: try again",
}


@dataclass(slots=True)
class Waiting:
    """A connection whose door has been checked, until the bus has said where the room is."""

    handle: bytes
    door: LobbyDoor | RoomDoor
    lease: bytes
    early: list[ClientMessage] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Enter:
    """These connections may enter here, in a room or lobby that begins with this fencing number."""

    lease: bytes
    fencing: int
    doors: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class TurnAway:
    """These connections may not enter here: `last` says where else, or why not."""

    handles: tuple[bytes, ...]
    last: MovedTo | Refused


@dataclass(frozen=True, slots=True)
class Close:
    """The rooms and lobbies with these numbers are served here no longer."""

    numbers: tuple[bytes, ...]


Step = Enter | TurnAway | Close | Request


class Placement:
    """The leases of this node, the connections that wait for one, and what is served under each."""

    def __init__(self, leases: Leases, secret: bytes) -> None:
        self.leases = leases
        self.node = leases.node
        self._secret = secret
        self._waiting: dict[bytes, list[Waiting]] = {}
        self._waits: dict[bytes, Waiting] = {}
        self._served: dict[bytes, set[bytes]] = {}
        self._lease_of: dict[bytes, bytes] = {}

    def _lease(self, door: LobbyDoor | RoomDoor | Rekey) -> bytes:
        """Return the name of the lease of the lobby or meeting that this message names."""
        key = b"lobby" + door.lobby_key if isinstance(door, LobbyDoor) else b"room" + door.door_key
        return hmac.digest(self._secret, b"snug 1 lease " + key, "sha256")[:16]

    def waits(self, handle: bytes) -> bool:
        """Return whether the connection waits for the bus."""
        return handle in self._waits

    def keep(self, handle: bytes, message: ClientMessage) -> bool:
        """Keep a message of a waiting connection until it is inside; return False if it sends too many."""
        early = self._waits[handle].early
        if len(early) >= EARLY_MAX:
            return False
        early.append(message)
        return True

    def is_same_meeting(self, number: bytes, rekey: Rekey) -> bool:
        """Return whether the room with this number keeps its lease when it is handed to another key."""
        return self._lease_of.get(number) == self._lease(rekey)

    def knock(self, handle: bytes, door: LobbyDoor | RoomDoor, now: float) -> list[Step]:
        """A connection has proven that it may open that door: find out where."""
        lease = self._lease(door)
        self._waits[handle] = Waiting(handle, door, lease)
        self._waiting.setdefault(lease, []).append(self._waits[handle])
        return self._steps(self.leases.find(lease, now))

    def forget(self, handle: bytes) -> None:
        """The connection is closed."""
        gone = self._waits.pop(handle, None)
        if gone is not None:
            self._waiting[gone.lease].remove(gone)

    def served(self, lease: bytes, number: bytes) -> None:
        """The room or lobby with this number is served here under that lease."""
        self._served.setdefault(lease, set()).add(number)
        self._lease_of[number] = lease

    def ended(self, number: bytes) -> list[Step]:
        """The room or lobby with this number is over."""
        lease = self._lease_of.pop(number, None)
        if lease is None:
            return []
        self._served[lease].discard(number)
        return self.unused(lease)

    def unused(self, lease: bytes) -> list[Step]:
        """Give the lease back if nothing is served under it."""
        if self._served.get(lease):
            return []
        self._served.pop(lease, None)
        return self._steps(self.leases.release(lease))

    def connected(self, what: Connected, now: float) -> list[Step]:
        """The bus answers."""
        return self._steps(self.leases.connected(what, now))

    def answered(self, answer: Answer, now: float) -> list[Step]:
        """The bus has answered a request."""
        return self._steps(self.leases.answered(answer, now))

    def tick(self, now: float) -> list[Step]:
        """Apply the passage of time."""
        return self._steps(self.leases.tick(now))

    def expire(self, now: float) -> list[Step]:
        """Return what must end before anything else is done at `now`."""
        return self._steps(self.leases.expire(now)) if now >= self.leases.deadline else []

    def drain(self, now: float) -> list[Step]:
        """End everything that is served here, so that other nodes may serve it."""
        return self._steps(self.leases.drain(now))

    def marked(self, effects: Iterable[Effect]) -> Iterator[Effect]:
        """Return `effects` with this node's number in each `entered`."""
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, Entered):
                yield Send(effect.handle, msgspec.structs.replace(effect.message, node=self.node))
            else:
                yield effect

    def _steps(self, outcomes: Iterable[Outcome]) -> list[Step]:
        steps: list[Step] = []
        for outcome in outcomes:
            match outcome:
                case Placed(lease, where):
                    doors = tuple(self._waiting.pop(lease, ()))
                    for waiting in doors:
                        del self._waits[waiting.handle]
                    steps.append(self._placed(lease, where, doors))
                case Lost(lease):
                    numbers = self._served.pop(lease, set())
                    for number in numbers:
                        del self._lease_of[number]
                    steps.append(Close(tuple(numbers)))
                case Read() | Write() | Delete():
                    steps.append(outcome)
        return steps

    def _placed(
        self, lease: bytes, where: Here | At | Nowhere, doors: tuple[Waiting, ...]
    ) -> Enter | TurnAway:
        if isinstance(where, Here):
            return Enter(lease, where.fencing, doors)
        handles = tuple(waiting.handle for waiting in doors)
        if isinstance(where, At):
            return TurnAway(handles, MovedTo(f"/n/{where.node}"))
        if where.why == "stopping":
            return TurnAway(handles, Refused("stopping", "the server is stopping", fatal=True))
        return TurnAway(handles, Refused("nodes", _WHY[where.why], fatal=True))


def incarnation(process: bytes, fencing: int) -> bytes:
    """Return the incarnation (8 bytes) of a room that begins with this fencing number at this process.

    It is a hash, so that members do not learn from the numbers how much happens at the bus.
    """
    return sha256(b"snug 1 incarnation" + process + fencing.to_bytes(8, "big")).digest()[:8]
