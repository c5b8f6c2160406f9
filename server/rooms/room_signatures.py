"""The server's signatures about one room: where it was opened, and which blob has taken a slot."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from snugroom.wire import limits, messages, signed


class RoomSignatures:
    """`sign` makes the server's Ed25519 signatures (64 bytes), `rng` random bytes."""

    def __init__(self, sign: Callable[[bytes], bytes], rng: Callable[[int], bytes]) -> None:
        self._sign = sign
        self._rng = rng
        self.opening_id = bytes(limits.HANDLE_SIZE)

    def begin(self) -> None:
        """Draw another opening id: the room is opened, and perhaps with another history."""
        self.opening_id = self._rng(limits.HANDLE_SIZE)

    def opened(self, number: bytes, slot: int, chain: bytes) -> messages.Opened:
        """Return the message that the room with this number (16 bytes) is at `slot`."""
        text = signed.RoomOpened(number, self.opening_id, slot, chain).encode()
        return messages.Opened(slot, chain, self.opening_id, self._sign(text))

    def committed(self, number: bytes, before: bytes, commit: messages.Commit) -> messages.Committed:
        """Return the message that `commit` has taken its slot, after the chain value `before`."""
        slot, blob = commit.slot, commit.blob
        digest = sha256(blob).digest()
        text = signed.SlotTaken(number, self.opening_id, slot, before, digest).encode()
        chain = signed.ChainLink(before, slot, digest).value
        return messages.Committed(
            slot, blob, chain, before, self.opening_id, self._sign(text), commit.opening
        )
