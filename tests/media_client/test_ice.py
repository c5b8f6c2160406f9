"""The client's half of ICE, with aioice as the other side."""

from __future__ import annotations

import os

import pytest
from aioice import stun

from snugroom.client.media.ice import (
    CONSENT_INTERVAL,
    CONSENT_TIMEOUT,
    Connected,
    ConsentLost,
    IceClient,
    Send,
)
from snugroom.wire import stun as wire


def answer(request: Send, password: str, *, right: bool = True) -> bytes:
    parsed = stun.parse_message(request.data)
    reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, parsed.transaction_id)
    reply.attributes["XOR-MAPPED-ADDRESS"] = ("127.0.0.1", 9)
    reply.add_message_integrity((password if right else "wrong").encode())
    return bytes(reply)


MINE = ("mine", "mine's password")
SERVER = ("192.0.2.1", 9)


def check(effects: list[Send | Connected | ConsentLost]) -> Send:
    (effect,) = effects
    assert isinstance(effect, Send)
    return effect


def test_checks_are_repeated_until_the_authentic_answer() -> None:
    agent = IceClient(MINE, os.urandom)
    first = check(agent.start("theirs", "password" * 3, SERVER, 0.0))
    parsed = stun.parse_message(first.data)
    assert parsed.attributes["USERNAME"] == "theirs:mine"
    assert parsed.check_message_integrity(b"password" * 3)
    assert agent.tick(0.01) == []
    second = check(agent.tick(0.06))
    assert agent.receive(answer(first, "password" * 3, right=False), 0.07) == []
    assert agent.receive(b"\x00\x01garbage", 0.07) == []
    assert not agent.connected
    assert agent.receive(answer(second, "password" * 3), 0.08) == [Connected()]
    assert agent.receive(answer(second, "password" * 3), 0.09) == []  # once


def test_consent_is_asked_for_and_runs_out() -> None:
    agent = IceClient(MINE, os.urandom)
    agent.receive(answer(check(agent.start("theirs", "p" * 22, SERVER, 0.0)), "p" * 22), 0.0)
    assert agent.tick(CONSENT_INTERVAL - 0.1) == []
    request = check(agent.tick(CONSENT_INTERVAL))
    agent.receive(answer(request, "p" * 22), CONSENT_INTERVAL + 0.1)
    now, lost_at = CONSENT_INTERVAL + 0.1, 0.0
    while not lost_at:
        now += 0.25
        if agent.tick(now) == [ConsentLost()]:
            lost_at = now
    assert lost_at == pytest.approx(CONSENT_INTERVAL + 0.1 + CONSENT_TIMEOUT, abs=0.3)
    assert agent.tick(now + 1) == []


def test_a_hello_is_in_all_checks_until_the_first_answer() -> None:
    agent = IceClient(MINE, os.urandom, hello=b"a ClientHello")
    found = []
    request = check(agent.start("theirs", "p" * 22, SERVER, 0.0))
    found.append(request)
    found.append(check(agent.tick(0.06)))
    agent.receive(answer(request, "p" * 22), 0.07)
    found.append(check(agent.tick(CONSENT_INTERVAL + 0.07)))
    values = [wire.parse_request(each.data).attributes.get(wire.CLIENT_HELLO) for each in found]
    filled = b"a ClientHello".ljust(wire.CLIENT_HELLO_MIN, b"\0")
    assert values == [filled, filled, None]
    large = IceClient(MINE, os.urandom, hello=bytes(wire.CLIENT_HELLO_MAX + 1))
    first = wire.parse_request(check(large.start("theirs", "p" * 22, SERVER, 0.0)).data)
    assert wire.CLIENT_HELLO not in first.attributes
    largest = IceClient((10 * "m", "p"), os.urandom, hello=b"h" * wire.CLIENT_HELLO_MAX)
    sent = wire.parse_request(check(largest.start("theirs", "p" * 22, SERVER, 0.0)).data)
    assert len(sent.attributes[wire.CLIENT_HELLO]) == wire.CLIENT_HELLO_MAX


def of_the_server(username: str = "mine:theirs", password: str = MINE[1]) -> bytes:
    request = stun.Message(
        stun.Method.BINDING,
        stun.Class.REQUEST,
        attributes={"USERNAME": username, "PRIORITY": 1, "ICE-CONTROLLED": 1},
    )
    request.add_message_integrity(password.encode())
    return bytes(request)


def test_checks_of_the_server_are_answered() -> None:
    agent = IceClient(MINE, os.urandom)
    own = check(agent.start("theirs", "p" * 22, SERVER, 0.0))
    asked = of_the_server()
    reply = stun.parse_message(check(agent.receive(asked, 0.01)).data)
    assert reply.message_class is stun.Class.RESPONSE
    assert reply.transaction_id == stun.parse_message(asked).transaction_id
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == SERVER
    assert reply.check_message_integrity(MINE[1].encode())
    for other in (of_the_server("nobody:theirs"), of_the_server(password="q" * 22)):
        assert agent.receive(other, 0.02) == []
    # a check says that the server reaches us, and nothing about the other direction
    assert not agent.connected
    assert agent.unanswered(1.0) == 1.0
    assert agent.receive(answer(own, "p" * 22), 1.0) == [Connected()]
