"""Hold messages or frames back, and deliver them later."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Annotated

import msgspec

from snugroom.server.hostile.runner import Troupe
from snugroom.server.hostile.targets import Aim, Blobbed, Meddling
from snugroom.server.wire.messages import Message


class Delayed(Aim, frozen=True):
    """Hold the target back for `seconds`."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 1.0


class Delay(Meddling):
    name = "delay"
    about = "hold messages or frames back for some seconds"
    orders_kind = Delayed

    def __init__(self, troupe: Troupe, orders: Delayed) -> None:
        super().__init__(troupe, orders)
        self._seconds = orders.seconds
        self._held: deque[tuple[float, bytes, Message | bytes]] = deque()

    def message(self, handle: bytes, message: Blobbed, now: float) -> Sequence[Message]:
        self.did(f"held back one of the {self.aim.what}")
        self._held.append((now + self._seconds, handle, message))
        return ()

    def frame(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        self.did(f"held back one of the {self.aim.what}")
        if receiver is not None:
            self._held.append((now + self._seconds, self.troupe.handle(receiver), packet))
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
            self.troupe.sfu.send(handle, what)
        else:
            self.troupe.deliver(handle, what)
