"""Withhold the next commit from some members: for them, the room stays at the slot before."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import ClientMessage, Commit


class WithholdOrders(Orders, frozen=True):
    """The next commit does not reach `victims` (numbers), which stay together in a world without it.

    If it removes a member, and that member is a victim, the other victims continue to talk to it.
    """

    victims: tuple[int, ...]


class Withhold(Act):
    name = "withhold"
    about = "the next commit (a removal) never reaches some members; the server stays with the old story"
    orders_type = WithholdOrders

    def __init__(self, context: Context, orders: WithholdOrders) -> None:
        super().__init__(context)
        self._victims = frozenset(orders.victims)
        self._done = False

    def begin(self, now: float) -> None:
        for victim in self._victims:
            self.context.handle(victim)

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        number = self.context.participants.number(handle)
        if self._done or not isinstance(message, Commit) or number in self._victims:
            return (message,)
        room = self.context.hub.room_of(handle)
        if room is not None and room.slot is not None and message.slot == room.slot + 1:
            self._done = True
            self.context.hub.split_off(self._victims)
            self.did("withheld a commit", slot=message.slot)
        return (message,)
