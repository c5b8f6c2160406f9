"""Offer clients less security: an older protocol version, or media without encryption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context, raw
from snugroom.wire.messages import Challenge, Message, Transport


class DowngradeOrders(Orders, frozen=True):
    """`version`: offer version 0 of the protocol. `plain`: add fields that ask for unencrypted media.

    The connections of `victim`, or of everybody, are aborted, so that they connect again and get the offer.
    """

    how: Literal["version", "plain"] = "version"
    victim: int | None = None


class Downgrade(Act):
    name = "downgrade"
    about = "offer version 0 of the protocol, or a room without encryption, to whoever connects"
    orders_type = DowngradeOrders

    def __init__(self, context: Context, orders: DowngradeOrders) -> None:
        super().__init__(context)
        self._orders = orders

    def begin(self, now: float) -> None:
        victims = [self._orders.victim] if self._orders.victim else []
        for number in victims or list(self.context.participants.handles(self.context.room().number)):
            self.context.drop(number)

    def challenge(self, handle: bytes, message: Message) -> Message:
        if self._orders.how == "version" and isinstance(message, Challenge):
            self.did("offered version 0")
            return msgspec.structs.replace(message, version=0)
        return message

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        if self._orders.how == "plain" and isinstance(message, Transport):
            self.did("asked for media without encryption")
            return (raw(message, encryption="none", sframe=False, profile="RTP/AVP"),)
        return (message,)
