"""One connection in a room, and what it has shown, won and lost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snugroom.server.rate import TokenBucket
from snugroom.server.rooms.stream_blobs import LastBlobs, Subscription
from snugroom.wire.messages import HandleStream, Media


@dataclass(slots=True)
class Seat:
    """One connection in the room. `nonce` is the nonce of its challenge."""

    handle: bytes
    nonce: bytes
    since: float
    catch_ups: TokenBucket
    media_changes: TokenBucket
    outside_since: float  # since when the connection may not receive; after a closing, the end of its grace
    won: int  # the last slot that the connection has taken, or the current slot at its arrival
    shown: int | None = None  # the highest slot whose gate a pass of the connection fits
    seen: int | None = None  # the current slot when it last showed a pass that fits an open gate
    until: float = -math.inf  # end of receiving; infinity while a pass of the connection fits an open gate
    place_until: float = -math.inf  # the end of receiving before the last opening; -infinity before
    admin: bool = False  # whether it has taken a slot, or asked for one, with the room admin's signature
    lost: int = -1  # the current slot when its last commit came too late; -1 after it has won
    media: Media | None = None
    view: list[HandleStream] | None = None  # the last `streams` sent to it since it joined media
    subscription: Subscription | None = None  # the streams whose lists it gets; None without media
    lists: LastBlobs | None = None  # what it has sent for the receivers of its streams; None without media

    @property
    def inside(self) -> bool:
        """Whether a pass of the connection fits an open gate."""
        return self.until == math.inf

    def keeps_place(self, now: float) -> bool:
        """Return whether its place goes to nobody else: it is inside, or was before a slot or an opening.

        Both ends are fixed when it loses its pass. Nobody prolongs them by coming back, or by older passes.
        """
        return now < self.until or now < self.place_until
