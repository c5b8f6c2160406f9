"""A member aims the server's media at somebody else, with checks whose source address is forged.

A second loopback address stands for the victim's: the server can't tell a datagram with a forged source from
one that was sent from there. The victim answers nothing.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from snugroom.server.app import Server
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire.messages import Streams, Transport
from tests.exhaustion.conftest import StartRig
from tests.media_server.conftest import ROOM, Clock, until
from tests.media_server.peer import Peer, rtp
from tests.server.wire_clients import quiet, running
from tests.server.worker_pools import Party, member

#: Bytes to the victim for each byte that seemed to come from it.
FACTOR = 3


class Victim:
    """An address that never asked for anything. `forge` sends in its name."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.2", 0))
        self.forged = 0
        self.hit = 0

    def forge(self, datagram: bytes, server: tuple[str, int]) -> None:
        self.forged += self._socket.sendto(datagram, server)

    def count(self) -> int:
        """The bytes that have come so far."""
        try:
            while True:
                self.hit += len(self._socket.recv(4096))
        except BlockingIOError:
            return self.hit

    def spared(self) -> bool:
        return self.count() <= FACTOR * self.forged

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def victim() -> Iterator[Victim]:
    made = Victim()
    yield made
    made.close()


async def stream(party: Party, receiver: Peer, packets: int) -> int:
    """Send so many packets, each when the one before has reached `receiver`; returns their bytes."""
    before = len(receiver.rtp)
    for number in range(1, packets + 1):
        party.send()
        await receiver.until(lambda number=number: len(receiver.rtp) == before + number)  # type: ignore[misc]
    return sum(len(packet) for packet in receiver.rtp[before:])


async def test_media_follows_no_forged_check(victim: Victim) -> None:
    """On a running server: a stream, whose receiver names another address; then one that really moves."""
    async with running(Server(quiet(page=False, heartbeat=3600.0, idle_time=3600.0))) as place:
        party = Party(place, "reflection", 1111)
        moved, late = Peer(), Peer()
        try:
            await party.begin()
            eve = party.peers[1]
            await stream(party, eve, 10)
            for _ in range(10):
                victim.forge(eve.request(), eve.server)
            sent = await stream(party, eve, 300)  # it goes on to where it went
            assert victim.spared(), (victim.hit, victim.forged)
            assert victim.hit > 0
            assert sent > 30 * victim.forged  # what the victim would have got
            # she has really moved: another socket, the same keys
            moved.take_over(eve)
            began = time.monotonic()
            moved.send(moved.request())
            while not moved.rtp:
                party.send()
                await asyncio.sleep(0.02)
                assert time.monotonic() < began + 2.0
            # somebody new, whose first address is already another's: a handshake is several flights
            guest = await member(place, "reflection")
            await guest.say(late.media)
            late.transport = await guest.until(Transport)
            await guest.until(Streams)
            before = victim.forged, victim.count()
            victim.forge(late.request(), late.server)
            late.send = lambda datagram: victim.forge(datagram, late.server)  # type: ignore[method-assign]
            for _ in range(5):
                late.hello()
                await stream(party, moved, 20)
            assert victim.count() - before[1] <= FACTOR * (victim.forged - before[0])
        finally:
            for peer in (moved, late):
                peer.close()
            party.close()


async def test_a_handshake_waits_for_the_proof(start_rig: StartRig) -> None:
    """An honest client whose answer is slow: its ClientHello is kept, not lost."""
    rig = await start_rig()
    slow = rig.peer()
    slow.proves = False
    await slow.check(rig.sfu.join(ROOM, rig.handle(slow), slow.media))
    slow.hello()
    link = rig.sfu._links[ROOM, rig.handle(slow)]
    await until(lambda: bool(link.held))
    assert (link.dtls, link.address) == (None, None)
    slow.proves = True  # the server asks again, as far as the bytes reach that came
    await slow.until(lambda: slow.send_session is not None)
    assert rig.totals("handshakes") == 1


async def test_what_is_held_is_bounded(start_rig: StartRig) -> None:
    rig = await start_rig()
    eve = rig.peer()
    eve.proves = False
    await eve.check(rig.sfu.join(ROOM, rig.handle(eve), eve.media))
    for _ in range(100):
        eve.send(b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(1200))
    await until(lambda: rig.totals("garbage") >= 96)
    assert len(rig.sfu._links[ROOM, rig.handle(eve)].held) == 4


async def test_who_stops_answering_gets_nothing_more(any_rig: StartRig) -> None:
    """The address may have another owner by now, while its former one goes on to send checks."""
    clock = Clock()
    rig = await any_rig(MediaLimits(idle=30.0, report_interval=1e9), clock=clock)
    ada, bob = await rig.join((1, "video")), await rig.join()
    bob.proves = False
    for _ in range(21):
        clock.now += 2.0
        for peer in (ada, bob):
            assert peer.transport is not None
            await peer.check(peer.transport)
        rig.sfu._transports.sweep(clock.now)
    await until(lambda: rig.totals("silent") == 1)
    assert bob.asked > 3
    ada.send_rtp(rtp(1, 1))
    await until(lambda: rig.totals("received") == 1)
    assert rig.totals("forwarded") == 0


async def test_an_unproven_claim_gives_way(start_rig: StartRig) -> None:
    """Checks forged from an address before its owner comes don't keep the owner out."""
    clock = Clock()
    rig = await start_rig(clock=clock)
    eve, ada = rig.peer(), rig.peer()
    eve.transport = rig.sfu.join(ROOM, rig.handle(eve), eve.media)
    ada.proves = False
    ada.transport = eve.transport
    ada.send(eve.request())  # from ada's address
    await until(lambda: len(rig.sfu._by_address) == 1)
    ada.proves = True
    transport = rig.sfu.join(ROOM, rig.handle(ada), ada.media)
    clock.now += 2.1
    ada.asked = 0
    await ada.connect(transport)
    assert rig.totals("peers_ready") == 1
