"""Refuse what no member has asked for: a server's message that nobody signed and that answers nothing."""

from __future__ import annotations

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import Refused


class RefuseOrders(Orders, frozen=True):
    """Send `code` about a message of type `about` to `victims` (numbers; none: everybody in the room)."""

    code: str = "gone"
    about: str = "catch_up"
    text: str = "the blobs after that slot are no longer held"
    victims: tuple[int, ...] = ()


class Refuse(Act):
    name = "refuse"
    about = "refuse what no member has asked for, as if it had missed changes that are gone"
    orders_type = RefuseOrders

    def __init__(self, context: Context, orders: RefuseOrders) -> None:
        super().__init__(context)
        self._orders = orders

    def begin(self, now: float) -> None:
        orders, context = self._orders, self.context
        handles = [context.handle(number) for number in orders.victims] or list(context.room().handles)
        for handle in handles:
            context.deliver(handle, Refused(orders.code, orders.text, orders.about))
            self.did("refused what nobody asked for")
