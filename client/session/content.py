"""What members say to each other inside MLS application messages: one JSON object each."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from crypto.errors import MalformedError
from crypto.kdf import H
from server.wire.messages import Bytes8, Bytes16, Bytes32, Bytes64, MediaKind, Ssrc

#: Members up to which there are short codes: each has to say two things for one, to all.
COMPARING_MAX: Final = 100
#: Characters of one chat message.
TEXT_MAX: Final = 8000
#: Bytes of one picture: in base64, sealed and padded, it fits the largest bucket.
PICTURE_MAX: Final = 128 * 1024
#: Hex digits by which people and scripts name a message.
MARK_DIGITS: Final = 32
#: Invites that one message takes back.
REVOKED_MAX: Final = 1024
#: Secret halves of media keys in one message.
SECRETS_MAX: Final = 64
#: Bytes of one file, and of the pieces that it goes out in.
FILE_MAX: Final = 8 * 1024 * 1024
PIECE_SIZE: Final = 60 * 1024
#: Pieces that one `file_again` asks for.
AGAIN_MAX: Final = 256


ReactionKind = Literal["yes", "applause", "heart", "laugh", "surprise", "party"]


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all contents."""


class Say(Content, frozen=True, tag="say"):
    """Chat. `id` is random: a message that is sent again after a lost connection is shown once."""

    id: Bytes16
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]


class Picture(Content, frozen=True, tag="picture"):
    """A picture for the chat. `id` as in Say; whoever receives it tells from the data what it really is."""

    id: Bytes16
    mime: Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=PICTURE_MAX)]


class Admitted(Content, frozen=True, tag="admitted"):
    """In a meeting that can be reported: the host signed that the sender's key came in by that invite."""

    invite: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    admission: Bytes64


class OwnStream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stream of the sender's: its SSRC at the server, and its stream number in key ids."""

    ssrc: Ssrc
    kind: MediaKind
    stream: Annotated[int, msgspec.Meta(ge=0, le=7)]


class Announce(Content, frozen=True, tag="announce"):
    """This leaf's connection and media streams (SNUG-20); `box` is an X25519 key for what is for it alone."""

    handle: Bytes8
    box: Bytes32
    streams: Annotated[list[OwnStream], msgspec.Meta(max_length=8)]


class Leaving(Content, frozen=True, tag="leaving"):
    """The sender goes: `proposal` is its Remove of itself, as an MLSMessage, for anybody to commit."""

    proposal: bytes


class Grant(Content, frozen=True, tag="grant"):
    """The host seed, sealed to a new host's `box` by HPKE (info "snug 1 grant" | group id)."""

    leaf: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    enc: Bytes32
    sealed: bytes


class Granted(Content, frozen=True, tag="granted"):
    """The sender has the host seed, and shows it: the host key's signature (`announced.granted_message`)."""

    signature: Bytes64


class Revoked(Content, frozen=True, tag="revoked"):
    """A host has taken these invites back, or hands on what hosts have: no host shows knocks by them."""

    invites: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]],
        msgspec.Meta(min_length=1, max_length=REVOKED_MAX),
    ]


class End(Content, frozen=True, tag="end"):
    """A host ends the meeting for all (SNUG-18), as of `chain`."""

    chain: Bytes32


class MediaSecret(Content, frozen=True, tag="media_secret"):
    """Secret halves of the sender's media keys of old epochs: their signatures prove nothing from now on."""

    secrets: Annotated[list[Bytes32], msgspec.Meta(min_length=1, max_length=SECRETS_MAX)]


class CodeOpen(Content, frozen=True, tag="code_open"):
    """Opens a run for a short code (protocol section 8): of this epoch, this chain, and all these leaves."""

    sid: Bytes16
    epoch: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    chain: Bytes32
    leaves: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]],
        msgspec.Meta(min_length=2, max_length=COMPARING_MAX),
    ]


class CodeCommit(Content, frozen=True, tag="code_commit"):
    """The sender's commitment to a share in that run."""

    sid: Bytes16
    commitment: Bytes32


class CodeReveal(Content, frozen=True, tag="code_reveal"):
    """The sender's share, shown on all commitments' digest V."""

    sid: Bytes16
    digest: Bytes32
    share: Bytes32


class State(Content, frozen=True, tag="state"):
    """What the sender shows of itself now: told anew whenever it changes, and to whoever comes in."""

    mic: bool
    camera: bool
    screen: bool
    hand: bool
    recording: bool


class Reaction(Content, frozen=True, tag="reaction"):
    """One of a few signs, shown for a moment."""

    reaction: ReactionKind


class Page(Content, frozen=True, tag="page"):
    """Which page the sender runs: the hash of its bundle, to be compared (protocol section 7)."""

    hash: Bytes32


class File(Content, frozen=True, tag="file"):
    """A file for all who are here now: its pieces are passed on, sealed under a key of its own."""

    id: Bytes16
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    mime: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}\Z")]
    size: Annotated[int, msgspec.Meta(ge=1, le=FILE_MAX)]
    digest: Bytes32
    key: Bytes32


class FileAgain(Content, frozen=True, tag="file_again"):
    """Pieces of a file that have not come here, for its sender to pass on again."""

    id: Bytes16
    pieces: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0, lt=AGAIN_MAX)]],
        msgspec.Meta(min_length=1, max_length=AGAIN_MAX),
    ]


AnyContent = (
    Say
    | Picture
    | Admitted
    | Announce
    | Leaving
    | Grant
    | Granted
    | Revoked
    | End
    | MediaSecret
    | CodeOpen
    | CodeCommit
    | CodeReveal
    | State
    | Reaction
    | Page
    | File
    | FileAgain
)
#: What is said again after a lost connection, until all can have it: each has an id.
Posted = Say | Picture | File
_decoder: msgspec.json.Decoder[AnyContent] = msgspec.json.Decoder(AnyContent)
_encoder = msgspec.json.Encoder()


def encode(content: AnyContent) -> bytes:
    """UTF-8 JSON."""
    return _encoder.encode(content)


def decode(data: bytes) -> AnyContent:
    """MalformedError for anything that is no content of this version."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"a message whose content can't be read: {str(error)[:120]}") from None


def mark(what: Say | Picture, signature_key: bytes) -> bytes:
    """What a message is known by, 32 bytes: its id is the sender's choice, and counts beside key and content.

    Else one that was harmless could lend its id, and its place among what can be reported, to another.
    """
    if isinstance(what, Say):
        return H(b"say", what.id, signature_key, H(what.text.encode()))
    return H(b"picture", what.id, signature_key, H(what.mime.encode(), b"\0", what.data))
