"""End a meeting for an invented reason: drop all connections, forget the room, and refuse it afterwards."""

from __future__ import annotations

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import Closing

#: A code that the protocol does not have; a hostile server can send any code.
_CODE = "ended"


class EndOrders(Orders, frozen=True):
    """`text` is the last message to all. With `keep`, connections that return to the room are dropped too."""

    text: str = "The host has ended this meeting."
    keep: bool = True


class End(Act):
    name = "end"
    about = "drop a whole meeting, say that the host ended it, and refuse its number from then on"
    orders_type = EndOrders

    def __init__(self, context: Context, orders: EndOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._number = b""

    def begin(self, now: float) -> None:
        room = self.context.room()
        self._number = room.number
        for handle in list(self.context.participants.handles(room.number).values()):
            self._drop(handle)
        self.context.hub.forget(room.number)
        self.did("ended the meeting")

    def arrived(self, handle: bytes, now: float) -> None:
        if self._orders.keep and self.context.participants.place(handle) == self._number:
            self._drop(handle)

    def _drop(self, handle: bytes) -> None:
        self.did("dropped somebody")
        self.context.signaling.expel(handle, Closing(_CODE, self._orders.text))
