"""STUN binding requests and their answers, for both ends of ICE: RFC 8489, RFC 8445.

The parser is small and Snug's own, because all its input comes from strangers. It decodes only the fields
that are used, and raises only `StunError`.
"""

from __future__ import annotations

import hmac
import ipaddress
import struct
import zlib
from dataclasses import dataclass
from typing import Final

COOKIE: Final = 0x2112A442
HEADER: Final = 20
#: A browser's binding request has about 120 bytes.
MESSAGE_MAX: Final = 1024
BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111

USERNAME: Final = 0x0006
MESSAGE_INTEGRITY: Final = 0x0008
ERROR_CODE: Final = 0x0009
UNKNOWN_ATTRIBUTES: Final = 0x000A
XOR_MAPPED_ADDRESS: Final = 0x0020
PRIORITY: Final = 0x0024
USE_CANDIDATE: Final = 0x0025
FINGERPRINT: Final = 0x8028
ICE_CONTROLLED: Final = 0x8029
ICE_CONTROLLING: Final = 0x802A
#: Snug's own, not registered, optional for the receiver: the ClientHello of the handshake that follows.
CLIENT_HELLO: Final = 0xD715
#: Maximum and minimum length of its value. Zeros fill it up: the answer may have three times a check's size.
CLIENT_HELLO_MAX: Final = 768
CLIENT_HELLO_MIN: Final = 256

_FINGERPRINT_XOR: Final = 0x5354554E
#: The exact lengths of the attributes that are read, besides USERNAME.
_LENGTHS: Final = {
    MESSAGE_INTEGRITY: 20,
    PRIORITY: 4,
    USE_CANDIDATE: 0,
    FINGERPRINT: 4,
    ICE_CONTROLLED: 8,
    ICE_CONTROLLING: 8,
}
#: Length and family of an address: IPv4 or IPv6.
_ADDRESS_FORMS: Final = ((8, b"\1"), (20, b"\2"))
_USERNAME_MAX: Final = 513
#: PRIORITY of a peer-reflexive candidate, the only one of its component (RFC 8445 5.1.2.1).
_PRIORITY: Final = 110 << 24 | 0xFFFF << 8 | 255


class StunError(ValueError):
    """Not a binding request or response that can be judged."""


@dataclass(frozen=True, slots=True)
class Message:
    """A syntactically valid message. Its fields are unproven until `authentic` returns True.

    `attributes`: the first of each kind that is read. `unknown`: comprehension-required attributes that are
    not read. MESSAGE-INTEGRITY protects `covered`.
    """

    transaction: bytes
    attributes: dict[int, bytes]
    unknown: tuple[int, ...]
    covered: bytes

    @property
    def username(self) -> bytes:
        return self.attributes[USERNAME]


def parse_request(datagram: bytes) -> Message:
    """Parse a binding request with USERNAME and MESSAGE-INTEGRITY; StunError for anything else."""
    message = _parse(datagram, BINDING_REQUEST)
    if not 1 <= len(message.attributes.get(USERNAME, b"")) <= _USERNAME_MAX:
        raise StunError("unauthenticated")
    return message


def is_success(datagram: bytes) -> bool:
    """Whether the type of the message is that of a binding success response."""
    return datagram[:2] == b"\x01\x01"


def parse_success(datagram: bytes) -> Message:
    """Parse a binding success response with MESSAGE-INTEGRITY; StunError for anything else."""
    return _parse(datagram, BINDING_SUCCESS)


def _parse(datagram: bytes, expected: int) -> Message:
    """Parse a message of the expected type with MESSAGE-INTEGRITY.

    A FINGERPRINT is optional; it must be last and correct. Other attributes after MESSAGE-INTEGRITY are
    ignored.
    """
    size = len(datagram)
    if not HEADER <= size <= MESSAGE_MAX or size % 4:
        raise StunError("size")
    kind, length, cookie = struct.unpack_from("!HHL", datagram)
    if kind != expected or cookie != COOKIE or length != size - HEADER:
        raise StunError("header")
    found: dict[int, bytes] = {}
    unknown: list[int] = []
    covered = b""
    position = HEADER
    while position < size:
        name, length = struct.unpack_from("!HH", datagram, position)
        value = datagram[position + 4 : position + 4 + length]
        if len(value) != length:
            raise StunError("attribute")
        if name == FINGERPRINT:
            if position + 8 != size or length != 4:
                raise StunError("fingerprint")
            if int.from_bytes(value, "big") != zlib.crc32(datagram[:position]) ^ _FINGERPRINT_XOR:
                raise StunError("fingerprint")
        elif not covered:
            if _LENGTHS.get(name, length) != length:
                raise StunError("attribute")
            if name == MESSAGE_INTEGRITY:
                covered = datagram[:2] + struct.pack("!H", position + 24 - HEADER) + datagram[4:position]
                found[name] = value
            elif name in (USERNAME, CLIENT_HELLO) or name in _LENGTHS:
                found.setdefault(name, value)  # the first of duplicates counts (RFC 8489 14)
            elif name == XOR_MAPPED_ADDRESS and (length, value[1:2]) not in _ADDRESS_FORMS:
                raise StunError("attribute")
            elif name < 0x8000:
                unknown.append(name)
        position += 4 + (length + 3 & ~3)
    if not covered:
        raise StunError("unauthenticated")
    return Message(datagram[8:20], found, tuple(unknown), covered)


def authentic(message: Message, password: bytes) -> bool:
    """Whether MESSAGE-INTEGRITY is valid under `password`, compared in constant time."""
    tag = message.attributes[MESSAGE_INTEGRITY]
    return hmac.compare_digest(hmac.digest(password, message.covered, "sha1"), tag)


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def _message(kind: int, transaction: bytes, body: bytes, password: bytes) -> bytes:
    """Encode a message with MESSAGE-INTEGRITY and FINGERPRINT."""

    def head(extra: int) -> bytes:
        return struct.pack("!HHL", kind, len(body) + extra, COOKIE) + transaction

    tag = hmac.digest(password, head(24) + body, "sha1")
    whole = head(32) + body + _attribute(MESSAGE_INTEGRITY, tag)
    return whole + _attribute(FINGERPRINT, struct.pack("!L", zlib.crc32(whole) ^ _FINGERPRINT_XOR))


def request(
    transaction: bytes,
    username: bytes,
    password: bytes,
    *,
    tie_breaker: int,
    nominate: bool = False,
    controlling: bool = True,
    hello: bytes = b"",
) -> bytes:
    """Encode a check (RFC 8445 7.2.2). Only the controlling agent may `nominate`.

    `hello`: a ClientHello of at most `CLIENT_HELLO_MAX` bytes, or none.
    """
    role = ICE_CONTROLLING if controlling else ICE_CONTROLLED
    body = _attribute(USERNAME, username) + _attribute(PRIORITY, struct.pack("!L", _PRIORITY))
    body += _attribute(role, struct.pack("!Q", tie_breaker))
    if nominate:
        body += _attribute(USE_CANDIDATE, b"")
    if hello:
        body += _attribute(CLIENT_HELLO, hello.ljust(CLIENT_HELLO_MIN, b"\0"))
    return _message(BINDING_REQUEST, transaction, body, password)


def success(transaction: bytes, host: str, port: int, password: bytes) -> bytes:
    """Encode a binding success response; `host` and `port` are the source of the request."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    pad = struct.pack("!L", COOKIE) + transaction
    packed = bytes(a ^ b for a, b in zip(address.packed, pad, strict=False))
    value = struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ COOKIE >> 16) + packed
    return _message(BINDING_SUCCESS, transaction, _attribute(XOR_MAPPED_ADDRESS, value), password)


def error(
    transaction: bytes, code: int, reason: str, password: bytes, unknown: tuple[int, ...] = ()
) -> bytes:
    """Encode a binding error response; `unknown` are the attributes of a 420."""
    body = _attribute(ERROR_CODE, struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode())
    if unknown:
        body += _attribute(UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown))
    return _message(BINDING_ERROR, transaction, body, password)
