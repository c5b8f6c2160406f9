"""Engines end to end: video in layers, sent again, at the rate that the server allows."""

from __future__ import annotations

import asyncio

from snugroom.client.media.codec import Vp8Decoder
from snugroom.client.media.reorder import Frame, Reorder
from snugroom.wire import rtcp, rtp, twcc
from tests.media_client import recordings
from tests.media_client.meeting import Forwarder, TestCrypto, until
from tests.media_client.parties import Party, meeting


async def test_video_recovers_from_an_outage() -> None:
    forwarder = Forwarder()
    async with meeting(forwarder, 2) as (ada, bob):
        await until(lambda: ada.of(1, "video").decoded > 10)
        forwarder.loss = 1.0
        await asyncio.sleep(0.6)
        forwarder.loss = 0.0
        before = ada.of(1, "video").decoded
        await until(lambda: ada.of(1, "video").decoded > before + 2)
        assert bob.engine.own_stats()[1].key_frames >= 1


async def test_three_layers_show_one_moment_in_three_sizes() -> None:
    forwarder = Forwarder()
    party = Party(forwarder, 1, layers=3)
    try:
        await party.connect()
        await until(lambda: all(own.sealed > 20 for own in party.engine.own_stats()), 10)
    finally:
        await party.engine.close()
    assert not party.failed
    sound, video = party.engine.streams
    assert (sound.layers, sound.rtx) == ([], [])
    assert (len(video.layers), len(video.rtx)) == (2, 3)
    packets = [rtp.parse(packet) for packet in forwarder.packets]
    moments: list[set[int]] = []
    for layer, ssrc in enumerate([video.ssrc, *video.layers]):
        reorder, decoder, sizes = Reorder("video"), Vp8Decoder(), set()
        of_this = [p for p in packets if p.ssrc == ssrc]
        frames = [e for p in of_this for e in reorder.receive(p, 0.0) if isinstance(e, Frame)]
        for frame in frames:
            opened = TestCrypto(0).open(ssrc, "video", frame.data)
            assert opened.stream == (1, 4, 5)[layer]
            shown = decoder.decode(opened.frame)
            assert shown is not None
            sizes.add((shown.shape[1], shown.shape[0] * 2 // 3))
            counter = recordings.counter_in(shown) if layer else 0
            assert counter is not None
        assert sizes == {(640 >> 2 - layer, 360 >> 2 - layer)}
        moments.append({p.timestamp for p in of_this})
    assert moments[2] <= moments[1] <= moments[0]  # larger ones begin once there is room for them
    # numbers count over all of them, in the order in which they left
    numbers = [p.transport for p in packets if p.payload_type == 96]
    assert numbers == list(range(len(numbers)))
    assert {p.transport for p in packets if p.payload_type == 111} == {None}


async def test_video_takes_the_rate_that_the_server_allows() -> None:
    forwarder = Forwarder()
    async with meeting(forwarder, 2, lambda n: {"layers": 2} if n else {}) as (ada, bob):
        await until(lambda: all(own.sealed > 10 for own in bob.engine.own_stats()), 10)
        link = forwarder.links[bob.handle]
        ssrcs = tuple(own.ssrc for own in bob.engine.own_stats() if own.kind == "video")
        small, large = bob.engine.own_stats()[1:]
        assert large.bitrate > small.bitrate > 0
        link.on_rtcp(rtcp.remb(1, 100_000, ssrcs))
        await until(lambda: bob.engine.own_stats()[2].bitrate == 0)
        assert 0 < bob.engine.own_stats()[1].bitrate <= 100_000
        before = bob.engine.own_stats()[2]
        await asyncio.sleep(0.3)
        assert bob.engine.own_stats()[2].sealed <= before.sealed + 1  # the larger one has stopped
        link.on_rtcp(rtcp.remb(1, 2_000_000, ssrcs))
        await until(lambda: bob.engine.own_stats()[2].bitrate > 0)
        await until(lambda: bob.engine.own_stats()[2].key_frames > before.key_frames)  # and begins so again
        assert ada.of(1, "audio").concealed == 0


async def test_video_packets_sent_again_come_as_rtx_and_are_shown() -> None:
    """Numbered packets and RTX from end to end, with a tenth of all lost each way."""
    forwarder = Forwarder(loss=0.1, seed=4)
    async with meeting(forwarder, 2) as (ada, bob):
        video = bob.engine.streams[1]
        await until(lambda: ada.of(1, "video").opened > 60, 20)
        seen = ada.of(1, "video")
        assert seen.again > 0
        assert seen.failed == 0
        assert bob.engine.own_stats()[1].resent > 0
    sent = [rtp.parse(p) for p in forwarder.packets]
    again = [p for p in sent if p.ssrc == video.rtx[0]]
    assert {p.payload_type for p in again} == {97}
    numbered = [p.sequence for p in sent if p.ssrc == video.ssrc]
    assert len(set(numbered)) == len(numbered)  # nothing went out twice under its own number
    reports = [r for r in forwarder.reports if isinstance(r, twcc.Report)]
    assert len(reports) > 10
    assert any(isinstance(r, rtcp.ReportBlock) for r in forwarder.reports)


async def test_pli_is_answered_with_a_key_frame_and_not_twice() -> None:
    forwarder = Forwarder(delay=0.0)
    async with meeting(forwarder, 2) as (ada, bob):
        await until(lambda: ada.of(1, "video").decoded > 8)
        video = ada.of(1, "video").ssrc
        before = bob.engine.own_stats()[1].key_frames
        for _ in range(10):
            forwarder.feedback(
                forwarder.links[ada.handle], b"\x81\xce\x00\x02" + bytes(4) + video.to_bytes(4, "big")
            )
        await until(lambda: bob.engine.own_stats()[1].key_frames > before)
        await asyncio.sleep(0.25)
        assert bob.engine.own_stats()[1].key_frames == before + 1
        assert any(isinstance(asked, rtcp.KeyFrameRequest) for asked in forwarder.asked)
