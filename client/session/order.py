"""Whether the server gives all members the same messages in the same order (protocol section 7).

It numbers the relays that it keeps, in each of its lives anew. A window is a hash over the last eight of
them: two members who have different windows at one number were given different things, or in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crypto.beats import NO_BEAT, WINDOW, window

#: Relays that are remembered.
KEPT: Final = 256
#: Beats of one member whose windows differ from ours, until it is told.
DIFFERENT: Final = 2


@dataclass
class _Claim:
    """What another member has vouched for and we have not reached yet."""

    relay: int
    window: bytes
    since: float


class Order:
    """The relays as they came here, and what others say of them."""

    def __init__(self) -> None:
        self.incarnation = bytes(8)
        self.last = 0
        self._digests: dict[int, tuple[bytes, int]] = {}  # number -> (H(blob), connection)
        self._connection = 0
        self._claims: dict[int, _Claim] = {}
        self._different: dict[int, int] = {}

    def disconnected(self) -> None:
        """What comes from here on comes by another connection."""
        self._connection += 1

    def life(self, incarnation: bytes) -> None:
        """The server that we are connected to is in that life (8 bytes)."""
        if incarnation != self.incarnation:
            self._restart()
            self.incarnation = incarnation

    def _restart(self) -> None:
        self.last = 0
        self._digests.clear()
        self._claims.clear()
        self._different.clear()

    def hear(self, number: int, digest: bytes) -> bool:
        """A relay of that number has come. False: it came as another one before, on this connection."""
        known = self._digests.get(number)
        if known is not None and known[0] != digest:
            if known[1] == self._connection:
                return False
            self._restart()  # a room that everybody had left was forgotten, and counts anew
        self._digests[number] = (digest, self._connection)
        self.last = max(self.last, number)
        if len(self._digests) > KEPT:
            del self._digests[min(self._digests)]
        return True

    def at(self, number: int) -> bytes | None:
        """Our window at a number, 32 bytes; None where a relay that it covers is not known."""
        numbers = range(max(1, number - WINDOW + 1), number + 1)
        known = [self._digests[n][0] for n in numbers if n in self._digests]
        return window(self.incarnation, number, known) if number and len(known) == len(numbers) else None

    def newest(self) -> tuple[int, bytes]:
        """The highest number that we can vouch for and the window there; (0, zeros) if there is none."""
        for number in sorted(self._digests, reverse=True)[:WINDOW]:
            mine = self.at(number)
            if mine is not None:
                return number, mine
        return 0, NO_BEAT

    def claimed(self, leaf: int, relay: int, theirs: bytes, now: float) -> bool:
        """Another's beat vouches for a window. True: once more it is not ours, and that is to be told."""
        if relay == 0:
            return False
        waiting = self._claims.get(leaf)
        if relay > self.last:
            if waiting is None:  # the first one stays until we have come to it
                self._claims[leaf] = _Claim(relay, theirs, now)
            return False
        return self._compare(leaf, relay, theirs)

    def settle(self) -> list[int]:
        """Compare what we have meanwhile come to; leaves whose difference is to be told."""
        due = [(leaf, c) for leaf, c in self._claims.items() if c.relay <= self.last]
        for leaf, _ in due:
            del self._claims[leaf]
        return [leaf for leaf, claim in due if self._compare(leaf, claim.relay, claim.window)]

    def _compare(self, leaf: int, relay: int, theirs: bytes) -> bool:
        mine = self.at(relay)
        if mine is None:
            return False
        self._different[leaf] = 0 if mine == theirs else self._different.get(leaf, 0) + 1
        return self._different[leaf] == DIFFERENT

    def behind(self, before: float) -> list[int]:
        """Leaves that had, at that time already, messages that have not come here yet."""
        return [leaf for leaf, claim in self._claims.items() if claim.since <= before]

    def forget(self, leaf: int) -> None:
        """Nobody, or another, is at that leaf now."""
        self._claims.pop(leaf, None)
        self._different.pop(leaf, None)
