"""Whether the server gives all members the same messages in the same order (protocol section 7).

The server numbers the relays that it stores, from 1 in each incarnation. A window is a hash over the last
eight of them: two members with different windows at one number received different relays, or another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snugroom.crypto.agreed.heartbeat import NO_HEARTBEAT, WINDOW, window

#: Relays that are remembered.
KEPT: Final = 256
#: Different windows in one member's beats before they are reported.
DIFFERENT: Final = 2


@dataclass
class _Claim:
    """A window in another member's beat, for a relay that has not arrived here yet."""

    relay: int
    window: bytes
    since: float


class Ordering:
    """The relays as they arrived here, and the other members' windows."""

    def __init__(self) -> None:
        self.incarnation = bytes(8)
        self.last = 0
        self._digests: dict[int, tuple[bytes, int]] = {}  # number -> (H(blob), connection)
        self._connection = 0
        self._claims: dict[int, _Claim] = {}
        self._different: dict[int, int] = {}

    def disconnected(self) -> None:
        """Note that later relays arrive on another connection."""
        self._connection += 1

    def set_incarnation(self, incarnation: bytes) -> None:
        """Set the incarnation (8 bytes) of the connected server; a new one discards everything."""
        if incarnation != self.incarnation:
            self._restart()
            self.incarnation = incarnation

    def _restart(self) -> None:
        self.last = 0
        self._digests.clear()
        self._claims.clear()
        self._different.clear()

    def record(self, number: int, digest: bytes) -> bool:
        """Record a relay; return False if its number came with another digest on this connection."""
        known = self._digests.get(number)
        if known is not None and known[0] != digest:
            if known[1] == self._connection:
                return False
            self._restart()  # an empty room was forgotten, and counts anew
        self._digests[number] = (digest, self._connection)
        self.last = max(self.last, number)
        if len(self._digests) > KEPT:
            del self._digests[min(self._digests)]
        return True

    def window_at(self, number: int) -> bytes | None:
        """Return our window at a number, 32 bytes; None if a relay that it covers is unknown."""
        numbers = range(max(1, number - WINDOW + 1), number + 1)
        known = [self._digests[n][0] for n in numbers if n in self._digests]
        return window(self.incarnation, number, known) if number and len(known) == len(numbers) else None

    def newest(self) -> tuple[int, bytes]:
        """Return the highest number on this connection with a known window, and the window; or (0, zeros).

        Numbers of an earlier connection may be those of a room that was forgotten, and counts anew.
        """
        ours = [n for n, (_, connection) in self._digests.items() if connection == self._connection]
        for number in sorted(ours, reverse=True)[:WINDOW]:
            mine = self.window_at(number)
            if mine is not None:
                return number, mine
        return 0, NO_HEARTBEAT

    def check_claim(self, leaf: int, relay: int, theirs: bytes, now: float) -> bool:
        """Compare a window in another member's beat; return True if a difference must be reported."""
        if relay == 0:
            return False
        waiting = self._claims.get(leaf)
        if relay > self.last:
            if waiting is None:  # the first one stays until its relay has arrived
                self._claims[leaf] = _Claim(relay, theirs, now)
            return False
        return self._compare(leaf, relay, theirs)

    def check_waiting_claims(self) -> list[int]:
        """Compare claims whose relays have arrived; return the leaves whose difference must be reported."""
        due = [(leaf, c) for leaf, c in self._claims.items() if c.relay <= self.last]
        for leaf, _ in due:
            del self._claims[leaf]
        return [leaf for leaf, claim in due if self._compare(leaf, claim.relay, claim.window)]

    def _compare(self, leaf: int, relay: int, theirs: bytes) -> bool:
        mine = self.window_at(relay)
        if mine is None:
            return False
        self._different[leaf] = 0 if mine == theirs else self._different.get(leaf, 0) + 1
        return self._different[leaf] == DIFFERENT

    @property
    def waits(self) -> bool:
        """Whether others have relays that have not arrived here yet."""
        return bool(self._claims)

    def ahead_since(self, before: float) -> list[int]:
        """Return the leaves that by that time had relays that have not arrived here yet."""
        return [leaf for leaf, claim in self._claims.items() if claim.since <= before]

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self._claims.pop(leaf, None)
        self._different.pop(leaf, None)
