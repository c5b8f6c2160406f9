"""The contents of MLS application messages between members: one JSON object each."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec

from snugroom.crypto.agreed.room_state import SERVERS_MAX
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.kdf import H
from snugroom.crypto.proof.evidence import Seconds
from snugroom.wire.fields import Bytes8, Bytes16, Bytes32, Bytes64
from snugroom.wire.messages import MediaKind, Ssrc
from snugroom.wire.permission import Week

#: Maximum members for a short code: each sends two messages to all for one code.
COMPARING_MAX: Final = 100
#: Maximum characters of one chat message.
TEXT_MAX: Final = 8000
#: Maximum bytes of one image: in base64, sealed and padded, it fits the largest bucket.
IMAGE_MAX: Final = 128 * 1024
#: Maximum pixels of one image: whoever shows it allocates four bytes for each.
IMAGE_PIXELS_MAX: Final = 4096 * 4096
#: Hex digits by which people and scripts name a message.
MESSAGE_ID_DIGITS: Final = 32
#: Maximum invites that one message revokes.
REVOKED_MAX: Final = 1024
#: Maximum secret halves of media keys in one message.
SECRETS_MAX: Final = 64
#: Maximum bytes of one file, and bytes of one piece of it.
FILE_MAX: Final = 8 * 1024 * 1024
PIECE_SIZE: Final = 60 * 1024
#: Maximum pieces that one `file_again` requests.
AGAIN_MAX: Final = 256
#: Maximum announcements in one message: all of the longest fit the largest bucket.
ANNOUNCEMENTS_MAX: Final = 200


Leaf = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
_WordNumber = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
ReactionKind = Literal["yes", "applause", "heart", "laugh", "surprise", "party"]


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """Base class of all contents."""


class Say(Content, frozen=True, tag="say"):
    """Chat. `id` is random: a message that is resent after a lost connection is shown once.

    `number` is the one that heartbeats count (section 7); 0: none.
    """

    id: Bytes16
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]
    number: _WordNumber = 0


class Image(Content, frozen=True, tag="image"):
    """An image for the chat. `id` and `number` as in Say; receivers determine the real type from the data."""

    id: Bytes16
    mime: Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=IMAGE_MAX)]
    number: _WordNumber = 0


class Admitted(Content, frozen=True, tag="admitted"):
    """In a meeting with reports: the host's signature that the sender's key came in by that invite."""

    invite: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    admission: Bytes64


class OwnStream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stream of the sender: its SSRC at the server, and its stream number in key ids."""

    ssrc: Ssrc
    kind: MediaKind
    stream: Annotated[int, msgspec.Meta(ge=0, le=7)]


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A leaf's connection and media streams (SNUG-20), as it has signed them (`announcement_text`).

    `epoch` and `count` order the announcements of a leaf. `box` is its X25519 key for private messages.
    `openers` are its keys for places of its own, in the order of the policy's servers (section 12).
    """

    leaf: Leaf
    epoch: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    count: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    handle: Bytes8
    box: Bytes32
    streams: Annotated[list[OwnStream], msgspec.Meta(max_length=8)]
    signature: Bytes64
    openers: Annotated[list[Bytes32], msgspec.Meta(max_length=SERVERS_MAX)] = []


class Announce(Content, frozen=True, tag="announce"):
    """The sender's announcement, or all that it knows of these leaves: an introduction to newcomers."""

    first: Leaf
    last: Leaf
    announcements: Annotated[list[Announcement], msgspec.Meta(max_length=ANNOUNCEMENTS_MAX)]


class Leaving(Content, frozen=True, tag="leaving"):
    """The sender leaves: `proposal` is its Remove of itself, as an MLSMessage, for any member to commit."""

    proposal: bytes


class Grant(Content, frozen=True, tag="grant"):
    """The host keys, sealed to a host's `box` by HPKE (info "snug 1 grant" | group id)."""

    leaf: Leaf
    enc: Bytes32
    sealed: bytes


class Granted(Content, frozen=True, tag="granted"):
    """The return key's signature over `announcements.granted_message`: the sender has the host keys."""

    signature: Bytes64


class Revoked(Content, frozen=True, tag="revoked"):
    """A host has revoked these invites, or passes on hosts' revocations: no host shows knocks by them."""

    invites: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]],
        msgspec.Meta(min_length=1, max_length=REVOKED_MAX),
    ]


class End(Content, frozen=True, tag="end"):
    """A host ends the meeting for all (SNUG-18), as of `chain`."""

    chain: Bytes32


class Move(Content, frozen=True, tag="move"):
    """A host has the meeting go on at that server of the policy's list (SNUG-18), as of `chain`."""

    chain: Bytes32
    #: 0 where the meeting began; else its place in the list, from 1.
    server: Annotated[int, msgspec.Meta(ge=0, le=SERVERS_MAX)]


class ShortExhibit(Content, frozen=True, tag="exhibit"):
    """The sender's signature that it lost the room at the server that the meeting has left (section 13).

    The receiver knows the other fields of the exhibit (`crypto.proof.evidence.statement`). Unix seconds.
    """

    at: Seconds
    dropped_at: Seconds
    signature: Bytes64


class MediaSecret(Content, frozen=True, tag="media_secret"):
    """Secret halves of the sender's old media keys: from now on their signatures prove nothing."""

    secrets: Annotated[list[Bytes32], msgspec.Meta(min_length=1, max_length=SECRETS_MAX)]


class CodeOpen(Content, frozen=True, tag="code_open"):
    """Open a run for a short code (protocol section 8): for this epoch, this chain and all these leaves."""

    sid: Bytes16
    epoch: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    chain: Bytes32
    leaves: Annotated[list[Leaf], msgspec.Meta(min_length=2, max_length=COMPARING_MAX)]


class CodeCommit(Content, frozen=True, tag="code_commit"):
    """The sender's commitment to a share in that run."""

    sid: Bytes16
    commitment: Bytes32


class CodeReveal(Content, frozen=True, tag="code_reveal"):
    """The sender's share, revealed for the digest V of all commitments."""

    sid: Bytes16
    digest: Bytes32
    share: Bytes32


class CodeAnswer(Content, frozen=True, tag="code_answer"):
    """The sender's person says whether the code of that run is the same; `digest` is the run's V."""

    sid: Bytes16
    digest: Bytes32
    same: bool


class State(Content, frozen=True, tag="state"):
    """The state that the sender shows now: sent again at every change, and to newcomers."""

    mic: bool
    camera: bool
    screen: bool
    hand: bool
    recording: bool
    #: The sender's program ends, and the sender may come back.
    away: bool = False
    #: When the microphone was last turned on or off, Unix seconds; 0: never.
    since: Seconds = 0


class Reaction(Content, frozen=True, tag="reaction"):
    """One of six reactions, shown for a moment."""

    reaction: ReactionKind


class WeekKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token key that the server has shown the sender for a week, as a hash."""

    week: Week
    hash: Bytes32


class Page(Content, frozen=True, tag="page"):
    """What a server gave the sender, for comparison (protocol section 7).

    `hash` is that of the page's bundle, None without a page. `keys` are of tokens for opening rooms.
    """

    hash: Bytes32 | None = None
    keys: Annotated[list[WeekKey], msgspec.Meta(max_length=2)] = []


class File(Content, frozen=True, tag="file"):
    """A file for all present members: its pieces are broadcast, sealed under its key. `number` as in Say."""

    id: Bytes16
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    mime: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}\Z")]
    size: Annotated[int, msgspec.Meta(ge=1, le=FILE_MAX)]
    digest: Bytes32
    key: Bytes32
    number: _WordNumber = 0


class FileAgain(Content, frozen=True, tag="file_again"):
    """Missing pieces of a file, which its sender is to broadcast again."""

    id: Bytes16
    pieces: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0, lt=AGAIN_MAX)]],
        msgspec.Meta(min_length=1, max_length=AGAIN_MAX),
    ]


AnyContent = (
    Say
    | Image
    | Admitted
    | Announce
    | Leaving
    | Grant
    | Granted
    | Revoked
    | End
    | Move
    | ShortExhibit
    | MediaSecret
    | CodeOpen
    | CodeCommit
    | CodeReveal
    | CodeAnswer
    | State
    | Reaction
    | Page
    | File
    | FileAgain
)
TYPES: Final[tuple[type[Content], ...]] = get_args(AnyContent)
#: Contents that are resent after a lost connection until all can have them: each has an id.
Posted = Say | Image | File
_decoder: msgspec.json.Decoder[AnyContent] = msgspec.json.Decoder(AnyContent)
_encoder = msgspec.json.Encoder()


def encode(content: AnyContent) -> bytes:
    """Encode a content as UTF-8 JSON."""
    return _encoder.encode(content)


def decode(data: bytes) -> AnyContent:
    """Decode a content; MalformedError if it is no content of this version."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"a message whose content can't be read: {str(error)[:120]}") from None


def message_id(what: Say | Image, signature_key: bytes) -> bytes:
    """Return a message's identifier, 32 bytes: a hash of its id, the sender's key and the content.

    The sender chooses the id. By the id alone, a harmless message could lend its identity, and its place
    among the messages that can be reported, to another.
    """
    if isinstance(what, Say):
        return H(b"say", what.id, signature_key, H(what.text.encode()))
    return H(b"picture", what.id, signature_key, H(what.mime.encode(), b"\0", what.data))
