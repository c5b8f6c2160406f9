"""The author of a slot: the leaf that signs the blob's messages, its gate and its place in the history.

docs/reference/protocol.md, section 5. The gate of a slot depends on the epoch that its commit begins, so it
cannot be inside the commit. This signature binds both, so that a wrong gate has an author, and nobody can put
a member's commit into another blob, or at another place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snugroom.crypto.agreed.heartbeat import Sign
from snugroom.crypto.kdf import SIGNATURE_SIZE, H
from snugroom.crypto.mls.labels import verify_with_label
from snugroom.wire.layout import U4, U8, Bytes16, Bytes32, Layout, Signature

LABEL: Final = "snug 1 gate"


@dataclass(frozen=True, slots=True)
class SlotAuthor(Layout, name="slot's author"):
    """The end of a payload."""

    leaf: U4
    signature: Signature


@dataclass(frozen=True, slots=True)
class SlotText(Layout, name="slot's text"):
    """The byte string that the author signs."""

    number: Bytes16
    slot: U8
    chain: Bytes32  # before that slot
    packed: Bytes32  # H of the messages
    gate: Bytes32


_AUTHOR_SIZE: Final = 4 + SIGNATURE_SIZE


@dataclass(frozen=True)
class Place:
    """The place of a blob: the room's number (16 bytes), the chain before its slot (32), the slot."""

    number: bytes
    slot: int
    chain: bytes

    def text(self, packed: bytes, gate: bytes) -> bytes:
        """Return the text that the author of `packed` (`envelope.pack`) signs."""
        return SlotText(self.number, self.slot, self.chain, H(packed), gate).encode()


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
        return self.packed + SlotAuthor(self.leaf, self.signature).encode()

    @classmethod
    def decode(cls, payload: bytes) -> SlotPayload:
        """Read a payload. MalformedError if it is too short."""
        at = max(0, len(payload) - _AUTHOR_SIZE)
        author = SlotAuthor.decode(payload[at:])
        return cls(payload[:at], author.leaf, author.signature)

    def verify(self, place: Place, gate: bytes, key: bytes) -> None:
        """AuthenticationError unless the holder of `key` put these messages and this gate at that place."""
        verify_with_label(key, LABEL, place.text(self.packed, gate), self.signature)
