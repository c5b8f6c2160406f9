"""A ClientHello in a check: the handshake begins before the address is proven, within what came from it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from OpenSSL import SSL

from snugroom.server.sfu.io import dtls
from snugroom.server.sfu.io.dtls import (
    FIRST_FLIGHT,
    FLIGHTS_MAX,
    Certificate,
    DtlsServer,
    is_client_hello,
    server_context,
)
from snugroom.server.sfu.io.ice import FACTOR
from snugroom.wire import stun
from tests.media_server.conftest import ROOM, Rig, until
from tests.media_server.peer import CERTIFICATE, Peer

FLIGHT = 500
"""Bytes that only a flight with a certificate has."""


def hello(peer: Peer) -> bytes:
    """The ClientHello of a new association of this peer."""
    peer.ssl = SSL.Connection(peer.context, None)
    peer.ssl.set_connect_state()
    try:
        peer.ssl.do_handshake()
    except SSL.WantReadError:
        return peer.ssl.bio_read(1_500)
    raise AssertionError


def check(peer: Peer, first: bytes, *, nominate: bool = True) -> bytes:
    assert peer.transport is not None
    name = f"{peer.transport.ufrag}:{peer.ufrag}".encode()
    password = peer.transport.password.encode()
    return stun.request(os.urandom(12), name, password, tie_breaker=7, nominate=nominate, hello=first)


class Sent:
    """Taps a peer, and keeps all that it sends from now on."""

    def __init__(self, peer: Peer) -> None:
        self.datagrams: list[bytes] = []
        self._send: Callable[[bytes], None] = peer.send
        peer.send = self.send  # type: ignore[method-assign]  # a tap

    def send(self, datagram: bytes) -> None:
        self.datagrams.append(datagram)
        self._send(datagram)

    @property
    def hellos(self) -> int:
        return sum(is_client_hello(datagram) for datagram in self.datagrams)

    @property
    def size(self) -> int:
        return sum(map(len, self.datagrams))


def newcomer(rig: Rig) -> tuple[Peer, Sent]:
    peer = rig.peer()
    peer.transport = rig.sfu.join(ROOM, rig.handle(peer), peer.media)
    return peer, Sent(peer)


def flights(peer: Peer) -> int:
    return sum(len(datagram) > FLIGHT for datagram in peer.raw)


async def test_the_first_flight_comes_with_the_answer(rig: Rig) -> None:
    ada, sent = newcomer(rig)
    ada.proves = False
    peer_link = rig.sfu._links[ROOM, rig.handle(ada)]
    ada.send(check(ada, hello(ada)))
    await ada.until(lambda: flights(ada) == 1)
    assert peer_link.address is None
    # what follows is kept until the address is proven
    await until(lambda: bool(peer_link.held))
    assert ada.send_session is None
    ada.proves = True
    await ada.until(lambda: ada.send_session is not None)
    assert sent.hellos == 0
    assert rig.totals("handshakes") == 1


async def test_a_forged_address_gets_one_flight_within_what_came_from_there(rig: Rig) -> None:
    eve, sent = newcomer(rig)
    eve.proves = False
    first = hello(eve)
    eve.ssl = None  # the owner of the address answers nothing
    for number in range(1, 21):
        eve.send(check(eve, first))
        await eve.until(lambda number=number: len(eve.stun) == number)  # type: ignore[misc]
    assert flights(eve) == 1
    assert sum(map(len, eve.raw)) <= FACTOR * sent.size


def small_check(peer: Peer, *, nominate: bool = False) -> bytes:
    """A check with a short ClientHello that nothing fills up."""
    assert peer.transport is not None
    peer.context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256")
    body = stun._attribute(stun.USERNAME, f"{peer.transport.ufrag}:{peer.ufrag}".encode())
    body += stun._attribute(stun.ICE_CONTROLLING, bytes(8))
    body += stun._attribute(stun.USE_CANDIDATE, b"") if nominate else b""
    body += stun._attribute(stun.CLIENT_HELLO, hello(peer))
    return stun._message(stun.BINDING_REQUEST, bytes(12), body, peer.transport.password.encode())


async def test_a_check_that_is_too_small_for_a_flight_gets_none(rig: Rig) -> None:
    ada, sent = newcomer(rig)
    ada.proves = False
    ada.send(small_check(ada))
    await ada.until(lambda: bool(ada.stun))
    assert rig.sfu._links[ROOM, rig.handle(ada)].dtls is None
    assert flights(ada) == 0
    ada.proves = True
    ada.hello()
    await ada.until(lambda: ada.send_session is not None)
    assert sent.hellos == 1


async def test_a_flight_that_is_larger_than_announced_waits_for_the_proof(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dtls, "FIRST_FLIGHT", 300)
    ada, _ = newcomer(rig)
    ada.proves = False
    first = hello(ada)
    ada.send(check(ada, first))
    await until(lambda: rig.totals("withheld") == 1)
    assert flights(ada) == 0
    ada.proves = True
    ada.send(first)
    await ada.until(lambda: ada.send_session is not None)
    assert flights(ada) == 1


async def test_a_proven_address_lets_no_other_one_have_a_flight(rig: Rig) -> None:
    ada, _ = newcomer(rig)
    victim = Peer()
    rig.peers.append(victim)
    victim.take_over(ada)
    victim.proves = False
    ada.send(check(ada, b""))
    link = rig.sfu._links[ROOM, rig.handle(ada)]
    await until(lambda: link.address is not None)
    victim.send(small_check(victim, nominate=True))
    await victim.until(lambda: bool(victim.stun))
    assert link.dtls is None
    assert flights(victim) == 0


async def test_only_the_selected_address_begins_and_only_once(rig: Rig) -> None:
    ada, _ = newcomer(rig)
    other = Peer()
    rig.peers.append(other)
    other.take_over(ada)
    ada.send(check(ada, b""))
    await ada.until(lambda: bool(ada.stun))
    other.send(check(other, hello(other), nominate=False))
    await other.until(lambda: bool(other.stun))
    peer_link = rig.sfu._links[ROOM, rig.handle(ada)]
    assert peer_link.dtls is None
    ada.send(check(ada, hello(ada)))
    await ada.until(lambda: ada.send_session is not None)
    association = peer_link.dtls
    ada.send(check(ada, b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(11)))
    await ada.until(lambda: len(ada.stun) == 3)
    assert peer_link.dtls is association
    assert rig.totals("handshakes") == 1


async def test_a_flight_on_a_path_that_was_given_up_comes_again(rig: Rig) -> None:
    """The answer on another path was faster: what the server sent on the first one is lost."""
    ada, _ = newcomer(rig)
    first = hello(ada)
    association, ada.ssl = ada.ssl, None
    ada.send(check(ada, first))
    await ada.until(lambda: flights(ada) == 1)
    ada.ssl = association
    ada.send(first)
    await ada.until(lambda: ada.send_session is not None)
    assert flights(ada) == 2


def test_a_first_flight_is_as_small_as_announced_and_is_repeated_a_few_times() -> None:
    for _ in range(20):
        certificate = Certificate.generate()
        server = DtlsServer(server_context(certificate), CERTIFICATE.fingerprint, 65_536)
        client = SSL.Connection(SSL.Context(SSL.DTLS_CLIENT_METHOD), None)
        client.set_connect_state()
        try:
            client.do_handshake()
        except SSL.WantReadError:
            first = client.bio_read(1_500)
        flight = server.receive(first)
        assert FLIGHT < sum(map(len, flight)) <= FIRST_FLIGHT
    for _ in range(FLIGHTS_MAX - 1):
        assert server.receive(first) == flight
    assert server.receive(first) == []
    assert server.withheld == 1
