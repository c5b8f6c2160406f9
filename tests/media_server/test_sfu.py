"""Peers over real sockets through a real SFU."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct

import msgspec
import pytest

from snugroom.server.sfu.sfu import MediaError, MediaLimits, Sfu
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server.conftest import ROOM, Clock, Rig, StartRig, until
from tests.media_server.peer import CERTIFICATE, CM, GCM, OTHER_CERTIFICATE, Peer, rtp
from tests.patience import PATIENCE

# -- packets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(("offered", "chosen"), [(GCM + b":" + CM, GCM), (CM + b":" + GCM, GCM), (CM, CM)])
async def test_two_peers_exchange_packets(
    start_rig: StartRig, offered: bytes, chosen: bytes, batched: bool
) -> None:
    rig = await start_rig(MediaLimits(batched=batched))
    ada = await rig.join((0xADA, "audio"), (0xADB, "video"), profiles=offered)
    bob = await rig.join((0xB0B, "audio"))
    assert ada.profile == chosen
    packets = [rtp(0xADB, 1000 + i, bytes([i]) * (50 if i % 5 else 40)) for i in range(25)]
    for packet in packets:
        ada.send_rtp(packet)
    await bob.until(lambda: len(bob.rtp) == 25)
    assert bob.rtp == packets
    answer = rtp(0xB0B, 65535, b"opus", kind="audio")
    bob.send_rtp(answer)
    await ada.until(lambda: bool(ada.rtp))
    assert ada.rtp == [answer]
    assert rig.totals("forwarded") == 26
    assert rig.totals("peers_ready") == 2


async def test_profiles_mix_in_one_room(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    others = [await rig.join(profiles=profiles) for profiles in (GCM, CM, GCM, CM)]
    packets = [rtp(1, i, bytes(100)) for i in range(20)]
    for packet in packets:
        ada.send_rtp(packet)
    for other in others:
        await other.until(lambda other=other: len(other.rtp) == 20)  # type: ignore[misc]
        assert other.rtp == packets


async def test_rooms_are_apart(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    zoe = await rig.join((1, "video"), room=b"z" * 16)
    yan = await rig.join(room=b"z" * 16)
    ada.send_rtp(rtp(1, 1, b"from ada"))
    zoe.send_rtp(rtp(1, 1, b"from zoe"))
    await bob.until(lambda: bool(bob.rtp))
    await yan.until(lambda: bool(yan.rtp))
    assert bob.rtp == [rtp(1, 1, b"from ada")]
    assert yan.rtp == [rtp(1, 1, b"from zoe")]


async def test_joining_and_leaving_during_the_meeting(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    ada.send_rtp(rtp(1, 1))
    await bob.until(lambda: len(bob.rtp) == 1)
    eve = await rig.join()
    await ada.until(lambda: len(ada.feedback(206, 1)) >= 1)  # a key frame for eve
    ada.send_rtp(rtp(1, 2))
    await eve.until(lambda: len(eve.rtp) == 1)
    await bob.until(lambda: len(bob.rtp) == 2)
    rig.sfu.leave(ROOM, rig.handle(bob))
    ada.send_rtp(rtp(1, 3))
    await eve.until(lambda: len(eve.rtp) == 2)
    assert len(bob.rtp) == 2
    bob.send_rtp(rtp(1, 4))
    await until(lambda: rig.totals("strangers") == 1)
    rig.sfu.leave(ROOM, b"nobody..")
    rig.sfu.subscribe(ROOM, b"nobody..", None)


async def test_wants_and_changed_streams(rig: Rig) -> None:
    ada = await rig.join((1, "video"), (2, "audio"))
    bob = await rig.join()
    rig.sfu.subscribe(ROOM, rig.handle(bob), [2])
    ada.send_rtp(rtp(1, 1))
    ada.send_rtp(rtp(2, 1, kind="audio"))
    await bob.until(lambda: bool(bob.rtp))
    assert bob.rtp == [rtp(2, 1, kind="audio")]
    before = ada.transport
    changed = msgspec.structs.replace(ada.media, streams=[Stream(ssrc=3, kind="audio")])
    assert rig.sfu.join(ROOM, rig.handle(ada), changed) == before
    rig.sfu.subscribe(ROOM, rig.handle(bob), None)
    ada.send_rtp(rtp(2, 2, kind="audio"))
    ada.send_rtp(rtp(3, 1, kind="audio"))
    await bob.until(lambda: len(bob.rtp) == 2)
    assert bob.rtp[1] == rtp(3, 1, kind="audio")
    assert rig.totals("unknown_ssrc") == 1


@pytest.mark.parametrize(
    "bad",
    [
        rtp(1, 1, b"x", extension=struct.pack("!HH", 0xBEDE, 1) + b"\x31ab\0"),
        rtp(1, 1, b"x", extension=struct.pack("!HH", 0xBEDE, 1) + b"\x10\xff\0\0"),
        rtp(1, 1, kind="audio"),
        rtp(1, 1, b"xx\7", first=0xA0),
        rtp(1, 1, b"xxxx", first=0x81),
    ],
)
async def test_packets_that_could_crash_a_client_are_dropped_and_counted(rig: Rig, bad: bytes) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    ada.send_rtp(bad)
    ada.send_rtp(rtp(1, 2))
    await bob.until(lambda: bool(bob.rtp))
    assert bob.rtp == [rtp(1, 2)]
    assert rig.totals("refused") == 1


async def test_forged_and_replayed_packets_are_dropped(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    assert ada.send_session is not None
    sealed = ada.send_session.protect(rtp(1, 1))
    ada.send(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    ada.send(sealed)
    ada.send(sealed)
    bob.send_rtp(rtp(1, 5))  # ada's stream, under bob's keys
    ada.send_rtp(rtp(1, 2))
    await bob.until(lambda: len(bob.rtp) == 2)
    assert bob.rtp == [rtp(1, 1), rtp(1, 2)]
    await until(lambda: rig.totals("forged") == 2 and rig.totals("unknown_ssrc") == 1)


# -- feedback ----------------------------------------------------------------------------------


async def test_lost_packets_are_asked_for_and_repeated(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    for number in (65_534, 65_535, 1):
        ada.send_rtp(rtp(1, number))
    await ada.until(lambda: bool(ada.feedback(205, 1)))
    assert rtcp.parse(ada.feedback(205, 1)[0]) == [rtcp.Nack(1, (0,))]
    ada.send_rtp(rtp(1, 0))
    await bob.until(lambda: len(bob.rtp) == 4)
    bob.send_rtcp(rtcp.nack(1, 1, [65_535]))
    # the same packet again: to bob's SRTP it is a replay, so look at what came, not at what opened
    sealed = [d for d in bob.raw if d[0] > 127 and not 191 < d[1] < 224]
    assert len(sealed) == 4
    bob.receive_session = None
    await bob.until(lambda: sum(1 for d in bob.raw if d[0] > 127 and not 191 < d[1] < 224) == 5)
    assert [d for d in bob.raw if d[0] > 127 and not 191 < d[1] < 224][4] == sealed[1]


async def test_timers_rest_while_nothing_comes_and_nothing_waits(
    start_rig: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await start_rig(clock=Clock())
    ticker, came = rig.sfu._ticker, []
    assert ticker is not None
    monkeypatch.setattr(ticker, "came", lambda: came.append(True))
    mute = rig.peer()
    mute.drop = lambda _: True
    connecting = asyncio.create_task(mute.connect(rig.sfu.join(ROOM, rig.handle(mute), mute.media)))
    await until(lambda: rig.sfu._transports.unproven)
    assert rig.sfu._tick() is True, "the proof of an address is asked for again"
    connecting.cancel()
    rig.sfu.leave(ROOM, rig.handle(mute))
    ada = await rig.join((1, "video"))
    await until(lambda: rig.sfu._tick() is False)
    came.clear()
    for number in (1, 3):
        ada.send_rtp(rtp(1, number))
    await until(lambda: rig.totals("lost") == 1)
    assert rig.sfu._tick() is True, "a lost packet is asked for again"
    assert came


async def test_packets_lost_towards_a_receiver_reach_it_on_request(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    bob.drop = lambda d: d[:1] > b"\x7f" and d[2:4] == b"\0\2"
    for number in range(600):  # further back than the usual replay window of 64 or 128
        ada.send_rtp(rtp(1, number))
        if number % 50 == 0:
            await bob.until(lambda number=number: len(bob.rtp) >= number - 1)  # type: ignore[misc]
    await bob.until(lambda: len(bob.rtp) == 599)
    bob.drop = lambda _: False
    bob.receive_session = None  # it would refuse a packet that it has had
    arrived = len(bob.raw)
    bob.send_rtcp(rtcp.nack(1, 1, [2, 100]))
    await bob.until(lambda: any(d[2:4] == b"\0\x64" for d in bob.raw[arrived:] if d[0] > 127))
    assert rig.totals("resent") == 1  # 2 has left the cache of 512
    bob.send_rtcp(rtcp.nack(1, 1, [599]))
    await bob.until(lambda: any(d[2:4] == b"\2\x57" for d in bob.raw[arrived:] if d[0] > 127))


async def test_key_frame_requests_and_reports(rig: Rig) -> None:
    ada = await rig.join((1, "video"), (2, "audio"))
    bob = await rig.join()
    await ada.until(lambda: len(ada.feedback(206, 1)) == 1)
    bob.send_rtcp(rtcp.key_frame_request(1, 1))
    await ada.until(lambda: len(ada.feedback(206, 1)) == 2)
    ada.send_rtp(rtp(1, 7))
    report = rtcp.SenderReport(1, 0x0001020304050607, 0x08090A0B, 0x0C0D0E0F, 0x10111213)
    ada.send_rtcp(rtcp.sender_report(report) + struct.pack("!BBHL", 0x81, 202, 3, 1) + b"\1\6secret")
    beat = rtcp.receiver_report(1, [])
    await bob.until(lambda: any(each != beat for each in bob.rtcp))
    assert [each for each in bob.rtcp if each != beat] == [rtcp.sender_report(report)]
    await ada.until(lambda: bool(ada.feedback(206, 15)))
    (block,) = ada.feedback(201, 1)[:1]
    assert struct.unpack_from("!L", block, 8) == (1,)


async def test_rtcp_that_is_forged_malformed_or_too_much_is_dropped(start_rig: StartRig) -> None:
    rig = await start_rig(MediaLimits(rtcp_rate=0.0, rtcp_burst=6, rtcp_sources=3))
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    bob.send(rtcp.key_frame_request(1, 1) + bytes(20))
    await until(lambda: rig.totals("forged") == 1)
    bob.send_rtcp(struct.pack("!BBHL", 0x81, 201, 1, 1))
    await until(lambda: rig.totals("refused_rtcp") == 1)
    for source in range(10, 15):  # 1 is one of the three
        bob.send_rtcp(struct.pack("!BBHL", 0x80, 201, 1, source))
    await until(lambda: rig.totals("refused_rtcp") == 4)
    for _ in range(5):
        bob.send_rtcp(rtcp.receiver_report(1, []))
    await until(lambda: rig.totals("refused_rtcp") == 6)
    ada.send_rtp(rtp(1, 1))
    await bob.until(lambda: len(bob.rtp) == 1)


# -- limits, life, logs ------------------------------------------------------------------------


async def test_limits_on_peers_and_streams(start_rig: StartRig) -> None:
    rig = await start_rig(MediaLimits(peers=2, streams_per_peer=1))
    ada, bob, eve = (rig.peer((i, "video")) for i in (1, 2, 3))
    for peer in (ada, bob):
        rig.sfu.join(ROOM, rig.handle(peer), peer.media)
    with pytest.raises(MediaError) as error:
        rig.sfu.join(ROOM, rig.handle(eve), eve.media)
    assert error.value.code == "full"
    two = msgspec.structs.replace(ada.media, streams=[Stream(ssrc=i, kind="video") for i in (1, 5)])
    with pytest.raises(MediaError) as error:
        rig.sfu.join(ROOM, rig.handle(ada), two)
    assert error.value.code == "streams"
    assert rig.totals("peers") == 2
    rig.sfu.leave(ROOM, rig.handle(bob))
    rig.sfu.join(ROOM, rig.handle(eve), eve.media)


async def test_nothing_is_left_when_all_have_gone(rig: Rig) -> None:
    for _ in range(3):
        await rig.join()
    for peer in rig.peers:
        rig.sfu.leave(ROOM, rig.handle(peer))
    sfu = rig.sfu
    assert (sfu._transports.links, sfu._transports.by_ufrag) == ({}, {})
    assert (sfu._transports.by_address, sfu._transports.handshaking) == ({}, {})
    assert (
        sfu._core.subscriptions.rooms,
        sfu._core.subscriptions.peers,
        sfu._core.subscriptions.repairing,
    ) == ({}, {}, {})


async def test_start_and_close() -> None:
    sfu = Sfu(address="198.51.100.7", bind="127.0.0.1")
    await sfu.start()
    assert sfu.port
    peer = Peer((1, "audio"))
    transport = sfu.join(ROOM, bytes(8), peer.media)
    assert (transport.address, transport.port) == ("198.51.100.7", sfu.port)
    assert len(transport.fingerprint) == 32
    with pytest.raises(OSError, match=r"."):
        await Sfu(address="127.0.0.1", port=sfu.port).start()
    sfu.close()
    sfu.close()
    peer.close()
    assert sfu.totals()["peers"] == 0


async def test_ipv6(start_rig: StartRig) -> None:
    del start_rig
    sfu = Sfu(address="::1")
    try:
        await sfu.start()
    except OSError:
        pytest.skip("no IPv6 here")
    peer = Peer((1, "audio"))
    peer.transport = sfu.join(ROOM, bytes(8), peer.media)
    client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    client.setblocking(False)
    client.bind(("::1", 0))
    client.sendto(peer.request(), ("::1", sfu.port))
    async with asyncio.timeout(PATIENCE):
        reached = [await asyncio.get_running_loop().sock_recv(client, 2048) for _ in range(2)]
    assert sorted(datagram[:2] for datagram in reached) == [b"\0\1", b"\1\1"]  # its check, and an answer
    client.close()
    peer.close()
    sfu.close()


async def test_no_log_says_who(start_rig: StartRig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rig = await start_rig(MediaLimits(handshake_tries=9))
    ada = await rig.join((0x1ADA1ADA, "video"))
    bob = await rig.join()
    ada.send_rtp(rtp(0x1ADA1ADA, 1))
    await bob.until(lambda: bool(bob.rtp))
    eve = rig.peer(certificate=OTHER_CERTIFICATE, claims=CERTIFICATE)
    await eve.check(rig.sfu.join(ROOM, rig.handle(eve), eve.media))
    eve.hello()
    await until(lambda: rig.totals("handshakes_failed") == 1)
    rig.sfu._control = None  # type: ignore[assignment,method-assign]  # let something raise
    eve.send(b"\0" * 30)
    await until(lambda: rig.totals("errors") == 1)
    rig.sfu._counts["errors"] = 0
    said = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("snugroom.server")
    )
    assert "a handshake failed" in said
    assert "raised TypeError" in said
    secrets = ["127.0.0.1", str(0x1ADA1ADA), "1ada1ada", ROOM.hex(), "r" * 16, ada.ufrag, eve.ufrag]
    secrets += [str(peer.socket.getsockname()[1]) for peer in rig.peers]
    assert [secret for secret in secrets if secret in said] == []
