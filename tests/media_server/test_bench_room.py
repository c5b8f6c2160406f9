"""`snug bench room`: a server process, light members, and the places of losses."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace

import pytest

from snugroom.lab import machine
from snugroom.lab.bench import room
from snugroom.lab.bench.drain import Drain
from snugroom.lab.bench.flow import FRAMES, Audio, Video
from snugroom.lab.bench.house import UNLIMITED, BenchServer, table
from snugroom.lab.bench.light import LightError, LightPeer, LightRoom, gathering
from snugroom.server.sfu.io import mmsg
from snugroom.wire import rtp, vp8
from snugroom.wire.messages import Stream
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(mmsg.load() is None, reason="no recvmmsg here")
STEP = room.Step(50_000, 50_000, 3.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.2, 0.0)


async def test_a_room_is_measured_from_the_real_way_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert await room.run(True, 3, 2, rates=(1_200,), steps=1, seconds=0.5) == 0
    measured = json.loads(capsys.readouterr().out)
    (step,) = measured["rates"]
    # what came is what was sent, to each of the three: no packet of one publisher goes to the other
    assert step["loss"] == step["unforwarded"] == step["unread_here"] == 0
    # a busy machine sends fewer than it was asked to
    assert 0 < step["rate"] <= 1.3 * 1_200
    # they are counted one after the other, by two processes
    assert step["forwarded_rate"] == pytest.approx(step["rate"], rel=0.05)
    assert step["us"] > 0
    assert 0 < step["server"] < 2
    assert len(measured["tried"]) == 1
    assert measured["us"] == step["us"]
    room._show(measured)
    assert "packets for each" in capsys.readouterr().out


async def test_packets_that_subscribers_do_not_read_are_not_the_servers_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with BenchServer(UNLIMITED) as server, gathering(server.url) as crowd:
        load = room.Load(server, crowd, 1, 2)
        await load.begin()
        await load.step(1_000, 0.2)
        for subscriber in load._subscribers:
            sock = subscriber.peer.socket
            assert sock is not None
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        step = await load.step(8_000, 0.5)
        assert step.unforwarded == 0
        assert step.loss == pytest.approx(step.unread_here, abs=0.01)
        assert step.unread_here > room.LOSS
        assert not step.carried
        assert step.carried_by_server
        assert load.opened > 0
        assert load.refused == 0


async def test_a_bad_key_is_a_failure_and_not_a_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(room.Load, "refused", property(lambda _: 3))
    assert await room.run(False, 2, 1, rates=(500,), steps=1, seconds=0.1) == 1
    assert "3 packets could not be opened" in capsys.readouterr().err


def test_the_verdict_tells_the_server_from_the_generator() -> None:
    fine, top = replace(STEP, us=6.0), replace(STEP, forwarded_rate=260_000, generator=0.99)
    lost = replace(top, loss=0.02, unread_here=0.02)
    measured = room.summary(49, 1, True, [fine], [STEP, lost])
    assert (measured["rate"], measured["server_rate"]) == (50_000, 260_000)
    assert measured["generator_was_the_limit"]
    assert measured["met"] == {"us": False, "rate": True}
    assert measured["quiet"]
    assert measured["rate_by_cpu"] == round(1e6 / 3.0)
    servers = replace(lost, unforwarded=0.02, unread_here=0.0, waited=0.2)
    measured = room.summary(49, 1, True, [STEP], [STEP, servers])
    assert measured["server_rate"] == 50_000
    assert not measured["generator_was_the_limit"]
    assert measured["met"] == {"us": True, "rate": False}
    assert not measured["quiet"]


async def test_the_highest_rate_is_found_between_what_is_carried_and_what_is_not() -> None:
    class Server:
        asked: list[int]

        def __init__(self) -> None:
            self.asked = []

        async def step(self, rate: int, _: float) -> room.Step:
            self.asked.append(rate)
            carried = min(rate, 180_000)
            return replace(STEP, rate=rate, forwarded_rate=carried, unforwarded=1 - carried / rate)

    server = Server()
    tried = await room.highest(server, 12, 1.0)  # type: ignore[arg-type]  # as much of a load as it takes
    best = max(s.rate for s in tried if s.carried_by_server)
    assert 171_000 <= best <= 180_000
    assert len(server.asked) == len(tried) <= 12
    server.asked.clear()
    assert len(await room.highest(server, 2, 1.0)) == 2  # type: ignore[arg-type]


def descriptor(payload: bytes) -> vp8.Descriptor:
    found = vp8.read_descriptor(payload, 0, len(payload))
    assert found is not None
    return found


def test_a_publishers_packets_are_what_the_server_lets_pass() -> None:
    numbers = iter(range(1_000))
    video = Video(77, 300.0, 0.0, lambda: next(numbers))
    packets = [packet for i in range(1, 21) for packet in video.due(i / 20)]
    assert len(packets) == video.sent == 300
    assert {len(packet) for packet in packets} == {1_100}
    plain = Video(77, 300.0, 0.0).due(0.1)
    for packet in plain:
        assert rtp.check(packet, "video") is None
    parsed = [rtp.parse(packet) for packet in packets]
    assert [(p.sequence - parsed[0].sequence) & 0xFFFF for p in parsed] == list(range(300))
    starts = [p for p in parsed if descriptor(p.payload).start]
    assert len(starts) == len([p for p in parsed if p.marker]) == FRAMES
    keys = [descriptor(p.payload).key for p in starts]
    assert keys == [True] + 29 * [False]
    video.key_frame()
    (again, *_) = [descriptor(rtp.parse(packet).payload) for packet in video.due(1.02)]
    assert again.start
    assert again.key
    sound = [packet for i in range(1, 21) for packet in Audio(5, 0.0).due(i / 20)]
    assert {len(packet) for packet in sound} == {152}
    assert all(rtp.check(packet, "audio") is None for packet in sound)


def test_a_long_standstill_is_no_flood() -> None:
    video = Video(77, 1_000.0, 0.0)
    assert len(video.due(60.0)) == 250
    video.go_on(10.0, 100.0)
    assert video.due(100.05) == []


def test_many_datagrams_are_read_with_one_call() -> None:
    drain = Drain()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        assert drain.receive(sock)[1] == 0
        sent = [bytes([number]) * (10 + number) for number in range(5)]
        for datagram in sent:
            sock.sendto(datagram, sock.getsockname())
        rows, count = drain.receive(sock)
        assert count == 5
        assert [drain.datagram(i) for i in range(5)] == sent
        assert rows[:5, 0].tolist() == list(range(5))
        port = sock.getsockname()[1]
        assert machine.udp_drops()[port] == 0
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(50):
            sock.sendto(bytes(1_000), sock.getsockname())
        assert machine.udp_drops()[port] > 40


async def test_a_light_member_goes_on_after_an_ice_restart_and_says_what_went_wrong() -> None:
    async with BenchServer() as server, gathering(server.url) as crowd:
        here = LightRoom()
        video = Video(9, 200.0, 0.0)
        sender, receiver = LightPeer(crowd, here, [Stream(9, "video")]), LightPeer(crowd, here)
        await crowd.admit([sender, receiver])
        assert list(receiver.marks) == ["media", "transport", "stun", "dtls"]
        got: list[bytes] = []
        receiver.on_rtp = got.append

        async def flows() -> None:
            got.clear()
            async with asyncio.timeout(PATIENCE):
                while not got:
                    video.go_on(200.0, 0.0)
                    for packet in video.due(0.01):
                        assert sender.send_rtp(packet)
                    await asyncio.sleep(0.01)

        await flows()
        assert receiver.marks["first"] > receiver.marks["dtls"]
        before = receiver.highest[9]
        await sender.restart()
        await receiver.restart()
        await flows()
        assert receiver.highest[9] != before
        sizes = table(await server.disclosure())
        assert (sizes["connections"], sizes["media.peers_ready"], sizes["rooms"]) == (2, 2, 1)
        with pytest.raises(LightError, match="SSRC"):
            await crowd.admit([LightPeer(crowd, here, [Stream(9, "video")])])
        await server.stop()
        with pytest.raises(LightError, match="gone"):
            await sender.restart()
