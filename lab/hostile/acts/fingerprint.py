"""Replace the DTLS fingerprint, so that it does not match the certificate of the media server."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import Message, Transport


class FingerprintOrders(Orders, frozen=True):
    """The connection of `victim` is aborted, so that it connects again and gets the fingerprint."""

    victim: int


class Fingerprint(Act):
    name = "fingerprint"
    about = "give another DTLS fingerprint than the media server's, as a middleman's would be"
    orders_type = FingerprintOrders

    def __init__(self, context: Context, orders: FingerprintOrders) -> None:
        super().__init__(context)
        self._orders = orders

    def begin(self, now: float) -> None:
        self.context.drop(self._orders.victim)

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        if isinstance(message, Transport) and self.context.participants.number(handle) == self._orders.victim:
            self.did("gave another fingerprint")
            return (msgspec.structs.replace(message, fingerprint=os.urandom(32)),)
        return (message,)
