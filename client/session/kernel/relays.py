"""The order of relayed blobs: those that a catch-up brings are read before newer ones that came first."""

from __future__ import annotations

from typing import Final

from snugroom.wire.messages import Relayed

#: Relays and bytes that wait for older ones, and for how many seconds: a catch-up may never be answered.
KEPT_MAX: Final = 256
KEPT_BYTES: Final = 4 * 2**20
KEPT_TIME: Final = 5.0


class Relays:
    """The relays of one incarnation of the server. The caller reads what the methods return, in order."""

    def __init__(self) -> None:
        #: The number up to which all have come, or are lost.
        self.number = 0
        self._kept: list[Relayed] = []
        self._kept_since = 0.0

    def restarted(self) -> None:
        """The server counts from 1 again."""
        self.number = 0

    def lost(self) -> None:
        """The connection is lost: the next catch-up brings what was kept."""
        self._kept.clear()

    def arrived(self, relayed: Relayed, now: float, *, catching_up: bool) -> list[Relayed]:
        """Take a relay; return those to read now."""
        if catching_up and relayed.relay > self.number + 1:
            if not self._kept:
                self._kept_since = now
            self._kept.append(relayed)
            return self.due(now, catching_up=True)
        if relayed.relay == self.number + 1:
            # Only without a gap: the missing relays can still be lost with the connection.
            self.number = relayed.relay
        return [relayed]

    def due(self, now: float, *, catching_up: bool) -> list[Relayed]:
        """Return the kept relays if nothing older is to be expected any more."""
        size = sum(len(relayed.blob) for relayed in self._kept)
        full = len(self._kept) >= KEPT_MAX or size >= KEPT_BYTES or now - self._kept_since >= KEPT_TIME
        return self._take() if full or not catching_up else []

    def caught_up(self, number: int) -> list[Relayed]:
        """All up to `number` have come, or are lost; return those to read now."""
        kept = self._take()
        self.number = max(self.number, number)
        return kept

    def _take(self) -> list[Relayed]:
        kept, self._kept = self._kept, []
        return sorted((r for r in kept if r.relay > self.number), key=lambda relayed: relayed.relay)
