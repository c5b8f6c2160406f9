"""Take every next slot with noise, so that no member can commit."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context


class CommitFloodOrders(Orders, frozen=True):
    """Take `rate` slots a second, at most `most` in all, each with `size` random bytes."""

    rate: Annotated[float, msgspec.Meta(gt=0, le=1_000)] = 5.0
    most: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 20
    size: Literal[512, 1024, 2048, 4096] = 512


class CommitFlood(Act):
    name = "commit_flood"
    about = "take slots with noise, many a second"
    orders_type = CommitFloodOrders

    def __init__(self, context: Context, orders: CommitFloodOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._next = 0.0
        self._left = orders.most

    def tick(self, now: float) -> None:
        self._next = self._next or now
        while self._left and now >= self._next:
            self._left -= 1
            self._next += 1 / self._orders.rate
            blob = os.urandom(self._orders.size)
            room = self.context.room()
            self.context.signaling.perform(room.take(blob, now))
            self.did("took a slot with noise")
