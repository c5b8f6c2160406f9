"""Record all ciphertext, to decrypt it if the keys become known later."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import Broadcast, ClientMessage, Commit, Post, Relay


class RecordOrders(Orders, frozen=True):
    """Keep at most `most` blobs and `most` packets in memory. The end of the act prints them, one a line."""

    most: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20_000


class Record(Act):
    name = "record"
    about = "keep every blob and every media packet in memory; end prints them all"
    orders_type = RecordOrders

    def __init__(self, context: Context, orders: RecordOrders) -> None:
        super().__init__(context)
        self._most = orders.most
        self._blobs: list[tuple[float, str, int | None, bytes]] = []
        self._packets: list[tuple[float, int | None, bytes]] = []

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        if isinstance(message, Commit | Relay | Broadcast | Post) and len(self._blobs) < self._most:
            kind = str(type(message).__struct_config__.tag)
            self._blobs.append((now, kind, self.context.participants.number(handle), message.blob))
            self.did("recorded a blob")
        return (message,)

    def packet(self, sender: int | None, packet: bytes, now: float) -> None:
        if len(self._packets) < self._most:
            self._packets.append((now, sender, packet))
            self.did("recorded a packet")

    def end(self, now: float) -> None:
        for at, kind, sender, blob in self._blobs:
            age = round(now - at, 6)
            told = {"act": self.name, "blob": _text(blob), "kind": kind, "sender": sender, "age": age}
            self.context.report(told)
        for at, sender, packet in self._packets:
            age = round(now - at, 6)
            self.context.report({"act": self.name, "packet": _text(packet), "sender": sender, "age": age})


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
