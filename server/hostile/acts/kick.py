"""Remove one member from the room for an invented reason, and keep it out."""

from __future__ import annotations

from snugroom.server.hostile.act import Act, Orders
from snugroom.server.hostile.runner import Troupe
from snugroom.server.wire.messages import Closing

#: A code that the protocol does not have; a hostile server can send any code.
_CODE = "removed"


class Kicked(Orders, frozen=True):
    """Close the connection of `victim` with `text`. With `keep`, close its later connections too."""

    victim: int
    text: str = "You have been removed by the host for a violation of the terms of service."
    keep: bool = True


class Kick(Act):
    name = "kick"
    about = "end one member's connection for a reason that the operator made up, again and again"
    orders_kind = Kicked

    def __init__(self, troupe: Troupe, orders: Kicked) -> None:
        super().__init__(troupe)
        self._orders = orders

    def begin(self, now: float) -> None:
        self._throw_out(self.troupe.handle(self._orders.victim))

    def arrived(self, handle: bytes, now: float) -> None:
        orders, guests = self._orders, self.troupe.guests
        here = self.troupe.hub.room_of(handle)
        if orders.keep and here is not None and guests.number(handle) == orders.victim:
            self._throw_out(handle)

    def _throw_out(self, handle: bytes) -> None:
        self.did("threw somebody out")
        self.troupe.signaling.expel(handle, Closing(_CODE, self._orders.text))
