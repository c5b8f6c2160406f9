"""The byte strings that client and server sign and hash (docs/reference/protocol.md section 3).

All signatures are Ed25519 (RFC 8032), all hashes are SHA-256, and all integers are big-endian.
"""

from __future__ import annotations

from hashlib import sha256

from snugroom.wire import limits


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def room_number(door_key: bytes, room_admin_key: bytes) -> bytes:
    """Return the room's number, 16 bytes: ``H("snug 1 room" | door_key | room_admin_key)[:16]``."""
    return sha256(b"snug 1 room" + door_key + room_admin_key).digest()[:16]


def door(origin: str, number: bytes, server_nonce: bytes, client_nonce: bytes) -> bytes:
    """Return the text that a client signs to open a door.

    `number` is a lobby's public key (32 bytes) or a room's number (16 bytes). Raises ValueError if `origin`
    takes more than 65,535 bytes of UTF-8.
    """
    name = origin.encode()
    if len(name) > 0xFFFF:
        raise ValueError("the origin is longer than 65,535 bytes")
    return b"snug 1 door" + len(name).to_bytes(2, "big") + name + number + server_nonce + client_nonce


def opens(origin: str, number: bytes, server_nonce: bytes) -> bytes:
    """Return the text under the MAC of a password or token: for room `number` on this connection alone."""
    name = origin.encode()
    return b"snug 1 opens" + len(name).to_bytes(2, "big") + name + number + server_nonce


def password_salt(origin: str, salt: bytes) -> bytes:
    """Return the salt of scrypt: a proof for another origin is of no use here."""
    name = origin.encode()
    return b"snug 1 password" + len(name).to_bytes(2, "big") + name + salt


def token_key(week: int, key: bytes) -> bytes:
    """Return the hash of a week's token key, 32 bytes. Vouchers and members name the key by it."""
    return sha256(b"snug 1 token key" + week.to_bytes(4, "big") + key).digest()


def week_of(unix_seconds: float) -> int:
    """Return the week of a token key: weeks since 1970, from Monday 00:00 UTC."""
    return (int(unix_seconds // 86_400) + 3) // 7


def open_room(number: bytes, slot: int, gate: bytes, chain: bytes) -> bytes:
    """Return the text that the room admin signs to open a slot's gate alone (G1, G3)."""
    return b"snug 1 open" + number + _u64(slot) + gate + chain


def rekey(number: bytes, server_nonce: bytes) -> bytes:
    """Return the text that the room admin signs to hand the room to the key that `number` commits to (G8)."""
    return b"snug 1 rekey" + number + server_nonce


def receipt(number: bytes, slot: int, chain: bytes) -> bytes:
    """Return the text that the server signs when a slot is taken and when a room is opened."""
    return b"snug 1 receipt" + number + _u64(slot) + chain


def gate(room_pass: bytes) -> bytes:
    """Return the gate (32 bytes) that the pass `room_pass` opens: ``H(room_pass)``."""
    return sha256(room_pass).digest()


def gate_of(blob: bytes) -> bytes:
    """Return the gate (32 bytes) that a commit's blob contains in the clear."""
    return blob[limits.BLOB_GATE_AT : limits.BLOB_GATE_AT + limits.HASH_SIZE]


def next_chain(chain: bytes, slot: int, blob: bytes) -> bytes:
    """Return the chain value of `slot`, 32 bytes: ``H(chain before | slot (8 bytes) | H(blob))``."""
    return sha256(chain + _u64(slot) + sha256(blob).digest()).digest()
