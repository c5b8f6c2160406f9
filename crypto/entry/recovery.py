"""How a crashed host, or a member out of sync, contacts the members while no host is present.

docs/reference/protocol.md, section 6. While no host is present, some members wait in the lobby. Everybody
with a link can enter a lobby, so messages about a return are sealed a second time, under a key derived from
the door seed, which only admitted members have. (An evicted member has it too, and can see that a host
returns.)

    Seek    the host: is a member here?
    Here    a member: the slot, the chain, and the gate
    Return  the host: its new KeyPackage, and the host key's signature for that slot
    Again   a member that must rejoin and finds no host: its new KeyPackage, with its ticket
    Back    the member that committed either: the answer for newcomers, sealed to the requester only
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from snugroom.crypto import hpke, kdf
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.agreed.room_state import HostReturn, host_return_message
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.invite import HostSeed, canonical_origin
from snugroom.crypto.errors import MalformedError, UnsupportedError
from snugroom.crypto.fields import Reader, exactly, padded, prefixed, uint, unpadded
from snugroom.crypto.kdf import KDF, H, Rng, SigningKey

_AAD: Final = b"snug 1 inside"
_SEEK, _HERE, _RETURN, _BACK, _AGAIN = 1, 2, 3, 4, 5
_SUITE: Final = hpke.Suite.X25519_SHA256_AES128GCM
_ID: Final = 8
#: Size in bytes to which messages are padded; a larger message gets no padding.
_LEAST: Final = 2048


@dataclass(frozen=True, slots=True)
class Seek:
    """A host's search for members. `nonce` (16 bytes) links the answers to it."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class Here:
    """A member's answer: the room's slot, the chain after it (32 bytes) and its gate (32 bytes)."""

    nonce: bytes
    slot: int
    chain: bytes
    gate: bytes


@dataclass(frozen=True, slots=True)
class Return:
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
class Again:
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
class Back:
    """The answer to a `Return` or an `Again`."""

    id: bytes
    enc: bytes
    sealed: bytes

    def open(self, asked: Return | Again, reply_private: bytes) -> lobby.Answer:
        """Open the answer. AuthenticationError if it is for another request; MalformedError if none."""
        info = b"snug 1 back" + H(asked.encode())
        opened = hpke.open(_SUITE, reply_private, self.enc, info, self.id, self.sealed)
        answer = lobby.read_answer(opened.plaintext)
        if not isinstance(answer, lobby.Answer):
            raise MalformedError("an answer to a return says no")
        return answer


Message = Seek | Here | Return | Again | Back


def make_return(
    seed: HostSeed, group_id: bytes, slot: int, key_package: bytes, *, rng: Rng = os.urandom
) -> tuple[Return, bytes]:
    """Return the request, signed by the host key, and the private half of its reply key (32 bytes)."""
    private = exactly(rng(hpke.KEY_SIZE), hpke.KEY_SIZE, "an X25519 private key")
    signature = seed.host_key.sign(host_return_message(group_id, H(key_package), slot))
    return Return(hpke.public_key(private), slot, signature, key_package), private


def make_back(asked: Return | Again, answer: lobby.Answer, *, rng: Rng = os.urandom) -> Back:
    """Seal the answer to the requester."""
    info = b"snug 1 back" + H(asked.encode())
    body = lobby.encode_answer(answer)
    sealed = hpke.seal(_SUITE, asked.reply_public, info, asked.id, body, rng=rng)
    return Back(asked.id, sealed.enc, sealed.ciphertext)


def inside_key(door_seed: bytes) -> bytes:
    """Return the key (32 bytes) for messages between members and a returning host in the lobby."""
    return KDF(exactly(door_seed, 32, "a door seed"), "snug 1 inside")


def seal(key: bytes, message: Message, *, rng: Rng = os.urandom) -> lobby.Inside:
    """Encode and seal a message for `lobby.post`."""
    match message:
        case Seek():
            raw = uint(_SEEK, 1) + exactly(message.nonce, 16, "a nonce")
        case Here():
            raw = uint(_HERE, 1) + message.nonce + uint(message.slot, 8) + message.chain + message.gate
        case Return():
            raw = uint(_RETURN, 1) + message.encode()
        case Again():
            raw = uint(_AGAIN, 1) + message.encode()
        case Back():
            raw = uint(_BACK, 1) + message.id + message.enc + message.sealed
    return lobby.Inside(kdf.seal(key, padded(raw, max(_LEAST, 4 + len(raw))), _AAD, rng=rng))


def open(key: bytes, inside: lobby.Inside) -> Message:
    """Open a message. AuthenticationError unless a present or former member sealed it; else as `Reader`."""
    reader = Reader(unpadded(kdf.unseal(key, inside.sealed, _AAD)))
    kind = reader.uint(1)
    message: Message
    if kind == _SEEK:
        message = Seek(reader.take(16))
    elif kind == _HERE:
        message = Here(reader.take(16), reader.uint(8), reader.take(32), reader.take(32))
    elif kind == _RETURN:
        message = Return(reader.take(hpke.KEY_SIZE), reader.uint(8), reader.take(64), reader.rest())
        _of_a_size(message.key_package)
    elif kind == _AGAIN:
        message = Again(reader.take(hpke.KEY_SIZE), reader.rest())
        _of_a_size(message.key_package)
    elif kind == _BACK:
        message = Back(reader.take(_ID), reader.take(hpke.KEY_SIZE), reader.rest())
    else:
        raise UnsupportedError(f"a message between members and host of the unknown kind {kind}")
    reader.end()
    return message


def _of_a_size(key_package: bytes) -> None:
    if not 0 < len(key_package) <= lobby.KEY_PACKAGE_MAX:
        raise MalformedError("a request without a KeyPackage, or with too large a one")


@dataclass(frozen=True)
class Kept:
    """A host's sealed file for a return after a crash. It holds no key that decrypts any message."""

    host_seed: HostSeed
    door_seed: bytes = field(repr=False)  # 32 bytes
    secret: bytes = field(repr=False)  # the link's secret, 16 bytes
    group_id: bytes
    origin: str
    name: str

    @property
    def door_key(self) -> SigningKey:
        """The key that authenticates at the room's door at the server."""
        return SigningKey(self.door_seed)

    def encode(self) -> bytes:
        """Encode canonically."""
        return b"".join(
            (
                uint(1, 1),
                self.host_seed.seed,
                self.door_seed,
                self.secret,
                prefixed(self.group_id, 1),
                prefixed(self.origin.encode("ascii"), 2),
                prefixed(self.name.encode(), 1),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Kept:
        """Decode. MalformedError, or ValidationError("SNUG-11") if the name is not allowed."""
        r = Reader(data)
        if r.uint(1) != 1:
            raise MalformedError("what a host keeps: another format than 1")
        seed, door, secret, group_id = HostSeed(r.take(32)), r.take(32), r.take(16), r.prefixed(1)
        origin, name = r.text(2), r.text(1)
        r.end()
        if canonical_origin(origin) != origin:
            raise MalformedError("what a host keeps: the server's address is not in its one form")
        return cls(seed, door, secret, group_id, origin, check_name(name))
