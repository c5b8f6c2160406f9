"""Exchange the streams of two members: each one's video and audio appear as the other's."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context, OrderError
from snugroom.lab.hostile.targets import SequenceNumbers, ssrc_of, with_ssrc


class SwapStreamsOrders(Orders, frozen=True):
    """`between` are the two members, `receivers` the members that get the swap (None: all others)."""

    between: tuple[int, int]
    receivers: tuple[int, ...] | None = None


class SwapStreams(Act):
    name = "swap_streams"
    about = "exchange two members' streams: each one's frames go out under the other's SSRC"
    orders_type = SwapStreamsOrders

    def __init__(self, context: Context, orders: SwapStreamsOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._other: dict[int, int] = {}
        self._sequence_numbers = SequenceNumbers()

    def begin(self, now: float) -> None:
        one, two = self._orders.between
        room = self.context.room()
        streams = [
            {kind: ssrc for ssrc, kind in room.streams_of(self.context.handle(number))}
            for number in (one, two)
        ]
        for kind in streams[0].keys() & streams[1].keys():
            self._other[streams[0][kind]] = streams[1][kind]
            self._other[streams[1][kind]] = streams[0][kind]
        if not self._other:
            raise OrderError("these two members send no streams of the same kind")

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        other = self._other.get(ssrc_of(packet))
        wanted = self._orders.receivers
        if other is None or (wanted is not None and receiver not in wanted):
            return (packet,)
        if receiver in self._orders.between:
            return ()  # a member would recognise its own frames
        self.did("sent a packet as another member's")
        last = self.context.sfu.highest(self.context.room().number, other)
        return (self._sequence_numbers.next(receiver, with_ssrc(packet, other), last),)
