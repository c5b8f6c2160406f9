"""Swap the order of messages or frames, and give them numbers that hide the swap."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from snugroom.lab.hostile.context import Context
from snugroom.lab.hostile.targets import BlobMessage, Target, TargetedAct, sequence_of, with_sequence
from snugroom.wire.messages import Committed, Message, Relayed


class Reorder(TargetedAct):
    name = "reorder"
    about = "swap each two messages or frames that follow each other, and number them as if nothing were"

    def __init__(self, context: Context, orders: Target) -> None:
        super().__init__(context, orders)
        self._messages: dict[bytes, BlobMessage] = {}
        self._packets: dict[tuple[int | None, bytes], bytes] = {}

    def message(self, handle: bytes, message: BlobMessage, now: float) -> Sequence[Message]:
        first = self._messages.pop(handle, None)
        if first is None or type(first) is not type(message):
            self._messages[handle] = message
            return ()
        self.did(f"swapped two of the {self.target.what}")
        if isinstance(first, Relayed) and isinstance(message, Relayed):
            return (Relayed(first.relay, message.blob), Relayed(message.relay, first.blob))
        if isinstance(first, Committed) and isinstance(message, Committed):
            return (
                msgspec.structs.replace(message, slot=first.slot),
                msgspec.structs.replace(first, slot=message.slot),
            )
        return (message, first)

    def frame(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        key = (receiver, packet[8:12])
        first = self._packets.pop(key, None)
        if first is None:
            self._packets[key] = packet
            return ()
        self.did(f"swapped two of the {self.target.what}")
        # swap the contents; sequence number and timestamp stay in order
        one = with_sequence(packet, sequence_of(first))
        two = with_sequence(first, sequence_of(packet))
        return (one[:4] + first[4:8] + one[8:], two[:4] + packet[4:8] + two[8:])

    def end(self, now: float) -> None:
        for handle, message in self._messages.items():
            self.context.deliver(handle, message)
