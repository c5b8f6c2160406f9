"""The envelope of blobs: sizes, keys and refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry import lobby
from snugroom.crypto.errors import AuthenticationError, MalformedError
from snugroom.crypto.fields import padded, uint
from snugroom.crypto.kdf import seal
from snugroom.wire import limits

KEY, ROOM, GATE = bytes(range(32)), bytes(range(16)), b"g" * 32
BUCKETS = (512, 1024, 2048)


def test_a_blob_comes_back() -> None:
    blob = envelope.seal(KEY, "commit", ROOM, 7, b"payload", BUCKETS, gate=GATE, rng=lambda n: b"\x05" * n)
    assert len(blob) == 512
    assert envelope.epoch_slot(blob) == 7
    assert envelope.gate(blob) == GATE
    assert blob[:52] == uint(7, 8) + GATE + b"\x05" * 12
    assert envelope.open(KEY, "commit", ROOM, blob) == b"payload"
    assert b"payload" not in blob


@given(st.binary(max_size=2100), st.integers(0, 2**53 - 1), st.sampled_from(["commit", "relay"]))
def test_any_payload_comes_back_from_the_smallest_bucket(
    payload: bytes, slot: int, kind: envelope.Kind
) -> None:
    gate = GATE if kind == "commit" else b""
    whole = len(payload) + envelope.OVERHEAD + len(gate)
    if whole > BUCKETS[-1]:
        with pytest.raises(MalformedError, match="more than one message"):
            envelope.seal(KEY, kind, ROOM, slot, payload, BUCKETS, gate=gate)
        return
    blob = envelope.seal(KEY, kind, ROOM, slot, payload, BUCKETS, gate=gate)
    assert len(blob) == next(size for size in BUCKETS if size >= whole)
    assert envelope.open(KEY, kind, ROOM, blob) == payload
    assert envelope.epoch_slot(blob) == slot


@pytest.mark.parametrize("bucket", limits.BUCKETS)
def test_the_size_near_each_border(bucket: int) -> None:
    following = dict(zip(limits.BUCKETS, [*limits.BUCKETS[1:], None], strict=True))[bucket]
    for spare in (2, 1, 0):
        blob = envelope.seal(KEY, "relay", ROOM, 1, bytes(bucket - envelope.OVERHEAD - spare), limits.BUCKETS)
        assert len(blob) == bucket
    for over in (1, 2):
        payload = bytes(bucket - envelope.OVERHEAD + over)
        if following is None:
            with pytest.raises(MalformedError):
                envelope.seal(KEY, "relay", ROOM, 1, payload, limits.BUCKETS)
        else:
            assert len(envelope.seal(KEY, "relay", ROOM, 1, payload, limits.BUCKETS)) == following


def test_an_empty_payload_has_a_whole_bucket() -> None:
    blob = envelope.seal(KEY, "relay", ROOM, 0, b"", BUCKETS)
    assert len(blob) == 512
    assert envelope.open(KEY, "relay", ROOM, blob) == b""


@pytest.mark.parametrize(
    ("key", "kind", "room"),
    [(bytes(32), "commit", ROOM), (KEY, "relay", ROOM), (KEY, "commit", bytes(16))],
)
def test_another_key_kind_or_room(key: bytes, kind: envelope.Kind, room: bytes) -> None:
    blob = envelope.seal(KEY, "commit", ROOM, 7, b"payload", BUCKETS, gate=GATE)
    with pytest.raises(AuthenticationError):
        envelope.open(key, kind, room, blob)


def test_every_changed_byte_is_noticed() -> None:
    blob = envelope.seal(KEY, "commit", ROOM, 7, b"payload", BUCKETS, gate=GATE)
    for at in range(len(blob)):  # the slot in front, the gate, the nonce, the text, the padding, the tag
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        with pytest.raises((AuthenticationError, MalformedError)):
            envelope.open(KEY, "commit", ROOM, changed)


def test_too_short_to_be_one() -> None:
    for size in range(envelope.OVERHEAD - 4):
        with pytest.raises(MalformedError):
            envelope.open(KEY, "commit", ROOM, bytes(size))
    with pytest.raises(MalformedError):
        envelope.epoch_slot(bytes(7))


@pytest.mark.parametrize(
    "inner", [b"", b"\0\0\0", b"\0\0\0\x05abcd", padded(b"abc", 20) + b"\x01", b"\0\0\0\0\x01"]
)
def test_an_inside_that_is_not_padded_as_it_should_be(inner: bytes) -> None:
    head = uint(7, 8) + GATE
    sealed = seal(KEY, inner, b"snug 1 commit" + ROOM + head)
    with pytest.raises(MalformedError):
        envelope.open(KEY, "commit", ROOM, head + sealed)


def test_commits_have_a_gate_and_nothing_else_has() -> None:
    for kind, gate in (("commit", b""), ("commit", GATE[1:]), ("relay", GATE), ("beat", b"g")):
        with pytest.raises(MalformedError, match="a gate"):
            envelope.seal(KEY, kind, ROOM, 7, b"payload", BUCKETS, gate=gate)  # type: ignore[arg-type]
    with pytest.raises(MalformedError):
        envelope.gate(bytes(39))


def test_two_blobs_of_the_same_are_different() -> None:
    one, two = (envelope.seal(KEY, "commit", ROOM, 7, b"payload", BUCKETS, gate=GATE) for _ in range(2))
    assert one != two


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=255))
def test_messages_come_back_in_order(messages: list[bytes]) -> None:
    assert envelope.unpack(envelope.pack(messages)) == messages


@given(st.binary(max_size=60))
def test_packed_strictly(data: bytes) -> None:
    try:
        messages = envelope.unpack(data)
    except MalformedError:
        return
    assert envelope.pack(messages) == data


def test_bytes_that_are_no_pack_are_refused() -> None:
    whole = envelope.pack([b"one", b"", b"three"])
    for size in range(len(whole)):
        with pytest.raises(MalformedError):
            envelope.unpack(whole[:size])
    for bad in (whole + b"\0", b"\0", b"\x04" + whole[1:], b"\x02" + whole[1:], b"\x01\xff\xff\xff\xffabc"):
        with pytest.raises(MalformedError):
            envelope.unpack(bad)
    with pytest.raises(MalformedError):
        envelope.pack([b""] * 256)


def test_the_buckets_are_the_servers() -> None:
    assert tuple(b for b in limits.BUCKETS if b <= limits.LOBBY_BLOB_MAX) == tuple(lobby.BUCKETS)
    assert limits.BUCKETS[-1] == limits.ROOM_BLOB_MAX
    assert list(limits.BUCKETS) == sorted(set(limits.BUCKETS))
    for size in (1, 512, 513, limits.ROOM_BLOB_MAX):
        assert limits.bucket(size) == next(b for b in limits.BUCKETS if b >= size)
    with pytest.raises(ValueError, match="no bucket"):
        limits.bucket(limits.ROOM_BLOB_MAX + 1)
