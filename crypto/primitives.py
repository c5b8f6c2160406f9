"""MLS cipher suites as data, and their primitives: HKDF, HMAC, AEAD, Ed25519 and HPKE base mode.

A suite is one row of `SUITES`; code never branches on a suite's number. Keys are raw bytes: X25519 and
Ed25519 keys of 32 bytes each (an Ed25519 private key is its seed), as in RFC 9420.

HKDF is that of RFC 5869. HPKE (RFC 9180, `crypto.hpke`) is used in base mode, as RFC 9420 sections 5.1.3 and
8.3 require.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from snugroom.crypto import hpke, kdf
from snugroom.crypto.errors import AuthenticationError, MalformedError, UnsupportedError
from snugroom.crypto.kdf import Rng, SigningKey

Buffer = bytes | bytearray

#: Bytes of an X25519 or Ed25519 key, public or private.
KEY_SIZE = 32
#: Bytes of an Ed25519 signature.
SIGNATURE_SIZE = 64


class CipherSuite(IntEnum):
    """RFC 9420 section 17.1: the supported subset of the registry."""

    X25519_AES128GCM_SHA256_ED25519 = 0x0001
    X25519_CHACHA20POLY1305_SHA256_ED25519 = 0x0003


@dataclass(frozen=True)
class Suite:
    """One row of the suite table. Sizes are in bytes; names follow RFC 9180 and RFC 9420."""

    identifier: CipherSuite
    hash_name: str
    nh: int
    nk: int
    nn: int
    nt: int
    cipher: type[AESGCM] | type[ChaCha20Poly1305]
    hpke: hpke.Suite

    @property
    def zero(self) -> bytes:
        """The all-zero secret of Nh bytes, written as 0 in RFC 9420 section 8."""
        return bytes(self.nh)

    def hash(self, data: bytes) -> bytes:
        return hashlib.new(self.hash_name, data).digest()

    def mac(self, key: Buffer, data: bytes) -> bytes:
        return hmac.digest(key, data, self.hash_name)

    def mac_matches(self, key: Buffer, data: bytes, tag: bytes) -> bool:
        """Compare the MAC of `data` with `tag` in constant time."""
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
        """Raise `AuthenticationError` if the tag does not verify."""
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
            hpke=hpke.Suite.X25519_SHA256_AES128GCM,
        ),
        Suite(
            identifier=CipherSuite.X25519_CHACHA20POLY1305_SHA256_ED25519,
            hash_name="sha256",
            nh=32,
            nk=32,
            nn=12,
            nt=16,
            cipher=ChaCha20Poly1305,
            hpke=hpke.Suite.X25519_SHA256_CHACHA20POLY1305,
        ),
    )
}


def suite_of(identifier: int) -> Suite:
    """Return the row of a suite. Raises `UnsupportedError` for an unsupported suite."""
    try:
        return SUITES[identifier]
    except KeyError:
        raise UnsupportedError(f"cipher suite 0x{identifier:04x} is not one of ours") from None


# --- signatures: Ed25519, RFC 8032 ---


def generate_signature_key(suite: CipherSuite, rng: Rng = os.urandom) -> tuple[bytes, bytes]:
    """Generate a (private seed, public key) pair of 32 bytes each for a suite. Raises `UnsupportedError`."""
    suite_of(suite)
    seed = rng(KEY_SIZE)
    return seed, signature_public(seed)


def signature_public(private: Buffer) -> bytes:
    """Return the public key of a 32-byte Ed25519 seed."""
    return SigningKey(bytes(private)).public


def sign(private: Buffer, message: bytes) -> bytes:
    """Return a 64-byte Ed25519 signature."""
    return SigningKey(bytes(private)).sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise `AuthenticationError` unless `signature` is the signature of `public` over `message`.

    A key or signature of the wrong size, or a key of small order, never verifies.
    """
    try:
        kdf.verify(public, message, signature)
    except MalformedError as error:
        raise AuthenticationError(f"a signature does not verify: {error}") from None


# --- HPKE in base mode, RFC 9180 ---

# any private key detects a point of small order: the result is zero, which the exchange refuses
_ANY_PRIVATE = X25519PrivateKey.from_private_bytes(bytes(KEY_SIZE))


def hpke_public(private: Buffer) -> bytes:
    """Return the public key of a 32-byte X25519 private key."""
    return hpke.public_key(bytes(private))


def hpke_usable(public: bytes) -> bool:
    """Return whether data can be sealed to a key: it has the right size and is not a point of small order."""
    try:
        _ANY_PRIVATE.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        return False
    return True


def hpke_generate(rng: Rng) -> tuple[bytes, bytes]:
    """Generate a (private, public) HPKE key pair of 32 bytes each."""
    return hpke.derive_key_pair(rng(KEY_SIZE))


def hpke_derive_key_pair(ikm: Buffer) -> tuple[bytes, bytes]:
    """KEM.DeriveKeyPair (RFC 9180 section 7.1.3): return (private, public)."""
    return hpke.derive_key_pair(bytes(ikm))


def hpke_seal(suite: Suite, public: bytes, info: bytes, plaintext: bytes, rng: Rng) -> tuple[bytes, bytes]:
    """SealBase (RFC 9180 section 6.1) without associated data: return (encapsulated key, ciphertext).

    Raises `MalformedError` if `public` is not a usable key.
    """
    sealed = hpke.seal(suite.hpke, public, info, b"", plaintext, rng=rng)
    return sealed.enc, sealed.ciphertext


def hpke_open(suite: Suite, private: Buffer, enc: bytes, info: bytes, ciphertext: bytes) -> bytes:
    """OpenBase. Raises `AuthenticationError` or `MalformedError`."""
    return hpke.open(suite.hpke, bytes(private), enc, info, b"", ciphertext).plaintext


def hpke_send_export(suite: Suite, public: bytes, label: bytes, length: int, rng: Rng) -> tuple[bytes, bytes]:
    """SetupBaseS with empty info and Context.Export: (encapsulated key, secret). Raises `MalformedError`."""
    sender = hpke.Sender(suite.hpke, public, b"", rng=rng)
    return sender.enc, sender.exporter.export(label, length)


def hpke_receive_export(suite: Suite, private: Buffer, enc: bytes, label: bytes, length: int) -> bytes:
    """SetupBaseR with empty info and Context.Export. Raises `MalformedError`."""
    return hpke.Receiver(suite.hpke, bytes(private), enc, b"").exporter.export(label, length)
