"""When every connection that was in step before a slot has shown its pass: members may use its keys.

docs/reference/protocol.md, section 10. One connection in silence does not hold up a room: up to two are not
waited for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from snugroom.server.rooms.seat import Seat
from snugroom.wire import limits


class Readiness:
    """`showed`, `left` and `tick` return the slot that has become ready by the call; None if none has."""

    def __init__(self) -> None:
        self._slot: int | None = None
        self._waiting: set[bytes] = set()
        #: When stragglers are not waited for any more; infinity while nothing is.
        self.deadline = math.inf

    def begin(self, slot: int, seats: Iterable[Seat], now: float) -> None:
        """Wait for all that have shown the pass of the slot before."""
        self._waiting = {seat.handle for seat in seats if seat.shown == slot - 1}
        self._slot = slot if self._waiting else None
        self.deadline = now + limits.READY_WAIT if self._waiting else math.inf

    def end(self) -> None:
        """Wait for nothing: the room continues at another slot."""
        self._slot, self.deadline = None, math.inf

    def showed(self, seat: Seat) -> int | None:
        """A connection has shown a pass."""
        return self._without(seat.handle, 0) if seat.shown == self._slot else None

    def left(self, handle: bytes) -> int | None:
        """A connection is not in the room any more."""
        return self._without(handle, 0)

    def tick(self, now: float) -> int | None:
        """Time passes."""
        if now < self.deadline:
            return None
        self.deadline = math.inf
        return self._without(b"", limits.READY_STRAGGLERS)

    def _without(self, handle: bytes, most: int) -> int | None:
        self._waiting.discard(handle)
        if self._slot is None or len(self._waiting) > most:
            return None
        slot = self._slot
        self.end()
        return slot
