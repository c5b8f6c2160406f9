"""Opening a room where not anyone may: proofs by the password, and by tokens (protocol section 3).

`crypto.entry.voucher` is about getting tokens.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from snugroom.crypto.entry.invite import checked_origin
from snugroom.crypto.kdf import mac
from snugroom.wire import rights
from snugroom.wire.rights import token_key, week_of

__all__ = ["Token", "password_key", "proof_message", "spendable", "spendable_until", "token_key", "week_of"]

_DAY: Final = 86_400


def spendable(week: int, now: float) -> bool:
    """Return whether tokens of that week can be spent at `now`, Unix seconds: until a day after its end."""
    return week in (week_of(now), week_of(now - _DAY))


def spendable_until(week: int) -> int:
    """Return the first moment, Unix seconds, at which that week's tokens can't be spent any more."""
    return ((week + 1) * 7 - 3 + 1) * _DAY


def proof_message(origin: str, number: bytes, server_nonce: bytes) -> bytes:
    """Return the text under the MAC of a password or token: for one room, on one connection."""
    return rights.Opens(checked_origin(origin), number, server_nonce).encode()


def password_key(password: str, origin: str, salt: bytes, cost: int) -> bytes:
    """Return scrypt's key, 32 bytes. Each guess at a proof takes this time, and 2**(cost + 10) bytes."""
    n = 2**cost
    salted = rights.password_salt(checked_origin(origin), salt)
    return hashlib.scrypt(password.encode(), salt=salted, n=n, r=8, p=1, maxmem=n * 2048, dklen=32)


@dataclass(frozen=True)
class Token:
    """One token: it opens one room, once. `output` stays with its owner."""

    week: int
    key: bytes
    input: bytes
    output: bytes

    def proof(self, message: bytes) -> bytes:
        """Return the MAC (32 bytes) that spends the token for `proof_message`."""
        return mac(self.output, message)
