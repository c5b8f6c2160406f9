"""The contents of a reply to a knock (docs/reference/protocol.md, section 4). `lobby` seals them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from snugroom.crypto.agreed.names import check_text
from snugroom.crypto.errors import MalformedError
from snugroom.wire.layout import U8, Bytes, Bytes16, Bytes32, Fixed, Layout, OneOf, Text

REASON_MAX: Final = 280


@dataclass(frozen=True, slots=True)
class Answer(Layout, name="answer"):
    """Admission: the data that a newcomer needs and that only members know."""

    welcome: Annotated[bytes, Bytes(4)]
    #: The meeting's first number, to which members bind what they sign and seal.
    number: Bytes16
    door_seed: Bytes32 = field(repr=False)
    #: The key under which the server holds the room now; the policy names a newer one for a moment.
    room_admin_public: Bytes32
    #: Heartbeat key and move key XOR MLS-Exporter("snug 1 handed", "", 64) of the epoch of the Welcome:
    #: useless to a reader of the answer without the Welcome.
    handed_keys: Annotated[bytes, Fixed(64)] = field(repr=False)
    slot: U8
    chain: Bytes32
    #: The replying member's clock, in Unix seconds: shows how long the answer was under way.
    at: U8
    #: Opaque here: used invites, signature keys ever seen, recent rejoins; and the history before that slot.
    ledger: Annotated[bytes, Bytes(4)]
    before: Annotated[bytes, Bytes(2)] = b""
    #: The host's signature (`proof.report`, 64 bytes); empty without reports.
    admission: Annotated[bytes, Bytes(1, most=64)] = b""
    #: Opaque here, too: rooms at further servers, and their chain values.
    places: Annotated[bytes, Bytes(1)] = b""
    #: The list of the pieces that bring the ratchet tree and the ledger (`crypto.entry.pieces`). Empty: the
    #: Welcome contains the tree, and `ledger` the ledger. Otherwise `ledger` is empty.
    pieces: Annotated[bytes, Bytes(2)] = b""

    def check(self) -> None:
        """Raise MalformedError if the admission is no signature."""
        if len(self.admission) not in (0, 64):
            raise MalformedError(f"an admission has 64 bytes, not {len(self.admission)}")


@dataclass(frozen=True, slots=True)
class Refusal(Layout, name="refusal"):
    """Refusal; `reason` (may be empty) is the host's text for the newcomer."""

    reason: Annotated[str, Text(2, most=REASON_MAX)]

    def check(self) -> None:
        """MalformedError if the reason is no text (docs/reference/protocol.md, section 5)."""
        check_text(self.reason, REASON_MAX)


@dataclass(frozen=True, slots=True)
class Received(Layout, name="received"):
    """The host's program has the knock, and its person has not decided yet."""


@dataclass(frozen=True, slots=True)
class AlreadyMember(Layout, name="already member"):
    """The knock's signature key is a member's: its answer was lost, and it rejoins with a ticket.

    A ticket names the group and a place in its history: `slot`, and `chain` there.
    """

    group_id: Annotated[bytes, Bytes(1)]
    slot: U8
    chain: Bytes32


ReplyBody = Answer | Refusal | Received | AlreadyMember
BODY: Final = OneOf[ReplyBody]("reply", {1: Answer, 2: Refusal, 3: Received, 4: AlreadyMember})


def encode_answer(answer: ReplyBody) -> bytes:
    """Encode the plaintext of a reply. MalformedError if a part has a wrong size."""
    if isinstance(answer, Answer | Refusal):
        answer.check()
    return BODY.encode(answer)


def read_answer(body: bytes) -> ReplyBody:
    """Decode the result of `encode_answer`. MalformedError or UnsupportedError on other input."""
    return BODY.decode(body)
