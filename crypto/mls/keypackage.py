"""KeyPackages (RFC 9420 section 10): a client's offer to be added, with the keys to use.

`KeyPackageIn` is received and unverified; only its `verify` makes a `KeyPackage` from it. A
`KeyPackageBundle` is our KeyPackage with its private keys; it serves to join one group, once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar, Self

from snugroom.crypto.errors import AuthenticationError, StateError, ValidationError
from snugroom.crypto.kdf import NotCopyable, Rng
from snugroom.crypto.mls import nodes, validate
from snugroom.crypto.mls.codec import Reader, decode, opaque, u16
from snugroom.crypto.mls.labels import (
    decrypt_with_label,
    encrypt_with_label,
    key_package_ref,
    sign_with_label,
    verify_with_label,
)
from snugroom.crypto.primitives import Buffer, CipherSuite, hpke_generate, signature_public, suite_of


@dataclass(frozen=True)
class KeyPackageIn:
    """A received KeyPackage, completely unverified."""

    version: int
    cipher_suite: int
    init_key: bytes
    leaf_node: nodes.LeafNodeIn
    extensions: tuple[nodes.Extension, ...]
    signature: bytes

    LABEL: ClassVar[str] = "KeyPackageTBS"

    def _content(self) -> bytes:
        return (
            u16(self.version)
            + u16(self.cipher_suite)
            + opaque(self.init_key)
            + self.leaf_node.encode()
            + nodes.encode_extensions(self.extensions)
        )

    @cached_property
    def encoded(self) -> bytes:
        return self._content() + opaque(self.signature)

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader) -> KeyPackageIn:
        return KeyPackageIn(
            reader.u16(),
            reader.u16(),
            reader.opaque(),
            nodes.LeafNodeIn.read(reader),
            nodes.read_extensions(reader),
            reader.opaque(),
        )

    @classmethod
    def decode(cls, data: bytes) -> KeyPackageIn:
        """Decode a bare KeyPackage (without MLSMessage). Raises `MalformedError`."""
        return decode(data, KeyPackageIn.read)

    def verify(
        self,
        suite: CipherSuite | None = None,
        now: int | None = None,
        *,
        max_lifetime: int = validate.MAX_LIFETIME,
    ) -> KeyPackage:
        """Check all rules of RFC 9420 section 10.1 that need no group.

        `suite` is the group's (None: any supported suite). `now` is in seconds since the Unix epoch; with
        None, neither the range nor the length of the lifetime (at most `max_lifetime` seconds) is checked.
        Raises `ValidationError`, or `UnsupportedError` for an unsupported suite.
        """
        validate.key_package_suite(self, suite)
        suite_of(self.cipher_suite)
        leaf = self.leaf_node.verify(b"", 0)
        try:
            verify_with_label(leaf.signature_key, self.LABEL, self._content(), self.signature)
        except AuthenticationError:
            raise ValidationError("MLS-10.1-3", "the signature of a key package does not verify") from None
        validate.key_package(self)
        validate.new_leaf(leaf, self.cipher_suite)
        if now is not None:
            validate.lifetime(leaf, now, max_lifetime)
        parts = {field.name: getattr(self, field.name) for field in fields(KeyPackageIn)}
        return KeyPackage(**{**parts, "leaf_node": leaf})


@dataclass(frozen=True)
class KeyPackage(KeyPackageIn):
    """A KeyPackage with verified signatures and contents, or one of our own."""

    leaf_node: nodes.LeafNode

    @property
    def reference(self) -> bytes:
        """KeyPackageRef (RFC 9420 section 5.2)."""
        return key_package_ref(suite_of(self.cipher_suite), self.encoded)

    def seal(self, label: str, context: bytes, plaintext: bytes, rng: Rng = os.urandom) -> bytes:
        """Encrypt data to the init key (EncryptWithLabel, section 5.1.3): KEM output, then ciphertext.

        `label` must begin with "snug 1 ", so that MLS itself never takes the result; otherwise StateError.
        """
        sealed = encrypt_with_label(
            suite_of(self.cipher_suite), self.init_key, _own(label), context, plaintext, rng
        )
        return b"".join(sealed)

    def verify(
        self,
        suite: CipherSuite | None = None,
        now: int | None = None,
        *,
        max_lifetime: int = validate.MAX_LIFETIME,
    ) -> Self:
        """Check again only the rules that depend on the group and the clock."""
        validate.key_package_suite(self, suite)
        if now is not None:
            validate.lifetime(self.leaf_node, now, max_lifetime)
        return self


class KeyPackageBundle(NotCopyable):
    """Our KeyPackage with its private keys. Joining a group with it wipes the HPKE keys: use it once."""

    def __init__(
        self,
        key_package: KeyPackage,
        *,
        init_private: Buffer,
        encryption_private: Buffer,
        signature_private: Buffer,
    ) -> None:
        self.key_package = key_package
        self._init_private = bytearray(init_private)
        self._encryption_private = bytearray(encryption_private)
        self.signature_private = bytes(signature_private)
        self._used = False

    @property
    def suite(self) -> CipherSuite:
        return CipherSuite(self.key_package.cipher_suite)

    @property
    def encoded(self) -> bytes:
        """The bare KeyPackage, to send to others."""
        return self.key_package.encoded

    @property
    def reference(self) -> bytes:
        """KeyPackageRef, 32 bytes."""
        return self.key_package.reference

    @property
    def used(self) -> bool:
        return self._used

    @property
    def init_private(self) -> bytes:
        """The init private key. Raises `StateError` once the bundle has been used."""
        self._need_unused()
        return bytes(self._init_private)

    @property
    def encryption_private(self) -> bytes:
        """The leaf's private encryption key. Raises `StateError` once the bundle has been used."""
        self._need_unused()
        return bytes(self._encryption_private)

    def open(self, label: str, context: bytes, sealed: bytes) -> bytes:
        """Decrypt the result of `KeyPackage.seal`.

        AuthenticationError, MalformedError; StateError as there, or once the bundle has been used.
        """
        size = len(self.key_package.init_key)
        return decrypt_with_label(
            suite_of(self.suite), self.init_private, _own(label), context, sealed[:size], sealed[size:]
        )

    def _need_unused(self) -> None:
        if self._used:
            raise StateError("this key package has been used to enter a group; its keys are wiped")

    def wipe(self) -> None:
        """Wipe the HPKE keys. The signature key belongs to the caller and stays."""
        self._used = True
        for secret in (self._init_private, self._encryption_private):
            secret[:] = bytes(len(secret))


def _own(label: str) -> str:
    if not label.startswith("snug 1 "):
        raise StateError("a label of the application's own is needed")
    return label


def create_key_package(
    suite: CipherSuite,
    *,
    signature_private: Buffer,
    credential: nodes.Credential,
    capabilities: nodes.Capabilities | None = None,
    lifetime: nodes.Lifetime,
    extensions: Sequence[nodes.Extension] | Callable[[bytes, bytes], Sequence[nodes.Extension]] = (),
    leaf_extensions: Sequence[nodes.Extension] = (),
    grease: bool = True,
    rng: Rng = os.urandom,
) -> KeyPackageBundle:
    """Create and sign a KeyPackage with new init and encryption keys.

    `signature_private` is a 32-byte Ed25519 seed. `extensions` may be a function of the new init key and
    encryption key, for an extension that signs them. `capabilities` defaults to those of this implementation
    without any extension. With `grease`, random GREASE values are added to the capabilities and to both lists
    of extensions (RFC 9420 section 13.5), so that other implementations' tolerance is always exercised.
    Raises `ValidationError` if the leaf contradicts its own capabilities.
    """
    row = suite_of(suite)
    capabilities = capabilities or nodes.Capabilities()
    init_private, init_key = hpke_generate(rng)
    encryption_private, encryption_key = hpke_generate(rng)
    if callable(extensions):
        extensions = extensions(init_key, encryption_key)
    if grease:
        capabilities = capabilities.with_grease(rng)
        unknown = capabilities.extensions[-1]
        extensions = (*extensions, nodes.Extension(unknown, rng(rng(1)[0] % 16)))
        leaf_extensions = (*leaf_extensions, nodes.Extension(unknown, rng(rng(1)[0] % 16)))
    leaf = nodes.LeafNode.sign(
        signature_private,
        encryption_key=encryption_key,
        signature_key=signature_public(signature_private),
        credential=credential,
        capabilities=capabilities,
        source=nodes.LeafNodeSource.KEY_PACKAGE,
        lifetime=lifetime,
        extensions=leaf_extensions,
    )
    parts = (nodes.MLS10, int(row.identifier), init_key, leaf, tuple(extensions))
    signature = sign_with_label(signature_private, KeyPackage.LABEL, KeyPackage(*parts, b"")._content())
    package = KeyPackage(*parts, signature)
    validate.key_package(package)
    validate.leaf_alone(leaf, suite)
    return KeyPackageBundle(
        package,
        init_private=init_private,
        encryption_private=encryption_private,
        signature_private=signature_private,
    )
