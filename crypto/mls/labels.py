"""The labelled operations of RFC 9420: signing (5.1.2), encryption (5.1.3), references (5.2), secrets (8).

Every use of a key has a label for its purpose, so that a signature, ciphertext or secret for one purpose is
invalid for any other.
"""

from __future__ import annotations

from snugroom.crypto import primitives
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls.codec import opaque, u16, u32
from snugroom.crypto.primitives import Buffer, Suite

_PREFIX = b"MLS 1.0 "


def _labeled(label: str, content: bytes) -> bytes:
    return opaque(_PREFIX + label.encode()) + opaque(content)


def sign_with_label(private: Buffer, label: str, content: bytes) -> bytes:
    """SignWithLabel: return a 64-byte signature."""
    return primitives.sign(private, _labeled(label, content))


def verify_with_label(public: bytes, label: str, content: bytes, signature: bytes) -> None:
    """VerifyWithLabel. Raises `AuthenticationError`."""
    primitives.verify(public, _labeled(label, content), signature)


def encrypt_with_label(
    suite: Suite, public: bytes, label: str, context: bytes, plaintext: bytes, rng: Rng
) -> tuple[bytes, bytes]:
    """EncryptWithLabel: (KEM output, ciphertext). Raises `MalformedError` for an unusable public key."""
    return primitives.hpke_seal(suite, public, _labeled(label, context), plaintext, rng)


def decrypt_with_label(
    suite: Suite, private: Buffer, label: str, context: bytes, kem_output: bytes, ciphertext: bytes
) -> bytes:
    """DecryptWithLabel. Raises `AuthenticationError` or `MalformedError`."""
    return primitives.hpke_open(suite, private, kem_output, _labeled(label, context), ciphertext)


def ref_hash(suite: Suite, label: str, value: bytes) -> bytes:
    """RefHash. `label` is the complete label: no prefix is added."""
    return suite.hash(opaque(label.encode()) + opaque(value))


def key_package_ref(suite: Suite, key_package: bytes) -> bytes:
    """MakeKeyPackageRef over an encoded KeyPackage."""
    return ref_hash(suite, "MLS 1.0 KeyPackage Reference", key_package)


def proposal_ref(suite: Suite, authenticated_content: bytes) -> bytes:
    """MakeProposalRef over the encoded AuthenticatedContent that carries the proposal."""
    return ref_hash(suite, "MLS 1.0 Proposal Reference", authenticated_content)


def expand_with_label(suite: Suite, secret: Buffer, label: str, context: bytes, length: int) -> bytes:
    """ExpandWithLabel to `length` bytes."""
    return suite.expand(secret, u16(length) + _labeled(label, context), length)


def derive_secret(suite: Suite, secret: Buffer, label: str) -> bytes:
    """DeriveSecret: return Nh bytes."""
    return expand_with_label(suite, secret, label, b"", suite.nh)


def derive_tree_secret(suite: Suite, secret: Buffer, label: str, generation: int, length: int) -> bytes:
    """DeriveTreeSecret (RFC 9420 section 9.1)."""
    return expand_with_label(suite, secret, label, u32(generation), length)
