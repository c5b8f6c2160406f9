"""An invite, and the keys derived from it and from the host seed.

docs/reference/protocol.md, sections 1 to 3. An invite is a capability: its holder can find the lobby and
knock, and nothing else. `link` has its text.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Final

from snugroom.crypto.agreed.room_state import SERVERS_MAX, PolicyServer
from snugroom.crypto.entry import link
from snugroom.crypto.entry.link import LinkBody
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import exactly, prefixed, uint
from snugroom.crypto.kdf import KDF, Rng, SigningKey, verify
from snugroom.wire import signed
from snugroom.wire.layout import Bytes32, Items, Layout
from snugroom.wire.signed import chain_next, gate, room_number

__all__ = [
    "LINK_PSK_ID",
    "HostKeys",
    "HostSeed",
    "Invite",
    "SigningKey",
    "canonical_origin",
    "chain_next",
    "day_of",
    "door_message",
    "gate",
    "link_psk",
    "lobby_envelope_key",
    "lobby_key",
    "room_number",
    "verify",
    "verify_opened",
    "verify_opening",
    "verify_taken",
]

SECRET_SIZE: Final = 16
TOKEN_SIZE: Final = 16
NUMBER_SIZE: Final = 16
NONCE_SIZE: Final = 32
HASH_SIZE: Final = 32
ORIGIN_MAX: Final = 255
#: ID of the link's PSK in MLS (an external psk_id).
LINK_PSK_ID: Final = b"snug 1 link"
#: Maximum number of generations of host keys whose links work: the first, and the latest.
GENERATIONS_MAX: Final = 16
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?/?\Z"
)
#: A run of two or more zero groups.
_ZEROS: Final = re.compile(r"\b0(?::0)+\b")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")


# -- origins ---------------------------------------------------------------------------------


def canonical_origin(url: str) -> str:
    """Return `scheme://host[:port]` in canonical form, as signed: lower case, no default port, no path.

    Accepts https and http, with a DNS name (IDNs in their xn-- form), an IPv4 address, or an IPv6 address in
    brackets. A single trailing "/" is dropped. MalformedError on any other suffix, or on a user part.
    """
    wrong = MalformedError(
        f"{url[:100]!r} is no server address; it should look like https://meet.example or http://127.0.0.1:8080"
    )
    match = _ORIGIN.match(url.lower()) if url.isascii() else None
    if match is None:
        raise wrong
    scheme, name, port = match["scheme"], match["host"], int(match["port"] or _DEFAULT_PORTS[match["scheme"]])
    host = _canonical_host(name)
    if host is None or not 0 < port < 65_536:
        raise wrong
    origin = f"{scheme}://{host}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")
    if len(origin) > ORIGIN_MAX:
        raise MalformedError(f"a server address has at most {ORIGIN_MAX} characters")
    return origin


def _canonical_host(host: str) -> str | None:
    try:
        if host.startswith("["):
            return f"[{_compressed(ipaddress.IPv6Address(host[1:-1]).packed)}]"
        if host.rpartition(".")[2].isdigit():
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        return None
    return host if all(_LABEL.match(label) for label in host.split(".")) else None


def _compressed(address: bytes) -> str:
    """Format as in RFC 5952, all in hex as browsers do. Python's own format depends on its version."""
    text = ":".join(f"{int.from_bytes(address[i : i + 2], 'big'):x}" for i in range(0, 16, 2))
    runs: list[str] = [run[0] for run in _ZEROS.finditer(text)]
    longest = max(runs, key=len, default="")  # the first one if several are equally long
    if not longest:
        return text
    before, after = f":{text}:".split(f":{longest}:", 1)
    return f"{before[1:]}::{after[:-1]}"


def checked_origin(origin: str) -> str:
    """Return the origin. MalformedError if it is not canonical: two clients must sign equal bytes."""
    if canonical_origin(origin) != origin:
        raise MalformedError(
            f"{origin[:100]!r} is not in canonical form, which is {canonical_origin(origin)!r}"
        )
    return origin


def origin_field(origin: str) -> bytes:
    """Encode len16(origin) | origin. MalformedError if it is not canonical."""
    return prefixed(checked_origin(origin).encode("ascii"), 2)


# -- keys of a host ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HostSeed(Layout, name="host seed"):
    """The seed of one generation of host keys: 32 random bytes known only to the hosts of its time."""

    seed: Bytes32 = field(repr=False)
    #: The public half of `return_key`, 32 bytes.
    return_public: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exactly(self.seed, 32, "a host seed")
        # derived once: hosts compare it with the policy's at every tick
        object.__setattr__(self, "return_public", self.return_key.public)

    @classmethod
    def from_random(cls, rng: Rng = os.urandom) -> HostSeed:
        """Generate the seed of a new generation."""
        return cls(rng(32))

    @property
    def host_key(self) -> SigningKey:
        """The key that signs cards and admissions; its public half is in every link of this generation."""
        return SigningKey(KDF(self.seed, "snug 1 host"))

    @property
    def host_public(self) -> bytes:
        """The public half of `host_key`, 32 bytes."""
        return self.host_key.public

    @property
    def return_key(self) -> SigningKey:
        """The key that signs a host's return (SNUG-9) and a new host's proof that it has the seed."""
        return SigningKey(KDF(self.seed, "snug 1 returns"))

    def room_admin_key(self, group_id: bytes, origin: str | None = None) -> SigningKey:
        """Return the key that opens this MLS group's room at the server and replaces its gate.

        `origin`: of a further server, where the group's rooms have another key; None: where it began.
        """
        there = b"" if origin is None else origin_field(origin)
        return SigningKey(KDF(self.seed, b"snug 1 steward" + prefixed(group_id, 2) + there))

    def servers(self, group_id: bytes, origins: Iterable[str]) -> tuple[PolicyServer, ...]:
        """Return further servers for this MLS group's policy. MalformedError if one is not canonical."""
        return tuple(PolicyServer(each, self.room_admin_key(group_id, each).public) for each in origins)

    def invite_token(self, index: int) -> bytes:
        """Return the token (16 bytes) in the link of invite `index` (0 to 65,535), which authorises it."""
        root = KDF(self.seed, "snug 1 invites")
        return KDF(root, b"snug 1 invite" + uint(index, 2), TOKEN_SIZE)

    def invite(self, origin: str, secret: bytes, index: int, servers: tuple[str, ...] = ()) -> Invite:
        """Return the invite with this index."""
        return Invite(origin, secret, self.host_public, index, self.invite_token(index), servers)


@dataclass(frozen=True, slots=True)
class HostKeys(Layout, name="host keys"):
    """The host seeds that a host holds, the newest generation last (docs/reference/protocol.md, section 1).

    Links name the key of their generation, so earlier seeds serve newcomers with earlier links, and nothing
    else. MalformedError unless there are 1 to `GENERATIONS_MAX` different seeds.
    """

    seeds: Annotated[tuple[HostSeed, ...], Items(1, most=GENERATIONS_MAX, least=1, unique=True)] = field(
        repr=False
    )

    def __post_init__(self) -> None:
        if not 0 < len(self.seeds) <= GENERATIONS_MAX or len(set(self.seeds)) != len(self.seeds):
            raise MalformedError(f"host keys have 1 to {GENERATIONS_MAX} generations, each once")

    @property
    def current(self) -> HostSeed:
        """The newest seed."""
        return self.seeds[-1]

    def with_next(self, seed: HostSeed) -> HostKeys:
        """Return the keys with one more generation. The first and the latest are kept."""
        first, *later = self.seeds
        return HostKeys((first, *[*later, seed][1 - GENERATIONS_MAX :]))

    def tokens(self, index: int) -> list[tuple[bytes, bytes]]:
        """Return (host key 32, token 16) of the invite `index` in each generation, the newest first."""
        return [(seed.host_public, seed.invite_token(index)) for seed in reversed(self.seeds)]

    def room_admin_key(self, group_id: bytes, public: bytes, origin: str | None = None) -> SigningKey | None:
        """Return the room admin key of this MLS group with that public half; None if no seed makes it."""
        keys = (seed.room_admin_key(group_id, origin) for seed in reversed(self.seeds))
        return next((key for key in keys if key.public == public), None)


# -- the invite ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invite:
    """A decoded link. `secret` belongs to the meeting, `token` to this invite only.

    MalformedError if a part has a wrong size, or an origin is not canonical.
    """

    origin: str
    secret: bytes = field(repr=False)
    host_public: bytes
    index: int
    token: bytes = field(repr=False)
    #: Further servers as canonical origins, at most 8.
    servers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        exactly(self.secret, SECRET_SIZE, "a link's secret")
        exactly(self.host_public, 32, "a host's public key")
        exactly(self.token, TOKEN_SIZE, "an invite's token")
        uint(self.index, 2)
        checked_origin(self.origin)
        if len(self.servers) > SERVERS_MAX or len({self.origin, *self.servers}) != 1 + len(self.servers):
            raise MalformedError(f"a link names at most {SERVERS_MAX} further servers, each once")
        for server in self.servers:
            checked_origin(server)

    def link(self, at: str = "") -> str:
        """Return the link, with the address of the further server `at`, if it is one; else of the first."""
        flags, address, servers = 0, self.origin, self.servers
        if at in servers:
            flags, address = link.AT_FURTHER, at
            servers = (self.origin, *(each for each in servers if each != at))
        body = LinkBody(flags, self.secret, self.host_public, self.index, self.token, servers)
        return link.write(address, body)

    @classmethod
    def parse(cls, text: str) -> Invite:
        """Decode a link; surrounding whitespace is ignored. Raises like `link.read`."""
        text = text.strip()
        origin = canonical_origin(link.address_of(text))
        body = link.read(origin, text)
        servers = body.servers
        if body.flags & link.AT_FURTHER:
            origin, servers = servers[0], (origin, *servers[1:])
        return cls(origin, body.secret, body.host_public, body.index, body.token, servers)


# -- from the link's secret -------------------------------------------------------------------


def day_of(unix_seconds: float) -> int:
    """Return the number of whole UTC days since 1970-01-01."""
    return int(unix_seconds // 86_400)


def _of_the_day(label: bytes, origin: str, day: int) -> bytes:
    return label + origin_field(origin) + uint(day, 4)


def lobby_key(secret: bytes, origin: str, day: int) -> SigningKey:
    """Return the key of the lobby on that UTC day; its public half is the lobby's number."""
    exactly(secret, SECRET_SIZE, "a link's secret")
    return SigningKey(KDF(secret, _of_the_day(b"snug 1 lobby", origin, day)))


def lobby_envelope_key(secret: bytes, origin: str, day: int) -> bytes:
    """Return the key (32 bytes) that seals everything in that day's lobby."""
    exactly(secret, SECRET_SIZE, "a link's secret")
    return KDF(secret, _of_the_day(b"snug 1 veil", origin, day))


def link_psk(secret: bytes) -> bytes:
    """Return the external PSK for every Add (32 bytes), with the id `LINK_PSK_ID`."""
    return KDF(exactly(secret, SECRET_SIZE, "a link's secret"), "snug 1 psk")


# -- bytes signed for the server ---------------------------------------------------------------


def door_message(origin: str, number: bytes, server_nonce: bytes, client_nonce: bytes) -> bytes:
    """Return the message to sign for access to a door. For a lobby, `number` is the public half of the lobby
    key (32 bytes) and the lobby key signs; for a room, it is the room number (16 bytes) and the door key
    signs. MalformedError if the origin is not canonical.
    """
    return signed.door(checked_origin(origin), number, server_nonce, client_nonce)


def verify_opening(
    room_admin_public: bytes, number: bytes, slot: int, gate: bytes, chain: bytes, signature: bytes
) -> None:
    """Raise AuthenticationError unless the room admin opened that slot's gate alone."""
    verify(room_admin_public, signed.Opening(number, slot, gate, chain).encode(), signature)


def verify_opened(
    server_public: bytes, number: bytes, opening_id: bytes, slot: int, chain: bytes, signature: bytes
) -> None:
    """Raise AuthenticationError unless the server signed that it opened the room there."""
    verify(server_public, signed.RoomOpened(number, opening_id, slot, chain).encode(), signature)


def verify_taken(
    server_public: bytes,
    number: bytes,
    opening_id: bytes,
    slot: int,
    before: bytes,
    digest: bytes,
    signature: bytes,
) -> None:
    """Raise AuthenticationError unless the server signed that this blob took that slot.

    `digest` is H(blob), `before` the chain value before the slot (32 bytes each).
    """
    verify(server_public, signed.SlotTaken(number, opening_id, slot, before, digest).encode(), signature)
