"""Remove one member from the room for an invented reason, and keep it out."""

from __future__ import annotations

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import Closing

#: A code that the protocol does not have; a hostile server can send any code.
_CODE = "removed"


class KickOrders(Orders, frozen=True):
    """Close the connections of `victim` and `others` with `text`. With `keep`, close later ones too."""

    victim: int
    others: tuple[int, ...] = ()
    text: str = "You have been removed by the host for a violation of the terms of service."
    keep: bool = True


class Kick(Act):
    name = "kick"
    about = "end members' connections for a reason that the operator made up, again and again"
    orders_type = KickOrders

    def __init__(self, context: Context, orders: KickOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._victims = (orders.victim, *orders.others)

    def begin(self, now: float) -> None:
        for victim in self._victims:
            self._throw_out(self.context.handle(victim))

    def arrived(self, handle: bytes, now: float) -> None:
        orders, participants = self._orders, self.context.participants
        here = self.context.hub.room_of(handle)
        if orders.keep and here is not None and participants.number(handle) in self._victims:
            self._throw_out(handle)

    def _throw_out(self, handle: bytes) -> None:
        self.did("threw somebody out")
        self.context.signaling.expel(handle, Closing(_CODE, self._orders.text))
