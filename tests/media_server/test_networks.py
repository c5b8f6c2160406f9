"""Peers reach the SFU over IPv4 and IPv6 at once, and over TCP where UDP doesn't pass."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from snugroom.server.sfu.io.ice import Credentials, IceLite
from snugroom.server.sfu.io.sockets import BindError, bind_addresses, open_sockets
from snugroom.server.sfu.limits import MediaLimits, unlimited
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire.stun import parse_request
from tests.media_server.conftest import ROOM, Clock, Rig, StartRig, until
from tests.media_server.framed import Framed, by_tcp, dial, put
from tests.media_server.peer import Peer, rtp
from tests.patience import PATIENCE


def no_ipv6() -> str | None:
    """Why there is no ::1 here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        return f"no IPv6 here: {error}"
    return None


ipv6 = pytest.mark.skipif(no_ipv6() is not None, reason=no_ipv6() or "")


async def join(rig: Rig, *streams: tuple[int, str], way: str = "tcp", **options: Any) -> Peer:
    """A peer, connected by `way`: udp, udp6, tcp or tcp6."""
    peer = rig.peer(*streams)
    transport = rig.sfu.join(ROOM, rig.handle(peer), peer.media)
    host = "::1" if way.endswith("6") else "127.0.0.1"
    if way.startswith("tcp"):
        await by_tcp(peer, host, transport.port, **options)
    elif way == "udp6":
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(("::1", 0))
        sock.connect(("::1", transport.port))
        put(peer, Connected(sock))
    await peer.connect(transport)
    return peer


def framed_of(peer: Peer) -> Framed:
    """The framed connection of a peer over TCP."""
    framed: object = peer.socket
    assert isinstance(framed, Framed)
    return framed


class Connected(Framed):
    """A datagram socket that is connected: whatever address it is given, there is one way."""

    def sendto(self, datagram: bytes, _address: object) -> None:
        self.sock.send(datagram)

    def recv(self, size: int) -> bytes:
        return self.sock.recv(size)


ANY = "0.0.0.0"  # noqa: S104 - nothing is sent


# -- which sockets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bind", "told", "bound"),
    [
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.1"]),
        ("127.0.0.1", ["203.0.113.7", "198.51.100.1"], ["127.0.0.1"]),
        ("127.0.0.1", ["127.0.0.1", "::1"], ["127.0.0.1", "::1"]),
        ("::1", ["127.0.0.1", "::1"], ["::1", "127.0.0.1"]),
        (ANY, ["203.0.113.7", "2001:db8::1"], [ANY, "::"]),
        ("::", ["203.0.113.7", "2001:db8::1"], ["::", ANY]),
        ("10.0.0.1", ["203.0.113.7", "2001:db8::1", "2001:db8::2"], ["10.0.0.1", "::"]),
        ("10.0.0.1", ["203.0.113.7", "2001:db8::1", "2001:db8:0::1"], ["10.0.0.1", "2001:db8::1"]),
    ],
)
def test_bound_addresses_follow_from_advertised_ones(bind: str, told: list[str], bound: list[str]) -> None:
    assert bind_addresses(bind, told) == bound


def test_a_port_that_is_taken_is_named() -> None:
    first = open_sockets(["127.0.0.1"], 0, 65_536, tcp=True)
    try:
        assert [sock.getsockname()[1] for sock in (*first.udp, *first.tcp)] == [first.port] * 2
        with pytest.raises(BindError) as error:
            open_sockets(["127.0.0.1"], first.port, 65_536, tcp=False)
        assert error.value.what == f"UDP port {first.port} of 127.0.0.1"
        first.udp[0].close()
        with pytest.raises(BindError) as error:
            open_sockets(["127.0.0.1"], first.port, 65_536, tcp=True)
        assert error.value.what == f"TCP port {first.port} of 127.0.0.1"
    finally:
        first.close()


def test_a_free_port_is_free_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # somebody has TCP's port of the first number that UDP is given
    taken: list[socket.socket] = []
    bind = socket.socket.bind

    class Socket(socket.socket):
        def bind(self, address: Any) -> None:
            if self.type == socket.SOCK_STREAM and not taken:
                taken.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                bind(taken[0], address)
                taken[0].listen()
            bind(self, address)

    monkeypatch.setattr("snugroom.server.sfu.io.sockets.socket.socket", Socket)
    made = open_sockets(["127.0.0.1"], 0, 65_536, tcp=True)
    try:
        assert taken[0].getsockname()[1] != made.port
        assert made.tcp[0].getsockname()[1] == made.port
    finally:
        made.close()
        taken[0].close()


@ipv6
def test_both_families_may_be_bound_everywhere() -> None:
    made = open_sockets([ANY, "::"], 0, 65_536, tcp=True)
    try:
        assert {sock.getsockname()[:2] for sock in made.udp} == {(ANY, made.port), ("::", made.port)}
        assert {sock.getsockname()[:2] for sock in made.tcp} == {(ANY, made.port), ("::", made.port)}
    finally:
        made.close()


# -- IPv4 and IPv6, and TCP beside them ----------------------------------------------------------------


@pytest.mark.parametrize("batched", [True, False])
@ipv6
async def test_all_ways_meet_in_one_room(start_rig: StartRig, batched: bool) -> None:
    rig = await start_rig(MediaLimits(batched=batched), also=["::1"], tcp=True)
    peers = [
        await join(rig, (i, "video"), way=way) for i, way in enumerate(("udp", "udp6", "tcp", "tcp6"), 1)
    ]
    told = peers[0].transport
    assert told is not None
    assert (told.address, told.others, told.tcp) == ("127.0.0.1", ["::1"], True)
    for ssrc, peer in enumerate(peers, 1):
        packets = [rtp(ssrc, i, bytes([i]) * (700 if i % 7 else 90)) for i in range(40)]
        for packet in packets:
            peer.send_rtp(packet)
        for other in peers:
            if other is not peer:
                await other.until(lambda other=other: len(other.rtp) == 40)  # type: ignore[misc]
                assert other.rtp == packets
                other.rtp = []
    assert rig.totals("forwarded") == 4 * 3 * 40
    assert rig.totals("unsent") == rig.totals("unanswered") == 0
    assert rig.totals("tcp_connections") == 2
    assert set(map(str, (a for some in rig.sfu.held().addresses.values() for a in some))) == {
        "127.0.0.1",
        "::1",
    }


async def test_without_tcp_nobody_listens(rig: Rig) -> None:
    peer = rig.peer((1, "audio"))
    assert not rig.sfu.join(ROOM, rig.handle(peer), peer.media).tcp
    with pytest.raises(ConnectionRefusedError):
        await dial("127.0.0.1", rig.sfu.port)


async def test_a_member_goes_from_udp_to_tcp_and_back(start_rig: StartRig) -> None:
    rig = await start_rig(tcp=True)
    ada = await join(rig, (1, "video"), way="udp")
    bob = await join(rig, (2, "video"), way="udp")
    transport = bob.transport
    assert transport is not None
    ada.send_rtp(rtp(1, 1))
    await bob.until(lambda: len(bob.rtp) == 1)
    framed = await by_tcp(bob, "127.0.0.1", transport.port)
    await bob.check(transport)
    ada.send_rtp(rtp(1, 2))
    await bob.until(lambda: len(bob.rtp) == 2)
    bob.send_rtp(rtp(2, 1))
    await ada.until(lambda: len(ada.rtp) == 1)
    framed.close()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setblocking(False)
    udp.bind(("127.0.0.1", 0))
    put(bob, udp)
    await bob.check(transport, nominate=False)  # the only one that is left needs no nomination
    ada.send_rtp(rtp(1, 3))
    await bob.until(lambda: len(bob.rtp) == 3)
    assert rig.totals("handshakes") == 2


async def test_an_address_of_a_connection_that_ended_is_free_at_once(start_rig: StartRig) -> None:
    rig = await start_rig(tcp=True)
    bob = await join(rig, (2, "video"))
    framed = framed_of(bob)
    place = framed.sock.getsockname()[1]
    framed.close(reset=True)  # so that the port is free here too
    await until(lambda: rig.totals("tcp_connections") == 0)
    eve = rig.peer((3, "video"))
    transport = rig.sfu.join(ROOM, rig.handle(eve), eve.media)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", place))
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", transport.port))
    put(eve, Framed(sock))
    await eve.connect(transport)
    assert rig.totals("contested") == 0


async def test_everybody_hears_from_the_server_all_the_time(start_rig: StartRig) -> None:
    clock = Clock()
    rig = await start_rig(MediaLimits(beat=0.5), clock=clock)
    alone = await join(rig, way="udp")  # who sends nothing is reported nothing, and still hears of the server
    for _ in range(4):
        before = len(alone.feedback(201, 0))
        clock.now += 0.51
        await alone.until(lambda before=before: len(alone.feedback(201, 0)) > before)  # type: ignore[misc]


# -- strangers, and who is slow --------------------------------------------------------------------------


async def closed(sock: socket.socket) -> bool:
    """Whether the other end closes it, in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(sock, 100) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"\xff\xff" + bytes(100),
        b"\x08\x00" + bytes(2048),  # as long as the buffer, which no datagram is
        b"\x00\x20\x80\x60" + bytes(30),  # RTP from somebody who was never checked
    ],
)
async def test_a_connection_of_no_client_is_closed_at_once(start_rig: StartRig, greeting: bytes) -> None:
    rig = await start_rig(tcp=True)
    sock = await dial("127.0.0.1", rig.sfu.port)
    sock.send(greeting)
    assert await closed(sock)
    sock.close()
    assert rig.totals("tcp_garbage") == 1
    assert rig.totals("tcp_connections") == 0


async def test_frames_may_come_in_any_pieces(start_rig: StartRig) -> None:
    rig = await start_rig(tcp=True)
    ada, bob = await join(rig, (1, "video")), await join(rig, way="udp")
    assert ada.send_session is not None
    packets = [rtp(1, i, bytes([i]) * (30 * i + 1)) for i in range(20)]
    sealed = [ada.send_session.protect(packet) for packet in packets]
    stream = b"\0\0" + b"".join(len(s).to_bytes(2, "big") + s + b"\0\0" for s in sealed)  # empty frames too
    sock = framed_of(ada).sock
    for at in range(0, len(stream), 37):
        sock.sendall(stream[at : at + 37])
        await asyncio.sleep(0)
    await bob.until(lambda: len(bob.rtp) == 20)
    assert bob.rtp == packets


async def test_strangers_have_a_few_seconds_and_members_have_longer(start_rig: StartRig) -> None:
    clock = Clock()
    rig = await start_rig(MediaLimits(tcp_time=5.0, idle=30.0), tcp=True, clock=clock)
    ada = await join(rig, (1, "video"))
    silent = await dial("127.0.0.1", rig.sfu.port)
    asking = rig.peer((2, "video"))
    asking.transport = ada.transport
    eve = await by_tcp(asking, "127.0.0.1", rig.sfu.port)
    asking.send(asking.request(USERNAME="some:body"))
    await until(lambda: rig.totals("strangers") == 1 and rig.totals("tcp_connections") == 3)
    for _ in range(5):
        clock.now += 1.0
        asking.send(asking.request(USERNAME="some:body"))  # asking on and on doesn't extend it
        await asyncio.sleep(0.03)
    assert rig.totals("tcp_connections") == 3
    clock.now += 1.1
    await until(lambda: rig.totals("tcp_strangers") == 2)
    assert await closed(silent)
    await until(lambda: eve.ended)
    assert rig.totals("tcp_connections") == 1
    silent.close()
    # once consent is over ada is a stranger too
    clock.now += 31.0
    await until(lambda: rig.totals("silent") == 1)
    clock.now += 6.1
    await until(lambda: rig.totals("tcp_connections") == 0)


async def test_connections_are_limited_altogether_and_from_one_address(start_rig: StartRig) -> None:
    rig = await start_rig(MediaLimits(tcp_connections=4, tcp_per_address=3), tcp=True)
    port = rig.sfu.port
    here = [await dial("127.0.0.1", port) for _ in range(3)]
    await until(lambda: rig.totals("tcp_connections") == 3)
    extra = await dial("127.0.0.1", port)
    assert await closed(extra)
    other = await dial("127.0.0.1", port, source="127.0.0.9")
    await until(lambda: rig.totals("tcp_connections") == 4)
    full = await dial("127.0.0.1", port, source="127.0.0.10")
    assert await closed(full)
    assert rig.totals("tcp_refused") == 2
    here[0].close()
    await until(lambda: rig.totals("tcp_connections") == 3)
    again = await dial("127.0.0.1", port)
    await until(lambda: rig.totals("tcp_connections") == 4)
    for sock in (*here, extra, other, full, again):
        sock.close()


async def test_a_client_that_reads_nothing_is_closed_and_delays_nobody(start_rig: StartRig) -> None:
    clock = Clock()
    limits = unlimited(MediaLimits(tcp_buffer=65_536, tcp_stall=5.0))
    rig = await start_rig(limits, tcp=True, clock=clock)
    ada, bob = await join(rig, (1, "video")), await join(rig, way="udp")
    slow = await join(rig, receive=4096)
    loop = asyncio.get_running_loop()
    loop.remove_reader(slow.socket.fileno())
    before = rig.sfu.held().buffers
    for i in range(0, 4000, 20):
        for j in range(i, i + 20):
            ada.send_rtp(rtp(1, j, bytes(1000)))
        await bob.until(lambda i=i: len(bob.rtp) >= i + 20)  # type: ignore[misc]
    assert len(bob.rtp) == 4000
    assert rig.totals("tcp_full") > 1000
    assert rig.totals("unsent") == rig.totals("tcp_full")
    assert 0 < rig.sfu.held().buffers - before <= limits.tcp_buffer
    clock.now += 4.9
    await asyncio.sleep(0.05)
    assert rig.totals("tcp_slow") == 0
    clock.now += 1.2
    await until(lambda: rig.totals("tcp_slow") == 1)
    assert rig.totals("tcp_connections") == 1
    assert rig.sfu.held().buffers - before <= 0
    ada.send_rtp(rtp(1, 4001, b"after"))
    await bob.until(lambda: len(bob.rtp) == 4001)


async def test_sound_may_wait_where_video_may_not(start_rig: StartRig) -> None:
    limits = unlimited(MediaLimits(tcp_buffer=65_536))
    rig = await start_rig(limits, tcp=True)
    ada, bob = await join(rig, (1, "video"), (2, "audio")), await join(rig, way="udp")
    slow = await join(rig, receive=4096)
    loop = asyncio.get_running_loop()
    loop.remove_reader(slow.socket.fileno())
    sent = 0
    while rig.totals("tcp_full") < 50:
        for _ in range(20):
            ada.send_rtp(rtp(1, sent, bytes(1000)))
            sent += 1
        await bob.until(lambda: len(bob.rtp) == sent)
    full = rig.totals("tcp_full")
    for i in range(40):
        ada.send_rtp(rtp(2, i, bytes(120), kind="audio"))
    await bob.until(lambda: len(bob.rtp) == sent + 40)
    assert rig.totals("tcp_full") == full
    loop.add_reader(slow.socket.fileno(), slow._readable)
    await slow.until(lambda: sum(packet[1] & 127 == 111 for packet in slow.rtp) == 40)


async def test_a_connection_that_breaks_breaks_nothing_else(start_rig: StartRig) -> None:
    rig = await start_rig(tcp=True)
    ada, bob, eve = await join(rig, (1, "video")), await join(rig), await join(rig)
    framed_of(eve).close(reset=True)
    for i in range(50):
        ada.send_rtp(rtp(1, i, bytes(500)))
    await bob.until(lambda: len(bob.rtp) == 50)
    await until(lambda: rig.totals("tcp_connections") == 2)


# -- the core ----------------------------------------------------------------------------------------------


async def test_an_address_that_is_forgotten_gives_way_to_the_next() -> None:
    peer = Peer()
    try:
        remote = Credentials(peer.ufrag, peer.password)
        ice = IceLite(Credentials("server", "p" * 24), remote, 4, 12.0, 30.0, os.urandom)
        sfu = Sfu(address="127.0.0.1")
        await sfu.start()
        peer.transport = sfu.join(ROOM, bytes(8), peer.media)
        sfu.close()

        def check(source: tuple[str, int], now: float, *, nominate: bool) -> None:
            password = "p" * 24
            request = peer.request(nominate=nominate, password=password, USERNAME=f"server:{peer.ufrag}")
            answer = ice.check(parse_request(request), source, len(request), now)
            assert answer is not None
            assert answer.good

        one, two = ("192.0.2.1", 1), ("192.0.2.2", 2)
        check(one, 0.0, nominate=True)
        check(two, 1.0, nominate=False)
        selected = [ice.selected]
        for address in (two, one):
            ice.forget(address)
            selected.append(ice.selected)
        check(two, 2.0, nominate=False)
        assert [*selected, ice.selected] == [one, one, None, two]
    finally:
        peer.close()
