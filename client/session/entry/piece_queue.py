"""Pieces of tree and ledger on their way to newcomers (protocol section 4), behind all other posts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from snugroom.client.session.entry.replies import KeptReply
from snugroom.crypto.entry.lobby import LobbyMessage, Piece
from snugroom.wire.limits import LOBBY_RECEIVERS_MAX

#: Posts that may wait when a piece is added: cards, replies and refusals wait for at most these pieces.
BEHIND: Final = 4
#: Connections that get one answer's pieces at once, and seconds before one of them gets them again. Whoever
#: has seen a knock can post it again: its newcomer gets a place all the same.
RECEIVERS_EACH: Final = 8
AGAIN_AFTER: Final = 8.0
#: Newcomers whose pieces wait: as many as a lobby has connections.
WAITING_MAX: Final = 320


class Connections(Protocol):
    """A lobby's connections, as far as pieces need them."""

    @property
    def entered(self) -> frozenset[int]: ...
    @property
    def waiting(self) -> int: ...
    def post(self, day: int, message: LobbyMessage, *to: bytes) -> None: ...


@dataclass(eq=False)
class _Delivery:
    answer: bytes
    day: int
    to: bytes
    pieces: tuple[Piece, ...]
    sent: int = 0

    def goes_with(self, other: _Delivery) -> bool:
        """Return whether one post brings both on: the same pieces are sent, and as many of them were."""
        return (self.day, self.sent) == (other.day, other.sent) and self.pieces is other.pieces


class PieceQueue:
    """Deliveries of pieces, one after the other: the first newcomers come in before the last one's begin.

    One post brings a piece to all who lack it next.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._queue: deque[_Delivery] = deque()
        self._ended: dict[tuple[bytes, bytes], float] = {}  # answer, receiver -> when all were sent

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, answer: bytes, day: int, to: bytes, pieces: tuple[Piece, ...], now: float) -> None:
        """Send the pieces of an answer, which the hash `answer` names, to the connection `to`.

        Pieces that are on their way there, or were sent just now, are not sent again.
        """
        same = [each for each in self._queue if each.answer == answer]
        known = any(each.to == to and each.day == day for each in same)
        recent = now - self._ended.get((answer, to), -AGAIN_AFTER) < AGAIN_AFTER
        if not pieces or known or recent or len(same) >= RECEIVERS_EACH or len(self._queue) >= WAITING_MAX:
            return
        self._queue.append(_Delivery(answer, day, to, pieces))

    def reply(self, mark: bytes, day: int, to: bytes, kept: KeptReply, now: float) -> None:
        """Post a reply to the knock with the hash `mark`; its pieces follow with the next `tick`."""
        self._connections.post(day, kept.reply, to)
        self.add(mark, day, to, kept.pieces, now)

    def tick(self, now: float) -> None:
        """Post what the server's limits allow now. Call it regularly."""
        connections = self._connections
        self._ended = {key: at for key, at in self._ended.items() if now - at < AGAIN_AFTER}
        while self._queue and connections.waiting < BEHIND:
            first = self._queue[0]
            if first.day not in connections.entered:
                self._queue.popleft()
                continue
            together = [each for each in self._queue if each.goes_with(first)][:LOBBY_RECEIVERS_MAX]
            # a message of its own: one that waits for other receivers already would not be added
            piece = Piece(first.pieces[first.sent].sealed)
            connections.post(first.day, piece, *dict.fromkeys(each.to for each in together))
            for each in together:
                each.sent += 1
                if each.sent == len(each.pieces):
                    self._queue.remove(each)
                    self._ended[each.answer, each.to] = now
