"""Talk members into less: an older version, a room without encryption, whatever a program might fall for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from server.hostile.act import Act, Orders
from server.hostile.troupe import Troupe, raw
from server.wire.messages import Challenge, Message, Transport


class Downgraded(Orders, frozen=True):
    """`version`: an older protocol is offered. `plain`: fields that ask for unencrypted media.

    Who is connected already is cut off, so that it has to hear the offer (`victim`, or everybody).
    """

    how: Literal["version", "plain"] = "version"
    victim: int | None = None


class Downgrade(Act):
    name = "downgrade"
    about = "offer version 0 of the protocol, or a room without encryption, to whoever connects"
    orders_kind = Downgraded

    def __init__(self, troupe: Troupe, orders: Downgraded) -> None:
        super().__init__(troupe)
        self._orders = orders

    def begin(self, now: float) -> None:
        victims = [self._orders.victim] if self._orders.victim else []
        for number in victims or list(self.troupe.guests.handles(self.troupe.room().number)):
            self.troupe.drop(number)

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
