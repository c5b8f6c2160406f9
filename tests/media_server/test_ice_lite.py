"""ICE-lite, with aioice as the other side."""

from __future__ import annotations

import os

import pytest
from aioice import stun as aioice_stun

from snugroom.server.sfu.io.ice import CONSENT_INTERVAL, Address, Credentials, IceLite
from snugroom.wire import stun
from tests.wire.test_stun import ADA, PASSWORD, nominating, request

LOCAL = Credentials("serverfrag", PASSWORD)
REMOTE = Credentials("ada", "a" * 24)
PROOF_TIME = 30.0
ADA_MOVED = ("192.0.2.1", 4001)


def agent(addresses_max: int = 4, rebinding: float = 12.0) -> IceLite:
    return IceLite(LOCAL, REMOTE, addresses_max, rebinding, PROOF_TIME, os.urandom)


def test_a_good_check_is_answered_and_the_answer_verifies() -> None:
    ice = agent()
    parsed = stun.parse_request(request())
    answer = ice.check(parsed, ADA, 100, 1.0)
    assert answer is not None
    assert (answer.good, answer.selected, ice.selected, ice.consent_at) == (True, True, ADA, 1.0)
    reply = aioice_stun.parse_message(answer.reply)
    assert reply.message_class is aioice_stun.Class.RESPONSE
    assert reply.transaction_id == parsed.transaction
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == ADA
    assert reply.check_message_integrity(LOCAL.password.encode())


def test_ipv6_addresses_are_answered() -> None:
    answer = agent().check(stun.parse_request(request()), ("2001:db8::7", 4000, 0, 0), 100, 1.0)
    assert answer is not None
    reply = aioice_stun.parse_message(answer.reply)
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::7", 4000)
    mapped = agent().check(stun.parse_request(request()), ("::ffff:192.0.2.1", 4000, 0, 0), 100, 1.0)
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
    assert ice.check(stun.parse_request(datagram), ADA, 100, 1.0) is None
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
    answer = ice.check(stun.parse_request(datagram), ADA, 100, 1.0)
    assert answer is not None
    assert not answer.good
    assert (ice.selected, ice.addresses, ice.consent_at) == (None, {}, None)
    reply = aioice_stun.parse_message(answer.reply)
    assert reply.error_code == code
    assert reply.check_message_integrity(LOCAL.password.encode())


def test_nomination_moves_the_selected_address() -> None:
    ice = agent()
    ice.check(stun.parse_request(request()), ADA, 100, 1.0)
    quiet = ice.check(stun.parse_request(request()), ADA_MOVED, 100, 2.0)
    assert quiet is not None
    assert not quiet.selected
    assert ice.selected == ADA
    loud = ice.check(stun.parse_request(nominating()), ADA_MOVED, 100, 3.0)
    assert loud is not None
    assert loud.selected
    assert ice.selected == ADA_MOVED


def test_a_rebound_client_is_found_again() -> None:
    ice = agent(rebinding=12.0)
    ice.check(stun.parse_request(nominating()), ADA, 100, 1.0)
    ice.check(stun.parse_request(request()), ADA_MOVED, 100, 12.0)
    assert ice.selected == ADA
    ice.check(stun.parse_request(request()), ADA_MOVED, 100, 13.5)
    assert ice.selected == ADA_MOVED


def test_addresses_are_bounded_and_the_selected_one_stays() -> None:
    ice = agent(addresses_max=3)
    for i in range(10):
        ice.check(stun.parse_request(request()), ("192.0.2.1", 4000 + i), 100, float(i))
    assert ice.selected == ADA
    assert set(ice.addresses) == {ADA, ("192.0.2.1", 4008), ("192.0.2.1", 4009)}


def test_fresh_credentials_are_ice_chars_of_good_length() -> None:
    made = Credentials.fresh(lambda size: bytes(range(250, 250 - size, -1)))
    assert (len(made.ufrag), len(made.password)) == (8, 24)
    assert set(made.ufrag + made.password) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    )


# -- proofs ------------------------------------------------------------------------------------


def check(ice: IceLite, source: Address, now: float) -> int:
    """A nominating check from `source`; its size."""
    datagram = nominating()
    assert ice.check(stun.parse_request(datagram), source, len(datagram), now) is not None
    return len(datagram)


def answer(ice: IceLite, asked: bytes, source: Address, now: float, password: str = REMOTE.password) -> bool:
    """Answer a check of the server as the peer with this password; whether the server takes it."""
    request = aioice_stun.parse_message(asked)
    reply = aioice_stun.Message(
        aioice_stun.Method.BINDING, aioice_stun.Class.RESPONSE, request.transaction_id
    )
    reply.add_message_integrity(password.encode())
    return ice.answered(stun.parse_success(bytes(reply)), source, now)


def test_the_servers_check_is_one_of_a_controlled_agent() -> None:
    ice = agent()
    check(ice, ADA, 1.0)
    due = ice.due_check(1.0)
    assert due is not None
    asked = aioice_stun.parse_message(due[0])
    assert due[1] == ADA
    assert asked.attributes["USERNAME"] == "ada:serverfrag"
    assert "ICE-CONTROLLED" in asked.attributes
    assert "USE-CANDIDATE" not in asked.attributes
    assert "PRIORITY" in asked.attributes
    assert asked.check_message_integrity(REMOTE.password.encode())


def test_an_address_is_used_when_it_has_answered() -> None:
    ice = agent()
    check(ice, ADA, 1.0)
    due = ice.due_check(1.0)
    assert due is not None
    assert not answer(ice, due[0], ADA, 1.1, "b" * 24)
    assert not answer(ice, due[0], ADA_MOVED, 1.1)
    assert (ice.selected, ice.active) == (ADA, None)
    assert answer(ice, due[0], ADA, 1.1)
    assert ice.active == ADA
    # a later owner of the address would be hit with an old answer
    assert not answer(ice, due[0], ADA, 1.2)
    assert ice.due_check(1.2) is None


def test_media_stays_where_it_was_until_the_new_address_answers() -> None:
    ice = agent()
    check(ice, ADA, 1.0)
    answer(ice, ice.due_check(1.0)[0], ADA, 1.0)  # type: ignore[index]  # the last test
    check(ice, ADA_MOVED, 2.0)
    assert (ice.selected, ice.active) == (ADA_MOVED, ADA)
    due = ice.due_check(2.0)
    assert due is not None
    assert due[1] == ADA_MOVED
    answer(ice, due[0], ADA_MOVED, 2.1)
    assert ice.active == ADA_MOVED
    check(ice, ADA, 3.0)  # and back: it is still proven
    assert ice.active == ADA


def test_an_unproven_address_gets_three_times_its_bytes_at_most() -> None:
    ice = agent()
    received = check(ice, ADA, 1.0)
    sent, now = 0, 1.0
    while now < 20.0:
        due = ice.due_check(now)
        sent += 0 if due is None else len(due[0])
        now += 0.02
    assert 0.5 * 3 * received < sent <= 3 * received
    assert not ice.spend(ADA, 3 * received - sent + 1, now)
    ice.credit(ADA, 100)
    assert ice.spend(ADA, 300, now)
    assert not ice.spend(ADA, 300, now)
    assert not ice.spend(ADA_MOVED, 1, now)


def test_a_lost_check_is_repeated_and_late_answers_count() -> None:
    ice = agent()
    check(ice, ADA, 1.0)
    first = ice.due_check(1.0)
    assert ice.due_check(1.05) is None
    again = ice.due_check(1.11)
    assert first is not None
    assert again is not None
    transactions = [aioice_stun.parse_message(asked).transaction_id for asked, _ in (first, again)]
    assert transactions[0] == transactions[1]
    assert answer(ice, first[0], ADA, 1.3)


def test_consent_needs_answers_too() -> None:
    ice = agent()
    check(ice, ADA, 0.0)
    answer(ice, ice.due_check(0.0)[0], ADA, 0.0)  # type: ignore[index]  # see above
    assert ice.due_check(CONSENT_INTERVAL - 1) is None
    due = ice.due_check(CONSENT_INTERVAL)
    assert due is not None
    answer(ice, due[0], ADA, CONSENT_INTERVAL)
    now = CONSENT_INTERVAL
    end = now + CONSENT_INTERVAL + PROOF_TIME
    while now < end:  # its checks come, and its answers don't
        now += 2.5
        check(ice, ADA, now)
        ice.due_check(now)
        assert ice.silent(PROOF_TIME, now) == (now > end)
    check(ice, ADA, now + 1)
    assert ice.silent(PROOF_TIME, now + 1)


def test_tcp_is_proven_by_its_handshake() -> None:
    ice = agent()
    check(ice, ("192.0.2.1", 4000, 1), 0.0)
    assert ice.active == ("192.0.2.1", 4000, 1)
    assert ice.due_check(1000.0) is None


def test_only_a_proven_address_is_held_for_long() -> None:
    ice = agent()
    check(ice, ADA, 0.0)
    assert ice.holds(ADA, 10.0, 1.9)
    check(ice, ADA, 2.0)
    assert not ice.holds(ADA, 10.0, 2.1)
    answer(ice, ice.due_check(2.1)[0], ADA, 2.1)  # type: ignore[index]  # see above
    assert ice.holds(ADA, 10.0, 11.9)
    assert not ice.holds(ADA, 10.0, 12.1)
    assert not ice.holds(ADA_MOVED, 10.0, 2.1)


def test_an_ice_restart_keeps_what_is_proven() -> None:
    before, ice = agent(), agent()
    check(before, ADA, 0.0)
    answer(before, before.due_check(0.0)[0], ADA, 0.0)  # type: ignore[index]  # see above
    ice.continue_from(before)
    assert (ice.active, ice.selected, ice.proven(ADA, 1.0)) == (ADA, None, True)
    check(ice, ADA_MOVED, 1.0)
    assert (ice.active, ice.proven(ADA_MOVED, 1.0)) == (ADA, False)


def test_errors_are_smaller_than_three_times_the_check() -> None:
    for datagram in (
        request("serverfrag:ada", ICE_CONTROLLED=5),
        request(ICE_CONTROLLING=None),
        request(LIFETIME=5),
    ):
        reply = agent().check(stun.parse_request(datagram), ADA, len(datagram), 1.0)
        assert reply is not None
        assert len(reply.reply) <= 3 * len(datagram)
