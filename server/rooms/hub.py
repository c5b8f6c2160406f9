"""The core of the server: it checks doors, and knows the lobby or room of each connection.

The hub does no I/O. The caller passes in functions for randomness and signing. Time is an argument (seconds,
monotonic); methods return effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from snugroom.server.config import Settings
from snugroom.server.nodes.records import Answer, Connected, Delete, Read, Write
from snugroom.server.rooms import permits
from snugroom.server.rooms.clients import Client
from snugroom.server.rooms.effects import AskBus, Drop, Effect, Forget, Send, refuse
from snugroom.server.rooms.facts import RoomFacts
from snugroom.server.rooms.lobby import Lobby
from snugroom.server.rooms.memory import Holding, Ledger
from snugroom.server.rooms.permission import Permission
from snugroom.server.rooms.placement import Close, Enter, Placement, Step, TurnAway, incarnation
from snugroom.server.rooms.places import Places
from snugroom.server.rooms.room import Room
from snugroom.wire import limits, signed
from snugroom.wire.messages import (
    Challenge,
    ClientMessage,
    Closing,
    Entered,
    Exchange,
    LobbyDoor,
    Ping,
    Pong,
    Refused,
    Rekey,
    RoomDoor,
)

_TOO_MANY_ROOMS: Final = "your network has opened too many rooms: close some, or try again in a minute"
_TOO_MANY_LOBBIES: Final = "your network has opened too many lobbies: close some, or try again in a minute"
_MOVED = Closing("moved", "this room goes on at another node: connect again")


class Hub:
    """All lobbies and rooms of a server.

    `sign` signs with the server's Ed25519 key; `server_key` is its public half (32 bytes). The key and
    `incarnation` (8 random bytes) belong to this process alone. `origin` is part of the text that clients
    sign at a door. `permission` decides who may open a room; None: anyone. With `placement`, this
    server is one of several nodes, and asks their bus at each door.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        origin: str,
        server_key: bytes,
        incarnation: bytes,
        sign: Callable[[bytes], bytes],
        rng: Callable[[int], bytes],
        permission: Permission | None = None,
        placement: Placement | None = None,
    ) -> None:
        self.permission = permission
        self._settings = settings
        self._origin = origin
        self._server_key = server_key
        self._incarnation = incarnation
        self._sign = sign
        self._rng = rng
        self.placement = placement
        self._nonces: dict[bytes, bytes] = {}
        self._rooms: dict[bytes, Room] = {}
        self._lobbies: dict[bytes, Lobby] = {}
        self._in_room: dict[bytes, Room] = {}
        self._in_lobby: dict[bytes, bytes] = {}
        self.ledger = Ledger()
        self._places = Places(settings)
        #: Whether the server ends soon: it opens no more rooms.
        self.draining = False

    # -- one connection ------------------------------------------------------------------------

    def connect(self, client: Client | None = None) -> tuple[bytes, Challenge]:
        """Register a new connection. Return its handle, and the challenge that it must answer with a door.

        Without `client` no quota of a client applies to it.
        """
        handle = self._rng(limits.HANDLE_SIZE)
        while handle in self._nonces:
            handle = self._rng(limits.HANDLE_SIZE)
        nonce = self._rng(limits.NONCE_SIZE)
        self._nonces[handle] = nonce
        self._places.connect(handle, client)
        policy = None if self.permission is None else self.permission.policy()
        return handle, Challenge(limits.PROTOCOL_VERSION, self._origin, nonce, self._server_key, policy)

    def inside(self, handle: bytes) -> bool:
        """Return whether `handle` has opened a door."""
        return handle in self._in_room or handle in self._in_lobby

    def handle(self, handle: bytes, message: ClientMessage, now: float) -> list[Effect]:
        """Handle a message. An invalid door, or another message before the door, drops the connection."""
        if handle not in self._nonces:
            return []
        about = str(type(message).__struct_config__.tag)
        if self.placement is not None and (ended := self.placement.expire(now)):  # ticks may come late
            return self._placed(ended, now) + self.handle(handle, message, now)
        if self.inside(handle):
            if isinstance(message, Ping):
                return [Send(handle, Pong())]
            if isinstance(message, LobbyDoor | RoomDoor | Exchange):
                return [Send(handle, Refused("state", "this connection has entered already", about))]
            room = self._in_room.get(handle)
            if isinstance(message, Rekey) and room is not None:
                return self._performed(self._rekey(room, handle, message, now))
            if room is not None:
                return self._performed(room.handle(handle, message, now))
            return self._lobbies[self._in_lobby[handle]].handle(handle, message, now)
        effects: list[Effect] = []
        if self.placement is not None and self.placement.waits(handle):
            if not self.placement.keep(handle, message):
                text = "too many messages before the answer to the door"
                effects = [Drop(handle, Refused("state", text, about, fatal=True))]
        elif isinstance(message, LobbyDoor):
            effects = self._enter_lobby(handle, message, now)
        elif isinstance(message, RoomDoor):
            effects = self._enter_room(handle, message, now)
        elif isinstance(message, Exchange):
            effects = permits.exchange(self.permission, handle, message)
        else:
            refused = Refused("state", "the first message must be room_door or lobby_door", about, fatal=True)
            effects = [Drop(handle, refused)]
        return self._performed(effects)

    def leave(self, handle: bytes, now: float) -> list[Effect]:
        """Remove a closed connection. A second call has no effect."""
        self._places.disconnect(handle)
        if self._nonces.pop(handle, None) is None:
            return []
        effects: list[Effect] = []
        number = self._in_lobby.pop(handle, None)
        if number is not None:
            lobby = self._lobbies[number]
            lobby.leave(handle)
            if not lobby:
                del self._lobbies[number]
                self._places.forget_lobby(number)
                if self.placement is not None:
                    effects += self._placed(self.placement.ended(number), now)
        if self.placement is not None:
            self.placement.forget(handle)
        room = self._in_room.pop(handle, None)
        if room is None:
            return effects
        effects += self._performed(room.leave(handle, now))
        self._places.hold(room)
        return effects

    def media_refused(self, handle: bytes) -> list[Effect]:
        """Undo `handle`'s media, because the SFU has refused it."""
        room = self._in_room.get(handle)
        return [] if room is None else self._performed(room.media.refused(handle))

    def media_lost(self, number: bytes, handles: Iterable[bytes]) -> list[Effect]:
        """End the media of these connections of room `number`, because their media worker has ended."""
        room = self._rooms.get(number)
        return [] if room is None else self._performed(room.media.lost(handles))

    def tick(self, now: float) -> list[Effect]:
        """Apply the passage of time to all rooms. It is cheap; call it several times a second."""
        due = [room for room in dict.fromkeys(self._rooms.values()) if room.deadline <= now]
        effects = [effect for room in due for effect in self._performed(room.tick(now))]
        if self.placement is not None:
            effects += self._placed(self.placement.tick(now), now)
        return effects

    def _performed(self, effects: Iterable[Effect]) -> list[Effect]:
        """Return `effects`, after applying `Forget` and `Drop` to the hub's own tables."""
        effects = list(effects)
        for effect in list(effects):
            if isinstance(effect, Forget):
                room = self._rooms.get(effect.room)
                if room is not None:
                    room.race.end()
                    room.backlog.clear()
                    self._places.forget(room)
                self._rooms = {number: r for number, r in self._rooms.items() if r is not room}
                if self.placement is not None:
                    effects += self._placed(self.placement.ended(effect.room), 0.0)
            elif isinstance(effect, Drop):
                # the room or lobby has removed the connection already
                self._nonces.pop(effect.handle, None)
                room = self._in_room.pop(effect.handle, None)
                self._in_lobby.pop(effect.handle, None)
                self._places.disconnect(effect.handle)
                if room is not None:
                    self._places.hold(room)
                if self.placement is not None:
                    self.placement.forget(effect.handle)
        return effects

    # -- doors ---------------------------------------------------------------------------------

    def _opens(self, handle: bytes, door: LobbyDoor | RoomDoor, key: bytes, number: bytes) -> bool:
        text = signed.door(self._origin, number, self._nonces[handle], door.nonce)
        try:
            VerifyKey(key).verify(text, door.signature)
        except (BadSignatureError, ValueError):
            return False
        return True

    def _enter_lobby(self, handle: bytes, door: LobbyDoor, now: float) -> list[Effect]:
        if not self._opens(handle, door, door.lobby_key, door.lobby_key):
            return [Drop(handle, Refused("door", "the signature is wrong", "lobby_door", fatal=True))]
        return self._place(handle, door, now)

    def _let_into_lobby(self, handle: bytes, door: LobbyDoor, life: bytes, now: float) -> list[Effect]:
        lobby = self._lobbies.get(door.lobby_key)
        if lobby is None:
            if len(self._lobbies) >= self._settings.max_lobbies:
                return [Drop(handle, Refused("full", "all lobbies are in use", "lobby_door", fatal=True))]
            if not self._places.may_open_lobby(handle, door.lobby_key, now):
                return [Drop(handle, Refused("full", _TOO_MANY_LOBBIES, "lobby_door", fatal=True))]
            lobby = self._lobbies[door.lobby_key] = Lobby(self._settings)
        self._in_lobby[handle] = door.lobby_key
        return lobby.arrive(handle, life, now)

    def _enter_room(self, handle: bytes, door: RoomDoor, now: float) -> list[Effect]:
        number = signed.room_number(door.door_key, door.room_admin_key)
        if not self._opens(handle, door, door.door_key, number):
            return [Drop(handle, Refused("door", "the signature is wrong", "room_door", fatal=True))]
        return self._place(handle, door, now)

    def _let_into_room(self, handle: bytes, door: RoomDoor, life: bytes, now: float) -> list[Effect]:
        number = signed.room_number(door.door_key, door.room_admin_key)
        room = self._rooms.get(number)
        effects: list[Effect] = []
        if room is None:
            opened = self._open_room(handle, door, number, now)
            if isinstance(opened, Refused):
                return [Drop(handle, opened)]
            room, effects = opened
        self._in_room[handle] = room
        effects += room.arrive(handle, number, self._nonces[handle], life, now)
        self._places.hold(room)
        if any(
            isinstance(e, Send) and e.handle == handle and isinstance(e.message, Entered) for e in effects
        ):
            effects += permits.permits(self.permission, room, [handle])
        return effects

    def _shut(self, room: Room, why: str, now: float) -> list[Effect]:
        """Close a room that holds too much, or too long, of what all share, and forget it."""
        effects = room.close(Refused("full", why, fatal=True), now)
        return self._performed([*effects, Forget(room.number)])

    # -- opening rooms -------------------------------------------------------------------------

    def _open_room(
        self, handle: bytes, door: RoomDoor, number: bytes, now: float
    ) -> tuple[Room, list[Effect]] | Refused:
        """Make a room, and return it with what that causes; or why there is none."""
        if self.draining:
            return Refused("stopping", "the server is stopping and opens no more rooms", "room_door", True)
        missing = None if self.permission is None else self.permission.missing(door, number)
        if missing is not None:
            return missing
        if not self._places.may_open(handle, now):
            return Refused("full", _TOO_MANY_ROOMS, "room_door", fatal=True)
        victim = None
        if self.room_count >= self._settings.max_rooms:
            victim = self._places.victim(handle, dict.fromkeys(self._rooms.values()), now)
            if victim is None:
                return Refused("full", "all rooms are in use", "room_door", fatal=True)
        # last, for it spends a token: and before a room makes place
        admitted = permits.admit(
            self.permission, door, number, self._nonces[handle], self._rooms.values(), now
        )
        if isinstance(admitted, Refused):
            return admitted
        permission, effects = admitted
        if victim is not None:
            effects += self._shut(victim, "all rooms are in use, and this one had to make place", now)
        settings = self._settings
        if permission is not None and permission.probe:
            settings = msgspec.structs.replace(settings, max_members=1, room_linger=0.0)
        room = self._rooms[number] = self._make_room(number, door.room_admin_key, settings)
        room.permission = permission
        return room, effects

    def _make_room(self, number: bytes, room_admin_key: bytes, settings: Settings) -> Room:
        return Room(number, room_admin_key, settings, self._sign, self._rng, self.ledger)

    def _rekey(self, room: Room, handle: bytes, message: Rekey, now: float) -> list[Effect]:
        """Have the room's new number lead to it as well (G8)."""
        same = self.placement is None or self.placement.is_same_meeting(room.number, message)
        if not same:
            return refuse(handle, "open", "a room keeps its door key", "rekey")
        number = signed.room_number(message.door_key, message.room_admin_key)
        there = self._rooms.get(number)
        if there is not None and there is not room and there.slot is not None:
            return refuse(handle, "open", "another room is open under that key", "rekey")
        before = room.numbers[-1]
        effects = room.handle(handle, message, now)
        if room.numbers[-1] == number and there is not room:
            if there is not None:  # connections that were early wait in a room that nobody has opened
                why = "this room goes on under the same number: connect again"
                effects += there.close(Closing("unopened", why), now)
                self._places.forget(there)
                if self.placement is not None:
                    effects += self._placed(self.placement.ended(there.number), now)
            lead = {n: r for n, r in self._rooms.items() if r is not room and r is not there}
            self._rooms = {**lead, **dict.fromkeys(room.numbers, room)}
        if room.numbers[-1] != before:
            effects += permits.permits(
                self.permission, room, [h for h, r in self._in_room.items() if r is room]
            )
        return effects

    # -- memory ----------------------------------------------------------------------------------

    def group(self, handle: bytes) -> bytes | None:
        """Return the name of the room or lobby of `handle`; None before the door."""
        room = self._in_room.get(handle)
        return self._in_lobby.get(handle) if room is None else room.number

    def population(self, handle: bytes) -> int:
        """Return the number of connections in the room or lobby of `handle`; 0 before the door."""
        room = self._in_room.get(handle)
        if room is not None:
            return len(room.handles)
        return len(self._lobbies[self._in_lobby[handle]]) if handle in self._in_lobby else 0

    def door_group(self, message: ClientMessage) -> bytes | None:
        """Return the name of the room or lobby behind this door; None if nobody is there."""
        if isinstance(message, LobbyDoor):
            return message.lobby_key if message.lobby_key in self._lobbies else None
        if not isinstance(message, RoomDoor):
            return None
        room = self._rooms.get(signed.room_number(message.door_key, message.room_admin_key))
        return None if room is None else room.number

    def holdings(self, queued: Callable[[bytes], int]) -> list[Holding]:
        """Return what each room and lobby holds. `queued` returns the bytes that wait for a handle."""
        lobbies = ((name, lobby.handles, 0, 0) for name, lobby in self._lobbies.items())
        rooms = (
            (
                r.number,
                r.handles,
                r.backlog.memory + r.race.memory + r.media.list_memory,
                r.backlog.relay_memory,
            )
            for r in dict.fromkeys(self._rooms.values())
        )
        return [
            Holding(name, len(handles), blobs, relays, [(h, queued(h)) for h in handles])
            for name, handles, blobs, relays in (*rooms, *lobbies)
        ]

    def trim(self, name: bytes, size: int) -> None:
        """Let a room forget its oldest relayed blobs, `size` bytes or a little more."""
        room = self._rooms.get(name)
        if room is not None:
            room.backlog.forget_relays(size)

    def close_room(self, name: bytes, why: str, now: float) -> list[Effect]:
        """Close a room, and forget it. A name that is no room's has no effect."""
        room = self._rooms.get(name)
        return [] if room is None else self._shut(room, why, now)

    # -- several nodes -------------------------------------------------------------------------

    def _place(self, handle: bytes, door: LobbyDoor | RoomDoor, now: float) -> list[Effect]:
        """Let a connection in whose door signature is valid; with several nodes, at the node of that room."""
        if self.placement is not None:
            return self._placed(self.placement.knock(handle, door, now), now)
        return self._let_in(handle, door, self._incarnation, now)

    def _let_in(self, handle: bytes, door: LobbyDoor | RoomDoor, life: bytes, now: float) -> list[Effect]:
        if isinstance(door, LobbyDoor):
            return self._let_into_lobby(handle, door, life, now)
        return self._let_into_room(handle, door, life, now)

    def _placed(self, steps: Iterable[Step], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for step in steps:
            match step:
                case Enter():
                    effects += self._enter(step, now)
                case TurnAway(handles, last):
                    effects += self._performed(Drop(handle, last) for handle in handles)
                case Close(numbers):
                    effects += [effect for number in numbers for effect in self._close(number, now)]
                case Read() | Write() | Delete():
                    effects.append(AskBus(step))
        return effects

    def _enter(self, step: Enter, now: float) -> list[Effect]:
        """Let the connections in that have waited for the bus, and handle what they sent meanwhile."""
        assert self.placement is not None
        effects: list[Effect] = []
        life = incarnation(self._incarnation, step.fencing)
        for waiting in step.doors:
            let_in = self._let_in(waiting.handle, waiting.door, life, now)
            effects += self._performed(self.placement.marked(let_in))
            inside = self.group(waiting.handle)
            if inside is not None:
                self.placement.served(step.lease, inside)
            for message in waiting.early:
                effects += self.handle(waiting.handle, message, now)
        return effects + self._placed(self.placement.unused(step.lease), now)

    def _close(self, number: bytes, now: float) -> list[Effect]:
        """Close a room or lobby that another node may serve from now on."""
        lobby = self._lobbies.pop(number, None)
        if lobby is not None:
            self._places.forget_lobby(number)
            return self._performed(Drop(handle, _MOVED) for handle in lobby.handles)
        room = self._rooms.get(number)
        return [] if room is None else self._performed([*room.close(_MOVED, now), Forget(number)])

    def bus_connected(self, what: Connected, now: float) -> list[Effect]:
        """Take the bus's word that it answers."""
        return [] if self.placement is None else self._placed(self.placement.connected(what, now), now)

    def bus_answered(self, answer: Answer, now: float) -> list[Effect]:
        """Take the bus's answer to an `AskBus`."""
        return [] if self.placement is None else self._placed(self.placement.answered(answer, now), now)

    def drain(self, now: float) -> list[Effect]:
        """Close everything, so that other nodes may serve it. Without other nodes, do nothing."""
        return [] if self.placement is None else self._placed(self.placement.drain(now), now)

    # -- facts ---------------------------------------------------------------------------------

    @property
    def room_count(self) -> int:
        """The number of rooms."""
        return len(set(self._rooms.values()))

    def rooms(self) -> Iterator[RoomFacts]:
        """Return the facts of each room."""
        return (room.facts() for room in dict.fromkeys(self._rooms.values()))

    def lobby_sizes(self) -> list[int]:
        """Return the number of connections in each lobby."""
        return [len(lobby) for lobby in self._lobbies.values()]

    def lobby_members(self) -> list[tuple[bytes, tuple[bytes, ...]]]:
        """Return the number and the handles of each lobby, in the order of `lobby_sizes`."""
        return [(number, lobby.handles) for number, lobby in self._lobbies.items()]

    def nonce(self, handle: bytes) -> bytes:
        """Return the nonce of `handle`'s challenge, or empty bytes if there is no such connection."""
        return self._nonces.get(handle, b"")

    def at_the_door(self) -> int:
        """Return the number of connections that have not opened a door yet."""
        return len(self._nonces) - len(self._in_room) - len(self._in_lobby)
