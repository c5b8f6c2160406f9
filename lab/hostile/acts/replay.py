"""Deliver old messages or frames again, as new ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Annotated

import msgspec

from snugroom.lab.hostile.context import Context
from snugroom.lab.hostile.targets import BlobMessage, SequenceNumbers, Target, TargetedAct
from snugroom.wire.messages import Message, Relayed


class ReplayOrders(Target, frozen=True):
    """`back` is the age of the replayed message or packet: the number of later ones of the target."""

    back: Annotated[int, msgspec.Meta(ge=0, le=5_000)] = 0


class Replay(TargetedAct):
    name = "replay"
    about = "hand old messages or frames over again, numbered as new ones"
    orders_type = ReplayOrders

    def __init__(self, context: Context, orders: ReplayOrders) -> None:
        super().__init__(context, orders)
        self._sequence_numbers = SequenceNumbers()
        self._back = orders.back
        self._messages: dict[bytes, deque[BlobMessage]] = {}
        self._packets: dict[tuple[int | None, bytes], deque[bytes]] = {}

    def message(self, handle: bytes, message: BlobMessage, now: float) -> Sequence[Message]:
        kept = self._messages.setdefault(handle, deque(maxlen=self._back + 1))
        kept.append(message)
        if len(kept) <= self._back:
            return (message,)
        self.did(f"replayed one of the {self.target.what}")
        old = kept[0]
        again = Relayed(message.relay, old.blob) if isinstance(message, Relayed) else old
        return (message, again)

    def missed(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        self._kept(receiver, packet)
        return (self._sequence_numbers.next(receiver, packet),)

    def frame(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        kept = self._kept(receiver, packet)
        new = self._sequence_numbers.next(receiver, packet)
        if len(kept) <= self._back:
            return (new,)
        self.did(f"replayed one of the {self.target.what}")
        # the old content, under a sequence number and timestamp that the receiver expects
        old = kept[0][:4] + packet[4:8] + kept[0][8:]
        return (new, self._sequence_numbers.next(receiver, old))

    def _kept(self, receiver: int | None, packet: bytes) -> deque[bytes]:
        kept = self._packets.setdefault((receiver, packet[8:12]), deque(maxlen=self._back + 1))
        kept.append(packet)
        return kept
