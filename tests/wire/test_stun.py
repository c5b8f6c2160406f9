"""STUN for both ends, with aioice as the other side."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from aioice import stun as aioice_stun
from hypothesis import given
from hypothesis import strategies as st

from snugroom.wire import stun

PASSWORD = "p" * 24
ADA = ("192.0.2.1", 4000)


def request(username: str = "serverfrag:ada", password: str = PASSWORD, **changes: Any) -> bytes:
    message = aioice_stun.Message(
        aioice_stun.Method.BINDING,
        aioice_stun.Class.REQUEST,
        attributes={"USERNAME": username, "PRIORITY": 1, "ICE-CONTROLLING": 1},
    )
    for name, value in changes.items():
        if value is None:
            del message.attributes[name.replace("_", "-")]
        else:
            message.attributes[name.replace("_", "-")] = value
    message.add_message_integrity(password.encode())
    return bytes(message)


def nominating() -> bytes:
    message = aioice_stun.parse_message(request())
    message.attributes["USE-CANDIDATE"] = None
    for name in ("MESSAGE-INTEGRITY", "FINGERPRINT"):
        del message.attributes[name]
    message.add_message_integrity(PASSWORD.encode())
    return bytes(message)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(stun.StunError):
        stun.parse_request(data)


@given(st.integers(0, 10_000), st.integers(1, 255), st.integers(0, 120))
def test_a_changed_request_is_refused_or_not_authentic(position: int, change: int, cut: int) -> None:
    data = bytearray(request())
    data[position % (len(data) - 8)] ^= change  # all but the fingerprint
    for datagram in (bytes(data), bytes(data[:cut])):
        try:
            parsed = stun.parse_request(datagram)
        except stun.StunError:
            continue
        assert not stun.authentic(parsed, PASSWORD.encode())


def test_attributes_after_the_integrity_are_ignored() -> None:
    message = request()
    without = message[:-8]  # the fingerprint
    smuggled = without + b"\x00\x25\x00\x00"
    smuggled = smuggled[:2] + (len(smuggled) - 20).to_bytes(2, "big") + smuggled[4:]
    parsed = stun.parse_request(smuggled)
    assert stun.authentic(parsed, PASSWORD.encode())
    assert stun.USE_CANDIDATE not in parsed.attributes


# -- the client's half -----------------------------------------------------------------------


@pytest.mark.parametrize("nominate", [True, False])
def test_aioice_reads_our_checks(nominate: bool) -> None:
    check = stun.request(b"t" * 12, b"serverfrag:ada", PASSWORD.encode(), tie_breaker=7, nominate=nominate)
    theirs = aioice_stun.Message(
        aioice_stun.Method.BINDING,
        aioice_stun.Class.REQUEST,
        b"t" * 12,
        # RFC 8445 5.1.2.1: a peer-reflexive candidate
        {"USERNAME": "serverfrag:ada", "PRIORITY": 0x6EFFFFFF, "ICE-CONTROLLING": 7},
    )
    if nominate:
        theirs.attributes["USE-CANDIDATE"] = None
    theirs.add_message_integrity(PASSWORD.encode())
    assert check == bytes(theirs)
    ours = stun.parse_request(check)
    assert stun.authentic(ours, PASSWORD.encode())
    assert (stun.USE_CANDIDATE in ours.attributes) is nominate


def response(kind: aioice_stun.Class = aioice_stun.Class.RESPONSE, **attributes: Any) -> bytes:
    message = aioice_stun.Message(aioice_stun.Method.BINDING, kind, b"t" * 12)
    message.attributes.update({name.replace("_", "-"): value for name, value in attributes.items()})
    message.add_message_integrity(PASSWORD.encode())
    return bytes(message)


@pytest.mark.parametrize(
    "datagram",
    [
        stun.success(b"t" * 12, "192.0.2.1", 4000, PASSWORD.encode()),
        stun.success(b"t" * 12, "2001:db8::7", 4000, PASSWORD.encode()),
        response(XOR_MAPPED_ADDRESS=ADA, SOFTWARE="other"),
        response(),
    ],
)
def test_successes_are_read(datagram: bytes) -> None:
    read = stun.parse_success(datagram)
    assert read.transaction == b"t" * 12
    assert stun.authentic(read, PASSWORD.encode())
    assert not stun.authentic(read, b"q" * 24)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x01\x01",
        stun.error(b"t" * 12, 400, "Bad Request", PASSWORD.encode()),
        response(aioice_stun.Class.INDICATION),
        response(aioice_stun.Class.ERROR, ERROR_CODE=(487, "Role Conflict")),
        request(),
        response()[:20],  # without MESSAGE-INTEGRITY
        response()[:2] + b"\0\0" + response()[4:20],
        response()[:-1] + b"\0",  # a wrong fingerprint
        stun._message(stun.BINDING_SUCCESS, b"t" * 12, b"\0\x20\0\4\0\1\0\0", PASSWORD.encode()),
        stun._message(stun.BINDING_SUCCESS, b"t" * 12, b"\0\x20\0\x08\0\2" + bytes(6), PASSWORD.encode()),
    ],
)
def test_all_but_successes_are_refused(datagram: bytes) -> None:
    with pytest.raises(stun.StunError):
        stun.parse_success(datagram)


@given(st.binary(max_size=200))
def test_any_answer_is_parsed_or_refused(data: bytes) -> None:
    for prefix in (b"", b"\x01\x01", b"\x01\x01" + len(data).to_bytes(2, "big") + b"\x21\x12\xa4\x42"):
        with contextlib.suppress(stun.StunError):
            stun.parse_success(prefix + data)
