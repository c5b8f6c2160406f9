"""How a crashed host, or a member out of sync, contacts the members while no host is present.

docs/reference/protocol.md, section 6. While no host is present, some members wait in the lobby. Everybody
with a link can enter a lobby, so messages about a return are sealed a second time, under a key derived from
the door seed, which only admitted members have. (An evicted member has it too, and can see that a host
returns.)

    HelperQuery        the host: is a member here?
    HelperOffer        a member: the slot, and the hosts' current return key
    HostReturnRequest  the host: its new KeyPackage, and the return key's signature for that slot
    RejoinRequest      a member that must rejoin and finds no host: its new KeyPackage, with its ticket
    RecoveryReply      the member that committed either: the answer for newcomers, sealed to the requester
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Annotated, Final

from snugroom.crypto import hpke, kdf
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.agreed.room_state import SERVERS_MAX, HostReturn, host_return_message
from snugroom.crypto.entry import answers, lobby
from snugroom.crypto.entry.invite import HostKeys, HostSeed, canonical_origin
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import exactly, padded, unpadded
from snugroom.crypto.kdf import KDF, H, Rng, SigningKey
from snugroom.wire.layout import (
    U8,
    Bytes,
    Bytes8,
    Bytes16,
    Bytes32,
    Items,
    Layout,
    OneOf,
    Rest,
    Signature,
    Text,
)

_AAD: Final = b"snug 1 inside"
_SUITE: Final = hpke.Suite.X25519_SHA256_AES128GCM
_ID: Final = 8
#: Size in bytes to which messages are padded; a larger message gets no padding.
_SIZE_MIN: Final = 2048


@dataclass(frozen=True, slots=True)
class HelperQuery(Layout, name="helper query"):
    """A host's search for members. `nonce` links the answers to it."""

    nonce: Bytes16


@dataclass(frozen=True, slots=True)
class HelperOffer(Layout, name="helper offer"):
    """A member's answer: the slot that a request must name, and the policy's return key."""

    nonce: Bytes16
    slot: U8
    return_public: Bytes32


@dataclass(frozen=True, slots=True)
class HostReturnRequest(Layout, name="host's return request"):
    """A host's unverified request to be added. `reply_public` is an X25519 key for the answer."""

    reply_public: Bytes32
    slot: U8
    signature: Signature
    key_package: Annotated[bytes, Rest()]

    def check(self) -> None:
        """MalformedError if the KeyPackage is missing, or too large."""
        lobby.check_key_package(self.key_package)

    @property
    def id(self) -> bytes:
        """The id by which an answer refers to this request, 8 bytes."""
        return H(b"snug 1 return id", self.encode())[:_ID]

    @property
    def proof(self) -> HostReturn:
        """The proof to include in the commit."""
        return HostReturn(self.slot, self.signature)


@dataclass(frozen=True, slots=True)
class RejoinRequest(Layout, name="rejoin request"):
    """A member's request to replace its old leaf (SNUG-8); the ticket is in the KeyPackage."""

    reply_public: Bytes32
    key_package: Annotated[bytes, Rest()]

    def check(self) -> None:
        """MalformedError if the KeyPackage is missing, or too large."""
        lobby.check_key_package(self.key_package)

    @property
    def id(self) -> bytes:
        """The id by which an answer refers to this request, 8 bytes."""
        return H(b"snug 1 again id", self.encode())[:_ID]


@dataclass(frozen=True, slots=True)
class RecoveryReply(Layout, name="recovery reply"):
    """The answer to a `HostReturnRequest` or a `RejoinRequest`."""

    id: Bytes8
    enc: Bytes32
    sealed: Annotated[bytes, Rest()]

    def open(self, request: HostReturnRequest | RejoinRequest, reply_private: bytes) -> answers.Answer:
        """Open the answer. AuthenticationError if it is for another request; MalformedError if none."""
        info = b"snug 1 back" + H(request.encode())
        opened = hpke.open(_SUITE, reply_private, self.enc, info, self.id, self.sealed)
        answer = answers.read_answer(opened.plaintext)
        if not isinstance(answer, answers.Answer):
            raise MalformedError("the reply to a host's return must be an answer")
        return answer


Message = HelperQuery | HelperOffer | HostReturnRequest | RejoinRequest | RecoveryReply
MESSAGE: Final = OneOf[Message](
    "message between members and host",
    {1: HelperQuery, 2: HelperOffer, 3: HostReturnRequest, 4: RecoveryReply, 5: RejoinRequest},
)


def make_host_return_request(
    seed: HostSeed, group_id: bytes, slot: int, key_package: bytes, *, rng: Rng = os.urandom
) -> tuple[HostReturnRequest, bytes]:
    """Return the request, signed by the return key, and the private half of its reply key (32 bytes)."""
    private = exactly(rng(hpke.KEY_SIZE), hpke.KEY_SIZE, "an X25519 private key")
    signature = seed.return_key.sign(host_return_message(group_id, H(key_package), slot))
    return HostReturnRequest(hpke.public_key(private), slot, signature, key_package), private


def make_recovery_reply(
    request: HostReturnRequest | RejoinRequest, answer: answers.Answer, *, rng: Rng = os.urandom
) -> RecoveryReply:
    """Seal the answer to the requester."""
    info = b"snug 1 back" + H(request.encode())
    body = answers.encode_answer(answer)
    sealed = hpke.seal(_SUITE, request.reply_public, info, request.id, body, rng=rng)
    return RecoveryReply(request.id, sealed.enc, sealed.ciphertext)


def recovery_key(door_seed: bytes) -> bytes:
    """Return the key (32 bytes) for messages between members and a returning host in the lobby."""
    return KDF(exactly(door_seed, 32, "a door seed"), "snug 1 inside")


def seal(key: bytes, message: Message, *, rng: Rng = os.urandom) -> lobby.RecoveryMessage:
    """Encode and seal a message for `lobby.post`."""
    raw = MESSAGE.encode(message)
    return lobby.RecoveryMessage(kdf.seal(key, padded(raw, max(_SIZE_MIN, 4 + len(raw))), _AAD, rng=rng))


def open(key: bytes, inside: lobby.RecoveryMessage) -> Message:
    """Open a message. AuthenticationError unless a present or former member sealed it; else as `OneOf`."""
    return MESSAGE.decode(unpadded(kdf.unseal(key, inside.sealed, _AAD)))


@dataclass(frozen=True)
class HostRecoveryData(Layout, name="host recovery data", start=b"\1"):
    """A host's sealed file for a return after a crash. It holds no key that decrypts any message.

    It serves until the hosts' keys change: then its return key proves nothing.
    """

    host_keys: HostKeys
    door_seed: Bytes32 = field(repr=False)
    secret: Bytes16 = field(repr=False)  # the link's
    group_id: Annotated[bytes, Bytes(1)]
    origin: Annotated[str, Text(2)]
    name: Annotated[str, Text(1)]
    #: Where the meeting can go on, as far as its policy said: canonical origins.
    servers: Annotated[tuple[Annotated[str, Text(1)], ...], Items(1, most=SERVERS_MAX)] = ()

    @property
    def door_key(self) -> SigningKey:
        """The key that authenticates at the room's door at the server."""
        return SigningKey(self.door_seed)

    def check(self) -> None:
        """MalformedError if an origin is not canonical, ValidationError("SNUG-11") for a wrong name."""
        if any(canonical_origin(each) != each for each in (self.origin, *self.servers)):
            raise MalformedError("host recovery data: a server's address is not in canonical form")
        check_name(self.name)
