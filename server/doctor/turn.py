"""TURN requests and answers (RFC 8656), as far as the doctor asks them. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
from dataclasses import dataclass
from typing import Final

from snugroom.wire.stun import COOKIE, ERROR_CODE, HEADER, MESSAGE_INTEGRITY, USERNAME

ALLOCATE: Final = 0x0003
REFRESH: Final = 0x0004
CREATE_PERMISSION: Final = 0x0008
_SUCCESS: Final = 0x0100
_ERROR: Final = 0x0110

_LIFETIME: Final = 0x000D
_PEER_ADDRESS: Final = 0x0012
_REALM: Final = 0x0014
_NONCE: Final = 0x0015
_FAMILY: Final = 0x0017
_TRANSPORT: Final = 0x0019
_UDP: Final = 17 << 24


@dataclass(frozen=True)
class Answer:
    """An answer of a relay. `code`: 0 for success, else that of the error."""

    transaction: bytes
    code: int
    realm: bytes = b""
    nonce: bytes = b""


@dataclass(frozen=True)
class Login:
    """Long-term credentials (RFC 8489 section 9.2), with the relay's realm and nonce."""

    username: str
    password: str
    realm: bytes
    nonce: bytes

    def attributes(self) -> list[tuple[int, bytes]]:
        """Return the attributes that go with each request."""
        return [(USERNAME, self.username.encode()), (_REALM, self.realm), (_NONCE, self.nonce)]

    def key(self) -> bytes:
        """Return the key of MESSAGE-INTEGRITY. The standard fixes MD5."""
        text = b":".join((self.username.encode(), self.realm, self.password.encode()))
        return hashlib.md5(text, usedforsecurity=False).digest()


def allocate(transaction: bytes, login: Login | None, *, ipv6: bool = False) -> bytes:
    """Encode a request for a relayed address; without `login` the relay tells its realm and a nonce."""
    family = [(_FAMILY, b"\2\0\0\0")] if ipv6 else []
    return _encoded(ALLOCATE, transaction, [(_TRANSPORT, struct.pack("!L", _UDP)), *family], login)


def permission(transaction: bytes, peer: str, login: Login) -> bytes:
    """Encode a request to relay from and to `peer`. The relay sends nothing to the peer for it."""
    address = ipaddress.ip_address(peer)
    pad = struct.pack("!L", COOKIE) + transaction
    packed = bytes(a ^ b for a, b in zip(address.packed, pad, strict=False))
    value = struct.pack("!BBH", 0, 1 if address.version == 4 else 2, COOKIE >> 16) + packed
    return _encoded(CREATE_PERMISSION, transaction, [(_PEER_ADDRESS, value)], login)


def release(transaction: bytes, login: Login) -> bytes:
    """Encode a request to give the relayed address back."""
    return _encoded(REFRESH, transaction, [(_LIFETIME, bytes(4))], login)


def _encoded(kind: int, transaction: bytes, fields: list[tuple[int, bytes]], login: Login | None) -> bytes:
    named = fields + (login.attributes() if login is not None else [])
    body = b"".join(struct.pack("!HH", name, len(v)) + v + bytes(-len(v) % 4) for name, v in named)
    if login is None:
        return struct.pack("!HHL", kind, len(body), COOKIE) + transaction + body
    head = struct.pack("!HHL", kind, len(body) + 24, COOKIE) + transaction
    tag = hmac.digest(login.key(), head + body, "sha1")
    return head + body + struct.pack("!HH", MESSAGE_INTEGRITY, 20) + tag


def parse(message: bytes, kind: int) -> Answer | None:
    """Return the answer to a request of `kind`; None for anything else."""
    if len(message) < HEADER:
        return None
    got, length, cookie = struct.unpack_from("!HHL", message)
    if cookie != COOKIE or length != len(message) - HEADER or got not in (kind | _SUCCESS, kind | _ERROR):
        return None
    found: dict[int, bytes] = {}
    position = HEADER
    while position + 4 <= len(message):
        name, size = struct.unpack_from("!HH", message, position)
        found.setdefault(name, message[position + 4 : position + 4 + size])
        position += 4 + (size + 3 & ~3)
    code = 0
    if got == kind | _ERROR:
        detail = found.get(ERROR_CODE, bytes(4))[:4].ljust(4, b"\0")
        code = (detail[2] & 7) * 100 + detail[3] or 500
    return Answer(message[8:20], code, found.get(_REALM, b""), found.get(_NONCE, b""))


def split(buffer: bytes) -> tuple[bytes | None, bytes]:
    """Return the first message in the bytes of a TCP connection, None if it is not complete; and the rest."""
    if len(buffer) < HEADER:
        return None, buffer
    size = HEADER + struct.unpack_from("!H", buffer, 2)[0]
    return (buffer[:size], buffer[size:]) if len(buffer) >= size else (None, buffer)
