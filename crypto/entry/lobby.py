"""Card, knock and answer: how a newcomer with a link joins (docs/reference/protocol.md, section 4).

Every lobby message is sealed under the lobby's envelope key, and every blob has one of a few sizes::

    CardRequest  a newcomer asks the hosts for a card
    Card         a host's short-lived X25519 key, signed by the key that is in the link
    Knock        HPKE to that key: the newcomer's data, with a proof of the invite; only a host can read it
    Reply        the contents of `answers`, under the knock's HPKE export: its author has opened the knock
    Piece        a part of what a large room's answer lists (`pieces`)

Without the link, none of this is readable. A link holder sees that somebody knocks, and the blobs' sizes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from snugroom.crypto import hpke, kdf
from snugroom.crypto.agreed.names import check_name, check_text
from snugroom.crypto.entry.answers import ReplyBody, encode_answer, read_answer
from snugroom.crypto.entry.invite import GENERATIONS_MAX, HostKeys, Invite, origin_field
from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    StateError,
    UnsupportedError,
    ValidationError,
)
from snugroom.crypto.fields import Reader, exactly, padded, prefixed, uint, unpadded
from snugroom.crypto.proof.identity import KNOCK_PROOF_SIZE, IdentityKey, verify_knock_proof

#: Allowed blob sizes (bytes); the largest is the maximum of a lobby.
BUCKETS: Final = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
#: Minimum size of a knock, so that the size does not reveal the length of a name.
KNOCK_BUCKET: Final = 2048
#: Lifetime of a card and of its secret, and tolerated error of a newcomer's clock, in seconds.
CARD_LIFETIME: Final = 600
CLOCK_SKEW: Final = 300
GREETING_MAX: Final = 280
#: Maximum size of a KeyPackage in a knock.
KEY_PACKAGE_MAX: Final = 8192

SUITE: Final = hpke.Suite.X25519_SHA256_AES128GCM
_AAD: Final = b"snug 1 posted"
_CARD_REQUEST, _CARD, _KNOCK, _REPLY, _RECOVERY, _CLOCK_REPORT, _PIECE = 1, 2, 3, 4, 5, 6, 7
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
class CardRequest:
    """A newcomer's request for a card. Hosts answer with a card."""


@dataclass(frozen=True, slots=True)
class Card:
    """A host's key for knocks. Decoding does not verify it: call `verify` before use.

    `expiry` is in Unix seconds, `day` is the UTC day of the card's lobby. Each generation of host keys has
    signed it, because a newcomer knows only the key of its link's generation.
    """

    eph_public: bytes
    nonce: bytes
    expiry: int
    day: int
    signatures: tuple[bytes, ...]  # 1 to 16, of 64 bytes each

    def encode(self) -> bytes:
        """Encode the card: 61 bytes, and 64 for each signature."""
        fixed = self.eph_public + self.nonce + uint(self.expiry, 8) + uint(self.day, 4)
        return fixed + uint(len(self.signatures), 1) + b"".join(self.signatures)

    @property
    def hash(self) -> bytes:
        """H(Card); every knock is bound to it."""
        return kdf.H(self.encode())

    def verify(self, host_public: bytes, origin: str, day: int, now: float) -> None:
        """Verify the card against the link: `now` in Unix seconds, `day` is its lobby's day.

        AuthenticationError if the link's host did not sign it; ValidationError ("CARD-DAY", "CARD-EXPIRED",
        "CARD-LIFETIME") if it is of another day, has expired, or claims a longer lifetime than cards have.
        """
        if not any(_signed_by(host_public, self, origin, signature) for signature in self.signatures):
            raise AuthenticationError("the card is not signed by the host key in the link")
        if self.day != day:
            raise ValidationError("CARD-DAY", f"the host's card is of day {self.day}, and this is day {day}")
        if self.expiry + CLOCK_SKEW <= now:
            raise ValidationError("CARD-EXPIRED", "the host's card has expired; ask for another")
        if self.expiry > now + CARD_LIFETIME + CLOCK_SKEW:
            raise ValidationError("CARD-LIFETIME", "the host's card claims to live longer than cards may")


def _signed_by(host_public: bytes, card: Card, origin: str, signature: bytes) -> bool:
    try:
        kdf.verify(host_public, _card_message(card, origin), signature)
    except AuthenticationError:
        return False
    return True


def _card_message(card: Card, origin: str) -> bytes:
    return b"".join(
        (
            b"snug 1 card",
            origin_field(origin),
            uint(card.day, 4),
            card.eph_public,
            card.nonce,
            uint(card.expiry, 8),
        )
    )


@dataclass(frozen=True, slots=True)
class Knock:
    """A knock, sealed to a card: only hosts can read it."""

    enc: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A sealed answer or refusal; the newcomer recognises it by `id`, which means nothing to others."""

    id: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class RecoveryMessage:
    """A message between members and a returning host (`crypto.entry.recovery`), sealed a second time."""

    sealed: bytes


@dataclass(frozen=True, slots=True)
class ClockReport:
    """A newcomer has refused a card for its time: `card` is its hash, `at` the newcomer's clock in Unix
    seconds."""

    card: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a room's tree and ledger, sealed under a key in the answer that lists its hash (`pieces`)."""

    sealed: bytes


LobbyMessage = CardRequest | Card | Knock | Reply | RecoveryMessage | ClockReport | Piece


def post(envelope_key: bytes, message: LobbyMessage, *, rng: kdf.Rng = os.urandom) -> bytes:
    """Seal a message under the envelope key (32 bytes) in a blob of the smallest fitting size in `BUCKETS`.

    MalformedError if the message is too large for a lobby.
    """
    kind, body = _encode(message)
    inner = uint(kind, 1) + body
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
    reader = Reader(unpadded(kdf.unseal(envelope_key, blob, _AAD)))
    kind = reader.uint(1)
    message: LobbyMessage
    if kind == _CARD_REQUEST:
        message = CardRequest()
    elif kind == _CARD:
        message = _read_card(reader)
    elif kind == _KNOCK:
        message = Knock(reader.take(hpke.KEY_SIZE), reader.rest())
    elif kind == _REPLY:
        message = Reply(reader.take(_REPLY_ID), reader.rest())
    elif kind == _RECOVERY:
        message = RecoveryMessage(reader.rest())
    elif kind == _CLOCK_REPORT:
        message = ClockReport(reader.take(32), reader.uint(8))
    elif kind == _PIECE:
        message = Piece(reader.rest())
    else:
        raise UnsupportedError(f"a lobby message of the unknown kind {kind}")
    reader.end()
    return message


def _read_card(reader: Reader) -> Card:
    fixed = reader.take(32), reader.take(16), reader.uint(8), reader.uint(4)
    count = reader.uint(1)
    if not 0 < count <= GENERATIONS_MAX:
        raise MalformedError(f"a card has 1 to {GENERATIONS_MAX} signatures, not {count}")
    return Card(*fixed, tuple(reader.take(64) for _ in range(count)))


def _encode(message: LobbyMessage) -> tuple[int, bytes]:
    if isinstance(message, CardRequest):
        return _CARD_REQUEST, b""
    if isinstance(message, Card):
        return _CARD, message.encode()
    if isinstance(message, Knock):
        return _KNOCK, message.enc + message.ciphertext
    if isinstance(message, RecoveryMessage):
        return _RECOVERY, message.sealed
    if isinstance(message, ClockReport):
        return _CLOCK_REPORT, message.card + uint(message.at, 8)
    if isinstance(message, Piece):
        return _PIECE, message.sealed
    return _REPLY, message.id + message.sealed


def _bucket(size: int, least: int = 0) -> int:
    for bucket in BUCKETS:
        if bucket >= size and bucket >= least:
            return bucket
    raise MalformedError(f"{size} bytes are too many for a lobby (at most {BUCKETS[-1]})")


# -- cards ------------------------------------------------------------------------------------


class CardSecret(kdf.NotCopyable):
    """A card with its private half, to be erased after ten minutes.

    A phone seized later then cannot reveal the names in the knocks.
    """

    __slots__ = ("_private", "card")

    def __init__(self, card: Card, private: bytes) -> None:
        self.card = card
        self._private: bytes | None = private

    @property
    def private(self) -> bytes:
        """The private half, 32 bytes; StateError once erased."""
        if self._private is None:
            raise StateError("this card's secret has been erased")
        return self._private

    def expired(self, now: float) -> bool:
        """Return whether the card has expired at `now` (Unix seconds); if so, call `erase`."""
        return now >= self.card.expiry

    def erase(self) -> None:
        """Delete the private half. Knocks sealed to this card then cannot be opened by anyone."""
        self._private = None


def make_card(keys: HostKeys, origin: str, day: int, now: float, *, rng: kdf.Rng = os.urandom) -> CardSecret:
    """Create a card for the links of all generations, valid for ten minutes from `now` (Unix seconds)."""
    private = exactly(rng(hpke.KEY_SIZE), hpke.KEY_SIZE, "an X25519 private key")
    card = Card(hpke.public_key(private), rng(16), int(now) + CARD_LIFETIME, day, ())
    message = _card_message(card, origin)
    signatures = tuple(seed.host_key.sign(message) for seed in keys.seeds)
    return CardSecret(replace(card, signatures=signatures), private)


# -- knocks -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenedKnock:
    """A knock after decryption, with a proven invite. The KeyPackage is still unverified."""

    index: int
    #: The host key (32 bytes) of the generation in which the invite was made.
    host_public: bytes
    key_package: bytes
    name: str
    greeting: str
    #: Unix seconds at which the knock's card expires.
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
    if not 0 < len(key_package) <= KEY_PACKAGE_MAX:
        raise MalformedError(f"a KeyPackage has 1 to {KEY_PACKAGE_MAX} bytes, not {len(key_package)}")
    card_hash = card.hash
    sender = hpke.Sender(SUITE, card.eph_public, _knock_info(card_hash), rng=rng)
    knock_proof = _NO_IDENTITY
    if identity is not None:
        knock_proof = identity.knock_proof(card.eph_public, card_hash, sender.enc, key_package)
    rest = b"".join(
        (
            uint(invite.index, 2),
            prefixed(key_package, 2),
            prefixed(name.encode(), 1),
            prefixed(greeting.encode(), 2),
            knock_proof,
        )
    )
    inner = _use(invite.token, card_hash, sender.enc, rest) + rest
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
    card_hash = secret.card.hash
    opened = hpke.open(SUITE, secret.private, knock.enc, _knock_info(card_hash), b"", knock.ciphertext)
    inner = Reader(unpadded(opened.plaintext))
    proof, rest = inner.take(32), inner.rest()
    reader = Reader(rest)
    index = reader.uint(2)
    made = [
        public for public, token in tokens(index) if kdf.same(proof, _use(token, card_hash, knock.enc, rest))
    ]
    if not made:
        raise AuthenticationError(f"a knock that names invite {index} and wasn't made with it")
    key_package, name, greeting = reader.prefixed(2), reader.text(1), reader.text(2)
    knock_proof = reader.take(KNOCK_PROOF_SIZE)
    reader.end()
    if not 0 < len(key_package) <= KEY_PACKAGE_MAX:
        raise MalformedError(f"a KeyPackage has 1 to {KEY_PACKAGE_MAX} bytes, not {len(key_package)}")
    check_name(name)
    check_text(greeting, GREETING_MAX)
    identity = None
    if knock_proof != _NO_IDENTITY:
        identity = verify_knock_proof(knock_proof, secret.private, card_hash, knock.enc, key_package)
    return OpenedKnock(
        index, made[0], key_package, name, greeting, secret.card.expiry, opened.exporter, identity
    )


def _knock_info(card_hash: bytes) -> bytes:
    return b"snug 1 knock" + card_hash


def _use(token: bytes, card_hash: bytes, enc: bytes, rest: bytes) -> bytes:
    return kdf.mac(token, b"snug 1 use", card_hash, enc, kdf.H(rest))


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
