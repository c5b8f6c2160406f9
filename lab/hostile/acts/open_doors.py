"""Admit clients without keys: accept any door signature, and deliver blobs without a pass."""

from __future__ import annotations

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context


class OpenDoorsOrders(Orders, frozen=True):
    """It applies to all new connections. With `passes` they receive as if they had shown the pass."""

    passes: bool = True


class OpenDoors(Act):
    name = "open_doors"
    about = "let anybody into a room whose number they know, without its door key and without a pass"
    orders_type = OpenDoorsOrders

    def __init__(self, context: Context, orders: OpenDoorsOrders) -> None:
        super().__init__(context)
        self._passes = orders.passes
        self._strangers: set[bytes] = set()

    def opens(self, handle: bytes) -> bool:
        self._strangers.add(handle)
        self.did("opened a door to somebody without its key")
        return True

    def arrived(self, handle: bytes, now: float) -> None:
        room = self.context.hub.room_of(handle)
        if self._passes and handle in self._strangers and room is not None and room.slot is not None:
            room.admit(handle)
            self.did("let somebody receive without a pass")
