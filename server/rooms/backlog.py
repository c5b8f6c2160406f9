"""A room's last commits and relayed blobs, kept for connections that catch up (G4)."""

from __future__ import annotations

import copy
from collections import deque

from snugroom.server.config import Settings
from snugroom.server.rooms.memory import BLOB, Ledger
from snugroom.wire import limits
from snugroom.wire.messages import Committed, Relayed


class Backlog:
    """The blobs that the room still holds, within the settings' limits of number and bytes."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self.commits: deque[Committed] = deque()
        self._commit_bytes = 0
        #: Relayed blobs, each with the current slot at its arrival.
        self.relays: deque[tuple[int, Relayed]] = deque()
        self._relay_bytes = 0
        #: The number of the last relayed blob.
        self.last_relay = 0

    def copy(self) -> Backlog:
        """Return a backlog with the same blobs."""
        other = copy.copy(self)
        other.commits, other.relays = self.commits.copy(), self.relays.copy()
        other._ledger = Ledger()  # the blobs themselves exist once
        return other

    def add_commit(self, committed: Committed) -> None:
        """Keep a commit, and drop the oldest ones beyond the limits."""
        self.commits.append(committed)
        self._commit_bytes += len(committed.blob)
        self._ledger.blobs += len(committed.blob) + BLOB
        while len(self.commits) > limits.CATCH_UP_SLOTS or (
            self._commit_bytes > self._settings.commit_bytes and len(self.commits) > 1
        ):
            size = len(self.commits.popleft().blob)
            self._commit_bytes -= size
            self._ledger.blobs -= size + BLOB

    def forget_commits(self) -> None:
        """Forget all commits: the room goes on at another slot."""
        self._ledger.blobs -= self._commit_bytes + BLOB * len(self.commits)
        self.commits.clear()
        self._commit_bytes = 0

    def clear(self) -> None:
        """Forget everything: the room is forgotten."""
        self.forget_commits()
        self.forget_relays(self.relay_memory)

    def forget_relays(self, size: int) -> None:
        """Forget the oldest relayed blobs, `size` bytes of memory or a little more."""
        while size > 0 and self.relays:
            size -= self._forget_relay()

    @property
    def relay_memory(self) -> int:
        """Bytes of memory of the relayed blobs."""
        return self._relay_bytes + BLOB * len(self.relays)

    @property
    def memory(self) -> int:
        """Bytes of memory of all blobs, as the ledger counts them."""
        return self.relay_memory + self._commit_bytes + BLOB * len(self.commits)

    def _forget_relay(self) -> int:
        size = len(self.relays.popleft()[1].blob)
        self._relay_bytes -= size
        self._ledger.blobs -= size + BLOB
        return size + BLOB

    def add_relay(self, slot: int, blob: bytes) -> Relayed:
        """Number a blob and keep it, and drop the oldest ones beyond the limits."""
        self.last_relay += 1
        relayed = Relayed(self.last_relay, blob)
        self.relays.append((slot, relayed))
        self._relay_bytes += len(blob)
        self._ledger.blobs += len(blob) + BLOB
        while len(self.relays) > self._settings.ring_relays or self._relay_bytes > self._settings.ring_bytes:
            self._forget_relay()
        return relayed

    def since(self, slot: int, relay: int | None) -> tuple[list[Committed | Relayed], int]:
        """Return the commits after `slot` and the relayed blobs after number `relay`, in order of arrival.

        The second result is the number of relayed blobs in between that are no longer held. None for `relay`:
        commits only.
        """
        commits = deque(c for c in self.commits if c.slot > slot)
        if relay is None:
            return list(commits), 0
        # a number above ours is from before this room was opened: all held relays are new to the member
        after = relay if relay <= self.last_relay else 0
        blobs: list[Committed | Relayed] = []
        # in order of arrival, so that a member reads a blob of an old epoch before it erases the keys
        for at, relayed in self.relays:
            if relayed.relay > after:
                while commits and commits[0].slot <= at:
                    blobs.append(commits.popleft())
                blobs.append(relayed)
        return [*blobs, *commits], max(0, self.last_relay - len(self.relays) - after)
