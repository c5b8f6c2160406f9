"""The shell over a real socket, against the tests' own ICE-lite server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from snugroom.client.media.dtls import Certificate, DtlsAssociation
from snugroom.client.media.transport import MediaTransport, TransportError
from snugroom.server.sfu.io.dtls import is_client_hello
from snugroom.wire import rtp
from snugroom.wire.rtcp import key_frame_request
from snugroom.wire.rtp import RtpPacket
from tests.media_client.ice_lite import IceLiteServer
from tests.media_client.meeting import until


def packet(sequence: int) -> bytes:
    return rtp.build(RtpPacket(111, False, sequence, 960 * sequence, 7, b"x" * 80))


@pytest.fixture
async def client() -> AsyncIterator[MediaTransport]:
    transport = MediaTransport()
    yield transport
    await transport.close()


async def test_media_flows_both_ways_under_aes_gcm(client: MediaTransport) -> None:
    server = IceLiteServer(client.parameters())
    heard: list[tuple[bytes, bool]] = []
    got: list[bytes] = []
    got_rtcp: list[bytes] = []
    server.on_media = lambda data, rtcp: heard.append((data, rtcp))
    client.on_rtp, client.on_rtcp = got.append, got_rtcp.append
    try:
        await client.connect(server.transport())
        assert client.connected
        await until(lambda: server.dtls is not None and server.dtls.srtp is not None)
        pli = key_frame_request(1, 2)
        client.send_rtp(packet(1))
        client.send_rtp(packet(1))  # a retransmission is the very same packet
        client.send_rtcp(pli)
        server.send(packet(9))
        server.send(pli, rtcp=True)
        await until(lambda: len(heard) == 2 and got and got_rtcp)
        assert heard == [(packet(1), False), (pli, True)]  # SRTP's replay window drops the copy
        assert got == [packet(9)]
        assert got_rtcp == [pli]
        # 16 bytes of tag and nothing else: AES-GCM was agreed on, and the payload is not to be seen
        media = [d for d in server.datagrams if d[0] >> 6 == 2 and d[1] < 192]
        assert {len(d) for d in media} == {len(packet(1)) + 16}
        assert all(b"x" * 8 not in d for d in media)
    finally:
        server.close()


async def test_the_wrong_certificate_gets_nothing(client: MediaTransport) -> None:
    server = IceLiteServer(client.parameters())
    try:
        with pytest.raises(TransportError, match="fingerprint"):
            await client.connect(server.transport(fingerprint=Certificate.generate().fingerprint))
        client.send_rtp(packet(1))
        await asyncio.sleep(0.05)
        assert not [d for d in server.datagrams if d[0] >> 6 == 2]
    finally:
        server.close()


async def test_a_silent_server_is_an_error_in_time(client: MediaTransport) -> None:
    server = IceLiteServer(client.parameters(), deaf=True)
    try:
        with pytest.raises(TransportError, match="does not answer"):
            await client.connect(server.transport(), timeout=0.4)
        assert len(server.datagrams) >= 2  # it tried more than once
    finally:
        server.close()


async def test_a_server_that_does_not_know_the_password_is_not_talked_to(client: MediaTransport) -> None:
    server = IceLiteServer(client.parameters())
    try:
        with pytest.raises(TransportError, match="does not answer"):
            await client.connect(server.transport(password="q" * 24), timeout=0.3)
        assert server.errors
        assert not [d for d in server.datagrams if d[0] >= 20]  # no handshake was begun
    finally:
        server.close()


async def test_lost_checks_and_flights_are_repeated(client: MediaTransport) -> None:
    # the first check is lost, and the first flight of the handshake
    server = IceLiteServer(client.parameters(), drop_first=1)
    original = server._dtls
    dropped: list[bytes] = []

    def lossy(data: bytes) -> None:
        if not dropped:
            dropped.append(data)
        else:
            original(data)

    server._dtls = lossy  # type: ignore[method-assign]  # a fault, put in on purpose
    try:
        await client.connect(server.transport())
        assert dropped
        assert client.connected
    finally:
        server.close()


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[DtlsAssociation]:
    """One for each look of a transport at the timer of its handshake, which never repeats anything."""
    looked: list[DtlsAssociation] = []

    def timeout(dtls: DtlsAssociation) -> None:
        looked.append(dtls)

    monkeypatch.setattr(DtlsAssociation, "timeout", timeout)
    return looked


def hellos(server: IceLiteServer) -> int:
    return sum(is_client_hello(datagram) for datagram in server.datagrams)


@pytest.mark.parametrize("early", ["after", "before"])
async def test_the_handshake_begins_with_the_first_check(
    client: MediaTransport, early: str, ticks: list[DtlsAssociation]
) -> None:
    server = IceLiteServer(client.parameters(), early=early)
    try:
        await client.connect(server.transport())
        await until(lambda: server.dtls is not None and server.dtls.srtp is not None)
        before = len(ticks)
        await until(lambda: len(ticks) > before + 1)
        assert hellos(server) == 0
        assert not server.errors
    finally:
        server.close()


@pytest.mark.usefixtures("ticks")
async def test_a_server_that_takes_no_hello_from_a_check_gets_it_afterwards(client: MediaTransport) -> None:
    server = IceLiteServer(client.parameters())
    try:
        await client.connect(server.transport())
        assert hellos(server) == 1
    finally:
        server.close()


async def test_a_flight_without_an_answer_to_a_check_is_not_answered(client: MediaTransport) -> None:
    """Nothing but checks goes to an address that has not answered one (RFC 7675 5.1)."""
    server = IceLiteServer(client.parameters(), early="before")
    flights: list[bytes] = []

    def raw(datagram: bytes) -> None:
        if datagram[0] >= 20:  # no answer to a check
            flights.append(datagram)
            server.socket.sendto(datagram, server.peer_address)  # type: ignore[arg-type]  # set by the check

    server.raw = raw  # type: ignore[method-assign]  # a fault, put in on purpose
    try:
        with pytest.raises(TransportError, match="does not answer"):
            await client.connect(server.transport(), timeout=0.4)
        assert flights
        assert not [d for d in server.datagrams if d[0] >= 20]
    finally:
        server.close()


async def test_garbage_from_the_server_harms_nothing(client: MediaTransport) -> None:
    server = IceLiteServer(client.parameters())
    got: list[bytes] = []
    client.on_rtp = got.append
    try:
        await client.connect(server.transport())
        await until(lambda: server.dtls is not None and server.dtls.srtp is not None)
        for first in range(256):
            for size in (1, 3, 20, 100):
                server.raw(bytes([first]) * size)
        server.send(packet(3))
        await until(lambda: got)
        assert got == [packet(3)]
        assert client.connected
    finally:
        server.close()


async def test_a_goodbye_is_told(client: MediaTransport) -> None:
    server = IceLiteServer(client.parameters())
    lost: list[str] = []
    client.on_lost = lost.append
    await client.connect(server.transport())
    await until(lambda: server.dtls is not None and server.dtls.srtp is not None)
    server.close()
    await until(lambda: lost)
    assert "closed" in lost[0]
    assert not client.connected


async def test_the_loss_hook_drops_media_and_nothing_else() -> None:
    flips = iter([True, False] * 50)
    client = MediaTransport(loss=lambda: next(flips))
    server = IceLiteServer(client.parameters())
    got: list[bytes] = []
    client.on_rtp = got.append
    try:
        await client.connect(server.transport())
        await until(lambda: server.dtls is not None and server.dtls.srtp is not None)
        for i in range(10):
            server.send(packet(i))
        await until(lambda: len(got) == 5)
        assert got == [packet(i) for i in (1, 3, 5, 7, 9)]
    finally:
        await client.close()
        server.close()


async def test_it_connects_once_and_closes_twice(client: MediaTransport) -> None:
    server = IceLiteServer(client.parameters())
    try:
        await client.connect(server.transport())
        with pytest.raises(TransportError, match="once"):
            await client.connect(server.transport())
        await client.close()
        await client.close()
    finally:
        server.close()


@pytest.mark.parametrize("address", ["localhost", "", "1.2.3", "example.org"])
async def test_names_are_not_resolved(client: MediaTransport, address: str) -> None:
    server = IceLiteServer(client.parameters())
    try:
        with pytest.raises(TransportError, match="IP address"):
            await client.connect(server.transport(address=address))
    finally:
        server.close()
