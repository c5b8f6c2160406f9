"""Silence one member: drop its media to all or some receivers, and change nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import Broadcast, ClientMessage, Relay


class SilenceOrders(Orders, frozen=True):
    """Drop the media of `victim` to `listeners` (None: to everybody).

    With `words`, also drop the blobs that it relays or broadcasts, to everybody and without a refusal.
    """

    victim: int
    listeners: tuple[int, ...] | None = None
    words: bool = False


class Silence(Act):
    name = "silence"
    about = "one member is neither heard nor seen: by one other, or by all; with words, their chat neither"
    orders_type = SilenceOrders

    def __init__(self, context: Context, orders: SilenceOrders) -> None:
        super().__init__(context)
        self._orders = orders

    def begin(self, now: float) -> None:
        self.context.handle(self._orders.victim)

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        if (
            self._orders.words
            and isinstance(message, Relay | Broadcast)
            and self.context.participants.number(handle) == self._orders.victim
            and self.context.hub.room_of(handle) is not None
        ):
            self.did("swallowed a message")
            return ()
        return (message,)

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        orders = self._orders
        if sender != orders.victim:
            return (packet,)
        if orders.listeners is not None and receiver not in orders.listeners:
            return (packet,)
        self.did("swallowed a packet")
        return ()
