"""Split a meeting into two worlds with the same past, each with some of the members."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context, OrderError
from snugroom.wire.messages import Broadcast, Broadcasted, ClientMessage


class PartitionOrders(Orders, frozen=True):
    """`apart` are the numbers of the second world's members.

    With `media`, RTP still crosses between the worlds; with `beats`, broadcasts do, heartbeats included.
    """

    apart: tuple[int, ...]
    media: bool = False
    beats: bool = False


class Partition(Act):
    name = "partition"
    about = "split the meeting in two: each half gets its own commits and messages, both signed by the server"
    orders_type = PartitionOrders

    def __init__(self, context: Context, orders: PartitionOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._apart = frozenset(orders.apart)

    def begin(self, now: float) -> None:
        room = self.context.room()
        if not self._apart or not self._apart < set(self.context.participants.handles(room.number)):
            raise OrderError("name some of the members to separate, and not all")
        self.context.hub.split_off(self._apart)
        self.did("parted the meeting", apart=sorted(self._apart))

    def _across(self, one: int | None, other: int | None) -> bool:
        return (one in self._apart) != (other in self._apart)

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        if self._orders.beats and isinstance(message, Broadcast):
            here = self.context.hub.room_of(handle)
            number = self.context.participants.number(handle)
            if here is not None:
                for other, there in self.context.participants.handles(here.number).items():
                    if self._across(number, other):
                        self.context.deliver(there, Broadcasted(message.blob))
        return (message,)

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        if self._orders.media or not self._across(sender, receiver):
            return (packet,)
        self.did("kept a packet in its world")
        return ()
