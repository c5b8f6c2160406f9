"""Which rooms are large: there, packets of sound are longer (docs/reference/protocol.md, section 10)."""

from __future__ import annotations

from collections.abc import Collection

from snugroom.server.wire.limits import LARGE_LEAF, LARGE_MEMBERS


def is_large(leaves: Collection[int]) -> bool:
    """Return whether a room with members at these leaves is large: all members come to the same result.

    A new member gets the lowest free leaf, so the 26th member makes a room large. It stays large while 21 are
    left and one of them has such a leaf: it does not change with each member that comes and goes.
    """
    return len(leaves) > LARGE_MEMBERS and max(leaves) >= LARGE_LEAF
