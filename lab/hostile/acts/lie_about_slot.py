"""Report a false slot or a false chain of the room to one member."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import Commit, Committed, Entered, Message, Opened


class LieAboutSlotOrders(Orders, frozen=True):
    """`victim` gets a random chain with a valid signature, and at first a slot `ahead` of the current one."""

    victim: int
    ahead: int = 0


class LieAboutSlot(Act):
    name = "lie_about_slot"
    about = "tell one member another slot or another chain than the others, signed by the server"
    orders_type = LieAboutSlotOrders

    def __init__(self, context: Context, orders: LieAboutSlotOrders) -> None:
        super().__init__(context)
        self._orders = orders

    def begin(self, now: float) -> None:
        room, orders = self.context.room(), self._orders
        assert room.slot is not None
        slot = room.slot + orders.ahead
        told = room.opened_at(slot, os.urandom(32))
        self.context.deliver(self.context.handle(orders.victim), told)
        self.did("told of another slot or chain", slot=slot)

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        if self.context.participants.number(handle) != self._orders.victim:
            return (message,)
        room = self.context.hub.room_of(handle)
        if isinstance(message, Committed | Opened) and room is not None:
            self.did("told of another chain")
            if isinstance(message, Opened):
                return (room.opened_at(message.slot, os.urandom(32)),)
            commit = Commit(message.slot, message.blob, message.opening)
            return (room.committed_as(os.urandom(32), commit),)
        if isinstance(message, Entered) and message.slot is not None:
            self.did("told of another slot or chain")
            slot = max(0, message.slot + self._orders.ahead)
            return (msgspec.structs.replace(message, slot=slot, chain=os.urandom(32)),)
        return (message,)
