"""STUN for both ends, and ICE-lite, with aioice as the other side."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from aioice import stun as aioice_stun
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.sfu.io.ice import Credentials, IceLite
from snugroom.server.wire import stun

LOCAL = Credentials("serverfrag", "p" * 24)
ADA = ("192.0.2.1", 4000)
ADA_MOVED = ("192.0.2.1", 4001)


def request(username: str = "serverfrag:ada", password: str = LOCAL.password, **changes: Any) -> bytes:
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
    message.add_message_integrity(LOCAL.password.encode())
    return bytes(message)


def agent(addresses_max: int = 4, rebinding: float = 12.0) -> IceLite:
    return IceLite(LOCAL, "ada", addresses_max, rebinding)


def test_a_good_check_is_answered_and_the_answer_verifies() -> None:
    ice = agent()
    parsed = stun.parse_request(request())
    answer = ice.check(parsed, ADA, 1.0)
    assert answer is not None
    assert (answer.good, answer.selected, ice.selected, ice.consent_at) == (True, True, ADA, 1.0)
    reply = aioice_stun.parse_message(answer.reply)
    assert reply.message_class is aioice_stun.Class.RESPONSE
    assert reply.transaction_id == parsed.transaction
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == ADA
    assert reply.check_message_integrity(LOCAL.password.encode())


def test_ipv6_addresses_are_answered() -> None:
    answer = agent().check(stun.parse_request(request()), ("2001:db8::7", 4000, 0, 0), 1.0)
    assert answer is not None
    reply = aioice_stun.parse_message(answer.reply)
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::7", 4000)
    mapped = agent().check(stun.parse_request(request()), ("::ffff:192.0.2.1", 4000, 0, 0), 1.0)
    assert mapped is not None
    assert aioice_stun.parse_message(mapped.reply).attributes["XOR-MAPPED-ADDRESS"] == ADA


@pytest.mark.parametrize(
    "datagram",
    [
        request(password="q" * 24),
        request(username="serverfrag:eve"),
        request(username="otherfrag:ada"),
        request(username="serverfrag"),
    ],
)
def test_who_isnt_the_peer_gets_no_answer_and_changes_nothing(datagram: bytes) -> None:
    ice = agent()
    assert ice.check(stun.parse_request(datagram), ADA, 1.0) is None
    assert (ice.selected, ice.addresses, ice.consent_at) == (None, {}, None)


@pytest.mark.parametrize(
    ("datagram", "code"),
    [
        (request(ICE_CONTROLLING=None, ICE_CONTROLLED=5), 487),
        (request(ICE_CONTROLLED=5), 487),
        (request(ICE_CONTROLLING=None), 400),
        (request(LIFETIME=5), 420),
    ],
)
def test_what_is_wrong_is_said_to_the_peer_alone(datagram: bytes, code: int) -> None:
    ice = agent()
    answer = ice.check(stun.parse_request(datagram), ADA, 1.0)
    assert answer is not None
    assert not answer.good
    assert (ice.selected, ice.addresses, ice.consent_at) == (None, {}, None)
    reply = aioice_stun.parse_message(answer.reply)
    assert reply.error_code == code
    assert reply.check_message_integrity(LOCAL.password.encode())


def test_nomination_moves_the_selected_address() -> None:
    ice = agent()
    ice.check(stun.parse_request(request()), ADA, 1.0)
    quiet = ice.check(stun.parse_request(request()), ADA_MOVED, 2.0)
    assert quiet is not None
    assert not quiet.selected
    assert ice.selected == ADA
    loud = ice.check(stun.parse_request(nominating()), ADA_MOVED, 3.0)
    assert loud is not None
    assert loud.selected
    assert ice.selected == ADA_MOVED


def test_a_rebound_client_is_found_again() -> None:
    ice = agent(rebinding=12.0)
    ice.check(stun.parse_request(nominating()), ADA, 1.0)
    ice.check(stun.parse_request(request()), ADA_MOVED, 12.0)
    assert ice.selected == ADA
    ice.check(stun.parse_request(request()), ADA_MOVED, 13.5)
    assert ice.selected == ADA_MOVED


def test_addresses_are_bounded_and_the_selected_one_stays() -> None:
    ice = agent(addresses_max=3)
    for i in range(10):
        ice.check(stun.parse_request(request()), ("192.0.2.1", 4000 + i), float(i))
    assert ice.selected == ADA
    assert set(ice.addresses) == {ADA, ("192.0.2.1", 4008), ("192.0.2.1", 4009)}


def test_fresh_credentials_are_ice_chars_of_good_length() -> None:
    made = Credentials.fresh(lambda size: bytes(range(250, 250 - size, -1)))
    assert (len(made.ufrag), len(made.password)) == (8, 24)
    assert set(made.ufrag + made.password) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    )


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
        assert not stun.authentic(parsed, LOCAL.password.encode())


def test_what_follows_the_integrity_is_ignored() -> None:
    message = request()
    without = message[:-8]  # the fingerprint
    smuggled = without + b"\x00\x25\x00\x00"
    smuggled = smuggled[:2] + (len(smuggled) - 20).to_bytes(2, "big") + smuggled[4:]
    parsed = stun.parse_request(smuggled)
    assert stun.authentic(parsed, LOCAL.password.encode())
    assert stun.USE_CANDIDATE not in parsed.attributes


# -- the client's half -----------------------------------------------------------------------

PASSWORD = LOCAL.password.encode()


@pytest.mark.parametrize("nominate", [True, False])
def test_aioice_reads_our_checks(nominate: bool) -> None:
    check = stun.request(b"t" * 12, b"serverfrag:ada", PASSWORD, tie_breaker=7, nominate=nominate)
    theirs = aioice_stun.Message(
        aioice_stun.Method.BINDING,
        aioice_stun.Class.REQUEST,
        b"t" * 12,
        # RFC 8445 5.1.2.1: a peer-reflexive candidate
        {"USERNAME": "serverfrag:ada", "PRIORITY": 0x6EFFFFFF, "ICE-CONTROLLING": 7},
    )
    if nominate:
        theirs.attributes["USE-CANDIDATE"] = None
    theirs.add_message_integrity(PASSWORD)
    assert check == bytes(theirs)
    ours = stun.parse_request(check)
    assert stun.authentic(ours, PASSWORD)
    assert (stun.USE_CANDIDATE in ours.attributes) is nominate


def response(kind: aioice_stun.Class = aioice_stun.Class.RESPONSE, **attributes: Any) -> bytes:
    message = aioice_stun.Message(aioice_stun.Method.BINDING, kind, b"t" * 12)
    message.attributes.update({name.replace("_", "-"): value for name, value in attributes.items()})
    message.add_message_integrity(PASSWORD)
    return bytes(message)


@pytest.mark.parametrize(
    "datagram",
    [
        stun.success(b"t" * 12, "192.0.2.1", 4000, PASSWORD),
        stun.success(b"t" * 12, "2001:db8::7", 4000, PASSWORD),
        response(XOR_MAPPED_ADDRESS=ADA, SOFTWARE="other"),
        response(),
    ],
)
def test_successes_are_read(datagram: bytes) -> None:
    read = stun.parse_success(datagram)
    assert read.transaction == b"t" * 12
    assert stun.authentic(read, PASSWORD)
    assert not stun.authentic(read, b"q" * 24)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x01\x01",
        stun.error(b"t" * 12, 400, "Bad Request", PASSWORD),
        response(aioice_stun.Class.INDICATION),
        response(aioice_stun.Class.ERROR, ERROR_CODE=(487, "Role Conflict")),
        request(),
        response()[:20],  # without MESSAGE-INTEGRITY
        response()[:2] + b"\0\0" + response()[4:20],
        response()[:-1] + b"\0",  # a wrong fingerprint
        stun._message(stun.BINDING_SUCCESS, b"t" * 12, b"\0\x20\0\4\0\1\0\0", PASSWORD),
        stun._message(stun.BINDING_SUCCESS, b"t" * 12, b"\0\x20\0\x08\0\2" + bytes(6), PASSWORD),
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
