"""Parts of a ratchet tree: credentials, capabilities, leaf and parent nodes (RFC 9420 5.3, 7.1, 7.2).

A `LeafNodeIn` is received and unverified; `LeafNodeIn.verify` turns it into a `LeafNode`, whose signature has
been verified. Only `LeafNodeIn.unverified`, for tools and tests, makes a `LeafNode` of received bytes without
this check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cached_property
from typing import ClassVar

from snugroom.crypto.errors import AuthenticationError, MalformedError, UnsupportedError, ValidationError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls.codec import Reader, decode, opaque, u8, u16, u32, u64, vector
from snugroom.crypto.mls.labels import sign_with_label, verify_with_label
from snugroom.crypto.primitives import Buffer, CipherSuite

#: ProtocolVersion mls10.
MLS10 = 1

#: The code points of RFC 9420 section 13.5: sent in our lists at random, nothing special when received.
GREASE = tuple(0x0A0A + 0x1010 * step for step in range(15))


class ExtensionType(IntEnum):
    """RFC 9420 section 17.3."""

    APPLICATION_ID = 1
    RATCHET_TREE = 2
    REQUIRED_CAPABILITIES = 3
    EXTERNAL_PUB = 4
    EXTERNAL_SENDERS = 5


class CredentialType(IntEnum):
    """RFC 9420 section 17.5."""

    BASIC = 1
    X509 = 2


DEFAULT_EXTENSIONS = frozenset(ExtensionType)
DEFAULT_PROPOSALS = frozenset(range(1, 8))


def pick_grease(rng: Rng) -> int:
    """Return a random GREASE code point."""
    return GREASE[rng(1)[0] % len(GREASE)]


@dataclass(frozen=True)
class Extension:
    """An extension; `data` is opaque to MLS, and the type defines its meaning."""

    extension_type: int
    data: bytes

    def encode(self) -> bytes:
        return u16(self.extension_type) + opaque(self.data)

    @classmethod
    def read(cls, reader: Reader) -> Extension:
        return cls(reader.u16(), reader.opaque())


def encode_extensions(extensions: Sequence[Extension]) -> bytes:
    return vector(extension.encode() for extension in extensions)


def read_extensions(reader: Reader) -> tuple[Extension, ...]:
    return reader.vector(Extension.read)


def find_extension(extensions: Sequence[Extension], extension_type: int) -> bytes | None:
    """Return the data of the first extension of a type, or None."""
    return next((e.data for e in extensions if e.extension_type == extension_type), None)


@dataclass(frozen=True)
class Credential:
    """The `identity` of a basic credential, or the DER `certificates` of an X.509 one (RFC 9420 section 5.3).

    X.509 credentials are encoded and compared, never validated: the application decides whether an identity
    is acceptable.
    """

    identity: bytes = b""
    credential_type: int = CredentialType.BASIC
    certificates: tuple[bytes, ...] = ()

    @classmethod
    def basic(cls, identity: bytes) -> Credential:
        return cls(identity)

    def encode(self) -> bytes:
        if self.credential_type == CredentialType.BASIC:
            return u16(self.credential_type) + opaque(self.identity)
        return u16(self.credential_type) + vector(opaque(certificate) for certificate in self.certificates)

    @classmethod
    def read(cls, reader: Reader) -> Credential:
        credential_type = reader.u16()
        if credential_type == CredentialType.BASIC:
            return cls(reader.opaque())
        if credential_type == CredentialType.X509:
            return cls(credential_type=credential_type, certificates=reader.vector(Reader.opaque))
        raise UnsupportedError(f"credential type 0x{credential_type:04x} can't be read")


@dataclass(frozen=True)
class Capabilities:
    """Features that a client supports (RFC 9420 section 7.2), without default extensions and proposals."""

    versions: tuple[int, ...] = (MLS10,)
    cipher_suites: tuple[int, ...] = tuple(CipherSuite)
    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = (CredentialType.BASIC,)

    def with_grease(self, rng: Rng) -> Capabilities:
        """Return a copy with a random GREASE value at the end of each list that allows it (section 13.5)."""
        return Capabilities(
            versions=self.versions,
            cipher_suites=(*self.cipher_suites, pick_grease(rng)),
            extensions=(*self.extensions, pick_grease(rng)),
            proposals=(*self.proposals, pick_grease(rng)),
            credentials=(*self.credentials, pick_grease(rng)),
        )

    def without_grease(self) -> Capabilities:
        """Return a copy without GREASE values: the features that the client really supports."""
        return Capabilities(
            *(tuple(v for v in getattr(self, f.name) if v not in GREASE) for f in fields(Capabilities))
        )

    @cached_property
    def encoded(self) -> bytes:
        return b"".join(vector(map(u16, getattr(self, field.name))) for field in fields(self))

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader) -> Capabilities:
        return cls(*(reader.vector(Reader.u16) for _ in fields(cls)))


@dataclass(frozen=True)
class RequiredCapabilities:
    """The `required_capabilities` extension of a GroupContext (RFC 9420 section 11.1)."""

    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = ()

    def encode(self) -> bytes:
        lists = (self.extensions, self.proposals, self.credentials)
        return b"".join(vector(map(u16, values)) for values in lists)

    @classmethod
    def read(cls, reader: Reader) -> RequiredCapabilities:
        return cls(*(reader.vector(Reader.u16) for _ in range(3)))

    def extension(self) -> Extension:
        return Extension(ExtensionType.REQUIRED_CAPABILITIES, self.encode())


def required_capabilities(extensions: Sequence[Extension]) -> RequiredCapabilities:
    """Return a GroupContext's requirements, empty if the extension is absent. Raises `MalformedError`."""
    data = find_extension(extensions, ExtensionType.REQUIRED_CAPABILITIES)
    return RequiredCapabilities() if data is None else decode(data, RequiredCapabilities.read)


@dataclass(frozen=True)
class ExternalSender:
    """A non-member that may send proposals (RFC 9420 section 12.1.8.1)."""

    signature_key: bytes
    credential: Credential

    def encode(self) -> bytes:
        return opaque(self.signature_key) + self.credential.encode()

    @classmethod
    def read(cls, reader: Reader) -> ExternalSender:
        return cls(reader.opaque(), Credential.read(reader))


def external_senders(extensions: Sequence[Extension]) -> tuple[ExternalSender, ...]:
    """Return the external senders that a GroupContext allows. Raises `MalformedError`."""
    data = find_extension(extensions, ExtensionType.EXTERNAL_SENDERS)
    return () if data is None else decode(data, lambda reader: reader.vector(ExternalSender.read))


@dataclass(frozen=True)
class Lifetime:
    """Validity period in seconds since the Unix epoch; both ends are inclusive."""

    not_before: int
    not_after: int


class LeafNodeSource(IntEnum):
    """Origin of a leaf node."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


@dataclass(frozen=True)
class LeafNodeIn:
    """A received leaf node with an unverified signature."""

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    source: LeafNodeSource
    #: Present exactly when the source is a key package.
    lifetime: Lifetime | None
    #: Empty unless the source is a commit.
    parent_hash: bytes
    extensions: tuple[Extension, ...]
    signature: bytes

    LABEL: ClassVar[str] = "LeafNodeTBS"

    def _content(self) -> bytes:
        content = [
            opaque(self.encryption_key),
            opaque(self.signature_key),
            self.credential.encode(),
            self.capabilities.encode(),
            u8(self.source),
        ]
        if self.lifetime is not None:
            content += [u64(self.lifetime.not_before), u64(self.lifetime.not_after)]
        elif self.source == LeafNodeSource.COMMIT:
            content.append(opaque(self.parent_hash))
        return b"".join([*content, encode_extensions(self.extensions)])

    @cached_property
    def encoded(self) -> bytes:
        return self._content() + opaque(self.signature)

    def encode(self) -> bytes:
        return self.encoded

    def _to_be_signed(self, group_id: bytes, leaf: int) -> bytes:
        content = self._content()
        if self.source == LeafNodeSource.KEY_PACKAGE:
            return content
        return content + opaque(group_id) + u32(leaf)

    def verify(self, group_id: bytes, leaf: int) -> LeafNode:
        """Verify the signature; it covers the group and leaf index, except for a KeyPackage.

        Raises `ValidationError` MLS-7.3-1.
        """
        try:
            verify_with_label(
                self.signature_key, self.LABEL, self._to_be_signed(group_id, leaf), self.signature
            )
        except AuthenticationError:
            raise ValidationError("MLS-7.3-1", "the signature of a leaf node does not verify") from None
        return self.unverified()

    def unverified(self) -> LeafNode:
        """Return the same leaf without verification: for tools and tests without a group to check it in."""
        return LeafNode(**{field.name: getattr(self, field.name) for field in fields(LeafNodeIn)})

    @classmethod
    def read(cls, reader: Reader) -> LeafNodeIn:
        keys = reader.opaque(), reader.opaque()
        credential, capabilities = Credential.read(reader), Capabilities.read(reader)
        source = reader.u8()
        lifetime, parent_hash = None, b""
        match source:
            case LeafNodeSource.KEY_PACKAGE:
                lifetime = Lifetime(reader.u64(), reader.u64())
            case LeafNodeSource.UPDATE:
                pass
            case LeafNodeSource.COMMIT:
                parent_hash = reader.opaque()
            case _:
                raise MalformedError(f"leaf node source {source} does not exist")
        return LeafNodeIn(
            *keys,
            credential,
            capabilities,
            LeafNodeSource(source),
            lifetime,
            parent_hash,
            read_extensions(reader),
            reader.opaque(),
        )


@dataclass(frozen=True)
class LeafNode(LeafNodeIn):
    """A leaf node with a verified signature, or one that this member has signed."""

    @classmethod
    def sign(
        cls,
        signature_private: Buffer,
        *,
        encryption_key: bytes,
        signature_key: bytes,
        credential: Credential,
        capabilities: Capabilities,
        source: LeafNodeSource,
        lifetime: Lifetime | None = None,
        parent_hash: bytes = b"",
        extensions: Sequence[Extension] = (),
        group_id: bytes = b"",
        leaf: int = 0,
    ) -> LeafNode:
        """Create and sign a leaf node; `group_id` and `leaf` are signed with it except for a KeyPackage."""
        parts = (encryption_key, signature_key, credential, capabilities)
        rest = (source, lifetime, parent_hash, tuple(extensions))
        unsigned = LeafNodeIn(*parts, *rest, signature=b"")
        signature = sign_with_label(signature_private, cls.LABEL, unsigned._to_be_signed(group_id, leaf))
        return cls(*parts, *rest, signature=signature)


@dataclass(frozen=True)
class ParentNode:
    """An intermediate node: the HPKE key shared by all leaves below, except the unmerged ones."""

    encryption_key: bytes
    parent_hash: bytes = b""
    #: Leaf indices, increasing.
    unmerged_leaves: tuple[int, ...] = ()

    def encode(self) -> bytes:
        return (
            opaque(self.encryption_key)
            + opaque(self.parent_hash)
            + vector(u32(leaf) for leaf in self.unmerged_leaves)
        )

    @classmethod
    def read(cls, reader: Reader) -> ParentNode:
        return cls(reader.opaque(), reader.opaque(), reader.vector(Reader.u32))
