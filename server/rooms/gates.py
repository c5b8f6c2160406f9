"""The gates of a room's last slots: whose pass opens the room (docs/reference/protocol.md, section 3).

The author of a slot names its gate, and no server can check it. A gate therefore closes no other gate, so
that a member who names a wrong one keeps nobody out. Only a slot that the room admin has signed closes the
gates before it: a removal is always such a slot.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable

from snugroom.wire import limits, signed


class Gates:
    """The gates of the last `CATCH_UP_SLOTS` slots, older ones in use, and the slots that closed gates."""

    def __init__(self) -> None:
        #: The gates from this slot on are open.
        self.floor = 0
        self._gates: dict[int, bytes] = {}
        #: The latest slot of each gate. Gates are hashes, so the time of a lookup reveals nothing of a pass.
        self._slot_of: dict[bytes, int] = {}
        self._closed_at: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._gates)

    def __contains__(self, slot: object) -> bool:
        return slot in self._gates

    def reset(self, slot: int, gate: bytes) -> None:
        """Forget all gates, and open that of `slot`."""
        self._gates, self._slot_of, self._closed_at, self.floor = {slot: gate}, {gate: slot}, {}, slot

    def add(self, slot: int, gate: bytes, *, closes: bool, in_use: Container[int], now: float) -> None:
        """Open the gate of the next slot; `closes`: close all earlier gates.

        `in_use`: slots whose pass a present connection has shown. Their gates stay while they are open: many
        slots with private gates must not push out the gate that the members' pass fits.
        """
        self._gates[slot] = gate
        if closes:
            self.floor, self._closed_at[slot] = slot, now
        oldest = slot - limits.CATCH_UP_SLOTS + 1
        for old in [n for n in self._gates if n < oldest and (n < self.floor or n not in in_use)]:
            del self._gates[old]
        self._slot_of = {self._gates[n]: n for n in sorted(self._gates)}
        self._closed_at.pop(oldest - 1, None)

    def is_gate(self, slot: int, gate: bytes) -> bool:
        """Return whether the gate of `slot` is `gate`."""
        return self._gates.get(slot) == gate

    def fits(self, room_passes: Iterable[bytes]) -> int | None:
        """Return the latest slot whose gate one of these passes opens; None if none does."""
        found = [self._slot_of.get(signed.gate(room_pass), -1) for room_pass in room_passes]
        slot = max(found, default=-1)
        return None if slot < 0 else slot

    def end(self, slot: int) -> float:
        """Return the time until which a pass of `slot` receives: infinity while its gate is open."""
        if slot >= self.floor:
            return math.inf
        closed = [at for closing, at in self._closed_at.items() if closing > slot]
        return min(closed, default=-math.inf) + limits.PASS_GRACE
