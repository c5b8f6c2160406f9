"""Shared vectors of large rooms (client/session/kernel/large_room.py)."""

from __future__ import annotations

from typing import Any, Final

from snugroom.client.session.kernel.large_room import is_large

_ROOMS: Final[tuple[list[int], ...]] = (
    [], [0], [25], [*range(25)], [*range(26)], [*range(100)],
    # some have left, and one is still at a late leaf; nobody is; too few are left
    [*range(20), 25], [*range(10, 31)], [*range(4, 25)], [*range(19), 25], [*range(80, 100)],
)  # fmt: skip


def large_rooms() -> list[Any]:
    return [{"leaves": leaves, "large": is_large(leaves)} for leaves in _ROOMS]


FILES: Final = {"large_room": large_rooms}
