"""Hybrid public key encryption, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, and one of three AEADs.

Supports the modes base and PSK, associated data, a context with a message counter (5.2) and secret export
(5.3); HPKE in `cryptography` lacks these. This file implements the RFC's key schedule on primitives of
`cryptography`.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from snugroom.crypto.errors import AuthenticationError, MalformedError, StateError
from snugroom.crypto.fields import exactly
from snugroom.crypto.kdf import NotCopyable, Rng

_KEM: Final = 0x0020
_KDF: Final = 0x0001
_KEM_SUITE: Final = b"KEM" + _KEM.to_bytes(2, "big")
_NN: Final = 12
_NH: Final = 32
_MODE_BASE: Final = b"\x00"
_MODE_PSK: Final = b"\x01"
#: Bytes of an X25519 public or private key, and of `enc`.
KEY_SIZE: Final = 32
#: Bytes that an AEAD adds to a plaintext.
TAG_SIZE: Final = 16
#: Minimum size of a PSK in bytes (section 9.5 requires 32 bytes of entropy).
PSK_MIN: Final = 32
#: Number of messages that a context seals or opens before it refuses (5.2 allows 2^96 - 1; never reached).
SEQUENCE_LIMIT: Final = 1 << 64


class Suite(IntEnum):
    """The AEAD's number in the registry of RFC 9180 (7.3); KEM and KDF are always X25519 and HKDF-SHA256."""

    X25519_SHA256_AES128GCM = 1
    X25519_SHA256_AES256GCM = 2
    X25519_SHA256_CHACHA20POLY1305 = 3

    @property
    def identifier(self) -> bytes:
        """suite_id of section 5.1, 10 bytes."""
        return b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (_KEM, _KDF, self.value))

    @property
    def key_size(self) -> int:
        """Nk, in bytes."""
        return 16 if self is Suite.X25519_SHA256_AES128GCM else 32

    def aead(self, key: bytes) -> AESGCM | ChaCha20Poly1305:
        """Return the AEAD keyed with `key`."""
        return ChaCha20Poly1305(key) if self is Suite.X25519_SHA256_CHACHA20POLY1305 else AESGCM(key)


def _labeled_extract(suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(_NH), b"HPKE-v1" + suite_id + label + ikm, "sha256")


def _labeled_expand(suite_id: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    if not 0 < length <= 255 * _NH:
        raise MalformedError(f"HKDF-SHA256 gives 1 to {255 * _NH} bytes, not {length}")
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info
    return HKDFExpand(hashes.SHA256(), length, labeled).derive(prk)


def derive_key_pair(ikm: bytes) -> tuple[bytes, bytes]:
    """DeriveKeyPair of section 7.1.3: return (private, public), 32 bytes each.

    MalformedError if `ikm` has fewer than 32 bytes.
    """
    if len(ikm) < KEY_SIZE:
        raise MalformedError(f"a key pair is derived from at least {KEY_SIZE} bytes, not {len(ikm)}")
    prk = _labeled_extract(_KEM_SUITE, b"", b"dkp_prk", ikm)
    private = _labeled_expand(_KEM_SUITE, prk, b"sk", b"", KEY_SIZE)
    return private, public_key(private)


def public_key(private: bytes) -> bytes:
    """Return the public half of an X25519 key (RFC 7748), 32 bytes."""
    return _private(private).public_key().public_bytes_raw()


def _private(private: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(exactly(private, KEY_SIZE, "an X25519 private key"))


def _shared_secret(private: X25519PrivateKey, other: bytes, enc: bytes, receiver: bytes) -> bytes:
    """ExtractAndExpand over the DH (4.1), after the check of 7.1.4 that the DH is not all zeros."""
    peer = X25519PublicKey.from_public_bytes(exactly(other, KEY_SIZE, "an X25519 public key"))
    try:
        dh = private.exchange(peer)
    except ValueError:  # `cryptography` raises this for an all-zero result
        raise MalformedError("the X25519 public key is of small order") from None
    prk = _labeled_extract(_KEM_SUITE, b"", b"eae_prk", dh)
    return _labeled_expand(_KEM_SUITE, prk, b"shared_secret", enc + receiver, _NH)


@dataclass(frozen=True, slots=True)
class Exporter:
    """Exports further secrets from one encryption (5.3)."""

    suite: Suite
    secret: bytes = field(repr=False)

    def export(self, context: bytes, length: int) -> bytes:
        """Context.Export: return `length` bytes (1 to 8,160; else MalformedError), equal on both sides."""
        return _labeled_expand(self.suite.identifier, self.secret, b"sec", context, length)


class _Context(NotCopyable):
    """Key, nonce and counter of 5.2. Sender and receiver each have their own counter."""

    __slots__ = ("_aead", "_base_nonce", "_sequence", "exporter")

    def __init__(self, suite: Suite, shared: bytes, info: bytes, psk: bytes, psk_id: bytes) -> None:
        # KeySchedule, 5.1, preceded by VerifyPSKInputs
        if bool(psk) != bool(psk_id):
            raise StateError("a PSK and its id go together")
        if psk and len(psk) < PSK_MIN:
            raise StateError(f"a PSK has at least {PSK_MIN} bytes, not {len(psk)}")
        identifier = suite.identifier
        context = (
            (_MODE_PSK if psk else _MODE_BASE)
            + _labeled_extract(identifier, b"", b"psk_id_hash", psk_id)
            + _labeled_extract(identifier, b"", b"info_hash", info)
        )
        secret = _labeled_extract(identifier, shared, b"secret", psk)
        self._aead = suite.aead(_labeled_expand(identifier, secret, b"key", context, suite.key_size))
        self._base_nonce = int.from_bytes(
            _labeled_expand(identifier, secret, b"base_nonce", context, _NN), "big"
        )
        self._sequence = 0
        #: Exports secrets (5.3).
        self.exporter = Exporter(suite, _labeled_expand(identifier, secret, b"exp", context, _NH))

    def _nonce(self) -> bytes:
        if self._sequence >= SEQUENCE_LIMIT:
            raise StateError("this HPKE context has reached its message limit")
        return (self._base_nonce ^ self._sequence).to_bytes(_NN, "big")


class Sender(_Context):
    """SetupBaseS or SetupPSKS (5.1): `enc` for the receiver, then any number of messages in order."""

    __slots__ = ("enc",)

    def __init__(
        self, suite: Suite, public: bytes, info: bytes, *, rng: Rng, psk: bytes = b"", psk_id: bytes = b""
    ) -> None:
        """Set up the context; `rng` provides the 32 bytes of the ephemeral private key.

        MalformedError on a bad public key; StateError on a PSK without id, an id without PSK, or a short PSK.
        """
        ephemeral = _private(rng(KEY_SIZE))
        self.enc = ephemeral.public_key().public_bytes_raw()
        shared = _shared_secret(ephemeral, public, self.enc, public)
        super().__init__(suite, shared, info, psk, psk_id)

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """Context.Seal: return the ciphertext, 16 bytes longer. StateError at the message limit."""
        ciphertext = self._aead.encrypt(self._nonce(), plaintext, aad)
        self._sequence += 1
        return ciphertext


class Receiver(_Context):
    """SetupBaseR or SetupPSKR (5.1)."""

    __slots__ = ()

    def __init__(
        self, suite: Suite, private: bytes, enc: bytes, info: bytes, *, psk: bytes = b"", psk_id: bytes = b""
    ) -> None:
        """MalformedError if `enc` is not an X25519 public key; StateError as in `Sender`."""
        key = _private(private)
        shared = _shared_secret(key, enc, enc, key.public_key().public_bytes_raw())
        super().__init__(suite, shared, info, psk, psk_id)

    def open(self, aad: bytes, ciphertext: bytes) -> bytes:
        """Context.Open: decrypt the next message. On AuthenticationError the counter does not advance."""
        nonce = self._nonce()
        try:
            plaintext = self._aead.decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise AuthenticationError("the HPKE ciphertext does not open") from None
        self._sequence += 1
        return plaintext


@dataclass(frozen=True, slots=True)
class Sealed:
    """Result of `seal`: `enc` (32 bytes) and `ciphertext` are sent, `exporter` stays with the sender."""

    enc: bytes
    ciphertext: bytes
    exporter: Exporter


@dataclass(frozen=True, slots=True)
class Opened:
    """Result of `open`: the plaintext, and the exporter that the sender has too."""

    plaintext: bytes = field(repr=False)
    exporter: Exporter


def seal(
    suite: Suite,
    public: bytes,
    info: bytes,
    aad: bytes,
    plaintext: bytes,
    *,
    rng: Rng = os.urandom,
    psk: bytes = b"",
    psk_id: bytes = b"",
) -> Sealed:
    """Single-shot encryption (section 6.1) to an X25519 public key. Raises what `Sender` raises."""
    sender = Sender(suite, public, info, rng=rng, psk=psk, psk_id=psk_id)
    return Sealed(sender.enc, sender.seal(aad, plaintext), sender.exporter)


def open(
    suite: Suite,
    private: bytes,
    enc: bytes,
    info: bytes,
    aad: bytes,
    ciphertext: bytes,
    *,
    psk: bytes = b"",
    psk_id: bytes = b"",
) -> Opened:
    """Single-shot decryption (section 6.1). Raises what `Receiver` and its `open` raise."""
    receiver = Receiver(suite, private, enc, info, psk=psk, psk_id=psk_id)
    return Opened(receiver.open(aad, ciphertext), receiver.exporter)
