"""Storms at the media of a running server, which has a process of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from snugroom.server.app import Server
from snugroom.server.sfu.core.traffic import PUBLISH_BURST
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire.messages import Streams, Transport
from tests.exhaustion.rooms import Innocent
from tests.media_server.peer import Peer, rtp
from tests.server.wire_clients import Guest, Place, quiet, running
from tests.server.worker_pools import member, pid, workers_of

#: Bytes a second that one member may publish.
RATE = 125_000


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    # who says nothing over a WebSocket for long stays all the same: a busy machine takes its time
    settings = quiet(
        page=False, heartbeat=3600.0, idle_time=3600.0, media=MediaLimits(member_bitrate=8 * RATE)
    )
    async with running(Server(settings)) as made:
        yield made


async def enter(place: Place, peer: Peer) -> Guest:
    guest = await member(place, "storm")
    await guest.say(peer.media)
    await peer.connect(await guest.until(Transport))
    await guest.until(Streams)
    return guest


async def test_media_in_trouble_is_no_trouble_for_messages(place: Place) -> None:
    """A storm of datagrams, checks and handshakes; and then a worker that does nothing at all."""
    innocent = await Innocent.at(place)
    eve, mal = Peer((1, "video"), (2, "audio")), Peer()
    try:
        guests = [await enter(place, peer) for peer in (eve, mal)]
        await one_member_gets_its_rate(eve, mal)
        check, hello = eve.request(), b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(11)
        for _ in range(20):
            for number in range(100):
                eve.send((check, hello, bytes(64), rtp(3, number, bytes(900)))[number % 4])
            await innocent.talk()
        # the storm has really come to the worker, and it works on
        assert mal.transport is not None
        await mal.check(mal.transport)
        totals = (await workers_of(place).inspect()).totals
        assert totals["garbage"] + totals.get("unknown_ssrc", 0) + totals.get("refused_checks", 0) >= 500
        os.kill(pid(workers_of(place).slots[0]), signal.SIGSTOP)
        for _ in range(20):
            await innocent.talk()
        assert innocent.said == 40
        assert not any(guest.ws.closed for guest in guests)
    finally:
        eve.close()
        mal.close()


async def one_member_gets_its_rate(eve: Peer, mal: Peer) -> None:
    """A member sends ten times what it may, and its own sound in between."""
    began = time.monotonic()
    for number in range(1, 1001):
        eve.send_rtp(rtp(1, number, bytes(1200)))
        if not number % 20:
            eve.send_rtp(rtp(2, number // 20, bytes(120), kind="audio"))
            heard = number // 20
            await mal.until(lambda heard=heard: sum(p[1] & 127 == 111 for p in mal.rtp) == heard)  # type: ignore[misc]
    seconds = time.monotonic() - began
    video = sum(len(packet) for packet in mal.rtp if packet[1] & 127 == 96)
    assert 0.5 * PUBLISH_BURST * RATE < video <= (PUBLISH_BURST + seconds) * RATE
    assert sum(packet[1] & 127 == 111 for packet in mal.rtp) == 50
