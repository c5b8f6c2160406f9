"""Play a restart to one member: another server key and no room, while all others go on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from nacl.signing import SigningKey

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Effect, Send
from snugroom.server.rooms.hub import Hub
from snugroom.wire.messages import Challenge, ClientMessage, Message


class RestartForOneOrders(Orders, frozen=True):
    """Cut the connection of `victim`. A new process without rooms has all connections from then on."""

    victim: int


class RestartForOne(Act):
    name = "restart_for_one"
    about = (
        "cut one member's connection, and play a server to it that was restarted: another key, and no room"
    )
    orders_type = RestartForOneOrders

    def __init__(self, context: Context, orders: RestartForOneOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._ours: dict[bytes, bytes] = {}
        self._theirs: dict[bytes, bytes] = {}
        self._hub: Hub | None = None

    def begin(self, now: float) -> None:
        self.context.signaling.cut(self.context.handle(self._orders.victim))
        self.did("cut somebody's connection")

    def challenge(self, handle: bytes, message: Message) -> Message:
        if not isinstance(message, Challenge):
            return message
        if self._hub is None:
            self._hub = _new_process(message.origin)
        self._ours[handle], challenge = self._hub.connect()
        self._theirs[self._ours[handle]] = handle
        self.context.hub.elsewhere.add(handle)
        self.did("answered as another process")
        return challenge

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        ours = self._ours.get(handle)
        if ours is None or self._hub is None:
            return (message,)
        self._perform(self._hub.handle(ours, message, now))
        return ()

    def tick(self, now: float) -> None:
        if self._hub is not None:
            self._perform(self._hub.tick(now))

    def end(self, now: float) -> None:
        for handle in self._ours:
            self.context.hub.elsewhere.discard(handle)
            self.context.signaling.cut(handle)

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.context.deliver(self._theirs[effect.handle], effect.message)
            elif isinstance(effect, Drop):
                self.context.signaling.perform([Drop(self._theirs[effect.handle], effect.last)])


def _new_process(origin: str) -> Hub:
    """Return an honest hub with a key of its own, as after a restart."""
    key = SigningKey.generate()
    return Hub(
        Settings(),
        origin=origin,
        server_key=bytes(key.verify_key),
        incarnation=os.urandom(8),
        sign=lambda text: key.sign(text).signature,
        rng=os.urandom,
    )
