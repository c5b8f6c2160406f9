"""Drop one member, and accept no new WebSocket from anybody, so that the server seems to be down."""

from __future__ import annotations

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context


class ShutOutOrders(Orders, frozen=True):
    """Cut the connection of `victim`. The server still answers HTTP, and serves all other connections."""

    victim: int


class ShutOut(Act):
    name = "shut_out"
    about = "cut one member's connection without a word, and refuse every new one before it is a WebSocket"
    orders_type = ShutOutOrders

    def __init__(self, context: Context, orders: ShutOutOrders) -> None:
        super().__init__(context)
        self._orders = orders

    def begin(self, now: float) -> None:
        self.context.signaling.shut = True
        self.context.signaling.cut(self.context.handle(self._orders.victim))
        self.did("shut somebody out")

    def end(self, now: float) -> None:
        self.context.signaling.shut = False
