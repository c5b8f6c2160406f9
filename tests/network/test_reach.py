"""The headless client's media over every kind of path, and after a change of network."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest

from snugroom.client.media.transport import MediaTransport, TransportError
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire import rtp
from snugroom.wire.messages import Media, Stream, Transport
from snugroom.wire.rtp import RtpPacket
from tests.media_server.test_networks import ipv6
from tests.network.namespace import UnavailableError, inside
from tests.network.proxy import PROXY, SERVER, Proxy
from tests.patience import PATIENCE

ROOM = b"r" * 16
#: What is promised: from the last packet by the old address to the first by the new one, seconds.
MOVED_MAX = 3.0
#: Seconds of sound in a packet.
STEP = 0.02


class Talker:
    """A client that sends sound all the time, and notes when the other's came."""

    def __init__(self, sfu: Sfu, name: bytes, ssrc: int) -> None:
        self.sfu = sfu
        self.ssrc = ssrc
        self.name = name
        self.link = MediaTransport()
        self.link.on_rtp = self._heard
        self.link.on_lost = self._lost
        self.times: list[float] = []
        #: How many packets we had sent when each came: the other has sent as many.
        self.steps: list[int] = []
        self.lost: list[str] = []
        self.sequence = 0

    def join(self) -> Transport:
        ufrag, password, fingerprint = self.link.parameters()
        streams = [Stream(ssrc=self.ssrc, kind="audio")]
        return self.sfu.join(ROOM, self.name * 8, Media(ufrag, password, fingerprint, streams))

    def talk(self) -> None:
        self.sequence += 1
        packet = RtpPacket(111, False, self.sequence, 960 * self.sequence, self.ssrc, b"x" * 80)
        self.link.send_rtp(rtp.build(packet))

    def _heard(self, _packet: bytes) -> None:
        self.times.append(time.monotonic())
        self.steps.append(self.sequence)

    def _lost(self, why: str) -> None:
        self.lost.append(why)

    @property
    def gap(self) -> float:
        """The longest silence so far, the one that goes on included, seconds."""
        return max(b - a for a, b in pairwise([*self.times, time.monotonic()]))

    @property
    def missed(self) -> float:
        """The longest silence by the sound that was sent in it, seconds: a busy machine sends less."""
        return STEP * max(b - a for a, b in pairwise([*self.steps, self.sequence]))


@contextlib.asynccontextmanager
async def two(sfu: Sfu, **changes: Any) -> AsyncIterator[tuple[Talker, Talker]]:
    """Two clients that hear each other, one of them by what it is told with these changes."""
    await sfu.start()
    ada, bob = Talker(sfu, b"a", 1), Talker(sfu, b"b", 2)
    try:
        for who, told in ((ada, {}), (bob, changes)):
            transport = who.join()
            values = {name: getattr(transport, name) for name in transport.__struct_fields__}
            await who.link.connect(Transport(**(values | told)))
        yield ada, bob
    finally:
        for who in (ada, bob):
            await who.link.close()
        sfu.close()


async def talking(ada: Talker, bob: Talker, until: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Both talk, until that is so."""
    async with asyncio.timeout(seconds):
        while not until():
            ada.talk()
            bob.talk()
            await asyncio.sleep(STEP)


def both_hear(ada: Talker, bob: Talker, more: int = 20) -> Callable[[], bool]:
    """Whether so many more packets have come to each."""
    wanted = [len(who.times) + more for who in (ada, bob)]
    return lambda: all(len(who.times) >= least for who, least in zip((ada, bob), wanted, strict=True))


def kinds(sfu: Sfu, who: Talker) -> set[int]:
    """Of the addresses that are somebody's: 2 IPv4, 4 IPv6, 3 TCP."""
    link = sfu._links[ROOM, who.name * 8]
    assert link.address is not None
    return {len(link.address)}


@ipv6
async def test_over_ipv6_alone() -> None:
    sfu = Sfu(address="::1")
    async with two(sfu) as (ada, bob):
        await talking(ada, bob, both_hear(ada, bob))
        assert kinds(sfu, ada) == kinds(sfu, bob) == {4}


@ipv6
async def test_over_ipv6_where_ipv4_is_dead() -> None:
    # nobody is at that address: there the server's own are all it can have
    sfu = Sfu(address="127.0.0.1", also=["::1"])
    async with two(sfu, address="127.0.0.99") as (ada, bob):
        await talking(ada, bob, both_hear(ada, bob))
        assert kinds(sfu, ada) == {2}
        assert kinds(sfu, bob) == {4}


async def deaf(sfu: Sfu) -> None:
    """Nobody answers over UDP any more, as where a firewall drops it."""
    assert sfu._socket is not None
    asyncio.get_running_loop().remove_reader(sfu._socket.fileno())


async def test_over_tcp_where_udp_is_dropped() -> None:
    sfu = Sfu(address="127.0.0.1", tcp=True)
    start = sfu.start

    async def start_deaf() -> None:
        await start()
        await deaf(sfu)

    sfu.start = start_deaf  # type: ignore[method-assign]
    async with two(sfu) as (ada, bob):
        await talking(ada, bob, both_hear(ada, bob, 100))
        assert kinds(sfu, ada) == kinds(sfu, bob) == {3}
        assert sfu.totals()["handshakes"] == 2
        # and when the connections break, over others
        assert sfu._egress.multi_transport is not None
        assert sfu._egress.multi_transport._tcp is not None
        for connection in list(sfu._egress.multi_transport._tcp._connections.values()):
            sfu._egress.multi_transport._tcp._close(connection)
        await talking(ada, bob, both_hear(ada, bob, 100))
        assert (ada.lost, bob.lost) == ([], [])
        assert sfu.totals()["handshakes"] == 2


async def test_the_error_names_the_paths_that_failed() -> None:
    sfu = Sfu(address="127.0.0.1", tcp=True)
    await sfu.start()
    ada = Talker(sfu, b"a", 1)
    transport = ada.join()
    sfu.close()
    with pytest.raises(TransportError, match=rf"neither UDP nor TCP port {transport.port} of 127\.0\.0\.1"):
        await ada.link.connect(transport, 2.0)
    ada = Talker(sfu, b"a", 1)
    told = Transport(
        transport.ufrag, transport.password, transport.fingerprint, transport.address, transport.port
    )
    with pytest.raises(TransportError, match=rf"UDP port {transport.port} of 127\.0\.0\.1 does not"):
        await ada.link.connect(told, 0.5)


# -- from one network into another -------------------------------------------------------------------------


async def test_a_changed_address_costs_less_than_three_seconds() -> None:
    with Proxy() as proxy:
        sfu = Sfu(address=PROXY, bind=SERVER, port=proxy.port)
        async with two(sfu) as (ada, bob):
            await talking(ada, bob, both_hear(ada, bob))
            # both have another address from now on, and what comes from the old ones gets lost
            proxy.cut()
            await talking(ada, bob, both_hear(ada, bob))
            for who in (ada, bob):
                assert who.gap > 1.0
                assert who.missed < MOVED_MAX
                assert who.lost == []
            assert sfu.totals()["handshakes"] == 2  # the same keys, and nobody was told
            assert sfu.totals()["moved"] >= 2


async def test_a_nat_that_takes_another_port_costs_less_than_three_seconds() -> None:
    with Proxy() as proxy:
        sfu = Sfu(address=PROXY, bind=SERVER, port=proxy.port)
        async with two(sfu) as (ada, bob):
            await talking(ada, bob, both_hear(ada, bob))
            proxy.rebind()
            await talking(ada, bob, both_hear(ada, bob))
            assert max(ada.missed, bob.missed) < MOVED_MAX
            assert (ada.lost, bob.lost) == ([], [])
            assert sfu.totals()["handshakes"] == 2


HERE, FIRST, SECOND = "10.9.0.1", "10.1.0.1", "10.1.0.2"


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise UnavailableError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def come_from(address: str) -> None:
    """Packets to the server leave from this address of ours."""
    ip("route", "replace", "local", HERE, "dev", "lo", "table", "local", "src", address)


async def _move() -> tuple[float, float, list[str], int, set[str]]:
    """Longest silence and most sound missed (seconds), lost connections, handshakes, addresses."""
    sfu = Sfu(address=HERE, tcp=True, limits=MediaLimits(address_hold=1.0))
    async with two(sfu) as (ada, bob):
        await talking(ada, bob, both_hear(ada, bob))
        ip("addr", "del", f"{FIRST}/32", "dev", "lo")
        come_from(SECOND)
        await talking(ada, bob, both_hear(ada, bob))
        now = {str(link.address[0]) for link in sfu._links.values() if link.address is not None}
        gap, missed = max(ada.gap, bob.gap), max(ada.missed, bob.missed)
        return gap, missed, ada.lost + bob.lost, sfu.totals()["handshakes"], now


def test_an_address_that_is_taken_away_costs_less_than_three_seconds() -> None:
    def work() -> tuple[float, float, list[str], int, set[str]]:
        for address in (HERE, FIRST, SECOND):
            ip("addr", "add", f"{address}/32", "dev", "lo")
        come_from(FIRST)
        return asyncio.run(_move())

    try:
        gap, missed, lost, handshakes, addresses = inside(work)
    except UnavailableError as why:
        pytest.skip(str(why))
    assert addresses == {SECOND}
    assert gap > 1.0
    assert missed < MOVED_MAX
    assert (lost, handshakes) == ([], 2)
