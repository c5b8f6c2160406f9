"""One connection in a room, and what it has shown, won and lost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snugroom.server.rate import TokenBucket
from snugroom.server.wire.messages import HandleStream, Media


@dataclass(slots=True)
class Seat:
    """One connection in the room. `nonce` is the nonce of its challenge."""

    handle: bytes
    nonce: bytes
    since: float
    catch_ups: TokenBucket
    media_changes: TokenBucket
    shown: int | None = None  # the highest slot whose pass the connection has shown
    below: int | None = None  # the previous value of `shown`, restored when the current slot is regated
    until: float = -math.inf  # end of receiving; infinity while `shown` is the current slot
    won: int = -1  # the last slot that the connection has taken
    lost: int = -1  # the current slot when its last commit came too late; -1 after it has won
    media: Media | None = None
    view: list[HandleStream] | None = None  # the last `streams` sent to it since it joined media
