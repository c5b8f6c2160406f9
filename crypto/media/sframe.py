"""SFrame, RFC 9605: header (4.3), keys (4.4.2), encryption (4.4.3), decryption (4.4.4), suites (4.5).

A `FrameKey` is the cipher of one key id. A `Sealer` adds a counter and never reuses one. An `Opener` opens
each counter at most once (section 7.4 leaves this replay window to the application).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    MissingKeyError,
    ReplayError,
    StateError,
)
from snugroom.crypto.kdf import NotCopyable

#: Bytes of a nonce (Nn) in every suite.
NONCE_SIZE: Final = 12
#: Key ids and counters are below this value.
FIELD_LIMIT: Final = 1 << 64
#: Bytes of the longest header: 1 config byte and two values of 8 bytes.
HEADER_MAX: Final = 17
#: Frames that one key seals before it refuses: years of video, and well within the bounds of AES-GCM.
COUNTER_LIMIT: Final = 1 << 32
#: Replay window in counters: older frames are rejected, as a replay could not be detected.
REPLAY_WINDOW: Final = 1024


# -- cipher suites (4.5) ------------------------------------------------------------------------


class Suite(IntEnum):
    """The registry of section 8.1. Suites 6 to 8 come from the working group's test vectors instead."""

    AES_128_CTR_HMAC_SHA256_80 = 1
    AES_128_CTR_HMAC_SHA256_64 = 2
    AES_128_CTR_HMAC_SHA256_32 = 3
    AES_128_GCM_SHA256_128 = 4
    AES_256_GCM_SHA512_128 = 5
    AES_256_CTR_HMAC_SHA512_80 = 6
    AES_256_CTR_HMAC_SHA512_64 = 7
    AES_256_CTR_HMAC_SHA512_32 = 8


@dataclass(frozen=True, slots=True)
class _Parameters:
    hash: str
    aes_key: int
    auth_key: int
    tag: int


_PARAMETERS: Final = {
    Suite.AES_128_CTR_HMAC_SHA256_80: _Parameters("sha256", 16, 32, 10),
    Suite.AES_128_CTR_HMAC_SHA256_64: _Parameters("sha256", 16, 32, 8),
    Suite.AES_128_CTR_HMAC_SHA256_32: _Parameters("sha256", 16, 32, 4),
    Suite.AES_128_GCM_SHA256_128: _Parameters("sha256", 16, 0, 16),
    Suite.AES_256_GCM_SHA512_128: _Parameters("sha512", 32, 0, 16),
    Suite.AES_256_CTR_HMAC_SHA512_80: _Parameters("sha512", 32, 64, 10),
    Suite.AES_256_CTR_HMAC_SHA512_64: _Parameters("sha512", 32, 64, 8),
    Suite.AES_256_CTR_HMAC_SHA512_32: _Parameters("sha512", 32, 64, 4),
}


def key_size(suite: Suite) -> int:
    """Nk: bytes of the AEAD key, and of a base key from the MLS exporter (5.2)."""
    parameters = _PARAMETERS[suite]
    return parameters.aes_key + parameters.auth_key


def tag_size(suite: Suite) -> int:
    """Nt: bytes of the tag."""
    return _PARAMETERS[suite].tag


class Aead(Protocol):
    """AEAD interface that SFrame requires."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the ciphertext followed by the tag."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the plaintext. InvalidTag if the tag does not verify."""


class CtrHmac:
    """AES-CTR with HMAC (4.5.1): encrypt, then authenticate lengths, nonce, AAD and ciphertext."""

    __slots__ = ("_aes", "_auth_key", "_hash", "_tag")

    def __init__(self, suite: Suite, key: bytes) -> None:
        """MalformedError if `key` does not have the suite's size."""
        parameters = _PARAMETERS[suite]
        if len(key) != key_size(suite):
            raise MalformedError(f"the key of {suite.name} has {key_size(suite)} bytes, not {len(key)}")
        self._aes = algorithms.AES(key[: parameters.aes_key])
        self._auth_key = key[parameters.aes_key :]
        self._hash = parameters.hash
        self._tag = parameters.tag

    def _ctr(self, nonce: bytes, data: bytes) -> bytes:
        return Cipher(self._aes, modes.CTR(nonce + bytes(4))).encryptor().update(data)

    def _mac(self, nonce: bytes, associated_data: bytes, ciphertext: bytes) -> bytes:
        lengths = b"".join(n.to_bytes(8, "big") for n in (len(associated_data), len(ciphertext), self._tag))
        whole = lengths + nonce + associated_data + ciphertext
        return hmac.digest(self._auth_key, whole, self._hash)[: self._tag]

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the ciphertext followed by the truncated tag."""
        ciphertext = self._ctr(nonce, data)
        return ciphertext + self._mac(nonce, associated_data, ciphertext)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the plaintext. InvalidTag if the tag is wrong or missing."""
        ciphertext, tag = data[: -self._tag], data[-self._tag :]
        if not hmac.compare_digest(tag, self._mac(nonce, associated_data, ciphertext)):
            raise InvalidTag
        return self._ctr(nonce, ciphertext)


def _aead(suite: Suite, key: bytes) -> Aead:
    return CtrHmac(suite, key) if _PARAMETERS[suite].auth_key else AESGCM(key)


# -- header (4.3) -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """Key id and counter, both below 2^64; `size` is the number of encoded bytes."""

    kid: int
    counter: int
    size: int

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """Decode the header at the front of an SFrame ciphertext.

        MalformedError if it is cut short, or if a value is not in its shortest form (its only valid
        encoding).
        """
        return _decoded(bytes(data[:HEADER_MAX]))


# cached: several parts of a client decode the header of the same frame in turn
@lru_cache(maxsize=64)
def _decoded(head: bytes) -> Header:
    if not head:
        raise MalformedError("an empty SFrame ciphertext")
    config = head[0]
    kid, at = _field(head, 1, config >> 4)
    counter, at = _field(head, at, config & 0x0F)
    return Header(kid, counter, at)


def _field(data: bytes, at: int, code: int) -> tuple[int, int]:
    """Decode a value from 4 bits (a flag, then the value or its length minus one) and the bytes at `at`."""
    if code < 8:
        return code, at
    end = at + (code & 7) + 1
    if end > len(data):
        raise MalformedError("the SFrame header is cut short")
    value = int.from_bytes(data[at:end], "big")
    if value < 8 or (end - at > 1 and data[at] == 0):
        raise MalformedError("the SFrame header is not in its shortest form")
    return value, end


def encode_header(kid: int, counter: int) -> bytes:
    """Encode a header, 1 to 17 bytes. MalformedError if a value is not within 0 to 2^64 - 1."""
    kid_code, kid_bytes = _code(kid)
    counter_code, counter_bytes = _code(counter)
    return bytes((kid_code << 4 | counter_code,)) + kid_bytes + counter_bytes


def _code(value: int) -> tuple[int, bytes]:
    if not 0 <= value < FIELD_LIMIT:
        raise MalformedError(f"{value} is not within an SFrame header's 64 bits")
    if value < 8:
        return value, b""
    size = (value.bit_length() + 7) // 8
    return 8 | size - 1, value.to_bytes(size, "big")


# -- keys (4.4.2) -------------------------------------------------------------------------------


def extract(suite: Suite, base_key: bytes) -> bytes:
    """Return sframe_secret, from which the keys of all key ids under one base key are expanded."""
    name = _PARAMETERS[suite].hash
    return hmac.digest(bytes(hashlib.new(name).digest_size), base_key, name)


def labels(suite: Suite, kid: int) -> tuple[bytes, bytes]:
    """Return sframe_key_label and sframe_salt_label."""
    end = kid.to_bytes(8, "big") + suite.to_bytes(2, "big")
    return b"SFrame 1.0 Secret key " + end, b"SFrame 1.0 Secret salt " + end


def expand(suite: Suite, secret: bytes, kid: int) -> tuple[bytes, bytes]:
    """Return sframe_key and sframe_salt (12 bytes) of a key id; `secret` comes from `extract`."""
    algorithm = hashes.SHA256() if _PARAMETERS[suite].hash == "sha256" else hashes.SHA512()
    key_label, salt_label = labels(suite, kid)
    return (
        HKDFExpand(algorithm, key_size(suite), key_label).derive(secret),
        HKDFExpand(algorithm, NONCE_SIZE, salt_label).derive(secret),
    )


class FrameKey:
    """The cipher of one key id, with a cached AEAD. Callers of `encrypt` must count: use a `Sealer`."""

    __slots__ = ("_aead", "_salt", "kid")

    def __init__(self, suite: Suite, secret: bytes, kid: int) -> None:
        """`secret` comes from `extract`. MalformedError if `kid` does not fit in 64 bits."""
        _code(kid)
        key, salt = expand(suite, secret, kid)
        self.kid = kid
        self._aead = _aead(suite, key)
        self._salt = int.from_bytes(salt, "big")

    def nonce(self, counter: int) -> bytes:
        """Return the salt XOR the counter, 12 bytes."""
        return (self._salt ^ counter).to_bytes(NONCE_SIZE, "big")

    def encrypt(self, counter: int, metadata: bytes, frame: bytes) -> bytes:
        """4.4.3: return header, ciphertext, tag. `metadata` is authenticated but not part of the result."""
        header = encode_header(self.kid, counter)
        return header + self._aead.encrypt(self.nonce(counter), frame, header + metadata)

    def decrypt(self, header: Header, metadata: bytes, data: bytes) -> bytes:
        """4.4.4: decrypt the frame in `data`; `header` is its decoded header. No replay check.

        AuthenticationError if the tag does not verify, MissingKeyError if the frame has another key id.
        """
        if header.kid != self.kid:
            raise MissingKeyError(f"a frame under key id {header.kid}, and this key is {self.kid}'s")
        try:
            return self._aead.decrypt(
                self.nonce(header.counter), data[header.size :], data[: header.size] + metadata
            )
        except InvalidTag:
            raise AuthenticationError("the frame's tag does not verify") from None


class Sealer(NotCopyable):
    """Seals frames under one key id, counting from 0. Use only one ever per key id, and from one thread."""

    __slots__ = ("_counter", "_key", "_limit")

    def __init__(self, key: FrameKey, *, limit: int = COUNTER_LIMIT) -> None:
        """`limit`: maximum number of frames to seal, at most 2^64."""
        self._key = key
        self._counter = 0
        self._limit = min(limit, FIELD_LIMIT)

    @property
    def sealed(self) -> int:
        """Number of frames sealed so far."""
        return self._counter

    def seal(self, metadata: bytes, frame: bytes) -> bytes:
        """Return the SFrame ciphertext of the next frame. StateError at the limit: no counter is reused."""
        counter = self._counter
        if counter >= self._limit:
            raise StateError("this media key has sealed all the frames that it may")
        # count before use: if encryption fails, the counter is spent anyway
        self._counter = counter + 1
        return self._key.encrypt(counter, metadata, frame)


@dataclass(slots=True)
class ReplayWindow:
    """Record of the last `size` counters as the bits of one integer (bit 0: the highest counter)."""

    size: int = REPLAY_WINDOW
    highest: int = field(default=-1, init=False)
    _bits: int = field(default=0, init=False)

    def check(self, counter: int) -> None:
        """Raise ReplayError if the counter was seen before, or is older than the window."""
        behind = self.highest - counter
        if behind < 0:
            return
        if behind >= self.size:
            raise ReplayError(f"a frame {behind} behind the newest, too old to be told from a replay")
        if self._bits >> behind & 1:
            raise ReplayError("the frame was received before")

    def advance(self, counter: int) -> None:
        """Mark a counter as seen. Call it after `check`, and only after the frame has authenticated."""
        ahead = counter - self.highest
        if ahead <= 0:
            self._bits |= 1 << -ahead
            return
        self.highest = counter
        # a jump can be as large as 2^64: a shift must never exceed the window
        self._bits = (self._bits << ahead & (1 << self.size) - 1 | 1) if ahead < self.size else 1


class Opener(NotCopyable):
    """Opens frames under one key id, each counter at most once."""

    __slots__ = ("_key", "window")

    def __init__(self, key: FrameKey, *, window: int = REPLAY_WINDOW) -> None:
        self._key = key
        self.window = ReplayWindow(window)

    def open(self, metadata: bytes, data: bytes, header: Header | None = None) -> tuple[int, bytes]:
        """Return (counter, frame). A given `header` avoids decoding it again.

        MalformedError, MissingKeyError (another key id), ReplayError, AuthenticationError. An error changes
        no state.
        """
        header = header or Header.decode(data)
        self.window.check(header.counter)
        frame = self._key.decrypt(header, metadata, data)
        self.window.advance(header.counter)
        return header.counter, frame
