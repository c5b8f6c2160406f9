"""Places: the rooms in which a meeting goes on at other servers (docs/reference/protocol.md, section 12).

A place has a door, a room admin key, passes and a chain of its own. So a server that has one of them cannot
tell by any value that it sees which room at another server is the same meeting.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from snugroom.crypto.entry.invite import NUMBER_SIZE, origin_field
from snugroom.crypto.fields import exactly, uint
from snugroom.crypto.kdf import KDF, H, SigningKey

#: The last slots at which a place can have been opened.
OPENED_MAX: Final = 64


def place_door_key(move_key: bytes, origin: str, attempt: int) -> SigningKey:
    """Return the door key of the place at that server with the number `attempt` (0 to 65,535).

    MalformedError if the origin is not canonical.
    """
    exactly(move_key, 32, "a move key")
    return SigningKey(KDF(move_key, b"snug 1 move door" + origin_field(origin) + uint(attempt, 2)))


def opener_key(seed: bytes, origin: str) -> SigningKey:
    """Return the key with which a member opens the place of its own at that server.

    `seed`: 32 bytes that nobody else has. MalformedError if the origin is not canonical.
    """
    exactly(seed, 32, "a seed")
    return SigningKey(KDF(seed, b"snug 1 place opener" + origin_field(origin)))


def place_pass(room_pass: bytes, number: bytes) -> bytes:
    """Return the pass (32 bytes) of an epoch at the place with this room number (16 bytes)."""
    exactly(number, NUMBER_SIZE, "a room's number")
    return KDF(exactly(room_pass, 32, "a pass"), b"snug 1 place pass" + number)


def place_chain(chain: bytes, number: bytes) -> bytes:
    """Return the chain value (32 bytes) with which that place is opened at the slot of `chain`."""
    exactly(number, NUMBER_SIZE, "a room's number")
    return H(b"snug 1 chain", number, exactly(chain, 32, "a chain value"))


class PlaceHistory:
    """Our history as the server of a place may have it.

    The place was opened at one of our last slots, nobody says which. From there its chain goes on as ours.
    """

    def __init__(self, number: bytes, slots: Iterable[tuple[int, bytes, bytes]] = ()) -> None:
        """`slots`: number, chain value and H(blob) of our slots in order, as for `append`."""
        self._number = number
        self._values: list[bytes] = []  # the one of the opening at this slot last
        self._known: dict[int, frozenset[bytes]] = {}
        for each in slots:
            self.append(*each)

    def append(self, slot: int, chain: bytes, digest: bytes) -> None:
        """Record our next slot: the chain value after it, and H(blob). The first one's is not needed."""
        values = [H(value, uint(slot, 8), digest) for value in self._values]
        self._values = [*values, place_chain(chain, self._number)][-OPENED_MAX:]
        self._known[slot] = frozenset(self._values)
        self._known.pop(slot - OPENED_MAX, None)

    def has(self, slot: int, chain: bytes) -> bool:
        """Return whether the server's chain value after that slot is one of our history."""
        return chain in self._known.get(slot, ())

    def follows(self, slot: int, chain: bytes, digest: bytes) -> bool:
        """Return whether the server's chain value goes on from our history by a blob with that H(blob)."""
        return any(chain == H(before, uint(slot, 8), digest) for before in self._known.get(slot - 1, ()))
