"""ICE-lite, with aioice as the other side."""

from __future__ import annotations

import pytest
from aioice import stun as aioice_stun

from snugroom.server.sfu.io.ice import Credentials, IceLite
from snugroom.server.wire import stun
from tests.wire.test_stun import ADA, PASSWORD, nominating, request

LOCAL = Credentials("serverfrag", PASSWORD)
ADA_MOVED = ("192.0.2.1", 4001)


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
def test_a_stranger_gets_no_answer_and_changes_nothing(datagram: bytes) -> None:
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
def test_a_wrong_request_of_the_peer_gets_an_error(datagram: bytes, code: int) -> None:
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
