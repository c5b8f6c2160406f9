"""Attack the lobby between guest and host: alter, drop, hold, repeat or replace their posts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.acts.flip import flipped
from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import ClientMessage, Post, Posted


class AlterLobbyOrders(Orders, frozen=True):
    """`sender` is a number by arrival in the lobby (the host is 1); None means everybody.

    `how`: flip one bit, drop the post, hold it until the act ends, repeat it, or swap it for `blob`. Blobs of
    fewer than `smallest` bytes stay unchanged: a knock has at least 2,048 bytes, a call 512. The act alters
    `most` posts at most.
    """

    how: Literal["flip", "drop", "hold", "repeat", "swap"] = "flip"
    sender: int | None = None
    smallest: int = 0
    most: int | None = None
    blob: bytes | None = None


class AlterLobby(Act):
    name = "alter_lobby"
    about = "alter, drop, hold, repeat or exchange posts in the lobby: knocks, cards, the host's answer"
    orders_type = AlterLobbyOrders

    def __init__(self, context: Context, orders: AlterLobbyOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._left = orders.most
        self._held: list[Posted] = []

    def end(self, now: float) -> None:
        for posted in self._held:
            for handle in self.context.hub.lobby_handles():
                self.context.deliver(handle, posted)
            self.did("delivered a post that it had held")
        self._held.clear()

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        orders = self._orders
        if not isinstance(message, Post) or len(message.blob) < orders.smallest:
            return (message,)
        if orders.sender not in (None, self.context.participants.number(handle)):
            return (message,)
        if self._left == 0:
            return (message,)
        if self._left is not None:
            self._left -= 1
        self.did(f"{orders.how}: a post in the lobby", bytes=len(message.blob))
        if orders.how == "hold":
            self._held.append(Posted(handle, message.blob))
        if orders.how in ("drop", "hold"):
            return ()
        if orders.how == "repeat":
            # repeat to all connections in lobbies, the sender included: only key holders can read it
            for other in self.context.hub.lobby_handles():
                self.context.deliver(other, Posted(handle, message.blob))
            return (message,)
        if orders.how == "swap":
            return () if orders.blob is None else (Post(message.to, orders.blob),)
        return (Post(message.to, flipped(message.blob, len(message.blob) // 2)),)
