"""The byte strings of the right to open rooms: passwords, tokens, vouchers (protocol, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from snugroom.wire.layout import U4, Bytes16, Bytes32, Layout, Rest
from snugroom.wire.signed import Origin


@dataclass(frozen=True)
class Opens(Layout, name="right to open", start=b"snug 1 opens"):
    """The text under the MAC of a password or token: for a room on one connection alone."""

    origin: Origin
    number: Bytes16
    server_nonce: Bytes32


@dataclass(frozen=True)
class PasswordSalt(Layout, name="password's salt", start=b"snug 1 password"):
    """The salt of scrypt for a password."""

    origin: Origin
    salt: Annotated[bytes, Rest()]


@dataclass(frozen=True)
class TokenKey(Layout, name="token key", start=b"snug 1 token key"):
    """The hash of this names a week's token key."""

    week: U4
    public: Bytes32


@dataclass(frozen=True)
class Voucher(Layout, name="voucher"):
    """A voucher from an operator: it is exchanged for tokens once, in its week."""

    week: U4
    id: Bytes16  # random
    mac: Bytes16
    key_hash: Bytes32  # of the week's token key


def password_salt(origin: str, salt: bytes) -> bytes:
    """Return the salt of scrypt: a proof for another origin is of no use here."""
    return PasswordSalt(origin, salt).encode()


def token_key(week: int, key: bytes) -> bytes:
    """Return the hash of a week's token key, 32 bytes. Vouchers and members name the key by it."""
    return sha256(TokenKey(week, key).encode()).digest()


def week_of(unix_seconds: float) -> int:
    """Return the week of a token key: weeks since 1970, from Monday 00:00 UTC."""
    return (int(unix_seconds // 86_400) + 3) // 7
