"""Heartbeats have one encoding, and one signature that a stranger can check."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.agreed.heartbeat import (
    NO_HEARTBEAT,
    PENDING_MAX,
    Act,
    Got,
    Heartbeat,
    PendingAct,
    window,
)
from snugroom.crypto.errors import AuthenticationError, MalformedError
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.mls.labels import sign_with_label
from tests.crypto.heartbeats import WRONG_FIELDS

NUMBER = bytes(range(16))
KEY = SigningKey(bytes(range(32)))


def sign(label: str, data: bytes) -> bytes:
    return sign_with_label(KEY.seed, label, data)


def beat(**changes: Any) -> Heartbeat:
    made = Heartbeat(
        leaf=1,
        handle=b"handle 1",
        since=3,
        seq=7,
        prev=b"p" * 32,
        at=1_790_000_000,
        epoch=4,
        slot=5,
        chain=b"c" * 32,
        authenticator=b"a" * 32,
        incarnation=b"server 1",
        server=b"its key.",
        relay=9,
        window=b"w" * 32,
        words=3 * 2**20 + 5,
        sent=((0, 250), (1, 75)),
        want=True,
        got=(Got(0, 6, ((0, 249),)), Got(2, 0, ())),
        pending=(PendingAct(Act.REMOVE, 3),),
    )
    return replace(made, **changes).signed(NUMBER, sign)


counters = st.dictionaries(st.integers(0, 7), st.integers(0, 2**48 - 1)).map(
    lambda d: tuple(sorted(d.items()))
)


@given(
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**53 - 4),
    counters,
    st.booleans(),
    st.dictionaries(st.integers(0, 2**32 - 1), st.tuples(st.integers(0, 2**32 - 1), counters), max_size=12),
    st.sets(st.builds(PendingAct, st.sampled_from(Act), st.integers(0, 2**32 - 1)), max_size=PENDING_MAX),
)
def test_a_heartbeat_decodes_to_itself(
    seq: int, slot: int, sent: Any, want: bool, got: Any, pending: set[PendingAct]
) -> None:
    heard = tuple(Got(leaf, last, frames) for leaf, (last, frames) in sorted(got.items()))
    made = beat(seq=seq, slot=slot + 3, sent=sent, want=want, got=heard, pending=tuple(sorted(pending)))
    assert Heartbeat.decode(made.encode()) == made
    Heartbeat.decode(made.encode()).verify(NUMBER, KEY.public)


def test_a_heartbeat_says_which_beat_of_a_leaf_had_arrived() -> None:
    made = beat(got=(Got(0, 6, ()), Got(2, 0, ()), Got(7, 9, ())))
    assert [made.acknowledged(leaf) for leaf in (0, 1, 2, 7, 8)] == [6, 0, 0, 9, 0]


def test_every_byte_is_signed_for_one_room_and_by_one_key() -> None:
    raw = beat().encode()
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises((AuthenticationError, MalformedError)):
            Heartbeat.decode(changed).verify(NUMBER, KEY.public)
    with pytest.raises(AuthenticationError):
        beat().verify(bytes(16), KEY.public)
    with pytest.raises(AuthenticationError):
        beat().verify(NUMBER, SigningKey(bytes(32)).public)


def test_cut_or_with_more_behind_it_is_refused() -> None:
    raw = beat().encode()
    for size in range(len(raw)):
        with pytest.raises(MalformedError):
            Heartbeat.decode(raw[:size])
    with pytest.raises(MalformedError):
        Heartbeat.decode(raw + b"\0")


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 0},
        {"slot": 2},
        *WRONG_FIELDS,
    ],
    ids=str,
)
def test_a_heartbeat_that_no_member_would_write_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        Heartbeat.decode(beat(**changes).encode())


def test_a_flag_or_version_of_another_kind_is_refused() -> None:
    raw = beat(got=(), pending=()).encode()
    want = len(raw) - 64 - 1 - 2 - 1
    for at, value in ((0, 2), (want, 2)):
        with pytest.raises(MalformedError):
            Heartbeat.decode(raw[:at] + bytes([value]) + raw[at + 1 :])


@pytest.mark.parametrize(
    ("name", "value"),
    [("leaf", 2**32), ("handle", b""), ("prev", b""), ("chain", bytes(31)), ("window", b""), ("at", -1)],
)
def test_a_heartbeat_without_an_encoding_is_refused(name: str, value: Any) -> None:
    with pytest.raises(MalformedError):
        beat(**{name: value})


def test_an_unsigned_heartbeat_is_not_sent() -> None:
    with pytest.raises(MalformedError):
        replace(beat(), signature=b"").encode()


def test_the_digest_is_of_all_that_is_said() -> None:
    base = beat()
    others = [
        beat(**{f.name: {int: 99, bytes: None, bool: False}.get(type(getattr(base, f.name)), ())})
        for f in fields(base)
        if f.init and f.name != "signature" and not isinstance(getattr(base, f.name), bytes)
    ]
    others += [
        beat(**{f.name: bytes(len(getattr(base, f.name)))})
        for f in fields(base)
        if f.init and f.name != "signature" and isinstance(getattr(base, f.name), bytes)
    ]
    assert len(others) == sum(f.init for f in fields(base)) - 1
    assert len({base.digest, *(other.digest for other in others)}) == len(others) + 1
    assert len(NO_HEARTBEAT) == len(base.digest) == 32


def test_a_window_tells_order_number_and_server_apart() -> None:
    one, two = b"1" * 32, b"2" * 32
    windows = {
        window(b"server 1", 2, [one, two]),
        window(b"server 1", 2, [two, one]),
        window(b"server 1", 3, [one, two]),
        window(b"server 2", 2, [one, two]),
        window(b"server 1", 2, [two]),
    }
    assert len(windows) == 5
