"""Two SFUs with a link, and a room that is on both: real sockets, in one process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from snugroom.server.sfu.io.worker_link import WorkerLink, socket_pair
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire import rtcp
from tests.media_server.conftest import ROOM, Rig, until
from tests.media_server.peer import Peer, rtp
from tests.media_server.test_layers import LARGE, MIDDLE, SMALL, layer, which
from tests.patience import PATIENCE

VIDEO, AUDIO, OTHER = 0xADB, 0xADA, 0xC0C


class Linked:
    """Two SFUs. `join` does what the first process does for a member of each."""

    def __init__(self, limits: MediaLimits) -> None:
        self.rigs = [Rig(Sfu(address="127.0.0.1", limits=limits)) for _ in range(2)]
        self.names: dict[Peer, bytes] = {}

    def link(self) -> None:
        for rig, other, sockets in zip(self.rigs, (1, 0), socket_pair(), strict=True):
            rig.sfu.connect_worker(other, WorkerLink(*sockets))

    async def join(self, end: int, *streams: tuple[int, str], layers: tuple[int, ...] = ()) -> Peer:
        rig = self.rigs[end]
        peer = Peer(*streams)
        if layers:
            peer.media.streams[0].layers[:] = layers
        rig.peers.append(peer)
        name = self.names[peer] = b"%08d" % len(self.names)
        transport = rig.sfu.join(ROOM, name, peer.media)
        self.rigs[1 - end].sfu.join_remote(ROOM, name, end, 1, peer.media.streams)
        await peer.connect(transport)
        return peer

    def crosses(self, ssrc: int) -> bool:
        """Whether the first SFU sends that stream to the second."""
        crossing = self.rigs[0].sfu._core.subscriptions.rooms[ROOM].tracks[ssrc].crossing
        return crossing is not None and bool(crossing.wants)

    def leave(self, peer: Peer) -> None:
        for rig in self.rigs:
            rig.sfu.leave(ROOM, self.names[peer])


@pytest.fixture
async def linked() -> AsyncIterator[Linked]:
    both = Linked(MediaLimits(pli_interval=0.05))
    for rig in both.rigs:
        await rig.sfu.start()
    both.link()
    yield both
    for rig in both.rigs:
        for peer in rig.peers:
            peer.close()
        rig.sfu.close()


async def test_media_requests_and_reports_cross(linked: Linked) -> None:
    ada = await linked.join(0, (VIDEO, "video"), (AUDIO, "audio"))
    cy = await linked.join(0)
    bo, di = await linked.join(1), await linked.join(1)
    # the other worker has told what its members need
    await until(lambda: [facts.receivers for facts in linked.rigs[0].sfu.streams()] == [3, 3])
    # bo loses a packet on his own path
    bo.drop = lambda datagram: datagram[2:4] == b"\0\2" and datagram[8:12] == VIDEO.to_bytes(4, "big")
    for number in range(1, 4):
        ada.send_rtp(rtp(VIDEO, number, b"v" * 1100))
        ada.send_rtp(rtp(AUDIO, number, kind="audio"))
    for peer, count in ((cy, 6), (di, 6), (bo, 5)):
        await peer.until(lambda peer=peer, count=count: len(peer.rtp) == count)  # type: ignore[misc]
    assert sorted(di.rtp) == sorted(cy.rtp)
    assert [rig.totals("received") for rig in linked.rigs] == [6, 0]
    assert [rig.totals("forwarded") for rig in linked.rigs] == [6, 12]
    assert linked.rigs[0].totals("crossed") >= 6
    assert linked.rigs[1].sfu.streams() == []

    asked = len(ada.feedback(rtcp.PSFB, 1))
    bo.send_rtcp(rtcp.key_frame_request(7, VIDEO))
    await ada.until(lambda: len(ada.feedback(rtcp.PSFB, 1)) > asked)
    bo.drop = lambda _datagram: False
    bo.send_rtcp(rtcp.nack(7, VIDEO, [2]))
    await bo.until(lambda: sorted(bo.rtp) == sorted(cy.rtp))
    assert linked.rigs[1].sfu.totals()["resent"] == 1
    ada.send_rtcp(rtcp.sender_report(rtcp.SenderReport(VIDEO, 1 << 40, 90_000, 3, 3300)))
    for peer in (cy, bo):
        await peer.until(lambda peer=peer: bool(peer.feedback(200, 0)))  # type: ignore[misc]
    assert bo.feedback(200, 0)[0][8:] == cy.feedback(200, 0)[0][8:]
    assert not any(rig.totals("errors") for rig in linked.rigs)


async def test_layers_are_chosen_and_rewritten_where_the_receiver_is(linked: Linked) -> None:
    ada = await linked.join(0, (SMALL, "video"), layers=(MIDDLE, LARGE))
    bo = await linked.join(1)
    linked.rigs[1].sfu.subscribe(ROOM, linked.names[bo], [SMALL], [1])
    # the other worker may have been told that Bo needs the largest, as before he chose
    await until(lambda: (linked.crosses(MIDDLE), linked.crosses(LARGE)) == (True, False))
    # the rate of a layer that does not cross is told all the same
    large = linked.rigs[1].sfu._core.subscriptions.rooms[ROOM].tracks[LARGE]
    frame = 0
    async with asyncio.timeout(PATIENCE):
        while not bo.rtp or which(bo.rtp[-1]) != MIDDLE or not large.rate:
            frame += 1
            for ssrc, base in ((SMALL, 100), (MIDDLE, 20_000), (LARGE, 40_000)):
                ada.send_rtp(layer(ssrc, base + frame, 3600 * frame, frame, key=frame % 10 == 0))
            await asyncio.sleep(0.01)
    assert large.high is None
    assert {packet[8:12] for packet in bo.rtp} == {SMALL.to_bytes(4, "big")}
    sequences = [int.from_bytes(packet[2:4], "big") for packet in bo.rtp]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


async def test_a_removed_member_and_a_lost_link_end_what_crosses(linked: Linked) -> None:
    ada = await linked.join(0, (AUDIO, "audio"))
    gus = await linked.join(0, (OTHER, "audio"))
    bo = await linked.join(1)
    sent = 0

    def send(peer: Peer, ssrc: int) -> None:
        nonlocal sent
        sent += 1
        peer.send_rtp(rtp(ssrc, sent, kind="audio"))

    def of(ssrc: int) -> list[int]:
        return [int.from_bytes(p[2:4], "big") for p in bo.rtp if p[8:12] == ssrc.to_bytes(4, "big")]

    async def heard(peer: Peer, ssrc: int) -> None:
        """Send until one packet has come."""
        first = sent + 1
        async with asyncio.timeout(PATIENCE):
            while not any(number >= first for number in of(ssrc)):
                send(peer, ssrc)
                await asyncio.sleep(0.01)

    await heard(ada, AUDIO)
    await heard(gus, OTHER)
    before = sent
    send(ada, AUDIO)
    linked.leave(ada)
    assert set(linked.rigs[1].sfu._core.subscriptions.rooms[ROOM].tracks) == {OTHER}
    send(ada, AUDIO)
    await heard(gus, OTHER)
    assert not any(number > before for number in of(AUDIO))

    links = [link for rig in linked.rigs for link in rig.sfu._siblings.links.values()]
    for link in links[:1]:
        link._sound.sock.shutdown(socket.SHUT_RDWR)  # as if a process had ended
    await until(lambda: not any(rig.sfu._siblings.links for rig in linked.rigs))
    assert all(link.descriptors == (-1, -1) for link in links)
    send(gus, OTHER)
    # a new link, as to a worker that has been started again
    linked.link()
    await heard(gus, OTHER)
    assert not any(rig.totals("errors") for rig in linked.rigs)
