"""Card, knock and answer: how a newcomer with a link joins (docs/reference/protocol.md, section 4).

Every lobby message is sealed under the lobby's envelope key, and every blob has one of a few sizes::

    CardRequest  a newcomer asks the hosts for a card, by a nonce
    Card         a host's short-lived X25519 key, and the requests that it answers, signed by the link's key
    Knock        HPKE to that key: the newcomer's data, with a proof of the invite; only a host can read it
    Reply        the contents of `answers`, under the knock's HPKE export: its author has opened the knock
    Piece        a part of what a large room's answer lists (`pieces`)

Without the link, none of this is readable. A link holder sees that somebody knocks, and the blobs' sizes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

from snugroom.crypto import hpke, kdf
from snugroom.crypto.agreed.names import check_name, check_text
from snugroom.crypto.entry.answers import ReplyBody, encode_answer, read_answer
from snugroom.crypto.entry.invite import GENERATIONS_MAX, HostKeys, Invite, checked_origin
from snugroom.crypto.errors import AuthenticationError, MalformedError, StateError
from snugroom.crypto.fields import exactly, padded, unpadded
from snugroom.crypto.proof.identity import KNOCK_PROOF_SIZE, IdentityKey, verify_knock_proof
from snugroom.wire.layout import (
    U2,
    Bytes,
    Bytes8,
    Bytes16,
    Bytes32,
    Fixed,
    Items,
    Layout,
    OneOf,
    Rest,
    Signature,
    Text,
)

#: Allowed blob sizes (bytes); the largest is the maximum of a lobby.
BUCKETS: Final = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
#: Minimum size of a knock, so that the size does not reveal the length of a name.
KNOCK_BUCKET: Final = 2048
#: Seconds for which a host keeps the private half of a card.
CARD_LIFETIME: Final = 600
#: Maximum requests that one card answers.
CARD_ANSWERS_MAX: Final = 16
GREETING_MAX: Final = 280
#: Maximum size of a KeyPackage in a knock.
KEY_PACKAGE_MAX: Final = 8192

SUITE: Final = hpke.Suite.X25519_SHA256_AES128GCM
_AAD: Final = b"snug 1 posted"
_KNOCK_INFO: Final = b"snug 1 knock"
#: Placeholder for an absent identity; no identity key starts with these bytes.
_NO_IDENTITY: Final = bytes(KNOCK_PROOF_SIZE)
_REPLY_ID: Final = 8
#: Bytes that the envelope adds to a message: seal, length, kind.
_ENVELOPE_OVERHEAD: Final = kdf.SEAL_OVERHEAD + 4 + 1
#: The same for a piece, whose own seal is not included.
PIECE_OVERHEAD: Final = _ENVELOPE_OVERHEAD
_KNOCK_OVERHEAD: Final = _ENVELOPE_OVERHEAD + hpke.KEY_SIZE + hpke.TAG_SIZE
_REPLY_OVERHEAD: Final = _ENVELOPE_OVERHEAD + _REPLY_ID + kdf.SEAL_OVERHEAD


# -- in the envelope ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardRequest(Layout, name="card request"):
    """A newcomer's request for a card. Hosts answer with a card that names its nonce."""

    nonce: Bytes16


@dataclass(frozen=True, slots=True)
class Card(Layout, name="card"):
    """A host's key for knocks. Decoding does not verify it: call `verify` before use.

    `answers` are the nonces of the requests that it answers. Each generation of host keys has signed it,
    because a newcomer knows only the key of its link's generation.
    """

    eph_public: Bytes32
    answers: Annotated[tuple[Bytes16, ...], Items(1, most=CARD_ANSWERS_MAX, least=1)]
    signatures: Annotated[tuple[Signature, ...], Items(1, most=GENERATIONS_MAX, least=1)]

    def verify(self, host_public: bytes, origin: str, asked: Container[bytes]) -> None:
        """Verify the card against the link, and against the nonces `asked` of our own requests.

        AuthenticationError if it answers none of them (the server repeats an old card, or it is another
        newcomer's), or if the link's host did not sign it.
        """
        if not any(nonce in asked for nonce in self.answers):
            raise AuthenticationError("the card answers none of our requests")
        message = CardMessage(checked_origin(origin), self.eph_public, self.answers).encode()
        if not any(_is_signed(host_public, message, signature) for signature in self.signatures):
            raise AuthenticationError("the card is not signed by the host key in the link")


def _is_signed(host_public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        kdf.verify(host_public, message, signature)
    except AuthenticationError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class CardMessage(Layout, name="card message", start=b"snug 1 card"):
    """The byte string that the host keys sign."""

    origin: Annotated[str, Text(2)]
    eph_public: Bytes32
    answers: Annotated[tuple[Bytes16, ...], Items(1, most=CARD_ANSWERS_MAX, least=1)]


@dataclass(frozen=True, slots=True)
class Knock(Layout, name="knock"):
    """A knock, sealed to a card: only hosts can read it."""

    enc: Bytes32
    ciphertext: Annotated[bytes, Rest()]


@dataclass(frozen=True, slots=True)
class Reply(Layout, name="sealed reply"):
    """A sealed answer or refusal; the newcomer recognises it by `id`, which means nothing to others."""

    id: Bytes8
    sealed: Annotated[bytes, Rest()]


@dataclass(frozen=True, slots=True)
class RecoveryMessage(Layout, name="recovery message"):
    """A message between members and a returning host (`crypto.entry.recovery`), sealed a second time."""

    sealed: Annotated[bytes, Rest()]


@dataclass(frozen=True, slots=True)
class Piece(Layout, name="piece"):
    """A part of a room's tree and ledger, sealed under a key in the answer that lists its hash (`pieces`)."""

    sealed: Annotated[bytes, Rest()]


LobbyMessage = CardRequest | Card | Knock | Reply | RecoveryMessage | Piece
MESSAGE: Final = OneOf[LobbyMessage](
    "lobby message",
    {1: CardRequest, 2: Card, 3: Knock, 4: Reply, 5: RecoveryMessage, 6: Piece},
)


def post(envelope_key: bytes, message: LobbyMessage, *, rng: kdf.Rng = os.urandom) -> bytes:
    """Seal a message under the envelope key (32 bytes) in a blob of the smallest fitting size in `BUCKETS`.

    MalformedError if the message is too large for a lobby.
    """
    inner = MESSAGE.encode(message)
    return kdf.seal(
        envelope_key,
        padded(inner, _bucket(len(inner) + kdf.SEAL_OVERHEAD + 4) - kdf.SEAL_OVERHEAD),
        _AAD,
        rng=rng,
    )


def read(envelope_key: bytes, blob: bytes) -> LobbyMessage:
    """Open a lobby blob. The only verified fact about its author is possession of the link.

    MalformedError if the size is wrong or the contents are not a message, UnsupportedError on an unknown
    kind, AuthenticationError if it is not sealed under this envelope key.
    """
    if len(blob) not in BUCKETS:
        raise MalformedError(f"a lobby's blob doesn't have {len(blob)} bytes")
    return MESSAGE.decode(unpadded(kdf.unseal(envelope_key, blob, _AAD)))


def _bucket(size: int, least: int = 0) -> int:
    for bucket in BUCKETS:
        if bucket >= size and bucket >= least:
            return bucket
    raise MalformedError(f"{size} bytes are too many for a lobby (at most {BUCKETS[-1]})")


# -- cards ------------------------------------------------------------------------------------


class CardSecret(kdf.NotCopyable):
    """The key pair of a host's cards, whose private half is to be erased after ten minutes.

    A phone seized later then cannot reveal the names in the knocks.
    """

    __slots__ = ("_private", "expiry", "public")

    def __init__(self, private: bytes, expiry: int) -> None:
        self.public = hpke.public_key(private)
        #: Unix seconds, by the host's clock.
        self.expiry = expiry
        self._private: bytes | None = private

    @property
    def private(self) -> bytes:
        """The private half, 32 bytes; StateError once erased."""
        if self._private is None:
            raise StateError("this card's secret has been erased")
        return self._private

    def expired(self, now: float) -> bool:
        """Return whether the private half is due at `now` (Unix seconds); if so, call `erase`."""
        return now >= self.expiry

    def erase(self) -> None:
        """Delete the private half. Knocks sealed to this key then cannot be opened by anyone."""
        self._private = None


def make_card_secret(now: float, *, rng: kdf.Rng = os.urandom) -> CardSecret:
    """Create a key pair for cards, for ten minutes from `now` (Unix seconds)."""
    private = exactly(rng(hpke.KEY_SIZE), hpke.KEY_SIZE, "an X25519 private key")
    return CardSecret(private, int(now) + CARD_LIFETIME)


def make_card(keys: HostKeys, origin: str, secret: CardSecret, answers: Sequence[bytes]) -> Card:
    """Create a card for the links of all generations: it answers 1 to 16 requests, by their nonces.

    StateError once the secret is erased.
    """
    _ = secret.private
    message = CardMessage(checked_origin(origin), secret.public, tuple(answers)).encode()
    return Card(secret.public, tuple(answers), tuple(seed.host_key.sign(message) for seed in keys.seeds))


# -- knocks -----------------------------------------------------------------------------------


def check_key_package(key_package: bytes) -> None:
    """MalformedError if an encoded KeyPackage is empty, or too large for a knock."""
    if not 0 < len(key_package) <= KEY_PACKAGE_MAX:
        raise MalformedError(f"a KeyPackage has 1 to {KEY_PACKAGE_MAX} bytes, not {len(key_package)}")


@dataclass(frozen=True, slots=True)
class KnockContents(Layout, name="knock contents"):
    """The newcomer's data. `identity` is public key and proof (`proof.identity`), or zeros."""

    key_package: Annotated[bytes, Bytes(2)]
    name: Annotated[str, Text(1)]
    greeting: Annotated[str, Text(2)]
    identity: Annotated[bytes, Fixed(KNOCK_PROOF_SIZE)]

    def check(self) -> None:
        """MalformedError or ValidationError("SNUG-11") if a part is not allowed."""
        check_key_package(self.key_package)
        check_name(self.name)
        check_text(self.greeting, GREETING_MAX)


@dataclass(frozen=True, slots=True)
class KnockInside(Layout, name="knock inside"):
    """The plaintext of a knock. `use` proves that its author has the invite."""

    use: Bytes32
    index: U2  # of the invite
    contents: Annotated[bytes, Rest()]


@dataclass(frozen=True, slots=True)
class OpenedKnock:
    """A knock after decryption, with a proven invite. The KeyPackage is still unverified."""

    index: int
    #: The host key (32 bytes) of the generation in which the invite was made.
    host_public: bytes
    key_package: bytes
    name: str
    greeting: str
    #: Unix seconds at which the secret of the knock's card is erased.
    expiry: int
    exporter: hpke.Exporter = field(repr=False)
    #: The identity (32 bytes, X25519) that the newcomer shows and has proven to hold; None if absent.
    identity: bytes | None = None


@dataclass(frozen=True, slots=True)
class PendingKnock:
    """State that the newcomer keeps to open the reply to its knock."""

    exporter: hpke.Exporter = field(repr=False)

    def owns(self, reply: Reply) -> bool:
        """Return whether the reply belongs to this knock."""
        return kdf.same(reply.id, _reply_id(self.exporter))

    def open(self, reply: Reply) -> ReplyBody:
        """Open the host's reply.

        AuthenticationError if it belongs to another knock or was not made by a host that opened this one;
        MalformedError if it does not contain an answer.
        """
        if not self.owns(reply):
            raise AuthenticationError("the reply is to another knock")
        return read_answer(unpadded(kdf.unseal(_reply_key(self.exporter), reply.sealed, reply.id)))


def knock(
    invite: Invite,
    card: Card,
    key_package: bytes,
    name: str,
    greeting: str,
    *,
    identity: IdentityKey | None = None,
    rng: kdf.Rng = os.urandom,
) -> tuple[Knock, PendingKnock]:
    """Create a knock for a *verified* card; `name` must pass `check_name`, `greeting` has at most 280 bytes.

    `identity` is shown to the hosts, deniably; the size of the knock is the same without it.
    ValidationError("SNUG-11") on the name, MalformedError on the other arguments.
    """
    check_name(name)
    check_text(greeting, GREETING_MAX)
    check_key_package(key_package)
    sender = hpke.Sender(SUITE, card.eph_public, _KNOCK_INFO, rng=rng)
    knock_proof = _NO_IDENTITY
    if identity is not None:
        knock_proof = identity.knock_proof(card.eph_public, sender.enc, key_package)
    contents = KnockContents(key_package, name, greeting, knock_proof).encode()
    use = _use(invite.token, card.eph_public, sender.enc, invite.index, contents)
    inner = KnockInside(use, invite.index, contents).encode()
    room = _bucket(len(inner) + 4 + _KNOCK_OVERHEAD, KNOCK_BUCKET) - _KNOCK_OVERHEAD
    return Knock(sender.enc, sender.seal(b"", padded(inner, room))), PendingKnock(sender.exporter)


def open_knock(
    secret: CardSecret, knock: Knock, tokens: Callable[[int], Iterable[tuple[bytes, bytes]]]
) -> OpenedKnock:
    """Open a knock; `tokens` returns the tokens of an invite by generation (`HostKeys.tokens`).

    StateError once the card is erased. AuthenticationError if the knock is not sealed to this card, or if its
    author does not hold the named invite and the shown identity: such a knock is not shown to the host.
    MalformedError and ValidationError("SNUG-11") if its contents are not allowed.
    """
    opened = hpke.open(SUITE, secret.private, knock.enc, _KNOCK_INFO, b"", knock.ciphertext)
    inner = KnockInside.decode(unpadded(opened.plaintext))
    index, said = inner.index, inner.contents
    made = [
        public
        for public, token in tokens(index)
        if kdf.same(inner.use, _use(token, secret.public, knock.enc, index, said))
    ]
    if not made:
        raise AuthenticationError(f"a knock that names invite {index} and wasn't made with it")
    contents = KnockContents.decode(said)
    identity = None
    if contents.identity != _NO_IDENTITY:
        identity = verify_knock_proof(contents.identity, secret.private, knock.enc, contents.key_package)
    return OpenedKnock(
        index,
        made[0],
        contents.key_package,
        contents.name,
        contents.greeting,
        secret.expiry,
        opened.exporter,
        identity,
    )


def _use(token: bytes, eph_public: bytes, enc: bytes, index: int, contents: bytes) -> bytes:
    return kdf.mac(token, b"snug 1 use", eph_public, enc, kdf.H(index.to_bytes(2, "big"), contents))


# -- replies ----------------------------------------------------------------------------------


def reply(opened: OpenedKnock, answer: ReplyBody, *, rng: kdf.Rng = os.urandom) -> Reply:
    """Seal a reply to the newcomer. MalformedError if a part has a wrong size."""
    body = encode_answer(answer)
    size = _bucket(len(body) + 4 + _REPLY_OVERHEAD) - _REPLY_OVERHEAD
    name = _reply_id(opened.exporter)
    return Reply(name, kdf.seal(_reply_key(opened.exporter), padded(body, size), name, rng=rng))


def _reply_key(exporter: hpke.Exporter) -> bytes:
    return exporter.export(b"snug 1 answer", 32)


def _reply_id(exporter: hpke.Exporter) -> bytes:
    return exporter.export(b"snug 1 answer id", _REPLY_ID)
