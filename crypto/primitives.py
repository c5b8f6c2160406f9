"""Cipher suites as data, and the primitives they name: HKDF, HMAC, AEAD, X25519, Ed25519 and HPKE base mode.

A suite is one row of `SUITES`; code never branches on a suite's number. Keys are raw bytes: X25519 and
Ed25519 keys of 32 bytes each (an Ed25519 private key is its seed), as RFC 9420 carries them.

Implements RFC 5869 (HKDF), and of RFC 9180 (HPKE) the base mode single-shot seal, open and export that
RFC 9420 sections 5.1.3 and 8.3 need.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from crypto.errors import AuthenticationError, MalformedError, UnsupportedError

Rng = Callable[[int], bytes]
Buffer = bytes | bytearray

KEY_SIZE = 32
"""Bytes of an X25519 or Ed25519 key, public or private."""
SIGNATURE_SIZE = 64
"""Bytes of an Ed25519 signature."""


class CipherSuite(IntEnum):
    """RFC 9420 section 17.1; those of the registry that this code speaks."""

    X25519_AES128GCM_SHA256_ED25519 = 0x0001
    X25519_CHACHA20POLY1305_SHA256_ED25519 = 0x0003


@dataclass(frozen=True)
class Suite:
    """One row of the table of suites. Sizes are in bytes; names follow RFC 9180 and RFC 9420."""

    identifier: CipherSuite
    hash_name: str
    nh: int
    nk: int
    nn: int
    nt: int
    cipher: type[AESGCM] | type[ChaCha20Poly1305]
    kem_id: int
    kdf_id: int
    aead_id: int

    @property
    def zero(self) -> bytes:
        """The all-zero secret of Nh bytes that RFC 9420 section 8 writes as 0."""
        return bytes(self.nh)

    def hash(self, data: bytes) -> bytes:
        return hashlib.new(self.hash_name, data).digest()

    def mac(self, key: Buffer, data: bytes) -> bytes:
        return hmac.digest(key, data, self.hash_name)

    def mac_matches(self, key: Buffer, data: bytes, tag: bytes) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.mac(key, data), tag)

    def extract(self, salt: Buffer, ikm: Buffer) -> bytes:
        """HKDF-Extract (RFC 5869 section 2.2)."""
        return hmac.digest(bytes(salt) or self.zero, bytes(ikm), self.hash_name)

    def expand(self, key: Buffer, info: bytes, length: int) -> bytes:
        """HKDF-Expand (RFC 5869 section 2.3) to `length` bytes, at most 255 times the hash size."""
        if length > 255 * self.nh:
            raise ValueError(f"HKDF gives at most {255 * self.nh} bytes, not {length}")
        block, output, counter = b"", b"", 1
        while len(output) < length:
            block = hmac.digest(key, block + info + bytes([counter]), self.hash_name)
            output += block
            counter += 1
        return output[:length]

    def seal(self, key: Buffer, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        return self.cipher(bytes(key)).encrypt(nonce, plaintext, aad)

    def open(self, key: Buffer, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        """Raise `AuthenticationError` when the tag does not verify."""
        try:
            return self.cipher(bytes(key)).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise AuthenticationError("an AEAD tag does not verify") from None


SUITES: dict[int, Suite] = {
    suite.identifier: suite
    for suite in (
        Suite(
            identifier=CipherSuite.X25519_AES128GCM_SHA256_ED25519,
            hash_name="sha256",
            nh=32,
            nk=16,
            nn=12,
            nt=16,
            cipher=AESGCM,
            kem_id=0x0020,
            kdf_id=0x0001,
            aead_id=0x0001,
        ),
        Suite(
            identifier=CipherSuite.X25519_CHACHA20POLY1305_SHA256_ED25519,
            hash_name="sha256",
            nh=32,
            nk=32,
            nn=12,
            nt=16,
            cipher=ChaCha20Poly1305,
            kem_id=0x0020,
            kdf_id=0x0001,
            aead_id=0x0003,
        ),
    )
}


def suite_of(identifier: int) -> Suite:
    """The row of a suite. Raises `UnsupportedError` for one that this code does not speak."""
    try:
        return SUITES[identifier]
    except KeyError:
        raise UnsupportedError(f"cipher suite 0x{identifier:04x} is not one of ours") from None


# --- signatures: Ed25519, RFC 8032 ---


def generate_signature_key(suite: CipherSuite, rng: Rng = os.urandom) -> tuple[bytes, bytes]:
    """A fresh (private seed, public key) of 32 bytes each for a suite. Raises `UnsupportedError`."""
    suite_of(suite)
    seed = rng(KEY_SIZE)
    return seed, signature_public(seed)


def signature_public(private: Buffer) -> bytes:
    """The public key of a 32-byte Ed25519 seed."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private: Buffer, message: bytes) -> bytes:
    """A 64-byte Ed25519 signature."""
    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise `AuthenticationError` unless `signature` is that of `public` over `message`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise AuthenticationError("a signature does not verify") from None


# --- HPKE: DHKEM(X25519, HKDF-SHA256) in base mode, RFC 9180 ---


def hpke_public(private: Buffer) -> bytes:
    """The public key of a 32-byte X25519 private key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def hpke_generate(suite: Suite, rng: Rng) -> tuple[bytes, bytes]:
    """A fresh (private, public) HPKE key pair."""
    return hpke_derive_key_pair(suite, rng(KEY_SIZE))


def hpke_derive_key_pair(suite: Suite, ikm: Buffer) -> tuple[bytes, bytes]:
    """KEM.DeriveKeyPair (RFC 9180 section 7.1.3) for X25519: (private, public)."""
    kem = _kem_id(suite)
    prk = _labeled_extract(suite, kem, b"", b"dkp_prk", bytes(ikm))
    private = _labeled_expand(suite, kem, prk, b"sk", b"", KEY_SIZE)
    return private, hpke_public(private)


@dataclass(frozen=True)
class _HpkeContext:
    key: bytes
    nonce: bytes
    exporter_secret: bytes


def hpke_seal(
    suite: Suite, public: bytes, info: bytes, aad: bytes, plaintext: bytes, rng: Rng
) -> tuple[bytes, bytes]:
    """Single-shot SealBase (RFC 9180 section 6.1): (encapsulated key, ciphertext).

    Raises `MalformedError` when `public` is not a usable key.
    """
    shared, enc = _encapsulate(suite, public, rng)
    context = _key_schedule(suite, shared, info)
    return enc, suite.seal(context.key, context.nonce, plaintext, aad)


def hpke_open(
    suite: Suite, private: Buffer, enc: bytes, info: bytes, aad: bytes, ciphertext: bytes
) -> bytes:
    """Single-shot OpenBase. Raises `AuthenticationError` or `MalformedError`."""
    context = _key_schedule(suite, _decapsulate(suite, private, enc), info)
    return suite.open(context.key, context.nonce, ciphertext, aad)


def hpke_send_export(
    suite: Suite, public: bytes, info: bytes, label: bytes, length: int, rng: Rng
) -> tuple[bytes, bytes]:
    """SetupBaseS and Context.Export (RFC 9180 section 6.2): (encapsulated key, exported secret)."""
    shared, enc = _encapsulate(suite, public, rng)
    return enc, _export(suite, _key_schedule(suite, shared, info), label, length)


def hpke_receive_export(
    suite: Suite, private: Buffer, enc: bytes, info: bytes, label: bytes, length: int
) -> bytes:
    """SetupBaseR and Context.Export: the exported secret. Raises `MalformedError`."""
    return _export(suite, _key_schedule(suite, _decapsulate(suite, private, enc), info), label, length)


def _kem_id(suite: Suite) -> bytes:
    return b"KEM" + suite.kem_id.to_bytes(2, "big")


def _hpke_id(suite: Suite) -> bytes:
    numbers = (suite.kem_id, suite.kdf_id, suite.aead_id)
    return b"HPKE" + b"".join(number.to_bytes(2, "big") for number in numbers)


def _labeled_extract(suite: Suite, suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return suite.extract(salt, b"HPKE-v1" + suite_id + label + ikm)


def _labeled_expand(
    suite: Suite, suite_id: bytes, prk: bytes, label: bytes, info: bytes, length: int
) -> bytes:
    return suite.expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info, length)


def _exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        # a wrong length, or a point of small order (RFC 9180 section 7.1.4 wants that refused)
        raise MalformedError("an X25519 public key is not usable") from None


def _shared_secret(suite: Suite, dh: bytes, enc: bytes, public: bytes) -> bytes:
    kem = _kem_id(suite)
    prk = _labeled_extract(suite, kem, b"", b"eae_prk", dh)
    return _labeled_expand(suite, kem, prk, b"shared_secret", enc + public, suite.nh)


def _encapsulate(suite: Suite, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
    ephemeral, enc = hpke_generate(suite, rng)
    dh = _exchange(X25519PrivateKey.from_private_bytes(ephemeral), public)
    return _shared_secret(suite, dh, enc, public), enc


def _decapsulate(suite: Suite, private: Buffer, enc: bytes) -> bytes:
    key = X25519PrivateKey.from_private_bytes(private)
    return _shared_secret(suite, _exchange(key, enc), enc, key.public_key().public_bytes_raw())


def _key_schedule(suite: Suite, shared: bytes, info: bytes) -> _HpkeContext:
    hpke = _hpke_id(suite)
    psk_id_hash = _labeled_extract(suite, hpke, b"", b"psk_id_hash", b"")
    info_hash = _labeled_extract(suite, hpke, b"", b"info_hash", info)
    context = b"\x00" + psk_id_hash + info_hash
    secret = _labeled_extract(suite, hpke, shared, b"secret", b"")
    return _HpkeContext(
        key=_labeled_expand(suite, hpke, secret, b"key", context, suite.nk),
        nonce=_labeled_expand(suite, hpke, secret, b"base_nonce", context, suite.nn),
        exporter_secret=_labeled_expand(suite, hpke, secret, b"exp", context, suite.nh),
    )


def _export(suite: Suite, context: _HpkeContext, label: bytes, length: int) -> bytes:
    return _labeled_expand(suite, _hpke_id(suite), context.exporter_secret, b"sec", label, length)
