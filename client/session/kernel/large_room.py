"""Which rooms are large: there, packets of sound are longer (docs/reference/protocol.md, section 10).

And how often a member looks at all others there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from snugroom.wire.limits import LARGE_LEAF, LARGE_MEMBERS

#: Seconds between two looks at all members of a large room, per member.
LOOK_PER_MEMBER: Final = 0.004


def is_large(leaves: Collection[int]) -> bool:
    """Return whether a room with members at these leaves is large: all members come to the same result.

    A new member gets the lowest free leaf, so the 26th member makes a room large. It stays large while 21 are
    left and one of them has such a leaf: it does not change with each member that comes and goes.
    """
    return len(leaves) > LARGE_MEMBERS and max(leaves) >= LARGE_LEAF


class Pace:
    """When to look at all members again: at each tick, and less often the more there are in a large room."""

    def __init__(self) -> None:
        self._next = 0.0

    def is_due(self, now: float, members: int) -> bool:
        """Return whether to look now, at that many members; the next look is due some time later."""
        if now < self._next:
            return False
        self._next = now + LOOK_PER_MEMBER * members if members > LARGE_MEMBERS else now
        return True
