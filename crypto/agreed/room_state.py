"""State that all members of a room agree on besides the MLS group: policy, tickets, and a commit's context.

docs/reference/protocol.md, section 5; the ledger is in `ledger`. All encodings are canonical: equal values
have equal bytes, and any other encoding is malformed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import Reader, prefixed, uint
from snugroom.crypto.kdf import SigningKey

#: GroupContext extension that carries the policy (a private-use number of RFC 9420 17.3).
POLICY_EXTENSION: Final = 0xF001
#: KeyPackage extension that carries a rejoin ticket.
REJOIN_EXTENSION: Final = 0xF002
#: LeafNode extension that carries the leaf's rejoin key, an Ed25519 public key (32 bytes).
REJOIN_KEY_EXTENSION: Final = 0xF003
REJOIN_KEY_SIZE: Final = 32
#: Maximum number of signatures on a ticket: by the leaf's rejoin key, by the key of its own commit if that
#: may have been adopted, and by the key of the new leaf.
TICKET_SIGNATURES_MAX: Final = 8
#: Bit of an invite index that marks a single-use invite.
SINGLE_USE: Final = 0x8000

TITLE_MAX: Final = 128
HOSTS_MAX: Final = 16
SERVERS_MAX: Final = 8
#: Host keys of later generations whose links work, besides the first.
LATER_KEYS_MAX: Final = 15
#: Flag bits of the policy: the meeting keeps signatures for reports (docs/reference/protocol.md, section 13),
#: and its heartbeats go through a second server as well (section 12).
REPORTS: Final = 0x01
MIRROR: Final = 0x02
#: The same: in a large room, members receive 16 microphones: the server can tell who speaks (section 10).
SIXTEEN: Final = 0x04
#: Placeholder for a leaf: any host may commit the rejoin.
ANY_HOST: Final = 0xFFFFFFFF


class Mode(IntEnum):
    """How the room treats newcomers."""

    ASK = 0
    WAVE_IN = 1
    LOCKED = 2


@dataclass(frozen=True)
class PolicyServer:
    """A further server at which the meeting can continue, and the hosts' key for rooms there (section 12)."""

    origin: str  # canonical
    room_admin_public: bytes  # of the current generation, 32 bytes


@dataclass(frozen=True)
class Policy:
    """The extension `snug_policy`: the hosts and their public keys, and the settings of the room."""

    version: int
    hosts: tuple[bytes, ...]  # signature keys (32 bytes), sorted
    host_public: bytes  # host key of the first generation, 32 bytes: in the meeting's first links
    mode: Mode = Mode.ASK
    title: str = ""
    servers: tuple[PolicyServer, ...] = ()  # in the order in which members try them
    flags: int = 0
    #: Of the current generation, 32 bytes each. No signature is valid under a key of zeros.
    return_public: bytes = bytes(32)
    room_admin_public: bytes = bytes(32)
    #: Host keys of the later generations, oldest first: those of the links that were made since.
    later_keys: tuple[bytes, ...] = ()

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of the further servers, in the order in which members try them."""
        return tuple(each.origin for each in self.servers)

    @property
    def link_keys(self) -> tuple[bytes, ...]:
        """The host keys that links to this meeting name, the current one last."""
        return (self.host_public, *self.later_keys)

    @property
    def reports(self) -> bool:
        """Whether messages can be proven to third parties later."""
        return bool(self.flags & REPORTS)

    @property
    def mirrored(self) -> bool:
        """Whether heartbeats go through a second server as well."""
        return bool(self.flags & MIRROR)

    @property
    def sixteen(self) -> bool:
        """Whether members of a large room receive 16 microphones only."""
        return bool(self.flags & SIXTEEN)

    def encode(self) -> bytes:
        return b"".join(
            (
                uint(1, 1),
                uint(self.version, 4),
                uint(len(self.hosts), 1),
                *sorted(self.hosts),
                self.host_public,
                self.return_public,
                self.room_admin_public,
                uint(len(self.later_keys), 1),
                *self.later_keys,
                uint(self.mode, 1),
                prefixed(self.title.encode(), 1),
                uint(len(self.servers), 1),
                *(prefixed(s.origin.encode(), 1) + s.room_admin_public for s in self.servers),
                uint(self.flags, 1),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Policy:
        """Decode a policy. MalformedError for anything but the canonical encoding within the limits."""
        r = Reader(data)
        if r.uint(1) != 1:
            raise MalformedError("policy: the format must be 1")
        version = r.uint(4)
        hosts = tuple(r.take(32) for _ in range(r.uint(1)))
        host_public, return_public, room_admin_public = r.take(32), r.take(32), r.take(32)
        later_keys = tuple(r.take(32) for _ in range(r.uint(1)))
        try:
            mode = Mode(r.uint(1))
        except ValueError:
            raise MalformedError("policy: unknown mode") from None
        title = r.text(1)
        servers = tuple(PolicyServer(r.text(1), r.take(32)) for _ in range(r.uint(1)))
        flags = r.uint(1)
        r.end()
        if flags & ~(REPORTS | MIRROR | SIXTEEN):
            raise MalformedError("policy: flags that are not defined")
        if len(later_keys) > LATER_KEYS_MAX or len({host_public, *later_keys}) != 1 + len(later_keys):
            raise MalformedError("policy: too many keys of links, or one of them twice")
        if len(hosts) > HOSTS_MAX or len(title.encode()) > TITLE_MAX or len(servers) > SERVERS_MAX:
            raise MalformedError("policy: more than its limits allow")
        if len(set(hosts)) != len(hosts):
            raise MalformedError("policy: a host is named twice")
        policy = cls(
            version,
            hosts,
            host_public,
            mode,
            title,
            servers,
            flags,
            return_public,
            room_admin_public,
            later_keys,
        )
        if policy.encode() != data:
            raise MalformedError("policy: not in canonical form")
        return policy

    def with_host(self, signature_key: bytes) -> Policy:
        """Return the next version, with one more host."""
        return replace(self, version=self.version + 1, hosts=tuple(sorted({*self.hosts, signature_key})))

    def without_host(self, signature_key: bytes) -> Policy:
        """Return the next version, without this host."""
        return replace(
            self, version=self.version + 1, hosts=tuple(h for h in self.hosts if h != signature_key)
        )

    def with_keys(
        self,
        host_public: bytes,
        return_public: bytes,
        room_admin_public: bytes,
        servers: tuple[PolicyServer, ...] = (),
    ) -> Policy:
        """Return the next version, with the public keys of another generation."""
        return replace(
            self,
            version=self.version + 1,
            return_public=return_public,
            room_admin_public=room_admin_public,
            servers=servers,
            later_keys=(*self.later_keys, host_public)[-LATER_KEYS_MAX:],
        )

    def with_servers(self, servers: tuple[PolicyServer, ...]) -> Policy:
        """Return the next version, with another list of further servers."""
        return replace(self, version=self.version + 1, servers=servers)


@dataclass(frozen=True)
class Identity:
    """Contents of a leaf's basic credential: one byte of flags (none is defined yet), and the name."""

    name: str
    flags: int = 0

    def encode(self) -> bytes:
        return uint(self.flags, 1) + self.name.encode()

    @classmethod
    def decode(cls, data: bytes) -> Identity:
        r = Reader(data)
        flags = r.uint(1)
        try:
            return cls(r.rest().decode("utf-8"), flags)
        except UnicodeDecodeError:
            raise MalformedError("credential: the name is not UTF-8") from None


@dataclass(frozen=True)
class RejoinTicket:
    """Request of a member without state to be added in place of its old leaf.

    docs/reference/protocol.md, section 6.

    The ticket is in its new KeyPackage. Two keys of the old leaf must have signed it: the signature key (by
    the KeyPackage's signature), and the leaf's current rejoin key, which changes with every commit of the
    leaf. A signature key that was stolen earlier is therefore not enough.
    """

    group_id: bytes
    slot: int  # the last slot that the member knew
    chain: bytes  # 32 bytes, the chain value after that slot
    nonce: bytes  # 16 bytes
    stuck: bool = False  # True: the member could not process the commit of slot + 1
    by: int = ANY_HOST  # leaf that may commit the rejoin
    #: Signatures of `message` (64 bytes each), of which one must be by the leaf's current rejoin key.
    signatures: tuple[bytes, ...] = ()

    def _fields(self) -> bytes:
        return b"".join(
            (
                prefixed(self.group_id, 1),
                uint(self.slot, 8),
                self.chain,
                self.nonce,
                uint(self.by, 4),
                uint(self.stuck, 1),
            )
        )

    def encode(self) -> bytes:
        return self._fields() + uint(len(self.signatures), 1) + b"".join(self.signatures)

    @classmethod
    def decode(cls, data: bytes) -> RejoinTicket:
        r = Reader(data)
        ticket = cls(r.prefixed(1), r.uint(8), r.take(32), r.take(16), False, r.uint(4))
        stuck, count = r.uint(1), r.uint(1)
        if stuck > 1:
            raise MalformedError("rejoin ticket: a flag must be 0 or 1")
        if count > TICKET_SIGNATURES_MAX:
            raise MalformedError(f"rejoin ticket: more than {TICKET_SIGNATURES_MAX} signatures")
        signatures = tuple(r.take(64) for _ in range(count))
        r.end()
        return replace(ticket, stuck=bool(stuck), signatures=signatures)

    def message(self, init_key: bytes, encryption_key: bytes, rejoin_key: bytes) -> bytes:
        """Return the message that a rejoin key signs; the arguments are the new leaf's (32 bytes each)."""
        return b"snug 1 rejoin" + self._fields() + init_key + encryption_key + rejoin_key

    def signed(
        self, keys: Iterable[SigningKey], init_key: bytes, encryption_key: bytes, rejoin_key: bytes
    ) -> RejoinTicket:
        """Return the ticket with the signatures of `keys`."""
        message = self.message(init_key, encryption_key, rejoin_key)
        return replace(self, signatures=tuple(key.sign(message) for key in keys))


@dataclass(frozen=True)
class HostReturn:
    """Request of a crashed host to be added, signed by the current return key.

    docs/reference/protocol.md, section 6.
    """

    slot: int  # last taken slot at the time of signing
    signature: bytes  # 64 bytes

    def encode(self) -> bytes:
        return uint(self.slot, 8) + self.signature


def host_return_message(group_id: bytes, key_package: bytes, slot: int) -> bytes:
    """Return the message that the return key signs; `key_package` is H of the KeyPackage."""
    return b"snug 1 return" + prefixed(group_id, 2) + key_package + uint(slot, 8)


@dataclass(frozen=True)
class CommitContext:
    """Contents of a commit's authenticated_data: the room and the history that it belongs to (SNUG-1)."""

    room: bytes  # 16 bytes
    slot: int
    chain: bytes  # 32 bytes, the chain value before this slot
    ledger: bytes  # 32 bytes: H(ledger before this slot)
    invites: tuple[int, ...] = ()  # index of the invite that each added member used, in the order of the Adds
    host_return: HostReturn | None = None  # SNUG-9
    absent: bool = False  # the removed members were away: their invites stay valid (SNUG-7)

    def encode(self) -> bytes:
        parts = [uint(1, 1), self.room, uint(self.slot, 8), self.chain, self.ledger]
        parts += [uint(len(self.invites), 1), *(uint(invite, 2) for invite in self.invites)]
        parts.append(uint(0, 1) if self.host_return is None else uint(1, 1) + self.host_return.encode())
        parts.append(uint(self.absent, 1))
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> CommitContext:
        r = Reader(data)
        if r.uint(1) != 1:
            raise MalformedError("commit context: the format must be 1")
        room, slot, chain, ledger = r.take(16), r.uint(8), r.take(32), r.take(32)
        invites = tuple(r.uint(2) for _ in range(r.uint(1)))
        has_return = r.uint(1)
        host_return = HostReturn(r.uint(8), r.take(64)) if has_return else None
        absent = r.uint(1)
        r.end()
        if has_return > 1 or absent > 1:
            raise MalformedError("commit context: a flag must be 0 or 1")
        return cls(room, slot, chain, ledger, invites, host_return, bool(absent))
