"""Fields and primitives: one encoding of each value, known answers, and refusals."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto import kdf
from snugroom.crypto.errors import AuthenticationError, MalformedError
from snugroom.crypto.fields import Reader, exactly, padded, prefixed, uint, unpadded
from snugroom.crypto.kdf import KDF, H, SigningKey


def test_hash_and_kdf_are_what_they_say() -> None:
    assert H(b"ab", b"c") == hashlib.sha256(b"abc").digest()
    # HKDF written out (RFC 5869): extract with a salt of zeros, then expand
    prk = hmac.digest(bytes(32), b"key", "sha256")
    first = hmac.digest(prk, b"label\x01", "sha256")
    assert KDF(b"key", "label") == first
    assert KDF(b"key", b"label", 40) == first + hmac.digest(prk, first + b"label\x02", "sha256")[:8]


def test_kdf_known_answer() -> None:
    # RFC 5869, test case 3: no salt, no info
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert KDF(b"\x0b" * 22, b"", 42).hex() == expected


def test_mac() -> None:
    # RFC 4231, test case 2
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert kdf.mac(b"Jefe", b"what do ya want ", b"for nothing?").hex() == expected
    assert kdf.same(b"a", b"a")
    assert not kdf.same(b"a", b"b")


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.binary(max_size=20))
def test_seal_round_trip(key: bytes, plaintext: bytes, aad: bytes) -> None:
    sealed = kdf.seal(key, plaintext, aad)
    assert len(sealed) == len(plaintext) + kdf.SEAL_OVERHEAD
    assert kdf.unseal(key, sealed, aad) == plaintext


def test_seal_binds_everything() -> None:
    key = os.urandom(32)
    sealed = kdf.seal(key, b"text", b"aad")
    assert sealed != kdf.seal(key, b"text", b"aad"), "the nonce is fresh"
    for i in range(len(sealed)):
        changed = sealed[:i] + bytes((sealed[i] ^ 1,)) + sealed[i + 1 :]
        with pytest.raises(AuthenticationError):
            kdf.unseal(key, changed, b"aad")
    with pytest.raises(AuthenticationError):
        kdf.unseal(os.urandom(32), sealed, b"aad")
    with pytest.raises(AuthenticationError):
        kdf.unseal(key, sealed, b"")
    with pytest.raises(MalformedError):
        kdf.unseal(key, sealed[:27], b"aad")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_keys_have_32_bytes(size: int) -> None:
    with pytest.raises(MalformedError):
        kdf.seal(bytes(size), b"", b"")
    with pytest.raises(MalformedError):
        kdf.unseal(bytes(size), bytes(40), b"")
    with pytest.raises(MalformedError):
        SigningKey(bytes(size))


def test_a_short_nonce_is_refused() -> None:
    with pytest.raises(MalformedError):
        kdf.seal(bytes(32), b"", b"", rng=lambda n: bytes(n - 1))


def test_signatures() -> None:
    # RFC 8032, 7.1, test 2
    key = SigningKey(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert key.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = key.sign(b"\x72")
    assert signature.hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    kdf.verify(key.public, b"\x72", signature)
    for public, message, wrong in (
        (SigningKey.generate().public, b"\x72", signature),
        (key.public, b"\x73", signature),
        (key.public, b"\x72", bytes(64)),
    ):
        with pytest.raises(AuthenticationError):
            kdf.verify(public, message, wrong)
    with pytest.raises(MalformedError):
        kdf.verify(key.public[:31], b"\x72", signature)
    with pytest.raises(MalformedError):
        kdf.verify(key.public, b"\x72", signature + b"\0")
    assert key.seed.hex() not in repr(key)
    assert SigningKey(key.seed).public == key.public


def test_a_second_signature_can_t_be_made_from_the_first() -> None:
    key = SigningKey.generate()
    signature = key.sign(b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(signature[32:], "little") + order
    with pytest.raises(AuthenticationError):
        kdf.verify(key.public, b"m", signature[:32] + scalar.to_bytes(32, "little"))


def test_a_small_order_key_signs_nothing() -> None:
    identity = b"\x01" + bytes(31)
    with pytest.raises(AuthenticationError):
        kdf.verify(identity, b"anything", identity + bytes(32))


# -- fields -------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.sampled_from([2, 4]), st.integers(0, 2**32 - 1), st.text(max_size=40))
def test_reader_reads_what_was_written(data: bytes, size: int, number: int, text: str) -> None:
    whole = prefixed(data, size) + uint(number, 4) + prefixed(text.encode("utf-8", "replace"), 2) + b"end"
    reader = Reader(whole)
    assert reader.prefixed(size) == data
    assert reader.uint(4) == number
    assert reader.text(2) == text.encode("utf-8", "replace").decode()
    assert reader.rest() == b"end"
    reader.end()
    for cut in range(len(whole) - 3):
        reader = Reader(whole[:cut])
        with pytest.raises(MalformedError):
            (reader.prefixed(size), reader.uint(4), reader.prefixed(2))


def test_fields_refuse() -> None:
    with pytest.raises(MalformedError):
        uint(256, 1)
    with pytest.raises(MalformedError):
        uint(-1, 4)
    # what a browser's numbers can't tell apart is nobody's number
    assert Reader(uint(2**53 - 1, 8)).uint(8) == 2**53 - 1
    with pytest.raises(MalformedError):
        uint(2**53, 8)
    with pytest.raises(MalformedError):
        Reader((2**53).to_bytes(8, "big")).uint(8)
    with pytest.raises(MalformedError):
        prefixed(bytes(256), 1)
    with pytest.raises(MalformedError, match="a nonce has 12 bytes, not 11"):
        exactly(bytes(11), 12, "a nonce")
    with pytest.raises(MalformedError):
        Reader(b"\x01\xff").text(1)
    with pytest.raises(MalformedError, match="too many"):
        Reader(b"x").end()


@given(st.binary(max_size=100), st.integers(0, 50))
def test_padding(data: bytes, extra: int) -> None:
    size = len(data) + 4 + extra
    whole = padded(data, size)
    assert len(whole) == size
    assert unpadded(whole) == data
    if extra:
        with pytest.raises(MalformedError, match="padding"):
            unpadded(whole[:-1] + b"\x01")
        with pytest.raises(MalformedError, match="don't fit"):
            padded(data, size - extra - 1)
