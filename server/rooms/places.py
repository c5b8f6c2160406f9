"""The core of who may open a room or lobby: the quotas of clients, and whose room makes place.

A room counts for the client of the connection that has been there for longest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from snugroom.server.config import Settings
from snugroom.server.rooms.clients import Client
from snugroom.server.rooms.room import Room

#: Seconds without a message after which a room with one connection may be closed for somebody else's room.
_IDLE: Final = 60.0
#: A room is closed only for a client that has this many fewer: nobody gains by taking turns.
_FEWER: Final = 2


def _rooms(client: Client) -> float:
    return client.rooms


class Places:
    """The clients of all connections, and of all rooms and lobbies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._unknown = Client(settings, 0.0, unlimited=True)
        self._clients: dict[bytes, Client] = {}
        self._holders: dict[Room, Client] = {}
        self._lobbies: dict[bytes, Client] = {}

    def connect(self, handle: bytes, client: Client | None) -> None:
        """Note whose connection `handle` is."""
        self._clients[handle] = client or self._unknown

    def disconnect(self, handle: bytes) -> None:
        """Forget a connection."""
        self._clients.pop(handle, None)

    # -- rooms -------------------------------------------------------------------------------------

    def may_open(self, handle: bytes, now: float) -> bool:
        """Count a room that `handle` is about to open. Return whether it may."""
        return self._clients[handle].may_open(lambda c: c.rooms, self._settings.rooms_per_client, now)

    def hold(self, room: Room) -> None:
        """Count a room for the client of its first connection. An empty room stays its last one's."""
        first = next((self._clients[h] for h in room.handles if h in self._clients), None)
        if first is not None and first is not self._holders.get(room):
            self.forget(room)
            self._holders[room] = first
            for each in first.both():
                each.rooms += 1

    def forget(self, room: Room) -> None:
        """Count a room no more."""
        holder = self._holders.pop(room, None)
        if holder is not None:
            for each in holder.both():
                each.rooms -= 1

    def victim(self, handle: bytes, rooms: Iterable[Room], now: float) -> Room | None:
        """Return the room that makes place for one of `handle`; None if none has to.

        It is a room with one connection and without messages, or one of a client with more rooms: the one
        with the fewest connections.
        """
        newcomer = self._clients[handle]
        mine = 0.0 if newcomer.unlimited else newcomer.share(_rooms)
        found = [room for room in rooms if self._may_go(room, mine, now)]
        return min(found, key=lambda r: (len(r.handles), -self._share(r), r.active_at), default=None)

    def _share(self, room: Room) -> float:
        holder = self._holders.get(room, self._unknown)
        return 0.0 if holder.unlimited else holder.share(_rooms)

    def _may_go(self, room: Room, mine: float, now: float) -> bool:
        if len(room.handles) <= 1 and now - room.active_at > _IDLE:
            return True
        return self._share(room) >= mine + _FEWER

    # -- lobbies -----------------------------------------------------------------------------------

    def may_open_lobby(self, handle: bytes, number: bytes, now: float) -> bool:
        """Count a lobby that `handle` opens. Return whether it may."""
        client = self._clients[handle]
        if not client.may_open(lambda c: c.lobbies, self._settings.lobbies_per_client, now):
            return False
        self._lobbies[number] = client
        for each in client.both():
            each.lobbies += 1
        return True

    def forget_lobby(self, number: bytes) -> None:
        """Count a lobby no more."""
        client = self._lobbies.pop(number, None)
        if client is not None:
            for each in client.both():
                each.lobbies -= 1
