"""STUN binding requests and their answers, as an ICE-lite agent needs them: RFC 8489, RFC 8445.

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
_USERNAME_MAX: Final = 513


class StunError(ValueError):
    """Not a binding request that can be judged."""


@dataclass(frozen=True, slots=True)
class Request:
    """A syntactically valid binding request. Its fields are unproven until `authentic` returns True.

    `unknown` are comprehension-required attributes that the SFU does not know.
    """

    transaction: bytes
    username: bytes
    controlling: bool
    controlled: bool
    use_candidate: bool
    unknown: tuple[int, ...]
    covered: bytes
    tag: bytes


def parse(datagram: bytes) -> Request:
    """Parse a binding request with USERNAME and MESSAGE-INTEGRITY; StunError for anything else.

    A FINGERPRINT is optional; it must be last and correct. Other attributes after MESSAGE-INTEGRITY are
    ignored.
    """
    size = len(datagram)
    if not HEADER <= size <= MESSAGE_MAX or size % 4:
        raise StunError("size")
    kind, length, cookie = struct.unpack_from("!HHL", datagram)
    if kind != BINDING_REQUEST or cookie != COOKIE or length != size - HEADER:
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
            elif name == USERNAME or name in _LENGTHS:
                found.setdefault(name, value)  # the first of duplicates counts (RFC 8489 14)
            elif name < 0x8000:
                unknown.append(name)
        position += 4 + (length + 3 & ~3)
    username = found.get(USERNAME, b"")
    if not covered or not 1 <= len(username) <= _USERNAME_MAX:
        raise StunError("unauthenticated")
    return Request(
        transaction=datagram[8:20],
        username=username,
        controlling=ICE_CONTROLLING in found,
        controlled=ICE_CONTROLLED in found,
        use_candidate=USE_CANDIDATE in found,
        unknown=tuple(unknown),
        covered=covered,
        tag=found[MESSAGE_INTEGRITY],
    )


def authentic(request: Request, password: bytes) -> bool:
    """Whether MESSAGE-INTEGRITY is valid under `password`, compared in constant time."""
    return hmac.compare_digest(hmac.digest(password, request.covered, "sha1"), request.tag)


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def _message(kind: int, transaction: bytes, body: bytes, password: bytes) -> bytes:
    """Encode a message with MESSAGE-INTEGRITY and FINGERPRINT."""

    def head(extra: int) -> bytes:
        return struct.pack("!HHL", kind, len(body) + extra, COOKIE) + transaction

    tag = hmac.digest(password, head(24) + body, "sha1")
    whole = head(32) + body + _attribute(MESSAGE_INTEGRITY, tag)
    return whole + _attribute(FINGERPRINT, struct.pack("!L", zlib.crc32(whole) ^ _FINGERPRINT_XOR))


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
