"""Facts about a room for the operator: everything that it holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """Everything that a room holds. `commits` are (slot, bytes, time taken), `relays` (number, bytes).

    `seats` has for each connection its time of arrival, the highest slot whose pass it has shown, the last
    slot won, and the last slot lost (-1: none). `waiting` is the number of commits on hold, and `held_bytes`
    the size of the first of them. Times are monotonic seconds.
    """

    number: bytes
    numbers: tuple[bytes, ...]  # all that lead to the room, the current one last
    room_admin_key: bytes
    slot: int | None
    handles: tuple[bytes, ...]
    commits: tuple[tuple[int, int, float], ...]
    relays: tuple[tuple[int, int], ...]
    gates: int
    passes_current: int
    streams: tuple[str, ...]
    signature_lists: tuple[int, ...]  # bytes of each
    held_bytes: int
    chain: bytes
    waiting: int
    permission: bytes  # random, of the proof that opened the room; empty if anyone may open rooms
    seats: tuple[tuple[float, int | None, int, int], ...]
