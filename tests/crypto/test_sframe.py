"""SFrame: the public vectors, no repeated counter, and each frame opens once."""

from __future__ import annotations

import copy
import json
import os
import pickle
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    MissingKeyError,
    ReplayError,
    StateError,
)
from snugroom.crypto.media.sframe import (
    REPLAY_WINDOW,
    CtrHmac,
    FrameKey,
    Header,
    Opener,
    ReplayWindow,
    Sealer,
    Suite,
    encode_header,
    extract,
    key_size,
    tag_size,
)
from tests.vectors import sframe_family

VECTORS = Path(os.environ.get("SNUG_VECTORS", Path(__file__).parents[3] / "shared" / "vectors")) / "sframe"
U64 = st.one_of(st.integers(0, 9), st.integers(0, 2**64 - 1), st.integers(0, 63).map(lambda n: 1 << n))


def _key(suite: Suite = Suite.AES_128_GCM_SHA256_128, kid: int = 9, base: bytes = bytes(16)) -> FrameKey:
    return FrameKey(suite, extract(suite, base), kid)


# -- vectors ------------------------------------------------------------------------------------


def test_public_vectors() -> None:
    file = VECTORS / "test-vectors.json"
    if not file.exists():
        pytest.skip(f"no vectors at {file}: set SNUG_VECTORS")
    data = json.loads(file.read_text())
    assert sframe_family.is_sframe(data)
    result = sframe_family.run(data)
    assert (result.failed, result.skipped) == ([], [])
    assert result.passed == sum(map(len, data.values()))


#: RFC 9605, appendix C.3, the suite in use: so that a checkout without the vectors' file has it too.
RFC_SFRAME = {
    "cipher_suite": 4,
    "kid": 291,
    "ctr": 17767,
    "base_key": "000102030405060708090a0b0c0d0e0f",
    "sframe_key_label": "534672616d6520312e3020536563726574206b65792000000000000001230004",
    "sframe_salt_label": "534672616d6520312e30205365637265742073616c742000000000000001230004",
    "sframe_secret": "d926952ca8b7ec4a95941d1ada3a5203ceff8cceee34f574d23909eb314c40c0",
    "sframe_key": "d34f547f4ca4f9a7447006fe7fcbf768",
    "sframe_salt": "75234edefe07819026751816",
    "metadata": "4945544620534672616d65205747",
    "nonce": "75234edefe07819026755d71",
    "aad": "99012345674945544620534672616d65205747",
    "pt": "64726166742d696574662d736672616d652d656e63",
    "ct": "9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0b091c07018ce4adb34eb",
}


def test_the_rfc_s_own_frame() -> None:
    assert sframe_family.run({"sframe": [RFC_SFRAME]}).passed == 1


@pytest.mark.parametrize("field", [k for k in RFC_SFRAME if k not in ("cipher_suite", "kid", "ctr")])
def test_the_family_notices_any_wrong_value(field: str) -> None:
    value = str(RFC_SFRAME[field])
    changed = dict(RFC_SFRAME, **{field: value[:-1] + ("0" if value[-1] != "0" else "1")})
    result = sframe_family.run({"sframe": [changed]})
    assert result.passed == 0
    assert len(result.failed) == 1


def test_the_family_reports_what_it_can_t_run() -> None:
    result = sframe_family.run(
        {
            "header": [{"kid": 0, "ctr": 0, "encoded": "01"}, {"kid": 0}, 7],
            "sframe": [{"cipher_suite": 99}],
            "other": [],
        }
    )
    assert result.passed == 0
    assert len(result.failed) == 4
    assert result.skipped == ["sframe[0]: cipher suite 99"]
    assert len(sframe_family.run([]).failed) == 1
    assert not sframe_family.is_sframe([])
    assert not sframe_family.is_sframe({})
    assert not sframe_family.is_sframe({"tree": []})


# -- header -------------------------------------------------------------------------------------


@given(U64, U64, st.binary(max_size=20))
def test_header_round_trip(kid: int, counter: int, rest: bytes) -> None:
    encoded = encode_header(kid, counter)
    assert Header.decode(encoded + rest) == Header(kid, counter, len(encoded))
    for cut in range(len(encoded)):
        with pytest.raises(MalformedError):
            Header.decode(encoded[:cut])


@given(st.binary(max_size=20))
def test_each_header_has_one_form(data: bytes) -> None:
    try:
        header = Header.decode(data)
    except MalformedError:
        return
    assert encode_header(header.kid, header.counter) == data[: header.size]


@pytest.mark.parametrize("text", ["", "8007", "0807", "900001", "0900ff", "ff" + "00" * 16, "80", "0f01"])
def test_headers_that_are_not_in_shortest_form(text: str) -> None:
    with pytest.raises(MalformedError):
        Header.decode(bytes.fromhex(text))


@pytest.mark.parametrize("value", [-1, 2**64])
def test_header_values_have_64_bits(value: int) -> None:
    with pytest.raises(MalformedError):
        encode_header(value, 0)
    with pytest.raises(MalformedError):
        encode_header(0, value)
    with pytest.raises(MalformedError):
        _key(kid=value)


# -- sealing and opening ------------------------------------------------------------------------


@pytest.mark.parametrize("suite", list(Suite))
def test_suites(suite: Suite) -> None:
    key = _key(suite, base=bytes(key_size(suite)))
    sealer, opener = Sealer(key), Opener(key)
    for number in range(3):
        data = sealer.seal(b"meta", b"frame")
        assert len(data) == 2 + 5 + tag_size(suite)
        for position in range(len(data)):
            for wrong in (
                data[:position],
                data[:position] + bytes((data[position] ^ 16,)) + data[position + 1 :],
            ):
                with pytest.raises((AuthenticationError, MalformedError, MissingKeyError)):
                    opener.open(b"meta", wrong)
        with pytest.raises(AuthenticationError):
            opener.open(b"mets", data)
        assert opener.open(b"meta", data) == (number, b"frame")
    assert sealer.sealed == 3


def test_suites_and_key_ids_have_keys_of_their_own() -> None:
    frames = set()
    for suite in Suite:
        for kid in (9, 10):
            frames.add(_key(suite, kid).encrypt(0, b"", bytes(40))[2:42])
    assert len(frames) == 2 * len(Suite)


def test_ctr_hmac_key_sizes_and_short_input() -> None:
    suite = Suite.AES_128_CTR_HMAC_SHA256_80
    with pytest.raises(MalformedError):
        CtrHmac(suite, bytes(47))
    with pytest.raises(InvalidTag):
        CtrHmac(suite, bytes(48)).decrypt(bytes(12), bytes(9), b"")


def test_a_sealer_never_reuses_a_counter_and_stops() -> None:
    key = _key()
    sealer = Sealer(key, limit=20)
    headers = [Header.decode(sealer.seal(b"", b"same")).counter for _ in range(20)]
    assert headers == list(range(20))
    for _ in range(2):
        with pytest.raises(StateError, match="all the frames"):
            sealer.seal(b"", b"same")
    assert sealer.sealed == 20


def test_a_counter_is_spent_even_when_sealing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    sealer = Sealer(_key())
    with monkeypatch.context() as patch:

        def fail(*_: object) -> bytes:
            raise MemoryError

        patch.setattr(FrameKey, "encrypt", fail)
        with pytest.raises(MemoryError):
            sealer.seal(b"", b"x")
    assert Header.decode(sealer.seal(b"", b"x")).counter == 1


def test_sealers_and_openers_can_t_be_copied() -> None:
    for thing in (Sealer(_key()), Opener(_key())):
        for copier in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(StateError):
                copier(thing)


def test_another_key_s_frame_is_refused_before_anything() -> None:
    opener = Opener(_key(kid=9))
    with pytest.raises(MissingKeyError):
        opener.open(b"", Sealer(_key(kid=10)).seal(b"", b"x"))
    assert opener.window.highest == -1


# -- replay window ------------------------------------------------------------------------------


def test_replays_and_the_window_s_edge() -> None:
    key = _key()
    opener = Opener(key)
    frames = [key.encrypt(counter, b"", b"%d" % counter) for counter in range(REPLAY_WINDOW + 2)]
    assert opener.open(b"", frames[2]) == (2, b"2")
    with pytest.raises(ReplayError):
        opener.open(b"", frames[2])
    assert opener.open(b"", frames[-1])[0] == REPLAY_WINDOW + 1
    with pytest.raises(ReplayError, match="too old"):
        opener.open(b"", frames[1])
    with pytest.raises(ReplayError, match="received before"):
        opener.open(b"", frames[2])
    assert opener.open(b"", frames[3])[0] == 3


def test_a_forged_frame_moves_no_window() -> None:
    key = _key()
    opener = Opener(key)
    first = key.encrypt(5, b"", b"x")
    far = key.encrypt(2**63, b"", b"x")
    with pytest.raises(AuthenticationError):
        opener.open(b"", far[:-1] + bytes((far[-1] ^ 1,)))
    with pytest.raises(AuthenticationError):
        opener.open(b"", first[:-1] + bytes((first[-1] ^ 1,)))
    assert opener.window == ReplayWindow()
    assert opener.open(b"", first) == (5, b"x")
    assert opener.open(b"", far) == (2**63, b"x")
    with pytest.raises(ReplayError):
        opener.open(b"", far)


@given(st.lists(st.integers(0, 200), max_size=120), st.integers(1, 64))
def test_the_window_against_a_plain_model(counters: list[int], size: int) -> None:
    window, seen, highest = ReplayWindow(size), set(), -1
    for counter in counters:
        fresh = counter not in seen and counter > highest - size
        if fresh:
            window.check(counter)
            window.advance(counter)
            seen.add(counter)
            highest = max(highest, counter)
        else:
            with pytest.raises(ReplayError):
                window.check(counter)
