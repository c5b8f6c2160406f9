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
from typing import Final

from snugroom.crypto import hpke, kdf
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.agreed.room_state import SERVERS_MAX, HostReturn, host_return_message
from snugroom.crypto.entry import answers, lobby
from snugroom.crypto.entry.invite import HostKeys, HostSeed, canonical_origin
from snugroom.crypto.errors import MalformedError, UnsupportedError
from snugroom.crypto.fields import Reader, exactly, padded, prefixed, uint, unpadded
from snugroom.crypto.kdf import KDF, H, Rng, SigningKey

_AAD: Final = b"snug 1 inside"
_QUERY, _OFFER, _RETURN, _REPLY, _REJOIN = 1, 2, 3, 4, 5
_SUITE: Final = hpke.Suite.X25519_SHA256_AES128GCM
_ID: Final = 8
#: Size in bytes to which messages are padded; a larger message gets no padding.
_SIZE_MIN: Final = 2048


@dataclass(frozen=True, slots=True)
class HelperQuery:
    """A host's search for members. `nonce` (16 bytes) links the answers to it."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class HelperOffer:
    """A member's answer: the slot that a request must name, and the policy's return key (32 bytes)."""

    nonce: bytes
    slot: int
    return_public: bytes


@dataclass(frozen=True, slots=True)
class HostReturnRequest:
    """A host's unverified request to be added. `reply_public` is an X25519 key for the answer."""

    reply_public: bytes
    slot: int
    signature: bytes
    key_package: bytes

    def encode(self) -> bytes:
        return self.reply_public + uint(self.slot, 8) + self.signature + self.key_package

    @property
    def id(self) -> bytes:
        """The id by which an answer refers to this request, 8 bytes."""
        return H(b"snug 1 return id", self.encode())[:_ID]

    @property
    def proof(self) -> HostReturn:
        """The proof to include in the commit."""
        return HostReturn(self.slot, self.signature)


@dataclass(frozen=True, slots=True)
class RejoinRequest:
    """A member's request to replace its old leaf (SNUG-8); the ticket is in the KeyPackage."""

    reply_public: bytes
    key_package: bytes

    def encode(self) -> bytes:
        return self.reply_public + self.key_package

    @property
    def id(self) -> bytes:
        """The id by which an answer refers to this request, 8 bytes."""
        return H(b"snug 1 again id", self.encode())[:_ID]


@dataclass(frozen=True, slots=True)
class RecoveryReply:
    """The answer to a `HostReturnRequest` or a `RejoinRequest`."""

    id: bytes
    enc: bytes
    sealed: bytes

    def open(self, request: HostReturnRequest | RejoinRequest, reply_private: bytes) -> answers.Answer:
        """Open the answer. AuthenticationError if it is for another request; MalformedError if none."""
        info = b"snug 1 back" + H(request.encode())
        opened = hpke.open(_SUITE, reply_private, self.enc, info, self.id, self.sealed)
        answer = answers.read_answer(opened.plaintext)
        if not isinstance(answer, answers.Answer):
            raise MalformedError("the reply to a host's return must be an answer")
        return answer


Message = HelperQuery | HelperOffer | HostReturnRequest | RejoinRequest | RecoveryReply


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
    match message:
        case HelperQuery():
            raw = uint(_QUERY, 1) + exactly(message.nonce, 16, "a nonce")
        case HelperOffer():
            raw = uint(_OFFER, 1) + message.nonce + uint(message.slot, 8) + message.return_public
        case HostReturnRequest():
            raw = uint(_RETURN, 1) + message.encode()
        case RejoinRequest():
            raw = uint(_REJOIN, 1) + message.encode()
        case RecoveryReply():
            raw = uint(_REPLY, 1) + message.id + message.enc + message.sealed
    return lobby.RecoveryMessage(kdf.seal(key, padded(raw, max(_SIZE_MIN, 4 + len(raw))), _AAD, rng=rng))


def open(key: bytes, inside: lobby.RecoveryMessage) -> Message:
    """Open a message. AuthenticationError unless a present or former member sealed it; else as `Reader`."""
    reader = Reader(unpadded(kdf.unseal(key, inside.sealed, _AAD)))
    kind = reader.uint(1)
    message: Message
    if kind == _QUERY:
        message = HelperQuery(reader.take(16))
    elif kind == _OFFER:
        message = HelperOffer(reader.take(16), reader.uint(8), reader.take(32))
    elif kind == _RETURN:
        message = HostReturnRequest(
            reader.take(hpke.KEY_SIZE), reader.uint(8), reader.take(64), reader.rest()
        )
        _of_a_size(message.key_package)
    elif kind == _REJOIN:
        message = RejoinRequest(reader.take(hpke.KEY_SIZE), reader.rest())
        _of_a_size(message.key_package)
    elif kind == _REPLY:
        message = RecoveryReply(reader.take(_ID), reader.take(hpke.KEY_SIZE), reader.rest())
    else:
        raise UnsupportedError(f"a message between members and host of the unknown kind {kind}")
    reader.end()
    return message


def _of_a_size(key_package: bytes) -> None:
    if not 0 < len(key_package) <= lobby.KEY_PACKAGE_MAX:
        raise MalformedError("the request must have a KeyPackage, and not too large a one")


@dataclass(frozen=True)
class HostRecoveryData:
    """A host's sealed file for a return after a crash. It holds no key that decrypts any message.

    It serves until the hosts' keys change: then its return key proves nothing.
    """

    host_keys: HostKeys
    door_seed: bytes = field(repr=False)  # 32 bytes
    secret: bytes = field(repr=False)  # the link's secret, 16 bytes
    group_id: bytes
    origin: str
    name: str
    #: Where the meeting can go on, as far as its policy said: canonical origins, at most 8.
    servers: tuple[str, ...] = ()

    @property
    def door_key(self) -> SigningKey:
        """The key that authenticates at the room's door at the server."""
        return SigningKey(self.door_seed)

    def encode(self) -> bytes:
        """Encode canonically."""
        return b"".join(
            (
                uint(1, 1),
                self.host_keys.encode(),
                self.door_seed,
                self.secret,
                prefixed(self.group_id, 1),
                prefixed(self.origin.encode("ascii"), 2),
                prefixed(self.name.encode(), 1),
                uint(len(self.servers), 1),
                *(prefixed(each.encode("ascii"), 1) for each in self.servers),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> HostRecoveryData:
        """Decode. MalformedError, or ValidationError("SNUG-11") if the name is not allowed."""
        r = Reader(data)
        if r.uint(1) != 1:
            raise MalformedError("host recovery data: the format must be 1")
        keys, door, secret, group_id = HostKeys.read(r), r.take(32), r.take(16), r.prefixed(1)
        origin, name = r.text(2), r.text(1)
        servers = tuple(r.text(1) for _ in range(r.uint(1)))
        r.end()
        if len(servers) > SERVERS_MAX or any(canonical_origin(each) != each for each in (origin, *servers)):
            raise MalformedError("host recovery data: a server's address is not in canonical form")
        return cls(keys, door, secret, group_id, origin, check_name(name), servers)
