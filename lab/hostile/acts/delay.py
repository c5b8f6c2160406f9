"""Hold messages or frames back, and deliver them later."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Annotated

import msgspec

from snugroom.lab.hostile.context import Context
from snugroom.lab.hostile.targets import BlobMessage, Target, TargetedAct
from snugroom.wire.messages import Message


class DelayOrders(Target, frozen=True):
    """Hold the target back for `seconds`."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 1.0


class Delay(TargetedAct):
    name = "delay"
    about = "hold messages or frames back for some seconds"
    orders_type = DelayOrders

    def __init__(self, context: Context, orders: DelayOrders) -> None:
        super().__init__(context, orders)
        self._seconds = orders.seconds
        self._held: deque[tuple[float, bytes, Message | bytes]] = deque()

    def message(self, handle: bytes, message: BlobMessage, now: float) -> Sequence[Message]:
        self.did(f"held back one of the {self.target.what}")
        self._held.append((now + self._seconds, handle, message))
        return ()

    def frame(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        self.did(f"held back one of the {self.target.what}")
        if receiver is not None:
            self._held.append((now + self._seconds, self.context.handle(receiver), packet))
        return ()

    def tick(self, now: float) -> None:
        while self._held and self._held[0][0] <= now:
            self._hand_on(*self._held.popleft()[1:])

    def end(self, now: float) -> None:
        for _, handle, what in self._held:
            self._hand_on(handle, what)
        self._held.clear()

    def _hand_on(self, handle: bytes, what: Message | bytes) -> None:
        if isinstance(what, bytes):
            self.context.sfu.send(handle, what)
        else:
            self.context.deliver(handle, what)
