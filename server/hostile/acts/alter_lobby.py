"""Come between a guest and the host in the lobby: alter, swallow, repeat or exchange what they post."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from server.hostile.act import Act, Orders
from server.hostile.acts.flip import flipped
from server.hostile.troupe import Troupe
from server.wire.messages import ClientMessage, Post, Posted


class Altered(Orders, frozen=True):
    """`sender` is who posted, by arrival in the lobby (the host is 1), None is everybody.

    `how`: one bit the other way, nothing at all, twice, or `blob` in its place. `smallest` leaves shorter
    blobs alone: a knock has at least 2,048 bytes, a call 512.
    """

    how: Literal["flip", "drop", "repeat", "swap"] = "flip"
    sender: int | None = None
    smallest: int = 0
    blob: bytes | None = None


class AlterLobby(Act):
    name = "alter_lobby"
    about = "alter, drop, repeat or exchange posts in the lobby: knocks, cards, the host's answer"
    orders_kind = Altered

    def __init__(self, troupe: Troupe, orders: Altered) -> None:
        super().__init__(troupe)
        self._orders = orders

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        orders = self._orders
        if not isinstance(message, Post) or len(message.blob) < orders.smallest:
            return (message,)
        if orders.sender not in (None, self.troupe.guests.number(handle)):
            return (message,)
        self.did(f"{orders.how}: a post in the lobby", bytes=len(message.blob))
        if orders.how == "drop":
            return ()
        if orders.how == "repeat":
            # to everybody, the sender too: whoever can read may make of it what they like
            for other in self.troupe.hub.lobby_handles():
                self.troupe.deliver(other, Posted(message.blob))
            return (message,)
        if orders.how == "swap":
            return () if orders.blob is None else (Post(orders.blob),)
        return (Post(flipped(message.blob, len(message.blob) // 2)),)
