"""The replies to knocks that a host keeps, for newcomers whose connection was lost before one arrived."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from snugroom.crypto.entry.lobby import Piece, Reply

#: Seconds for which a reply is kept: a newcomer posts its knock again every few seconds, as long as it waits.
KEPT: Final = 600.0
#: Bytes of all replies together, with their pieces: the oldest go first. The newcomers of one commit share
#: its pieces.
BYTES_MAX: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptReply:
    """A reply, and the pieces of tree and ledger that it lists."""

    reply: Reply
    pieces: tuple[Piece, ...]
    at: float


class Replies:
    """Replies by the hash of their knock, in the order in which they were made."""

    def __init__(self) -> None:
        self._kept: dict[bytes, KeptReply] = {}
        self._size = 0
        self._shared: Counter[int] = Counter()  # how many replies have these pieces, by their id()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of what is kept; pieces that several replies have count once."""
        return self._size

    def get(self, knock: bytes) -> KeptReply | None:
        """Return the reply to the knock with that hash, if it is kept."""
        return self._kept.get(knock)

    def add(self, knock: bytes, reply: Reply, now: float, pieces: tuple[Piece, ...] = ()) -> KeptReply:
        """Keep a reply, and return it. `now`: Unix seconds."""
        self._forget(knock)
        self._kept[knock] = kept = KeptReply(reply, pieces, now)
        self._size += len(reply.sealed)
        if not self._shared[id(pieces)]:
            self._size += _size_of(pieces)
        self._shared[id(pieces)] += 1
        self.expire(now)
        return kept

    def expire(self, now: float) -> None:
        """Forget what was kept for long, or is too much."""
        while self._kept:
            oldest, kept = next(iter(self._kept.items()))
            if now - kept.at <= KEPT and self._size <= BYTES_MAX:
                return
            self._forget(oldest)

    def _forget(self, knock: bytes) -> None:
        found = self._kept.pop(knock, None)
        if found is None:
            return
        self._size -= len(found.reply.sealed)
        self._shared[id(found.pieces)] -= 1
        if not self._shared[id(found.pieces)]:
            del self._shared[id(found.pieces)]
            self._size -= _size_of(found.pieces)


def _size_of(pieces: tuple[Piece, ...]) -> int:
    return sum(len(piece.sealed) for piece in pieces)
