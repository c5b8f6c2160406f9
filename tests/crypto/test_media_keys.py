"""Media keys: key ids that can't be traced, epoch changes on time, readers of frames; clear headers."""

from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    MissingKeyError,
    ReplayError,
    StateError,
)
from snugroom.crypto.kdf import KDF
from snugroom.crypto.media.keys import (
    STREAMS,
    EpochKeys,
    FutureEpochError,
    MediaKeys,
    Stream,
    base_stream,
    layer_stream,
)
from snugroom.crypto.media.sframe import FrameKey, Header, Suite, encode_header, extract

NONE: frozenset[int] = frozenset()
ROOT = b"a meeting's exporter stands here"


def keys(epoch: int, leaf_count: int = 3) -> EpochKeys:
    """Each epoch's own secrets, as an exporter gives them to all its members."""
    return EpochKeys.derive(
        epoch=epoch,
        base_key=KDF(ROOT, b"base" + bytes((epoch,)), 16),
        tags=KDF(ROOT, b"tags" + bytes((epoch,)), 32),
        leaf_count=leaf_count,
    )


def member(leaf: int, epoch: int = 1, now: float = 0.0) -> MediaKeys:
    one = MediaKeys()
    one.install(keys(epoch), own_leaf=leaf, removed=NONE, is_removal=False, now=now)
    return one


def enter(
    who: MediaKeys,
    epoch: int,
    now: float,
    *,
    leaf: int,
    removed: frozenset[int] = NONE,
    is_removal: bool = False,
) -> None:
    who.install(keys(epoch), own_leaf=leaf, removed=removed, is_removal=is_removal, now=now)


def epoch_bits(data: bytes) -> int:
    return Header.decode(data).kid % 16


# -- key ids ------------------------------------------------------------------------------------


@given(st.integers(0, 2**40), st.integers(1, 70), st.binary(min_size=32, max_size=32))
@settings(max_examples=40)
def test_key_ids_are_a_permutation(epoch: int, leaf_count: int, tags: bytes) -> None:
    epoch_keys = EpochKeys.derive(epoch=epoch, base_key=bytes(16), tags=tags, leaf_count=leaf_count)
    kids = {}
    for leaf in range(leaf_count):
        for stream in range(STREAMS):
            kid = epoch_keys.kid(leaf, stream)
            kids[kid] = (leaf, stream)
            assert epoch_keys.leaf_and_stream(kid) == (leaf, stream)
            assert kid % 16 == epoch % 16
    width = 8
    while width < leaf_count:
        width *= 2
    assert len(kids) == leaf_count * STREAMS
    for tag in range(width * STREAMS + 3):
        kid = tag << 4 | epoch % 16
        if kid not in kids:
            with pytest.raises(MissingKeyError):
                epoch_keys.leaf_and_stream(kid)
    with pytest.raises(MissingKeyError):
        epoch_keys.leaf_and_stream(next(iter(kids)) ^ 1)


def test_the_permutation_is_the_documented_one() -> None:
    tags = bytes(range(32))
    epoch_keys = EpochKeys.derive(epoch=5, base_key=bytes(16), tags=tags, leaf_count=9)
    encryptor = Cipher(algorithms.AES(tags), modes.ECB()).encryptor()  # noqa: S305 - single blocks, as documented
    blocks = [encryptor.update(place.to_bytes(16, "big")) for place in range(16 * 8)]
    ranked = sorted(blocks)
    for leaf in range(9):
        for stream in range(8):
            tag = ranked.index(blocks[leaf * 8 + stream])
            assert epoch_keys.kid(leaf, stream) == tag << 4 | 5


def test_layers_have_stream_numbers_of_their_own() -> None:
    camera = [layer_stream(Stream.VIDEO, layer) for layer in range(3)]
    screen = [layer_stream(Stream.SCREEN_VIDEO, layer) for layer in range(3)]
    assert (camera, screen) == ([1, 4, 5], [3, 6, 7])
    assert [layer_stream(sound, 0) for sound in (Stream.AUDIO, Stream.SCREEN_AUDIO)] == [0, 2]
    # each number is one stream's one layer, and the way back
    for stream in range(STREAMS):
        assert layer_stream(*base_stream(stream)) == stream


@pytest.mark.parametrize(
    ("base", "layer"), [(0, 1), (2, 1), (1, 3), (3, 3), (1, -1), (4, 0), (8, 0), (-1, 0)]
)
def test_no_such_layer(base: int, layer: int) -> None:
    with pytest.raises(StateError):
        layer_stream(base, layer)


def test_tags_change_with_the_secret() -> None:
    one = [keys(1, 8).kid(leaf, 0) >> 4 for leaf in range(8)]
    other = [keys(2, 8).kid(leaf, 0) >> 4 for leaf in range(8)]
    assert one != other
    assert one != [leaf * STREAMS for leaf in range(8)]


def test_derivation_is_the_rfc_s() -> None:
    epoch_keys = EpochKeys.derive(epoch=3, base_key=b"b" * 16, tags=bytes(32), leaf_count=2)
    kid = epoch_keys.kid(1, Stream.VIDEO)
    ours = epoch_keys.key(kid).encrypt(7, b"m", b"frame")
    suite = Suite.AES_128_GCM_SHA256_128
    assert ours == FrameKey(suite, extract(suite, b"b" * 16), kid).encrypt(7, b"m", b"frame")


def test_epoch_keys_refuse() -> None:
    for arguments in (
        {"base_key": bytes(15)},
        {"tags": bytes(16)},
        {"leaf_count": 0},
        {"leaf_count": 65_537},
        {"epoch": -1},
    ):
        whole = {"epoch": 1, "base_key": bytes(16), "tags": bytes(32), "leaf_count": 1} | arguments
        with pytest.raises(MalformedError):
            EpochKeys.derive(**whole)  # type: ignore[arg-type]  # the wrong argument is the point
    epoch_keys = keys(1)
    for leaf, stream in ((3, 0), (-1, 0), (0, 8), (0, -1)):
        with pytest.raises(StateError):
            epoch_keys.kid(leaf, stream)
    kid = epoch_keys.kid(0, 0)
    epoch_keys.wipe()
    with pytest.raises(StateError, match="gone"):
        epoch_keys.key(kid)
    assert repr(epoch_keys) == "EpochKeys(epoch=1, leaf_count=3)"


# -- one epoch ----------------------------------------------------------------------------------


def test_members_open_each_other() -> None:
    ada, bob = member(0), member(1)
    for counter in range(3):
        for stream in range(STREAMS):
            opened = bob.open(b"m", ada.seal(stream, b"m", b"frame", 0.0), 0.0)
            assert (opened.leaf, opened.stream, opened.epoch, opened.counter) == (0, stream, 1, counter)
            assert opened.frame == b"frame"
            assert "frame=" not in repr(opened)


def test_before_the_first_epoch_and_after_the_last() -> None:
    data = member(0).seal(0, b"", b"x", 0.0)
    nobody = MediaKeys()
    assert nobody.epoch is None
    assert nobody.sending_epoch(0.0) is None
    with pytest.raises(MissingKeyError):
        nobody.seal(0, b"", b"x", 0.0)
    with pytest.raises(MissingKeyError) as caught:
        nobody.open(b"", data, 0.0)
    assert not isinstance(caught.value, FutureEpochError)
    bob = member(1)
    assert bob.epoch == 1
    bob.wipe()
    with pytest.raises(MissingKeyError):
        bob.open(b"", data, 0.0)
    with pytest.raises(MissingKeyError):
        bob.seal(0, b"", b"x", 0.0)
    with pytest.raises(StateError):
        enter(bob, 1, 0.0, leaf=1)
    enter(bob, 2, 0.0, leaf=1)


def test_replay_forgery_and_reflection() -> None:
    ada, bob = member(0), member(1)
    data = ada.seal(0, b"m", b"frame", 0.0)
    for position in range(len(data)):
        changed = data[:position] + bytes((data[position] ^ 4,)) + data[position + 1 :]
        with pytest.raises((AuthenticationError, MissingKeyError, MalformedError)):
            bob.open(b"m", changed, 0.0)
    with pytest.raises(AuthenticationError):
        bob.open(b"n", data, 0.0)
    assert bob.open(b"m", data, 0.0).frame == b"frame"
    with pytest.raises(ReplayError):
        bob.open(b"m", data, 0.0)
    with pytest.raises(AuthenticationError, match="our own"):
        ada.open(b"m", data, 0.0)
    with pytest.raises(MalformedError):
        bob.open(b"m", b"", 0.0)


def test_a_forged_counter_blocks_nothing() -> None:
    ada, bob = member(0), member(1)
    kid = keys(1).kid(0, 0)
    with pytest.raises(AuthenticationError):
        bob.open(b"", encode_header(kid, 2**60) + bytes(40), 0.0)
    assert bob.open(b"", ada.seal(0, b"", b"x", 0.0), 0.0).counter == 0


def test_key_ids_that_are_nobody_s() -> None:
    bob = member(1)
    for tag in range(64, 67):
        with pytest.raises(MissingKeyError):
            bob.open(b"", encode_header(tag << 4 | 1, 0) + bytes(20), 0.0)
    empty_leaf = keys(1, 8).kid(5, 0)  # within the tree's width, beyond its leaves
    with pytest.raises(MissingKeyError):
        bob.open(b"", encode_header(empty_leaf, 0) + bytes(20), 0.0)


def test_counters_are_never_reused() -> None:
    ada = member(0)
    seen = set()
    now = 0.0
    for epoch in range(2, 30):
        for _ in range(3):
            header = Header.decode(ada.seal(0, b"", b"same", now))
            key = (ada.sending_epoch(now), header.kid, header.counter)
            assert key not in seen
            seen.add(key)
            now += 0.2
        enter(ada, epoch, now, leaf=0, is_removal=epoch % 3 == 0)
    assert len(seen) == 28 * 3
    for copier in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(StateError, match="copied"):
            copier(ada)


def test_install_refuses_the_past_and_leaves_outside_the_tree() -> None:
    ada = member(0, epoch=5)
    for epoch in (4, 5):
        with pytest.raises(StateError, match="can't follow"):
            enter(ada, epoch, 1.0, leaf=0)
    for leaf in (3, -1):
        with pytest.raises(StateError, match="no leaf"):
            enter(ada, 6, 1.0, leaf=leaf)
    assert ada.epoch == 5
    assert epoch_bits(ada.seal(0, b"", b"x", 9.0)) == 5
