"""The author of a slot: the leaf that signs the blob's messages, its gate and its place in the history.

docs/reference/protocol.md, section 5. The gate of a slot depends on the epoch that its commit begins, so it
cannot be inside the commit. This signature binds both, so that a wrong gate has an author, and nobody can put
a member's commit into another blob, or at another place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snugroom.crypto.agreed.heartbeat import Sign
from snugroom.crypto.fields import Reader, exactly, uint
from snugroom.crypto.kdf import H
from snugroom.crypto.mls.labels import verify_with_label

LABEL: Final = "snug 1 gate"
_SIGNATURE: Final = 64


@dataclass(frozen=True)
class Place:
    """The place of a blob: the room's number (16 bytes), the chain before its slot (32), the slot."""

    number: bytes
    slot: int
    chain: bytes

    def text(self, packed: bytes, gate: bytes) -> bytes:
        """Return the text that the author of `packed` (`envelope.pack`) signs."""
        number = exactly(self.number, 16, "a room's number")
        chain = exactly(self.chain, 32, "a chain value")
        return number + uint(self.slot, 8) + chain + H(packed) + exactly(gate, 32, "a gate")


@dataclass(frozen=True)
class SlotPayload:
    """The payload of a slot's blob: ``messages | leaf 4 | signature 64``."""

    packed: bytes
    leaf: int
    signature: bytes

    @classmethod
    def signed(cls, packed: bytes, leaf: int, place: Place, gate: bytes, sign: Sign) -> SlotPayload:
        """Sign messages and gate with the leaf of this member."""
        return cls(packed, leaf, sign(LABEL, place.text(packed, gate)))

    def encode(self) -> bytes:
        """Return the payload."""
        return self.packed + uint(self.leaf, 4) + exactly(self.signature, _SIGNATURE, "a signature")

    @classmethod
    def decode(cls, payload: bytes) -> SlotPayload:
        """Read a payload. MalformedError if it is too short."""
        reader = Reader(payload)
        packed = reader.take(max(0, len(payload) - 4 - _SIGNATURE))
        leaf, signature = reader.uint(4), reader.take(_SIGNATURE)
        reader.end()
        return cls(packed, leaf, signature)

    def verify(self, place: Place, gate: bytes, key: bytes) -> None:
        """AuthenticationError unless the holder of `key` put these messages and this gate at that place."""
        verify_with_label(key, LABEL, place.text(self.packed, gate), self.signature)
