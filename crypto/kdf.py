"""Primitives that Snug uses outside MLS: H, KDF, an AEAD, Ed25519.

H is SHA-256; KDF is HKDF-SHA256 (RFC 5869) without salt; the AEAD is AES-256-GCM (SP 800-38D) with a random
96-bit nonce prepended. Both clients have it natively. One key seals at most a few thousand blobs, far below
the 2^32 at which random nonces become a risk.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as _Ed25519Key
from nacl.signing import VerifyKey

from snugroom.crypto.errors import AuthenticationError, MalformedError, StateError
from snugroom.crypto.fields import exactly

#: Source of randomness: a function from a number of bytes to that many random bytes.
Rng = Callable[[int], bytes]

HASH_SIZE: Final = 32
KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64
NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
#: Bytes that `seal` adds to a plaintext.
SEAL_OVERHEAD: Final = NONCE_SIZE + TAG_SIZE


def H(*parts: bytes) -> bytes:  # noqa: N802 - the protocol's own name
    """Return the SHA-256 of the concatenated parts, 32 bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def KDF(key: bytes, label: bytes | str, length: int = KEY_SIZE) -> bytes:  # noqa: N802 - the protocol's own name
    """HKDF-SHA256 (RFC 5869): no salt, `key` as input key material, `label` as info; `length` bytes."""
    info = label.encode() if isinstance(label, str) else label
    return HKDF(hashes.SHA256(), length, None, info).derive(key)


def mac(key: bytes, *parts: bytes) -> bytes:
    """Return the HMAC-SHA256 (RFC 2104) over the concatenated parts, 32 bytes."""
    return hmac.digest(key, b"".join(parts), "sha256")


def same(one: bytes, other: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one, other)


def seal(key: bytes, plaintext: bytes, aad: bytes, *, rng: Rng = os.urandom) -> bytes:
    """AES-256-GCM under a 32-byte key: return nonce (12 bytes, from `rng`), ciphertext, tag (16 bytes)."""
    nonce = exactly(rng(NONCE_SIZE), NONCE_SIZE, "a nonce")
    return nonce + AESGCM(exactly(key, KEY_SIZE, "a sealing key")).encrypt(nonce, plaintext, aad)


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Return the plaintext that was passed to `seal`.

    MalformedError if `sealed` is too short, AuthenticationError if it is not sealed under this key with this
    `aad`.
    """
    if len(sealed) < SEAL_OVERHEAD:
        raise MalformedError(f"{len(sealed)} bytes are too few for sealed data")
    try:
        return AESGCM(exactly(key, KEY_SIZE, "a sealing key")).decrypt(
            sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], aad
        )
    except InvalidTag:
        raise AuthenticationError("the data was not sealed under this key, or has changed since") from None


class SigningKey:
    """An Ed25519 key pair (RFC 8032) from its 32-byte seed. Its repr shows only the public half."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        """MalformedError unless `seed` has 32 bytes."""
        self._key = _Ed25519Key(exactly(seed, KEY_SIZE, "an Ed25519 seed"))
        #: The public half, 32 bytes.
        self.public: bytes = bytes(self._key.verify_key)

    @classmethod
    def generate(cls, rng: Rng = os.urandom) -> SigningKey:
        """Generate a new key."""
        return cls(rng(KEY_SIZE))

    @property
    def seed(self) -> bytes:
        """The secret half, 32 bytes."""
        return bytes(self._key)

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes; deterministic."""
        return bytes(self._key.sign(message).signature)

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex()})"


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature (RFC 8032). Small-order keys and a non-canonical S are rejected.

    MalformedError on wrong sizes, AuthenticationError if it is not the signature of `message` by `public`.
    """
    exactly(public, KEY_SIZE, "an Ed25519 public key")
    exactly(signature, SIGNATURE_SIZE, "an Ed25519 signature")
    try:
        VerifyKey(public).verify(message, signature)
    except BadSignatureError:
        raise AuthenticationError("the signature is not by that key over these bytes") from None


class NotCopyable:
    """Base class of objects with a counter or a one-time secret. Copying is refused: it would reuse them."""

    __slots__ = ()

    def _refuse(self) -> NoReturn:
        raise StateError(f"a {type(self).__name__} can't be copied or saved: the copy would reuse its keys")

    def __copy__(self) -> NoReturn:
        self._refuse()

    def __deepcopy__(self, memo: object) -> NoReturn:
        self._refuse()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self._refuse()
