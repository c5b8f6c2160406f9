"""End a meeting with an excuse that an honest server can have: it is full, or it wants a permission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.server.rooms.effects import Drop
from snugroom.wire import signed
from snugroom.wire.messages import ClientMessage, Refused, RoomDoor

_TEXTS: Final = {"full": "all rooms are in use", "permission": "this server opens a room for a token only"}


class ExcuseOrders(Orders, frozen=True):
    """Cut all connections of the meeting, forget its room, and refuse its members with `code`."""

    code: Literal["full", "permission"]


class Excuse(Act):
    name = "excuse"
    about = (
        "drop a whole meeting without a word, and refuse its members: the server is full, or wants a token"
    )
    orders_type = ExcuseOrders

    def __init__(self, context: Context, orders: ExcuseOrders) -> None:
        super().__init__(context)
        self._code = orders.code
        self._numbers: frozenset[bytes] = frozenset()
        self._doors: set[bytes] = set()

    def begin(self, now: float) -> None:
        room = self.context.room()
        self._numbers = frozenset(room.numbers)
        handles = list(self.context.participants.handles(room.number).values())
        self.context.hub.forget(room.number)
        for handle in handles:
            self.context.signaling.cut(handle)
        self.did("ended the meeting")

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        if not isinstance(message, RoomDoor):
            return (message,)
        if signed.room_number(message.door_key, message.room_admin_key) in self._numbers:
            self._doors.add(message.door_key)  # its later numbers are known by the door
        if message.door_key not in self._doors:
            return (message,)
        self.did("refused somebody")
        refused = Refused(self._code, _TEXTS[self._code], "room_door", fatal=True)
        self.context.signaling.perform([Drop(handle, refused)])
        return ()
