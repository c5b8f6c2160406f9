"""The SFU, and our client's media, against a stock WebRTC stack: delivery and repair."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from snugroom.client.media.engine import MediaEngine
from snugroom.client.media.stats import StreamStats
from snugroom.server.sfu.limits import OWN_SSRC
from snugroom.wire.messages import MediaKind, Stream
from tests.interop_media.conftest import FirstTimesLost, Meeting
from tests.interop_media.stock import StockPeer, until
from tests.media_server.peer import rtp


def received(engine: MediaEngine, kind: MediaKind) -> StreamStats:
    return next(s for s in engine.stats() if s.kind == kind and not s.gone)


KINDS: tuple[MediaKind, ...] = ("audio", "video")


async def hears_and_sees(peer: StockPeer, streams: list[Stream], identity: int) -> None:
    audio, video = peer.audio_of(streams), peer.video_of(streams)
    await until(lambda: audio.frames >= 60 and len(video.counters) >= 15)
    await until(lambda: audio.heard() == identity)
    assert video.identities == {identity}


async def test_two_stock_peers_hear_and_see_each_other(meeting: Meeting) -> None:
    ada = await meeting.stock_peer(0)
    bob = await meeting.stock_peer(1)
    await ada.receive(*bob.streams)
    await bob.receive(*ada.streams)
    await hears_and_sees(ada, bob.streams, 1)
    await hears_and_sees(bob, ada.streams, 0)
    # nobody lost anything, says each receiver, and each sender is told so
    for peer, other in ((ada, bob), (bob, ada)):
        for kind in KINDS:
            report = await until(partial(peer.report, kind))
            assert (report.ssrc, report.packetsLost, report.fractionLost) == (OWN_SSRC, 0, 0)
        for stream in other.streams:
            assert (await peer.reception(stream.ssrc)).packetsLost == 0
            assert (await until(partial(peer.sender_report, stream.ssrc))).packetsSent > 0
    for name in ("errors", "refused", "forged", "unknown_ssrc", "refused_rtcp", "lost"):
        assert meeting.total(name) == 0, name
    # one who comes in later sees too: key frames are made on request only, and its coming made the SFU ask
    asked = meeting.total("key_frame_requests")
    cem = await meeting.stock_peer(2)
    await cem.receive(*ada.streams, *bob.streams)
    await hears_and_sees(cem, ada.streams, 0)
    await hears_and_sees(cem, bob.streams, 1)
    assert meeting.total("key_frame_requests") > asked
    # and who leaves takes nobody along
    await bob.leave()
    await cem.video_of(ada.streams).more(10)
    await cem.audio_of(ada.streams).more(30)
    assert ada.alive


async def test_a_stock_peer_and_our_client(meeting: Meeting) -> None:
    ada = await meeting.stock_peer(0)
    # video has long begun when ours comes: a key frame is there because it was requested
    await until(partial(ada.has_sent, "video", 30))
    ours = await meeting.engine(3, *ada.streams)
    await ada.receive(*ours.streams)
    await hears_and_sees(ada, ours.streams, 3)
    await until(lambda: received(ours, "audio").decoded >= 60 and received(ours, "video").decoded >= 15)
    for kind in KINDS:
        stats = received(ours, kind)
        assert (stats.failed, stats.undecodable, stats.lost, stats.concealed) == (0, 0, 0, 0)
    assert ours.malformed == 0
    assert received(ours, "video").key_frames >= 1


async def test_packets_lost_in_either_direction_come_again(lossy_meeting: Meeting) -> None:
    ada = await lossy_meeting.stock_peer(0)
    bob = await lossy_meeting.stock_peer(1)
    await bob.receive(*ada.streams)
    ours = await lossy_meeting.engine(3, *ada.streams, *bob.streams)
    await bob.receive(*ours.streams)
    videos = {stream.ssrc for peer in (ada, bob, ours) for stream in peer.streams if stream.kind == "video"}
    await bob.video_of(ada.streams).more(5)
    await bob.video_of(ours.streams).more(5)
    await until(lambda: all(s.decoded > 5 for s in ours.stats()) and len(ours.stats()) == 4)

    assert lossy_meeting.proxy is not None
    fate = lossy_meeting.proxy.fate
    assert isinstance(fate, FirstTimesLost)
    fate.active = True
    await until(lambda: min(fate.lost) >= 30)
    fate.active = False
    await bob.video_of(ada.streams).more(10)
    await bob.video_of(ours.streams).more(10)

    # to the server: it asked senders of both kinds, and they sent again
    assert lossy_meeting.total("asked") >= lossy_meeting.total("lost") > 0
    for peer in (ada, bob):
        for kind in KINDS:
            await nothing_lost(partial(peer.report, kind))
    assert sum(own.resent for own in ours.own_stats()) > 0
    # from the server: the stock peer asks for video, ours for both
    assert lossy_meeting.total("resent") > 0
    assert lossy_meeting.total("nacks") > 0
    for stream in [*ada.streams, *ours.streams]:
        if stream.ssrc in videos:
            await nothing_lost(partial(bob.reception, stream.ssrc))
    assert [(s.failed, s.undecodable) for s in ours.stats()] == [(0, 0)] * 4
    # at least 30 packets were lost each way; on a busy machine a few come again too late
    assert sum(s.lost + s.concealed for s in ours.stats()) < 10


async def nothing_lost(ask: Callable[[], Awaitable[Any | None]]) -> None:
    """Wait until no packet of a stream is missing."""

    async def complete() -> bool:
        report = await ask()
        return report is not None and report.packetsLost == 0

    await until(complete)


async def test_a_frame_that_does_not_decode_is_requested_anew(meeting: Meeting) -> None:
    """PLI from a stock receiver, through the SFU, to the sender and to nobody else."""
    eve = await meeting.raw_peer((0xE0E, "video"))
    bob = await meeting.stock_peer(1)
    await bob.receive(Stream(ssrc=0xE0E, kind="video"))
    await eve.until(lambda: len(eve.feedback(206, 1)) == 1)  # for bob, who is new
    await asyncio.sleep(0.35)  # longer than the least time between two
    numbers = itertools.count()

    def asked_anew() -> bool:
        # it asks with the packet that comes after its decoder, in a thread, has failed
        number = next(numbers)
        eve.send_rtp(rtp(0xE0E, number, b"\x10" + bytes(50), timestamp=3000 * number))
        return len(eve.feedback(206, 1)) == 2

    await until(asked_anew)
    assert eve.feedback(206, 1)[1][8:12] == (0xE0E).to_bytes(4, "big")
    assert meeting.total("key_frame_requests") == 3  # and one for eve, who receives bob's video
    assert bob.alive
