"""Harm that a member, or a stranger, can do to others through the media socket.

Each flood has its limit and its counter, and while it goes on two innocent people in another room hear each
other. These tests count operations; `tests.exhaustion.costs` measures the cost of one.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from snugroom.server.sfu.io import dtls, srtp
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.exhaustion.conftest import StartRig
from tests.media_server.conftest import ROOM, Clock, Rig, until
from tests.media_server.peer import Peer, rtp
from tests.patience import PATIENCE

ELSEWHERE = b"e" * 16
#: ip(7): the source address of a datagram. `socket` has it from Python 3.14 on.
_IP_PKTINFO = 8


class Innocent:
    """Ada and Bob, in a room of their own."""

    def __init__(self, rig: Rig, ada: Peer, bob: Peer) -> None:
        self._rig, self._ada, self._bob = rig, ada, bob
        self._number = 0

    @classmethod
    async def at(cls, rig: Rig) -> Innocent:
        return cls(rig, await rig.join((1, "video"), room=ELSEWHERE), await rig.join(room=ELSEWHERE))

    async def hear(self) -> None:
        """One packet, from Ada to Bob; all that was sent to the server before has been looked at then."""
        self._number += 1
        self._ada.send_rtp(rtp(1, self._number))
        await self._bob.until(lambda: len(self._bob.rtp) == self._number)
        assert self._rig.totals("errors") == 0


async def flood(innocent: Innocent, send: Callable[[int], object], count: int) -> None:
    """`send` so often, in portions that the socket's buffer holds."""
    for start in range(0, count, 100):
        for number in range(start, min(start + 100, count)):
            send(number)
        await innocent.hear()


def counting(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> list[None]:
    """Grows by one whenever that is called."""
    calls: list[None] = []
    real = getattr(where, name)

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(None)
        return real(*args, **options)

    monkeypatch.setattr(where, name, counted)
    return calls


# -- packets -----------------------------------------------------------------------------------


async def test_oversized_packets(rig: Rig) -> None:
    innocent = await Innocent.at(rig)
    eve, mal = await rig.join((1, "video")), await rig.join()
    assert eve.send_session is not None
    largest = eve.send_session.protect(rtp(1, 0, bytes(1344)))

    def send(number: int) -> None:
        # libsrtp would seal no larger one: bytes of any size, from her address
        eve.send(largest + bytes(1 + number % 500))

    await flood(innocent, send, 1000)
    assert rig.totals("forged") + rig.totals("refused") == 1000
    assert mal.rtp == []


async def test_replayed_packets(rig: Rig) -> None:
    innocent = await Innocent.at(rig)
    eve, mal = await rig.join((1, "video")), await rig.join()
    assert eve.send_session is not None
    sealed = eve.send_session.protect(rtp(1, 1))
    await flood(innocent, lambda _: eve.send(sealed), 2000)
    assert rig.totals("forged") == 1999
    assert len(mal.rtp) == 1


async def test_more_ssrcs_than_announced(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cryptography is done, and libsrtp keeps no state, for a stream that isn't there."""
    innocent = await Innocent.at(rig)
    eve = await rig.join((1, "video"))
    assert eve.send_session is not None
    sealed = [eve.send_session.protect(rtp(1000 + i, 1)) for i in range(1000)]
    opened = counting(monkeypatch, srtp, "unprotect")
    await flood(innocent, lambda number: eve.send(sealed[number]), 1000)
    assert rig.totals("unknown_ssrc") == 1000
    assert len(opened) == 10  # the innocent's


async def test_a_stranger_is_a_lookup(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    innocent = await Innocent.at(rig)
    stranger = rig.peer()
    stranger.transport = rig.peers[0].transport
    opened = counting(monkeypatch, srtp, "unprotect")
    made = counting(monkeypatch, dtls, "DtlsServer")
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(11)
    kinds = [rtp(1, 7, bytes(100)), rtcp.key_frame_request(1, 1) + bytes(20), hello]
    await flood(innocent, lambda number: stranger.send(kinds[number % 3]), 3000)
    assert rig.totals("strangers") == 3000
    assert (len(opened), len(made)) == (30, 0)
    assert stranger.raw == []


async def test_tiny_packets_have_a_rate_too(start_rig: StartRig) -> None:
    clock = Clock()
    rig = await start_rig(clock=clock)
    innocent = await Innocent.at(rig)
    eve = await rig.join((1, "video"))
    await rig.join()
    await flood(innocent, lambda number: eve.send_rtp(rtp(1, number, b"x")), 10_000)
    # an honest stream at the limit of bits has 5,700 packets a second
    assert rig.totals("over_rate") >= 4000


async def test_holes_are_asked_for_at_a_rate(start_rig: StartRig) -> None:
    """Each packet leaves a hole of 256: what is asked for costs the server ten times what a packet does."""
    clock = Clock()
    rig = await start_rig(clock=clock)
    innocent = await Innocent.at(rig)
    eve = await rig.join((1, "video"))
    await flood(innocent, lambda number: eve.send_rtp(rtp(1, number * 257)), 200)
    assert rig.totals("received") >= 200
    # in no time at all: as many as one who lost everything for a second would be asked for
    assert rig.totals("asked") <= 2000


# -- what is asked for ---------------------------------------------------------------------------


async def test_requests_for_packets_have_a_rate(start_rig: StartRig) -> None:
    clock = Clock()
    rig = await start_rig(MediaLimits(nack_rate=400.0, nack_burst=400), clock=clock)
    innocent = await Innocent.at(rig)
    eve, mal = await rig.join((1, "video")), await rig.join()
    mal.drop = lambda datagram: datagram[0] > 127
    await flood(innocent, lambda number: eve.send_rtp(rtp(1, number)), 300)
    await flood(innocent, lambda _: mal.send_rtcp(rtcp.nack(1, 1, range(300))), 200)
    assert rig.totals("resent") == 400
    assert rig.totals("refused_nacks") == 199
    clock.now += 1.0
    mal.send_rtcp(rtcp.nack(1, 1, range(300)))
    await innocent.hear()
    assert rig.totals("resent") == 656  # 256 are read of one


async def test_reports_have_a_rate(start_rig: StartRig, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    rig = await start_rig(clock=clock)
    innocent = await Innocent.at(rig)
    eve = await rig.join((1, "video"))
    parsed = counting(monkeypatch, rtcp, "parse")
    await flood(innocent, lambda _: eve.send_rtcp(rtcp.receiver_report(1, [])), 1500)
    assert len(parsed) == 300
    assert rig.totals("refused_rtcp") == 1200


def _key_frames_asked(rig: Rig) -> int:
    return rig.totals("key_frame_requests")


@pytest.mark.parametrize("way", ["pli", "fir", "subscribe"])
async def test_one_receiver_cant_have_key_frames_for_ever(start_rig: StartRig, way: str) -> None:
    """A key frame is ten times as large as others: a publisher with three a second harms everybody."""
    clock = Clock()
    rig = await start_rig(MediaLimits(report_interval=1e9), clock=clock)
    innocent = await Innocent.at(rig)
    ada, bob, eve = await rig.join((1, "video")), await rig.join(), await rig.join()
    ada.send_rtp(rtp(1, 1))
    await innocent.hear()
    before = _key_frames_asked(rig)
    fir = struct.pack("!BBHLLLL", 0x84, 206, 4, 1, 0, 1, 1 << 24)
    for _ in range(100):  # half a minute
        clock.now += 0.31
        if way == "want":
            rig.sfu.subscribe(ROOM, rig.handle(eve), [])
            rig.sfu.subscribe(ROOM, rig.handle(eve), None)
        else:
            eve.send_rtcp(rtcp.key_frame_request(1, 1) if way == "pli" else fir)
        await innocent.hear()
    flooded = _key_frames_asked(rig) - before
    # who asks seldom is heard all the same, and at once
    clock.now += 0.31
    bob.send_rtcp(rtcp.key_frame_request(1, 1))
    await innocent.hear()
    assert _key_frames_asked(rig) == before + flooded + 1
    assert flooded <= 40


async def test_claims_about_the_network_hurt_nobody_else(start_rig: StartRig) -> None:
    """One receiver says that it can take 8 kbit/s, another 10 Gbit/s: the publisher is told neither."""
    clock = Clock()
    rig = await start_rig(clock=clock)
    ada, bob, eve = await rig.join((1, "video")), await rig.join(), await rig.join()
    ada.send_rtp(rtp(1, 1))
    await bob.until(lambda: bool(bob.rtp))

    async def told(claims: list[tuple[Peer, int]]) -> int:
        for who, rate in claims:
            who.send_rtcp(rtcp.remb(1, rate, [1]))
        # they have been read when one behind them is answered
        bob.send_rtp(rtp(9, 1))
        known = rig.totals("unknown_ssrc")
        await until(lambda: rig.totals("unknown_ssrc") > known or rig.totals("unknown_ssrc") > 0)
        seen = len(ada.feedback(206, 15))
        clock.now += 1.1
        await ada.until(lambda: len(ada.feedback(206, 15)) > seen)
        (remb,) = rtcp.parse(ada.feedback(206, 15)[-1])
        assert isinstance(remb, rtcp.Remb)
        return remb.bitrate

    honest = await told([(bob, 1_500_000)])
    assert abs(await told([(bob, 1_500_000), (eve, 8_000)]) - 1_500_000) < 20_000
    assert await told([(bob, 1_500_000), (eve, 10_000_000_000)]) <= 2_000_000
    assert honest <= 2_000_000


# -- handshakes --------------------------------------------------------------------------------------


async def test_a_million_hellos_of_one_member(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each set of parameters is good for four tries, whatever becomes of them."""
    innocent = await Innocent.at(rig)
    eve = rig.peer()
    await eve.check(rig.sfu.join(ROOM, rig.handle(eve), eve.media))
    made = counting(monkeypatch, dtls, "DtlsServer")
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(11)  # no cipher: it fails at once
    await flood(innocent, lambda _: eve.send(hello), 3000)
    assert len(made) == 4
    assert rig.totals("handshakes_failed") == 4
    assert rig.totals("garbage") == 2996


async def test_coming_and_going_over_dtls(rig: Rig) -> None:
    """A member makes a handshake, says goodbye and begins again: four times, and then never."""
    innocent = await Innocent.at(rig)
    eve = rig.peer()
    transport = rig.sfu.join(ROOM, rig.handle(eve), eve.media)
    for _ in range(4):
        eve.send_session = eve.receive_session = None
        await eve.connect(transport)
        assert eve.ssl is not None
        eve.ssl.shutdown()
        eve.flush()
        await until(lambda: rig.totals("peers_ready") == 2)
    before = rig.totals("handshakes")
    eve.send_session = None
    await eve.check(transport)
    eve.hello()
    await innocent.hear()
    assert rig.totals("handshakes") == before
    assert rig.totals("garbage") >= 1


def _send_from(sock: socket.socket, number: int, datagram: bytes, to: tuple[str, int]) -> None:
    """Send from the loopback address of that number, 127.1.0.0 on: one socket for all of them."""
    source = bytes((127, 1, *number.to_bytes(2, "big")))
    info = struct.pack("=i4s4s", 0, source, bytes(4))
    sock.sendmsg([datagram], [(socket.IPPROTO_IP, _IP_PKTINFO, info)], 0, to)


async def test_a_flood_from_unknown_addresses_is_forgotten(rig: Rig) -> None:
    """20,000 datagrams from 1,000 addresses leave no object behind (more: `tests.exhaustion.costs`)."""
    innocent = await Innocent.at(rig)
    assert rig.peers[0].transport is not None
    stranger = rig.peer()
    stranger.transport, stranger.ufrag = rig.peers[0].transport, rig.peers[0].ufrag
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(11)
    kinds = [
        stranger.request(password="x" * 24), stranger.request(USERNAME="nobody:nobody"), hello, bytes(60),
        rtp(1, 1, bytes(200)), rtcp.key_frame_request(1, 1) + bytes(20),
    ]  # fmt: skip
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:

        def send(number: int) -> None:
            _send_from(sock, 1 + number % 1000, kinds[number % 6], stranger.server)

        await flood(innocent, send, 2000)
        gc.collect()
        before = len(gc.get_objects())
        await flood(innocent, send, 18_000)
        assert rig.totals("strangers") + rig.totals("garbage") == 20_000
        held = rig.sfu.held()
        assert held.cached_addresses <= 4096
        # once a second even those are forgotten
        await until(lambda: rig.sfu.held().cached_addresses <= 4)
        gc.collect()
        assert len(gc.get_objects()) - before < 1500


# -- who comes, goes and changes -----------------------------------------------------------------------


async def test_joins_and_leaves_leave_nothing(rig: Rig) -> None:
    innocent = await Innocent.at(rig)
    eve, mal = rig.peer((1, "video"), (2, "audio")), await rig.join()
    for number in range(600):
        streams = [Stream(ssrc=1 + number % 3, kind="video"), Stream(ssrc=1000 + number, kind="audio")]
        rig.sfu.join(ROOM, rig.handle(eve), msgspec.structs.replace(eve.media, streams=streams))
        rig.sfu.subscribe(ROOM, rig.handle(mal), [1, 2, number])
        rig.sfu.leave(ROOM, rig.handle(eve))
        if number % 100 == 99:
            await innocent.hear()
    assert rig.totals("peers") == 3
    assert rig.sfu.held().ended_streams == 0  # none of them ever sent anything
    assert [s.room for s in rig.sfu.streams()] == [ELSEWHERE]


async def test_streams_that_ended_are_forgotten_by_the_session_that_opened_them(
    start_rig: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member takes another SSRC every second for a night: libsrtp keeps some 300 bytes for each."""
    rig = await start_rig(MediaLimits(retired_ssrcs=8))
    innocent = await Innocent.at(rig)
    eve, mal = await rig.join((100, "video")), await rig.join()
    forgotten: list[tuple[object, int]] = []
    real = srtp.SrtpSession.forget

    def forget(self: srtp.SrtpSession, ssrc: int) -> None:
        forgotten.append((self, ssrc))
        real(self, ssrc)

    monkeypatch.setattr(srtp.SrtpSession, "forget", forget)
    for number in range(60):
        ssrc = 100 + number
        media = msgspec.structs.replace(eve.media, streams=[Stream(ssrc=ssrc, kind="video")])
        rig.sfu.join(ROOM, rig.handle(eve), media)
        eve.send_rtp(rtp(ssrc, 1))
        await innocent.hear()
    del mal
    inbound = rig.sfu._links[ROOM, rig.handle(eve)].inbound
    assert len({ssrc for session, ssrc in forgotten if session is inbound}) >= 40


# -- the loop ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batched", [True, False])
async def test_a_full_socket_takes_one_turn_at_a_time(start_rig: StartRig, batched: bool) -> None:
    """Timers and WebSockets have their turn after every 64 datagrams, however many are waiting."""
    rig = await start_rig(MediaLimits(batched=batched, drain=64))
    ada = await rig.join((1, "video"))
    stranger = rig.peer()
    stranger.transport = ada.transport
    for _ in range(2000):
        stranger.send(bytes([128]) + bytes(40))
    turns = 0
    async with asyncio.timeout(PATIENCE):
        while rig.totals("strangers") < 2000:
            turns += 1
            await asyncio.sleep(0)
    assert turns >= 2000 // 64
