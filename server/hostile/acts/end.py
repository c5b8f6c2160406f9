"""End a meeting for an invented reason: drop all connections, forget the room, and refuse it afterwards."""

from __future__ import annotations

from snugroom.server.hostile.act import Act, Orders
from snugroom.server.hostile.runner import Troupe
from snugroom.server.wire.messages import Closing

#: A code that the protocol does not have; a hostile server can send any code.
_CODE = "ended"


class Ended(Orders, frozen=True):
    """`text` is the last message to all. With `keep`, connections that return to the room are dropped too."""

    text: str = "The host has ended this meeting."
    keep: bool = True


class End(Act):
    name = "end"
    about = "drop a whole meeting, say that the host ended it, and refuse its number from then on"
    orders_kind = Ended

    def __init__(self, troupe: Troupe, orders: Ended) -> None:
        super().__init__(troupe)
        self._orders = orders
        self._number = b""

    def begin(self, now: float) -> None:
        room = self.troupe.room()
        self._number = room.number
        for handle in list(self.troupe.guests.handles(room.number).values()):
            self._drop(handle)
        self.troupe.hub.forget(room.number)
        self.did("ended the meeting")

    def arrived(self, handle: bytes, now: float) -> None:
        if self._orders.keep and self.troupe.guests.place(handle) == self._number:
            self._drop(handle)

    def _drop(self, handle: bytes) -> None:
        self.did("dropped somebody")
        self.troupe.signaling.expel(handle, Closing(_CODE, self._orders.text))
