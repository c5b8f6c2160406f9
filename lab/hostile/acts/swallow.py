"""Swallow what a member sends in the room: its changes, or the pass that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import CatchUp, ClientMessage, Commit, Relay, Show, Stale

_KINDS: dict[str, type[ClientMessage]] = {
    "commits": Commit,
    "passes": Show,
    "catch_ups": CatchUp,
    "relays": Relay,
}


class SwallowOrders(Orders, frozen=True):
    """Swallow messages of `sender` (a number; None: everybody's), `most` of them at most.

    With `how` "stale", a commit is answered as if another had taken its slot.
    """

    what: Literal["commits", "passes", "catch_ups", "relays"] = "commits"
    how: Literal["silently", "stale"] = "silently"
    sender: int | None = None
    most: int | None = None


class Swallow(Act):
    name = "swallow"
    about = "swallow a member's changes, passes or messages, or answer its changes as if they came too late"
    orders_type = SwallowOrders

    def __init__(self, context: Context, orders: SwallowOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._left = orders.most

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        orders = self._orders
        if not isinstance(message, _KINDS[orders.what]) or self._left == 0:
            return (message,)
        if orders.sender not in (None, self.context.participants.number(handle)):
            return (message,)
        if self._left is not None:
            self._left -= 1
        self.did(f"swallowed one of the {orders.what}")
        if orders.how == "stale" and isinstance(message, Commit):
            self.context.deliver(handle, Stale(message.slot, max(0, message.slot - 1)))
        return ()
