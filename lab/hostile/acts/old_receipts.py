"""Send receipts that do not commit the server to the slot: an older receipt, or noise."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import Committed, Message, Opened


class OldReceiptsOrders(Orders, frozen=True):
    """`old`: the receipt of the previous slot. `noise`: random bytes. They go to `victim`, or to all."""

    how: Literal["old", "noise"] = "old"
    victim: int | None = None


class OldReceipts(Act):
    name = "old_receipts"
    about = "hand out receipts of another slot, or forged ones: nothing can be held against the server"
    orders_type = OldReceiptsOrders

    def __init__(self, context: Context, orders: OldReceiptsOrders) -> None:
        super().__init__(context)
        self._orders = orders

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        if not isinstance(message, Committed | Opened):
            return (message,)
        if self._orders.victim not in (None, self.context.participants.number(handle)):
            return (message,)
        room = self.context.hub.room_of(handle)
        if room is None:
            return (message,)
        self.did("gave a receipt that holds it to nothing")
        old = room.opened_at(max(0, message.slot - 1), room.chain_before).signature
        signature = old if self._orders.how == "old" else os.urandom(64)
        return (msgspec.structs.replace(message, signature=signature),)
