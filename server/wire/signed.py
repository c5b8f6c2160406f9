"""What is signed and hashed on the wire, byte by byte: one home for both ends.

All signatures are Ed25519 (RFC 8032), all hashes SHA-256, all numbers big-endian.
"""

from __future__ import annotations

from hashlib import sha256


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def room_number(door_key: bytes, steward_key: bytes) -> bytes:
    """16 bytes: ``H("snug 1 room" | door_key | steward_key)[:16]``."""
    return sha256(b"snug 1 room" + door_key + steward_key).digest()[:16]


def door(origin: str, number: bytes, server_nonce: bytes, client_nonce: bytes) -> bytes:
    """What a door is opened with; `number` is a lobby's public key (32 bytes) or a room's number (16).

    ValueError if `origin` takes more than 65,535 bytes of UTF-8.
    """
    name = origin.encode()
    if len(name) > 0xFFFF:
        raise ValueError("the origin is longer than 65,535 bytes")
    return b"snug 1 door" + len(name).to_bytes(2, "big") + name + number + server_nonce + client_nonce


def open_room(number: bytes, slot: int, gate: bytes, chain: bytes, server_nonce: bytes) -> bytes:
    """What the steward signs to open a room (G1)."""
    return b"snug 1 open" + number + _u64(slot) + gate + chain + server_nonce


def regate(number: bytes, slot: int, gate: bytes, server_nonce: bytes) -> bytes:
    """What the steward signs to mend a gate (G5)."""
    return b"snug 1 regate" + number + _u64(slot) + gate + server_nonce


def receipt(number: bytes, slot: int, chain: bytes) -> bytes:
    """What the server signs when a slot is taken, and when a room is opened."""
    return b"snug 1 receipt" + number + _u64(slot) + chain


def gate(token: bytes) -> bytes:
    """The gate (32 bytes) that a pass opens."""
    return sha256(token).digest()


def next_chain(chain: bytes, slot: int, blob: bytes) -> bytes:
    """32 bytes: ``H(chain before | slot | H(blob))``."""
    return sha256(chain + _u64(slot) + sha256(blob).digest()).digest()
