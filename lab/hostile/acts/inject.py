"""Inject data that no member has sent: bytes from the order, or noise."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context, OrderError
from snugroom.lab.hostile.server import HostileRoom
from snugroom.lab.hostile.targets import sequence_of, ssrc_of, with_sequence, with_ssrc
from snugroom.wire import limits
from snugroom.wire.limits import AUDIO_PAYLOAD_TYPE
from snugroom.wire.messages import Broadcasted, Posted


class InjectOrders(Orders, frozen=True):
    """`blob` goes `into` the next slot, the relay, a broadcast, the lobby, or a frame, `count` times.

    A slot is taken without a pass, with valid chain and receipt. A frame is the payload of an RTP packet in
    the audio stream of member `name_of`. If `blob` is None, it is `size` random bytes. After a partition,
    `world` is the number of a member, and selects that member's world.
    """

    into: Literal["slot", "relay", "broadcast", "lobby", "frame"]
    blob: bytes | None = None
    name_of: int | None = None
    world: int | None = None
    size: Annotated[int, msgspec.Meta(ge=1, le=limits.ROOM_BLOB_MAX)] = 2048
    count: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1


class Inject(Act):
    name = "inject"
    about = "forged bytes: a commit takes a slot past all gates, a message, a lobby post, a frame in a name"
    orders_type = InjectOrders

    def __init__(self, context: Context, orders: InjectOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._left = orders.count if orders.into == "frame" else 0
        self._shift: dict[tuple[int | None, int], int] = {}

    def begin(self, now: float) -> None:
        orders, context = self._orders, self.context
        if orders.into == "frame":
            if orders.name_of is None:
                raise OrderError("a frame needs name_of: the member in whose stream it appears")
            return
        for _ in range(orders.count):
            blob = os.urandom(orders.size) if orders.blob is None else orders.blob
            if len(blob) not in limits.BUCKETS:
                raise OrderError("a blob must have the size of a bucket")
            if orders.into == "lobby":
                for handle in context.hub.lobby_handles():
                    context.deliver(handle, Posted(os.urandom(limits.HANDLE_SIZE), blob))
                self.did("posted in the lobby")
            else:
                self._put(self._room(), blob, now)

    def _room(self) -> HostileRoom:
        number = self._orders.world
        here = None if number is None else self.context.hub.room_of(self.context.handle(number))
        return here or self.context.room()

    def _put(self, room: HostileRoom, blob: bytes, now: float) -> None:
        context = self.context
        if self._orders.into == "slot":
            context.signaling.perform(room.take(blob, now))
            self.did("took a slot", slot=room.slot)
        elif self._orders.into == "relay":
            context.signaling.perform(room.relay(blob, now))
            self.did("relayed a message of nobody's")
        else:
            for handle in room.handles:
                context.deliver(handle, Broadcasted(blob))
            self.did("broadcast a blob of nobody's")

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> tuple[bytes, ...]:
        orders = self._orders
        if sender != orders.name_of or packet[1] & 0x7F != AUDIO_PAYLOAD_TYPE or orders.into != "frame":
            return (packet,)
        key = (receiver, ssrc_of(packet))
        shift = self._shift.get(key, 0)
        shifted = with_sequence(packet, sequence_of(packet) + shift)
        if shift >= self._left:
            return (shifted,)
        self._shift[key] = shift + 1
        self.did("sent a frame in somebody's name")
        payload = os.urandom(orders.size) if orders.blob is None else orders.blob
        forged = with_sequence(packet[:12], sequence_of(packet) + shift + 1) + payload
        return (shifted, with_ssrc(forged, ssrc_of(packet)))
