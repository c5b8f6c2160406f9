"""The byte strings that client and server sign and hash (docs/reference/protocol.md section 3).

All signatures are Ed25519 (RFC 8032), all hashes are SHA-256, and all integers are big-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from snugroom.wire import limits
from snugroom.wire.errors import MalformedError
from snugroom.wire.layout import U8, Bytes8, Bytes16, Bytes32, Layout, Text

Origin = Annotated[str, Text(2)]


@dataclass(frozen=True)
class RoomDoor(Layout, name="room's door", start=b"snug 1 door"):
    """A client signs this to enter a room."""

    origin: Origin
    number: Bytes16
    server_nonce: Bytes32
    client_nonce: Bytes32


@dataclass(frozen=True)
class LobbyDoor(Layout, name="lobby's door", start=b"snug 1 door"):
    """A client signs this to enter a lobby."""

    origin: Origin
    lobby_key: Bytes32
    server_nonce: Bytes32
    client_nonce: Bytes32


@dataclass(frozen=True)
class Opening(Layout, name="opening", start=b"snug 1 open"):
    """The room admin signs this to open a slot's gate alone (G1, G3)."""

    number: Bytes16
    slot: U8
    gate: Bytes32
    chain: Bytes32


@dataclass(frozen=True)
class Rekey(Layout, name="rekey", start=b"snug 1 rekey"):
    """The room admin signs this to hand the room to its successor (G8).

    `number` is the room's number with the successor's public half.
    """

    number: Bytes16
    server_nonce: Bytes32


@dataclass(frozen=True)
class RoomOpened(Layout, name="room opened", start=b"snug 1 opened"):
    """The server signs this when a room is opened, and when it reports at which slot a room is.

    It proves nothing against the server: it opens a room at any slot that a holder of the door key names.
    """

    number: Bytes16
    opening_id: Bytes8  # drawn at random when the room was opened
    slot: U8
    chain: Bytes32


@dataclass(frozen=True)
class SlotTaken(Layout, name="slot taken", start=b"snug 1 taken"):
    """The server signs this when a blob takes a slot.

    Under one server key, number and opening id there is one blob, after one chain value, for each slot. An
    unbroken list of these leads from a known chain value to a later one.
    """

    number: Bytes16
    opening_id: Bytes8  # as in `RoomOpened`
    slot: U8
    before: Bytes32  # chain value before this slot
    blob: Bytes32  # H(blob)


@dataclass(frozen=True)
class RoomKeys(Layout, name="room's keys", start=b"snug 1 room"):
    """The public halves of the keys that enter and open a room: its number commits to them."""

    door_key: Bytes32
    room_admin_key: Bytes32


@dataclass(frozen=True)
class ChainLink(Layout, name="chain"):
    """A chain value is the hash of this."""

    chain: Bytes32  # before this slot
    slot: U8
    blob: Bytes32  # H(blob)

    @property
    def value(self) -> bytes:
        """The chain value after the slot, 32 bytes."""
        return sha256(self.encode()).digest()


def room_number(door_key: bytes, room_admin_key: bytes) -> bytes:
    """Return the room's number, 16 bytes: ``H(RoomKeys)[:16]``. MalformedError unless keys have 32 bytes."""
    return sha256(RoomKeys(door_key, room_admin_key).encode()).digest()[:16]


def door(origin: str, number: bytes, server_nonce: bytes, client_nonce: bytes) -> bytes:
    """Return the text that a client signs to open a door: `RoomDoor` or `LobbyDoor`.

    `number` is a lobby's public key (32 bytes) or a room's number (16 bytes). MalformedError for other sizes.
    """
    kind = LobbyDoor if len(number) == 32 else RoomDoor
    return kind(origin, number, server_nonce, client_nonce).encode()


def gate(room_pass: bytes) -> bytes:
    """Return the gate (32 bytes) that a pass opens: ``H(pass)``. MalformedError unless it has 32 bytes."""
    if len(room_pass) != limits.HASH_SIZE:
        raise MalformedError(f"a pass has {limits.HASH_SIZE} bytes, not {len(room_pass)}")
    return sha256(room_pass).digest()


def gate_of(blob: bytes) -> bytes:
    """Return the gate (32 bytes) that a commit's blob contains in the clear."""
    return blob[limits.BLOB_GATE_AT : limits.BLOB_GATE_AT + limits.HASH_SIZE]


def chain_next(chain: bytes, slot: int, blob: bytes) -> bytes:
    """Return the chain value of `slot`, 32 bytes: ``chain_n = H(chain_{n-1} | n (8 bytes) | H(blob_n))``."""
    return ChainLink(chain, slot, sha256(blob).digest()).value
