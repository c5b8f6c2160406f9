"""End a meeting on invented grounds: everybody is dropped, the room is forgotten and never opened again."""

from __future__ import annotations

from server.hostile.act import Act, Orders
from server.hostile.troupe import Troupe
from server.wire.messages import Closing

#: No code of the protocol's: what a server sends here is its own affair.
_CODE = "ended"


class Ended(Orders, frozen=True):
    """Everybody hears `text` last; with `keep` whoever comes back to that room is dropped too."""

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
