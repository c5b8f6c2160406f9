"""Report connections and streams that do not exist, and departures that did not happen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire import limits
from snugroom.wire.messages import Arrived, Entered, HandleStream, Left, Message, Streams


class ForgedRosterOrders(Orders, frozen=True):
    """`ghosts` is the number of invented connections. `gone` are the numbers of members reported as left."""

    ghosts: Annotated[int, msgspec.Meta(ge=0, le=100)] = 3
    gone: tuple[int, ...] = ()


class ForgedRoster(Act):
    name = "forged_roster"
    about = "invent connections and streams, and say that members have left who are there"
    orders_type = ForgedRosterOrders

    def __init__(self, context: Context, orders: ForgedRosterOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._ghosts = [os.urandom(limits.HANDLE_SIZE) for _ in range(orders.ghosts)]

    def _invented(self) -> list[HandleStream]:
        return [
            HandleStream(ghost, int.from_bytes(os.urandom(4), "big") | 1, kind)
            for ghost in self._ghosts
            for kind in ("audio", "video")
        ]

    def begin(self, now: float) -> None:
        room = self.context.room()
        gone = {self.context.handle(number) for number in self._orders.gone}
        for handle in room.handles:
            for ghost in self._ghosts:
                self.context.deliver(handle, Arrived(ghost))
            for left in gone - {handle}:
                self.context.deliver(handle, Left(left))
            self.context.deliver(handle, Streams([*self._streams(handle, gone), *self._invented()]))
            self.did("told of connections and streams that do not exist")

    def _streams(self, handle: bytes, gone: set[bytes]) -> list[HandleStream]:
        room = self.context.room()
        return [
            HandleStream(other, ssrc, "audio" if kind == "audio" else "video")
            for other in room.handles
            if other not in (handle, *gone)
            for ssrc, kind in room.streams_of(other)
        ]

    def end(self, now: float) -> None:
        for handle in self.context.room().handles:
            self.context.deliver(handle, Streams(self._streams(handle, set())))

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        if isinstance(message, Streams):
            self.did("added streams that do not exist")
            return (Streams([*message.streams, *self._invented()]),)
        if isinstance(message, Entered) and message.slot is not None:
            return (msgspec.structs.replace(message, handles=[*message.handles, *self._ghosts]),)
        return (message,)
