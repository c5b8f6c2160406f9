"""The replies to knocks that a host keeps, for newcomers whose connection was lost before one arrived."""

from __future__ import annotations

from typing import Final

from snugroom.crypto.entry.lobby import Reply

#: Seconds for which a reply is kept: a newcomer posts its knock again every few seconds, as long as it waits.
KEPT: Final = 600.0
#: Bytes of all replies together: the oldest go first. A Welcome into a room of 500 takes 144 kB.
BYTES_MAX: Final = 32 * 1024 * 1024


class Replies:
    """Replies by the hash of their knock, in the order in which they were made."""

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[float, Reply]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, knock: bytes) -> Reply | None:
        """Return the reply to the knock with that hash, if it is kept."""
        found = self._kept.get(knock)
        return None if found is None else found[1]

    def add(self, knock: bytes, reply: Reply, now: float) -> None:
        """Keep a reply. `now`: Unix seconds."""
        self._forget(knock)
        self._kept[knock] = now, reply
        self._size += len(reply.sealed)
        self.expire(now)

    def expire(self, now: float) -> None:
        """Forget what was kept for long, or is too much."""
        while self._kept:
            oldest, (at, _) = next(iter(self._kept.items()))
            if now - at <= KEPT and self._size <= BYTES_MAX:
                return
            self._forget(oldest)

    def _forget(self, knock: bytes) -> None:
        found = self._kept.pop(knock, None)
        if found is not None:
            self._size -= len(found[1].sealed)
