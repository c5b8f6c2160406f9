"""The commits of a room that wait for the next slot (G6): one on hold, and the connections behind it."""

from __future__ import annotations

from dataclasses import dataclass

from snugroom.server.rooms.memory import BLOB, Ledger
from snugroom.server.rooms.seat import Seat
from snugroom.wire.messages import Commit


@dataclass(frozen=True, slots=True)
class Held:
    """A commit on hold: in favour of a connection that has lost the last race, or until its turn (G6)."""

    seat: Seat
    commit: Commit
    until: float


class Race:
    """The commit on hold, and its rivals: connections whose commit is too late if the other is taken."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.held: Held | None = None
        self.rivals: list[Seat] = []

    def __len__(self) -> int:
        return (self.held is not None) + len(self.rivals)

    @property
    def memory(self) -> int:
        """Bytes of memory of the commit on hold."""
        return 0 if self.held is None else len(self.held.commit.blob) + BLOB

    def __contains__(self, seat: Seat) -> bool:
        return seat in self.rivals or (self.held is not None and self.held.seat is seat)

    def hold(self, held: Held) -> None:
        """Put a commit on hold, in place of the one that was."""
        self._ledger.blobs -= self.memory
        self.held = held
        self._ledger.blobs += self.memory

    def end(self) -> list[Seat]:
        """Let go of the commit on hold. Return its rivals, which wait no more."""
        self._ledger.blobs -= self.memory
        rivals, self.held, self.rivals = self.rivals, None, []
        return rivals

    def leave(self, seat: Seat) -> None:
        """Forget a rival that has left."""
        self.rivals = [rival for rival in self.rivals if rival is not seat]
