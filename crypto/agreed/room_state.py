"""State that all members of a room agree on besides the MLS group: policy, tickets, and a commit's context.

docs/reference/protocol.md, section 5; the ledger is in `ledger`. All encodings are canonical: equal values
have equal bytes, and any other encoding is malformed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Annotated, Final

from snugroom.crypto.agreed import ledger
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.kdf import SigningKey
from snugroom.wire.layout import (
    U1,
    U2,
    U4,
    U8,
    Bits,
    Bool,
    Bytes,
    Bytes16,
    Bytes32,
    Enum,
    Items,
    Layout,
    Option,
    Rest,
    Signature,
    Text,
)

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
#: The same: the others go on for 15 s without the hosts, and not for 60 s (section 7).
STRICT: Final = 0x08
#: Placeholder for a leaf: any host may commit the rejoin.
ANY_HOST: Final = 0xFFFFFFFF


class Mode(IntEnum):
    """How the room treats newcomers."""

    ASK = 0
    WAVE_IN = 1
    LOCKED = 2


@dataclass(frozen=True)
class PolicyServer(Layout, name="server"):
    """A further server at which the meeting can continue, and the hosts' key for rooms there (section 12)."""

    origin: Annotated[str, Text(1)]  # canonical
    room_admin_public: Bytes32  # of the current generation


@dataclass(frozen=True)
class Policy(Layout, name="policy", start=b"\1"):
    """The extension `snug_policy`: the hosts and their public keys, and the settings of the room."""

    version: U4
    hosts: Annotated[tuple[Bytes32, ...], Items(1, most=HOSTS_MAX, rising=True)]  # signature keys
    host_public: Bytes32  # host key of the first generation: in the meeting's first links
    #: Of the current generation. No signature is valid under a key of zeros.
    return_public: Bytes32 = bytes(32)
    room_admin_public: Bytes32 = bytes(32)
    #: Host keys of the later generations, oldest first: those of the links that were made since.
    later_keys: Annotated[tuple[Bytes32, ...], Items(1, most=LATER_KEYS_MAX, unique=True)] = ()
    mode: Annotated[Mode, Enum()] = Mode.ASK
    title: Annotated[str, Text(1, most=TITLE_MAX)] = ""
    #: In the order in which members try them.
    servers: Annotated[tuple[PolicyServer, ...], Items(1, most=SERVERS_MAX)] = ()
    flags: Annotated[int, Bits(REPORTS | MIRROR | SIXTEEN | STRICT)] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", tuple(sorted(self.hosts)))

    def check(self) -> None:
        """Raise MalformedError if a key of links is there twice."""
        if self.host_public in self.later_keys:
            raise MalformedError("policy: the key of the first links is there twice")

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

    @property
    def strict(self) -> bool:
        """Whether a missing host pauses the meeting after 15 s already."""
        return bool(self.flags & STRICT)

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
class Identity(Layout, name="credential"):
    """Contents of a leaf's basic credential: one byte of flags (none is defined yet), and the name."""

    flags: U1 = field(default=0, kw_only=True)
    name: Annotated[str, Rest()]


@dataclass(frozen=True)
class RejoinRequest(Layout, name="rejoin request"):
    """The fields of a rejoin ticket that a rejoin key signs."""

    group_id: Annotated[bytes, Bytes(1)]
    slot: U8  # the last slot that the member knew
    chain: Bytes32  # the chain value after that slot
    nonce: Bytes16
    by: U4 = field(default=ANY_HOST, kw_only=True)  # leaf that may commit the rejoin
    stuck: Bool = field(
        default=False, kw_only=True
    )  # True: the member could not process the commit of slot + 1


@dataclass(frozen=True)
class RejoinMessage(RejoinRequest, name="rejoin message", start=b"snug 1 rejoin"):
    """The byte string that a rejoin key signs; the keys are the new leaf's."""

    init_key: Bytes32
    encryption_key: Bytes32
    rejoin_key: Bytes32


@dataclass(frozen=True)
class RejoinTicket(RejoinRequest, name="rejoin ticket"):
    """Request of a member without state to be added in place of its old leaf.

    docs/reference/protocol.md, section 6.

    The ticket is in its new KeyPackage. Two keys of the old leaf must have signed it: the signature key (by
    the KeyPackage's signature), and the leaf's current rejoin key, which changes with every commit of the
    leaf. A signature key that was stolen earlier is therefore not enough.
    """

    #: Signatures of `message`, of which one must be by the leaf's current rejoin key.
    signatures: Annotated[tuple[Signature, ...], Items(1, most=TICKET_SIGNATURES_MAX)] = ()

    def message(self, init_key: bytes, encryption_key: bytes, rejoin_key: bytes) -> bytes:
        """Return the message that a rejoin key signs; the arguments are the new leaf's (32 bytes each)."""
        keys = (init_key, encryption_key, rejoin_key)
        fields = (self.group_id, self.slot, self.chain, self.nonce)
        return RejoinMessage(*fields, *keys, by=self.by, stuck=self.stuck).encode()

    def signed(
        self, keys: Iterable[SigningKey], init_key: bytes, encryption_key: bytes, rejoin_key: bytes
    ) -> RejoinTicket:
        """Return the ticket with the signatures of `keys`."""
        message = self.message(init_key, encryption_key, rejoin_key)
        return replace(self, signatures=tuple(key.sign(message) for key in keys))


@dataclass(frozen=True)
class HostReturn(Layout, name="host's return"):
    """Request of a crashed host to be added, signed by the current return key.

    docs/reference/protocol.md, section 6.
    """

    slot: U8  # last taken slot at the time of signing
    signature: Signature


@dataclass(frozen=True)
class HostReturnMessage(Layout, name="host's return message", start=b"snug 1 return"):
    """The byte string that the return key signs."""

    group_id: Annotated[bytes, Bytes(2)]
    key_package: Bytes32  # H of the KeyPackage
    slot: U8


def host_return_message(group_id: bytes, key_package: bytes, slot: int) -> bytes:
    """Return the message that the return key signs; `key_package` is H of the KeyPackage."""
    return HostReturnMessage(group_id, key_package, slot).encode()


@dataclass(frozen=True)
class CommitContext(Layout, name="commit context", start=b"\1"):
    """Contents of a commit's authenticated_data: the room and the history that it belongs to (SNUG-1)."""

    room: Bytes16
    slot: U8
    chain: Bytes32  # the chain value before this slot
    ledger: Bytes32  # H(ledger before this slot)
    #: Index of the invite that each added member used, in the order of the Adds.
    invites: Annotated[tuple[U2, ...], Items(1, most=255)] = ()
    host_return: Annotated[HostReturn | None, Option()] = None  # SNUG-9
    absent: Bool = False  # the removed members were away: they can come back by a ticket (SNUG-7, SNUG-8)
    #: Signature keys of absent members that cannot come back by a ticket any more (SNUG-7).
    withdrawn: Annotated[tuple[Bytes32, ...], Items(1, most=ledger.AWAY_MAX, rising=True)] = ()
