"""What members say to each other inside MLS application messages: one JSON object each."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from crypto.errors import MalformedError
from server.wire.messages import Bytes8, Bytes16, Bytes32, MediaKind, Ssrc

#: Characters of one chat message.
TEXT_MAX: Final = 8000


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all contents."""


class Say(Content, frozen=True, tag="say"):
    """Chat. `id` is random: a message that is sent again after a lost connection is shown once."""

    id: Bytes16
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]


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


class End(Content, frozen=True, tag="end"):
    """A host ends the meeting for all (SNUG-18), as of `chain`."""

    chain: Bytes32


AnyContent = Say | Announce | Leaving | Grant | End
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
