"""The interface of acts to the server and to its operator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import msgspec

from snugroom.lab.hostile.participants import Participants
from snugroom.lab.hostile.server import (
    HostileHub,
    HostileRoom,
    HostileServer,
    HostileSfu,
    HostileSignaling,
)
from snugroom.wire.messages import Message, encode


class OrderError(ValueError):
    """The order cannot be carried out. The text is one sentence with the reason."""


def raw(message: Message, **more: object) -> Message:
    """Return `message` in encoded form, with fields added or replaced, even if the protocol lacks them."""
    fields = {**json.loads(encode(message)), **more}
    return cast(Message, msgspec.Raw(msgspec.json.encode(fields)))


class Context:
    """The server that acts attack. `say` receives each report, one line of JSON."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._server: HostileServer | None = None
        self.participants = Participants()

    def attach(self, server: HostileServer) -> None:
        """Set the server of the acts."""
        self._server = server

    @property
    def server(self) -> HostileServer:
        assert self._server is not None
        return self._server

    @property
    def hub(self) -> HostileHub:
        return self.server.hub

    @property
    def signaling(self) -> HostileSignaling:
        return self.server.hostile_signaling

    @property
    def sfu(self) -> HostileSfu:
        return self.server.sfu

    @property
    def now(self) -> float:
        """The current time, in monotonic seconds."""
        return self.server.clock()

    def room(self) -> HostileRoom:
        """Return the room that the acts attack: the oldest open room. Raises OrderError without one."""
        for room in self.hub.all_rooms():
            return room
        raise OrderError("no meeting is running")

    def handle(self, number: int) -> bytes:
        """Return the connection of a participant in the room. Raises OrderError for an unknown number."""
        found = self.participants.handles(self.room().number).get(number)
        if found is None:
            raise OrderError(f"no member has the number {number}")
        return found

    def deliver(self, handle: bytes, message: Message) -> None:
        """Send a message to a connection, and bypass all acts."""
        self.signaling.deliver(handle, message)

    def drop(self, number: int) -> None:
        """Abort a participant's connection."""
        self.signaling.cut(self.handle(number))

    def report(self, deed: dict[str, Any]) -> None:
        """Send the operator one line."""
        self._say(json.dumps(deed, separators=(",", ":")))
