"""The text of an invite link, version 2 (docs/reference/protocol.md, section 2).

    https://HOST[:PORT]/#2<base64url( body | checksum 4 )>

The checksum tells a link that was cut off, mistyped or changed in a messenger from one that is whole. It
covers the server's address too. It proves nothing about who made the link.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final

from snugroom.crypto.agreed.room_state import SERVERS_MAX
from snugroom.crypto.errors import MalformedError, UnsupportedError
from snugroom.wire.layout import U1, U2, Bytes16, Bytes32, Items, Layout, Option, Rest, Text

VERSION: Final = "2"
#: Maximum length of a link; longer text is rejected.
LINK_MAX: Final = 4096
RELAYS_MAX: Final = 4
CHECKSUM_SIZE: Final = 4
#: The flag of a link whose address is a further server's: the meeting began at the first of `servers`.
AT_FURTHER: Final = 1
#: Flag bits that are defined. A program refuses a link with a flag that it does not know.
LINK_FLAGS: Final = AT_FURTHER

_Origin = Annotated[str, Text(1)]


@dataclass(frozen=True, slots=True)
class Relays(Layout, name="relays"):
    """The relays of a meeting, and the relay identity of each server: of the first one, then of `servers`."""

    origins: Annotated[tuple[_Origin, ...], Items(1, most=RELAYS_MAX, least=1)]
    identities: Annotated[tuple[Bytes32, ...], Items(1, most=1 + SERVERS_MAX, least=1)]


@dataclass(frozen=True, slots=True)
class LinkBody(Layout, name="link body"):
    """The fields of a link behind its server's address."""

    flags: U1
    secret: Bytes16
    host_public: Bytes32
    index: U2
    token: Bytes16
    servers: Annotated[tuple[_Origin, ...], Items(1, most=SERVERS_MAX)] = ()
    relays: Annotated[Relays | None, Option()] = None


@dataclass(frozen=True, slots=True)
class LinkText(Layout, name="link checksum", start=b"snug 1 link check"):
    """A link's checksum is the first 4 bytes of the hash of this."""

    origin: Annotated[str, Text(2)]
    body: Annotated[bytes, Rest()]


def _checksum(origin: str, body: bytes) -> bytes:
    return sha256(LinkText(origin, body).encode()).digest()[:CHECKSUM_SIZE]


def write(origin: str, body: LinkBody) -> str:
    """Return the link to a meeting at that canonical origin: 121 characters for ``https://meet.example``."""
    raw = body.encode()
    return f"{origin}/#{VERSION}{_base64url(raw + _checksum(origin, raw))}"


def address_of(link: str) -> str:
    """Return the part of a link before its '#', with the trailing slash. MalformedError if it is no link."""
    address, hash_sign, _ = link.partition("#")
    if not hash_sign or len(link) > LINK_MAX or not address.endswith("/"):
        raise MalformedError("this is not a Snug link: it should look like https://meet.example/#2...")
    return address


def read(origin: str, link: str) -> LinkBody:
    """Return the fields behind the '#' of a link whose address is that canonical origin.

    The errors address the person who pasted it. MalformedError if a part is missing or changed;
    UnsupportedError if it is of another version, or needs what this program lacks.
    """
    code = link.partition("#")[2]
    if not code:
        raise MalformedError("the link is cut off behind the '#': please copy all of it")
    if code[0] != VERSION:
        raise UnsupportedError(
            f"the link is of version {code[0]!r}, and this program knows version {VERSION}: "
            "please update it, or ask for a new link"
        )
    raw = _from_base64url(code[1:])
    body, checksum = raw[:-CHECKSUM_SIZE], raw[-CHECKSUM_SIZE:]
    # non-zero spare bits would be a second text for the same bytes
    if not body or checksum != _checksum(origin, body) or _base64url(raw) != code[1:]:
        raise _changed()
    if body[0] & ~LINK_FLAGS:
        raise _too_new()
    try:
        found = LinkBody.decode(body)
    except MalformedError:
        raise _changed() from None
    if found.relays is not None:
        raise _too_new()
    if found.flags & AT_FURTHER and not found.servers:
        raise _changed()
    return found


def _changed() -> MalformedError:
    return MalformedError("a part of the link is missing or changed: please copy all of it again")


def _too_new() -> UnsupportedError:
    return UnsupportedError("the link needs a newer program than this one: please update it")


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _from_base64url(text: str) -> bytes:
    stray = re.search(r"[^A-Za-z0-9_-]", text)
    if stray:
        raise MalformedError(
            f"the link has {stray.group()!r} in it, which no Snug link has: please copy it again"
        )
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise _changed() from None
