"""Message structures: framing (RFC 9420 section 6), GroupContext (8.1), GroupInfo and Welcome (12.4.3).

This module only encodes and decodes. Decoded values are unverified.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from snugroom.crypto.errors import MalformedError, UnsupportedError
from snugroom.crypto.mls import proposals
from snugroom.crypto.mls.codec import Reader, decode, opaque, optional, u8, u16, u32, u64, vector
from snugroom.crypto.mls.keypackage import KeyPackageIn
from snugroom.crypto.mls.nodes import MLS10, Extension, encode_extensions, read_extensions


class ContentType(IntEnum):
    """Content of a framed message (section 6)."""

    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(IntEnum):
    """Kind of sender of a framed message (section 6)."""

    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


class WireFormat(IntEnum):
    """RFC 9420 section 17.2."""

    PUBLIC_MESSAGE = 1
    PRIVATE_MESSAGE = 2
    WELCOME = 3
    GROUP_INFO = 4
    KEY_PACKAGE = 5


def read_content_type(reader: Reader) -> ContentType:
    value = reader.u8()
    if value not in ContentType._value2member_map_:
        raise MalformedError(f"content type {value} does not exist")
    return ContentType(value)


@dataclass(frozen=True)
class GroupContext:
    """The state that all members of an epoch share (section 8.1)."""

    cipher_suite: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: tuple[Extension, ...] = ()
    version: int = MLS10

    @cached_property
    def encoded(self) -> bytes:
        return (
            u16(self.version)
            + u16(self.cipher_suite)
            + opaque(self.group_id)
            + u64(self.epoch)
            + opaque(self.tree_hash)
            + opaque(self.confirmed_transcript_hash)
            + encode_extensions(self.extensions)
        )

    @classmethod
    def read(cls, reader: Reader) -> GroupContext:
        version = reader.u16()
        suite, group_id, epoch = reader.u16(), reader.opaque(), reader.u64()
        hashes = reader.opaque(), reader.opaque()
        return cls(suite, group_id, epoch, *hashes, read_extensions(reader), version)


@dataclass(frozen=True)
class Sender:
    """`index` is a leaf index for a member, an index in `external_senders` for an external sender, else 0."""

    kind: SenderType
    index: int = 0

    def encode(self) -> bytes:
        if self.kind in (SenderType.MEMBER, SenderType.EXTERNAL):
            return u8(self.kind) + u32(self.index)
        return u8(self.kind)

    @classmethod
    def read(cls, reader: Reader) -> Sender:
        kind = reader.u8()
        if kind in (SenderType.MEMBER, SenderType.EXTERNAL):
            return cls(SenderType(kind), reader.u32())
        if kind in (SenderType.NEW_MEMBER_PROPOSAL, SenderType.NEW_MEMBER_COMMIT):
            return cls(SenderType(kind))
        raise MalformedError(f"sender type {kind} does not exist")

    @property
    def leaf(self) -> int | None:
        """The leaf index of a member, None for any other sender."""
        return self.index if self.kind == SenderType.MEMBER else None


#: Application data, a proposal or a commit.
Content = bytes | proposals.ProposalIn | proposals.Commit


def content_type_of(content: Content) -> ContentType:
    if isinstance(content, bytes):
        return ContentType.APPLICATION
    return ContentType.COMMIT if isinstance(content, proposals.Commit) else ContentType.PROPOSAL


def encode_content(content: Content) -> bytes:
    if isinstance(content, bytes):
        return opaque(content)
    return content.encode() if isinstance(content, proposals.Commit) else proposals.encode_proposal(content)


def read_content(reader: Reader, kind: ContentType) -> Content:
    match kind:
        case ContentType.APPLICATION:
            return reader.opaque()
        case ContentType.PROPOSAL:
            return proposals.read_proposal(reader)
        case ContentType.COMMIT:
            return proposals.Commit.read(reader)


@dataclass(frozen=True)
class FramedContent:
    """Sender, epoch and content (section 6). In a PrivateMessage, `authenticated_data` is not encrypted."""

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    content: Content

    @property
    def content_type(self) -> ContentType:
        return content_type_of(self.content)

    @cached_property
    def encoded(self) -> bytes:
        return (
            opaque(self.group_id)
            + u64(self.epoch)
            + self.sender.encode()
            + opaque(self.authenticated_data)
            + u8(self.content_type)
            + encode_content(self.content)
        )

    @classmethod
    def read(cls, reader: Reader) -> FramedContent:
        head = reader.opaque(), reader.u64(), Sender.read(reader), reader.opaque()
        return cls(*head, read_content(reader, read_content_type(reader)))


@dataclass(frozen=True)
class AuthenticatedContent:
    """Framed content with its signature and, for a commit, the confirmation tag (section 6)."""

    wire_format: WireFormat
    framed: FramedContent
    signature: bytes
    confirmation_tag: bytes | None = None

    def encode_auth(self) -> bytes:
        """Encode FramedContentAuthData."""
        tag = b"" if self.confirmation_tag is None else opaque(self.confirmation_tag)
        return opaque(self.signature) + tag

    def encode(self) -> bytes:
        return u16(self.wire_format) + self.framed.encoded + self.encode_auth()

    @classmethod
    def read(cls, reader: Reader) -> AuthenticatedContent:
        wire_format = reader.u16()
        if wire_format not in (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE):
            raise MalformedError(f"wire format {wire_format} is not one of framed content")
        framed = FramedContent.read(reader)
        return cls(WireFormat(wire_format), framed, *read_auth(reader, framed.content_type))


def read_auth(reader: Reader, kind: ContentType) -> tuple[bytes, bytes | None]:
    """Read FramedContentAuthData: (signature, confirmation tag or None)."""
    return reader.opaque(), reader.opaque() if kind == ContentType.COMMIT else None


@dataclass(frozen=True)
class PublicMessage:
    """A signed, unencrypted message (section 6.2). Messages of members have a membership tag."""

    content: AuthenticatedContent
    membership_tag: bytes | None

    wire_format = WireFormat.PUBLIC_MESSAGE

    def encode(self) -> bytes:
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.content.framed.encoded + self.content.encode_auth() + tag

    @classmethod
    def read(cls, reader: Reader) -> PublicMessage:
        framed = FramedContent.read(reader)
        auth = read_auth(reader, framed.content_type)
        tag = reader.opaque() if framed.sender.kind == SenderType.MEMBER else None
        return cls(AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, framed, *auth), tag)


@dataclass(frozen=True)
class PrivateMessage:
    """A signed and encrypted message (section 6.3)."""

    group_id: bytes
    epoch: int
    content_type: ContentType
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    wire_format = WireFormat.PRIVATE_MESSAGE

    def encode(self) -> bytes:
        return (
            opaque(self.group_id)
            + u64(self.epoch)
            + u8(self.content_type)
            + opaque(self.authenticated_data)
            + opaque(self.encrypted_sender_data)
            + opaque(self.ciphertext)
        )

    @classmethod
    def read(cls, reader: Reader) -> PrivateMessage:
        group_id, epoch, kind = reader.opaque(), reader.u64(), read_content_type(reader)
        return cls(group_id, epoch, kind, reader.opaque(), reader.opaque(), reader.opaque())


@dataclass(frozen=True)
class GroupInfo:
    """Description of the group for a newcomer (section 12.4.3). Only `crypto.mls.welcome` verifies it."""

    context: GroupContext
    extensions: tuple[Extension, ...]
    confirmation_tag: bytes
    signer: int
    signature: bytes

    wire_format = WireFormat.GROUP_INFO

    def to_be_signed(self) -> bytes:
        tail = encode_extensions(self.extensions) + opaque(self.confirmation_tag) + u32(self.signer)
        return self.context.encoded + tail

    def encode(self) -> bytes:
        return self.to_be_signed() + opaque(self.signature)

    @classmethod
    def read(cls, reader: Reader) -> GroupInfo:
        head = GroupContext.read(reader), read_extensions(reader)
        return cls(*head, reader.opaque(), reader.u32(), reader.opaque())


@dataclass(frozen=True)
class GroupSecrets:
    """The secrets that a Welcome seals to each newcomer (section 12.4.3.1)."""

    joiner_secret: bytes
    path_secret: bytes | None
    psks: tuple[proposals.PskId, ...]

    def encode(self) -> bytes:
        path = None if self.path_secret is None else opaque(self.path_secret)
        return opaque(self.joiner_secret) + optional(path) + vector(psk.encode() for psk in self.psks)

    @classmethod
    def read(cls, reader: Reader) -> GroupSecrets:
        return cls(reader.opaque(), reader.optional(Reader.opaque), reader.vector(proposals.read_psk_id))


@dataclass(frozen=True)
class EncryptedGroupSecrets:
    """Sealed secrets for one newcomer; `new_member` is the newcomer's KeyPackageRef."""

    new_member: bytes
    sealed: proposals.HpkeCiphertext

    def encode(self) -> bytes:
        return opaque(self.new_member) + self.sealed.encode()

    @classmethod
    def read(cls, reader: Reader) -> EncryptedGroupSecrets:
        return cls(reader.opaque(), proposals.HpkeCiphertext.read(reader))


@dataclass(frozen=True)
class Welcome:
    """An encrypted GroupInfo and the secrets for each newcomer (section 12.4.3.1)."""

    cipher_suite: int
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: bytes

    wire_format = WireFormat.WELCOME

    def encode(self) -> bytes:
        secrets = vector(secret.encode() for secret in self.secrets)
        return u16(self.cipher_suite) + secrets + opaque(self.encrypted_group_info)

    @classmethod
    def read(cls, reader: Reader) -> Welcome:
        return cls(reader.u16(), reader.vector(EncryptedGroupSecrets.read), reader.opaque())


MlsMessage = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackageIn


def encode_message(message: MlsMessage) -> bytes:
    """Encode an MLSMessage (section 6)."""
    kind = WireFormat.KEY_PACKAGE if isinstance(message, KeyPackageIn) else message.wire_format
    return u16(MLS10) + u16(kind) + message.encode()


def _read_message(reader: Reader) -> MlsMessage:
    version = reader.u16()
    if version != MLS10:
        raise UnsupportedError(f"protocol version {version} is not MLS 1.0")
    kind = reader.u16()
    match kind:
        case WireFormat.PUBLIC_MESSAGE:
            return PublicMessage.read(reader)
        case WireFormat.PRIVATE_MESSAGE:
            return PrivateMessage.read(reader)
        case WireFormat.WELCOME:
            return Welcome.read(reader)
        case WireFormat.GROUP_INFO:
            return GroupInfo.read(reader)
        case WireFormat.KEY_PACKAGE:
            return KeyPackageIn.read(reader)
    raise UnsupportedError(f"wire format 0x{kind:04x} can't be read")


def decode_message(data: bytes) -> MlsMessage:
    """Decode one MLSMessage. Raises `MalformedError` or `UnsupportedError`."""
    return decode(data, _read_message)


def kind_of(message: bytes) -> tuple[WireFormat, ContentType] | None:
    """Return wire format and content type of an MLSMessage's clear part; nothing is verified or consumed.

    None for a Welcome, a GroupInfo or a KeyPackage. Raises `MalformedError` or `UnsupportedError`.
    """
    decoded = decode_message(message)
    if isinstance(decoded, PrivateMessage):
        return WireFormat.PRIVATE_MESSAGE, decoded.content_type
    if isinstance(decoded, PublicMessage):
        return WireFormat.PUBLIC_MESSAGE, decoded.content.framed.content_type
    return None
