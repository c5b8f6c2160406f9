"""HPKE (RFC 9180): its vectors, interoperation with `cryptography`'s HPKE, and refusals."""

from __future__ import annotations

import copy
import os
import pickle

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM
from cryptography.hazmat.primitives.hpke import Suite as LibrarySuite
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto import hpke
from snugroom.crypto.errors import AuthenticationError, MalformedError, StateError
from tests.crypto.rfc9180 import VECTORS, Vector

_AEADS = {
    hpke.Suite.X25519_SHA256_AES128GCM: AEAD.AES_128_GCM,
    hpke.Suite.X25519_SHA256_AES256GCM: AEAD.AES_256_GCM,
    hpke.Suite.X25519_SHA256_CHACHA20POLY1305: AEAD.CHACHA20_POLY1305,
}
#: u-coordinates of small order (RFC 7748 section 6.1 and its errata; those with a zero result).
_SMALL_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
SUITE = hpke.Suite.X25519_SHA256_AES128GCM


def _pair() -> tuple[bytes, bytes]:
    private = os.urandom(32)
    return private, hpke.public_key(private)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.section)
def test_rfc_vectors(vector: Vector) -> None:
    suite = hpke.Suite(vector.aead)
    raw = {
        name: bytes.fromhex(value)
        for name, value in vars(vector).items()
        if isinstance(value, str) and name != "section"
    }
    assert hpke.derive_key_pair(raw["ikm_e"]) == (raw["sk_em"], raw["enc"])
    assert hpke.derive_key_pair(raw["ikm_r"]) == (raw["sk_rm"], raw["pk_rm"])

    sender = hpke.Sender(
        suite, raw["pk_rm"], raw["info"], rng=lambda _: raw["sk_em"], psk=raw["psk"], psk_id=raw["psk_id"]
    )
    receiver = hpke.Receiver(
        suite, raw["sk_rm"], raw["enc"], raw["info"], psk=raw["psk"], psk_id=raw["psk_id"]
    )
    assert sender.enc == raw["enc"]
    assert sender.exporter == receiver.exporter
    assert sender.exporter.secret == raw["exporter_secret"]
    expected = {sequence: (aad, ciphertext) for sequence, aad, _, ciphertext in vector.encryptions}
    for sequence in range(max(expected) + 1):
        aad = b"Count-%d" % sequence
        ciphertext = sender.seal(aad, raw["plaintext"])
        if sequence in expected:
            assert (aad.hex(), ciphertext.hex()) == expected[sequence]
        assert receiver.open(aad, ciphertext) == raw["plaintext"]
    for context, value in vector.exports:
        assert receiver.exporter.export(bytes.fromhex(context), 32).hex() == value


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.section)
def test_single_shot_is_the_context_s_first_message(vector: Vector) -> None:
    suite = hpke.Suite(vector.aead)
    info, psk, psk_id = bytes.fromhex(vector.info), bytes.fromhex(vector.psk), bytes.fromhex(vector.psk_id)
    _, aad, _, ciphertext = vector.encryptions[0]
    sealed = hpke.seal(
        suite,
        bytes.fromhex(vector.pk_rm),
        info,
        bytes.fromhex(aad),
        bytes.fromhex(vector.plaintext),
        rng=lambda _: bytes.fromhex(vector.sk_em),
        psk=psk,
        psk_id=psk_id,
    )
    assert sealed.ciphertext.hex() == ciphertext
    opened = hpke.open(
        suite,
        bytes.fromhex(vector.sk_rm),
        sealed.enc,
        info,
        bytes.fromhex(aad),
        sealed.ciphertext,
        psk=psk,
        psk_id=psk_id,
    )
    assert opened.plaintext.hex() == vector.plaintext
    assert opened.exporter == sealed.exporter


@pytest.mark.parametrize("suite", list(hpke.Suite))
def test_interoperates_with_the_library_both_ways(suite: hpke.Suite) -> None:
    library = LibrarySuite(KEM.X25519, KDF.HKDF_SHA256, _AEADS[suite])
    private, public = _pair()
    for size in (0, 1, 1000):
        plaintext = os.urandom(size)
        sealed = hpke.seal(suite, public, b"info", b"", plaintext)
        theirs = X25519PrivateKey.from_private_bytes(private)
        assert library.decrypt(sealed.enc + sealed.ciphertext, theirs, info=b"info") == plaintext
        data = library.encrypt(plaintext, X25519PublicKey.from_public_bytes(public), info=b"info")
        assert hpke.open(suite, private, data[:32], b"info", b"", data[32:]).plaintext == plaintext
        with pytest.raises(InvalidTag):
            library.decrypt(sealed.enc + sealed.ciphertext, theirs, info=b"other")


@given(
    st.sampled_from(list(hpke.Suite)), st.binary(max_size=64), st.binary(max_size=64), st.binary(max_size=300)
)
def test_round_trip(suite: hpke.Suite, info: bytes, aad: bytes, plaintext: bytes) -> None:
    private, public = _pair()
    sealed = hpke.seal(suite, public, info, aad, plaintext)
    opened = hpke.open(suite, private, sealed.enc, info, aad, sealed.ciphertext)
    assert opened.plaintext == plaintext
    assert opened.exporter.export(b"x", 77) == sealed.exporter.export(b"x", 77)


def _open(
    suite: hpke.Suite,
    private: bytes,
    enc: bytes,
    info: bytes,
    aad: bytes,
    text: bytes,
    psk: bytes,
    psk_id: bytes,
) -> bytes:
    return hpke.open(suite, private, enc, info, aad, text, psk=psk, psk_id=psk_id).plaintext


def test_every_input_is_bound() -> None:
    private, public = _pair()
    psk = bytes(32)
    sealed = hpke.seal(SUITE, public, b"info", b"aad", b"text", psk=psk, psk_id=b"id")
    enc, text = sealed.enc, sealed.ciphertext
    assert _open(SUITE, private, enc, b"info", b"aad", text, psk, b"id") == b"text"
    other_private, other_public = _pair()
    flipped = bytes((text[0] ^ 1,)) + text[1:]
    other_psk = bytes(31) + b"1"
    for wrong in (
        (hpke.Suite.X25519_SHA256_CHACHA20POLY1305, private, enc, b"info", b"aad", text, psk, b"id"),
        (SUITE, other_private, enc, b"info", b"aad", text, psk, b"id"),
        (SUITE, private, other_public, b"info", b"aad", text, psk, b"id"),
        (SUITE, private, enc, b"", b"aad", text, psk, b"id"),
        (SUITE, private, enc, b"info", b"", text, psk, b"id"),
        (SUITE, private, enc, b"info", b"aad", flipped, psk, b"id"),
        (SUITE, private, enc, b"info", b"aad", text[:10], psk, b"id"),
        (SUITE, private, enc, b"info", b"aad", text, other_psk, b"id"),
        (SUITE, private, enc, b"info", b"aad", text, psk, b"other"),
        (SUITE, private, enc, b"info", b"aad", text, b"", b""),
    ):
        with pytest.raises(AuthenticationError):
            _open(*wrong)


def test_a_failed_open_leaves_the_counter() -> None:
    private, public = _pair()
    sender = hpke.Sender(SUITE, public, b"", rng=os.urandom)
    receiver = hpke.Receiver(SUITE, private, sender.enc, b"")
    first, second = sender.seal(b"", b"1"), sender.seal(b"", b"2")
    with pytest.raises(AuthenticationError):
        receiver.open(b"", second)
    assert receiver.open(b"", first) == b"1"
    with pytest.raises(AuthenticationError):
        receiver.open(b"", first)
    assert receiver.open(b"", second) == b"2"


def test_the_message_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpke, "SEQUENCE_LIMIT", 2)
    private, public = _pair()
    sender = hpke.Sender(SUITE, public, b"", rng=os.urandom)
    receiver = hpke.Receiver(SUITE, private, sender.enc, b"")
    for _ in range(2):
        receiver.open(b"", sender.seal(b"", b""))
    with pytest.raises(StateError, match="limit"):
        sender.seal(b"", b"")
    with pytest.raises(StateError, match="limit"):
        receiver.open(b"", bytes(16))


@pytest.mark.parametrize("point", _SMALL_ORDER)
def test_small_order_keys_are_refused(point: str) -> None:
    private, _ = _pair()
    with pytest.raises(MalformedError, match="small order"):
        hpke.seal(SUITE, bytes.fromhex(point), b"", b"", b"")
    with pytest.raises(MalformedError, match="small order"):
        hpke.open(SUITE, private, bytes.fromhex(point), b"", b"", bytes(16))


def test_wrong_sizes_are_refused() -> None:
    private, public = _pair()
    with pytest.raises(MalformedError):
        hpke.seal(SUITE, public[:31], b"", b"", b"")
    with pytest.raises(MalformedError):
        hpke.seal(SUITE, public, b"", b"", b"", rng=lambda n: bytes(n - 1))
    with pytest.raises(MalformedError):
        hpke.open(SUITE, private + b"\0", public, b"", b"", b"")
    with pytest.raises(MalformedError):
        hpke.open(SUITE, private, public + b"\0", b"", b"", b"")
    with pytest.raises(MalformedError):
        hpke.derive_key_pair(bytes(31))
    exporter = hpke.seal(SUITE, public, b"", b"", b"").exporter
    assert len(exporter.export(b"", 8160)) == 8160
    for length in (0, -1, 8161):
        with pytest.raises(MalformedError):
            exporter.export(b"", length)


def test_a_psk_has_an_id_and_32_bytes() -> None:
    _, public = _pair()
    for psk, psk_id in ((bytes(32), b""), (b"", b"id"), (bytes(31), b"id")):
        with pytest.raises(StateError):
            hpke.seal(SUITE, public, b"", b"", b"", psk=psk, psk_id=psk_id)


def test_contexts_can_t_be_copied_and_secrets_don_t_print() -> None:
    private, public = _pair()
    sender = hpke.Sender(SUITE, public, b"", rng=os.urandom)
    for copier in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(StateError, match="copied"):
            copier(sender)
    sealed = hpke.seal(SUITE, public, b"", b"", b"the text")
    opened = hpke.open(SUITE, private, sealed.enc, b"", b"", sealed.ciphertext)
    assert "the text" not in repr(opened)
    assert opened.exporter.secret.hex() not in repr(opened)
    assert repr(opened.exporter.secret) not in repr(opened)
