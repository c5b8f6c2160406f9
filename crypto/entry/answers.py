"""What a reply to a knock says (docs/reference/protocol.md, section 4). `crypto.entry.lobby` seals it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from snugroom.crypto.agreed.names import check_text
from snugroom.crypto.errors import UnsupportedError
from snugroom.crypto.fields import Reader, exactly, prefixed, uint

REASON_MAX: Final = 280
_ANSWER, _REFUSAL, _RECEIVED, _ALREADY_MEMBER = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Answer:
    """Admission: the data that a newcomer needs and that only members know."""

    welcome: bytes
    #: The meeting's first number (16 bytes), to which members bind what they sign and seal.
    number: bytes
    door_seed: bytes = field(repr=False)
    #: The key under which the server holds the room now; the policy names a newer one for a moment.
    room_admin_public: bytes
    #: Heartbeat key and move key (64 bytes) XOR MLS-Exporter("snug 1 handed", "", 64) of the epoch of the
    #: Welcome: useless to a reader of the answer without the Welcome.
    handed_keys: bytes = field(repr=False)
    slot: int
    chain: bytes
    #: The replying member's clock, in Unix seconds: shows how long the answer was under way.
    at: int
    #: Opaque here: used invites, signature keys ever seen, recent rejoins; and the history before that slot.
    ledger: bytes
    before: bytes = b""
    admission: bytes = b""  # the host's signature (`proof.report`, 64 bytes); empty without reports
    places: bytes = b""  # opaque here, too: rooms at further servers, and their chain values
    #: The list of the pieces that bring the ratchet tree and the ledger (`crypto.entry.pieces`). Empty: the
    #: Welcome contains the tree, and `ledger` the ledger. Otherwise `ledger` is empty.
    pieces: bytes = b""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refusal; `reason` (at most 280 bytes, may be empty) is the host's text for the newcomer."""

    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """The host's program has the knock, and its person has not decided yet."""


@dataclass(frozen=True, slots=True)
class AlreadyMember:
    """The knock's signature key is a member's: its answer was lost, and it rejoins with a ticket.

    A ticket names the group and a place in its history: `slot`, and `chain` (32 bytes) there.
    """

    group_id: bytes
    slot: int
    chain: bytes


ReplyBody = Answer | Refusal | Received | AlreadyMember


def encode_answer(answer: ReplyBody) -> bytes:
    """Encode the plaintext of a reply. MalformedError if a part has a wrong size."""
    if isinstance(answer, Answer):
        return b"".join(
            (
                uint(_ANSWER, 1),
                prefixed(answer.welcome, 4),
                exactly(answer.number, 16, "a room's number"),
                exactly(answer.door_seed, 32, "a door seed"),
                exactly(answer.room_admin_public, 32, "a room admin's public key"),
                exactly(answer.handed_keys, 64, "the keys of beats and moves"),
                uint(answer.slot, 8),
                exactly(answer.chain, 32, "a chain value"),
                uint(answer.at, 8),
                prefixed(answer.ledger, 4),
                prefixed(answer.before, 2),
                prefixed(_admission(answer.admission), 1),
                prefixed(answer.places, 1),
                prefixed(answer.pieces, 2),
            )
        )
    if isinstance(answer, Received):
        return uint(_RECEIVED, 1)
    if isinstance(answer, AlreadyMember):
        place = uint(answer.slot, 8) + exactly(answer.chain, 32, "a chain value")
        return uint(_ALREADY_MEMBER, 1) + prefixed(answer.group_id, 1) + place
    check_text(answer.reason, REASON_MAX)
    return uint(_REFUSAL, 1) + prefixed(answer.reason.encode(), 2)


def _admission(admission: bytes) -> bytes:
    return exactly(admission, 64, "an admission") if admission else admission


def read_answer(body: bytes) -> ReplyBody:
    """Decode the result of `encode_answer`. MalformedError or UnsupportedError on other input."""
    reader = Reader(body)
    kind = reader.uint(1)
    if kind == _ANSWER:
        answer: ReplyBody = Answer(
            reader.prefixed(4),
            reader.take(16),
            reader.take(32),
            reader.take(32),
            reader.take(64),
            reader.uint(8),
            reader.take(32),
            reader.uint(8),
            reader.prefixed(4),
            reader.prefixed(2),
            _admission(reader.prefixed(1)),
            reader.prefixed(1),
            reader.prefixed(2),
        )
    elif kind == _REFUSAL:
        answer = Refusal(reader.text(2))
        check_text(answer.reason, REASON_MAX)
    elif kind == _RECEIVED:
        answer = Received()
    elif kind == _ALREADY_MEMBER:
        answer = AlreadyMember(reader.prefixed(1), reader.uint(8), reader.take(32))
    else:
        raise UnsupportedError(f"a reply of the unknown kind {kind}")
    reader.end()
    return answer
