"""The forwarding core, without a socket: peers are names, time is a number."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable

import pytest

from snugroom.server.sfu.core import Effect, Forget, Forwarding, SendRtcp, SendRtp
from snugroom.server.sfu.limits import MediaError, MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server.forwarding import AUDIO, OTHER_ROOM, ROOM, VIDEO, Core, meeting, nacked, plis, resent

# -- who gets what ---------------------------------------------------------------------------


def test_a_packet_goes_to_the_others_in_the_room() -> None:
    core = meeting("bob", "eve")
    core.subscriptions.join(OTHER_ROOM, "zoe", [], 0.0)
    core.subscriptions.ready("zoe", True, 0.0)
    assert core.send(1).receivers == ("bob", "eve")
    assert core.send(1, stream=AUDIO).receivers == ("bob", "eve")


def test_nobody_gets_anything_before_being_ready_or_after_leaving() -> None:
    core = meeting("bob")
    core.subscriptions.join(ROOM, "eve", [], 1.0)
    assert core.send(1).receivers == ("bob",)
    core.subscriptions.ready("eve", True, 1.0)
    assert core.send(2).receivers == ("bob", "eve")
    core.subscriptions.ready("bob", False, 1.0)
    assert core.send(3).receivers == ("eve",)
    core.subscriptions.leave("eve", 1.0)
    assert core.send(4).receivers == ()


def test_a_stream_is_its_owners_alone() -> None:
    core = meeting("bob")
    assert core.subscriptions.find("bob", VIDEO.ssrc) is None
    assert core.subscriptions.find("nobody", VIDEO.ssrc) is None
    with pytest.raises(MediaError) as error:
        core.subscriptions.join(ROOM, "bob", [VIDEO], 1.0)
    assert error.value.code == "ssrc"
    # in another room the same number is another stream
    core.subscriptions.join(OTHER_ROOM, "zoe", [VIDEO], 1.0)
    assert core.send(1).receivers == ("bob",)


def test_wants() -> None:
    core = meeting("bob")
    core.subscriptions.subscribe("bob", [AUDIO.ssrc], 1.0)
    assert core.send(1).receivers == ()
    assert core.send(1, stream=AUDIO).receivers == ("bob",)
    core.subscriptions.subscribe("bob", None, 1.0)
    assert core.send(2).receivers == ("bob",)
    # what isn't there yet may be wanted
    core.subscriptions.subscribe("bob", [5], 1.0)
    core.subscriptions.join(ROOM, "ada", [VIDEO, AUDIO, Stream(ssrc=5, kind="audio")], 1.0)
    assert core.send(1, stream=Stream(ssrc=5, kind="audio")).receivers == ("bob",)


def test_streams_change_during_the_meeting() -> None:
    core = meeting("bob")
    core.send(1)
    core.subscriptions.join(ROOM, "ada", [AUDIO], 1.0)
    assert core.subscriptions.find("ada", VIDEO.ssrc) is None
    assert core.send(1, stream=AUDIO).receivers == ("bob",)


def test_a_refused_join_changes_nothing() -> None:
    core = meeting("bob", limits=MediaLimits(peers=2, streams_per_peer=2))
    three = [AUDIO, Stream(ssrc=1, kind="audio"), Stream(ssrc=2, kind="audio")]
    for streams, code in ((three, "streams"), ([AUDIO, AUDIO], "ssrc")):
        with pytest.raises(MediaError) as error:
            core.subscriptions.join(ROOM, "ada", streams, 1.0)
        assert error.value.code == code
    with pytest.raises(MediaError) as error:
        core.subscriptions.join(ROOM, "eve", [], 1.0)
    assert error.value.code == "full"
    with pytest.raises(MediaError) as error:
        core.subscriptions.join(OTHER_ROOM, "ada", [], 1.0)
    assert error.value.code == "room"
    assert core.send(1).receivers == ("bob",)
    core.subscriptions.leave("bob", 1.0)
    core.subscriptions.join(ROOM, "eve", [], 1.0)


def test_a_paused_receiver_is_kept_in_step() -> None:
    """It gets a packet now and then, or the rollover counters of the two ends part."""
    core = meeting("bob", "eve", limits=MediaLimits(video_bitrate=1 << 40, gap=0))
    core.subscriptions.subscribe("eve", [], 0.0)  # never received it: needs nothing
    core.send(0)
    core.subscriptions.subscribe("bob", [], 1.0)
    core.subscriptions.subscribe("eve", [], 1.0)
    got = [number for number in range(1, 70_000) if "bob" in core.send(number, 1.0 + number).receivers]
    assert got
    assert max(b - a for a, b in itertools.pairwise(got)) <= 4096
    core.subscriptions.ready("bob", False, 1.0)
    assert not any("bob" in core.send(number).receivers for number in range(70_000, 80_000))


# -- numbers that must not come twice ----------------------------------------------------------


def test_a_stream_under_a_new_key_must_go_on_counting() -> None:
    core = meeting("bob")
    for number in range(100, 110):
        core.send(number)
    core.subscriptions.ready("ada", False, 1.0)
    core.subscriptions.ready("ada", True, 1.0, rekeyed=True)
    assert core.send(105).receivers == ()
    assert core.send(109).receivers == ()
    assert core.send(110).receivers == ("bob",)
    assert core.send(108).receivers == ()
    assert core.counts["stale"] == 3


def test_so_must_a_stream_that_comes_back_even_from_another_connection() -> None:
    core = meeting("bob")
    core.send(65_535)
    core.send(0)
    core.subscriptions.leave("ada", 1.0)
    core.subscriptions.join(ROOM, "ada again", [VIDEO], 2.0)
    core.subscriptions.ready("ada again", True, 2.0)
    assert core.send(65_535, 3.0, peer="ada again").receivers == ()
    assert core.send(0, 3.0, peer="ada again").receivers == ()
    assert core.send(1, 3.0, peer="ada again").receivers == ("bob",)
    assert core.send(0, 3.0, peer="ada again").receivers == ()


def test_old_streams_are_forgotten_and_their_numbers_burnt() -> None:
    core = meeting("bob", limits=MediaLimits(retired_ssrcs=2))
    forgotten: list[Effect[str]] = []
    for ssrc in range(10, 14):
        stream = Stream(ssrc=ssrc, kind="audio")
        core.subscriptions.join(ROOM, "ada", [stream], 1.0)
        core.send(1, stream=stream)
        forgotten += core.subscriptions.join(ROOM, "ada", [], 1.0)
    assert forgotten == [Forget(who, ssrc) for ssrc in (10, 11) for who in ("ada", "bob")]
    with pytest.raises(MediaError) as error:
        core.subscriptions.join(ROOM, "ada", [Stream(ssrc=10, kind="audio")], 1.0)
    assert error.value.code == "ssrc"
    core.subscriptions.join(ROOM, "ada", [Stream(ssrc=13, kind="audio")], 1.0)


def test_a_late_subscriber_gets_no_older_packets() -> None:
    core = meeting("bob")
    core.send(65_534)
    core.send(0)  # 65,535 is missing
    core.subscriptions.join(ROOM, "eve", [], 1.0)
    core.subscriptions.ready("eve", True, 1.0)
    assert core.send(65_535).receivers == ("bob",)
    assert resent(core.hear("eve", rtcp.Nack(VIDEO.ssrc, (65_534, 65_535, 0)))) == []
    assert core.send(1).receivers == ("bob", "eve")
    assert resent(core.hear("eve", rtcp.Nack(VIDEO.ssrc, (0, 1)))) == [("eve", 1)]


# -- key frames --------------------------------------------------------------------------------


def test_a_new_receiver_needs_a_key_frame() -> None:
    core = meeting()
    core.subscriptions.join(ROOM, "bob", [], 1.0)
    assert plis(core.subscriptions.ready("bob", True, 1.0)) == [("ada", VIDEO.ssrc)]
    core.subscriptions.subscribe("bob", [], 2.0)
    assert plis(core.subscriptions.subscribe("bob", None, 3.0)) == [("ada", VIDEO.ssrc)]
    assert plis(core.subscriptions.subscribe("bob", None, 4.0)) == []


def test_requests_for_key_frames_are_merged_and_none_is_lost() -> None:
    core = meeting("bob", "eve")
    ask = rtcp.KeyFrameRequest(VIDEO.ssrc)
    assert plis(core.hear("bob", ask, ask, now=1.0)) == [("ada", VIDEO.ssrc)]
    assert plis(core.hear("eve", ask, now=1.1)) == []
    assert plis(core.hear("bob", ask, now=1.2)) == []
    assert plis(core.tick(1.25)) == []
    assert plis(core.tick(1.31)) == [("ada", VIDEO.ssrc)]
    assert plis(core.tick(2.0)) == []


@pytest.mark.parametrize(
    "item",
    [rtcp.KeyFrameRequest(VIDEO.ssrc), rtcp.Nack(VIDEO.ssrc, (1,)), rtcp.ReportBlock(VIDEO.ssrc, 255)],
)
def test_only_who_receives_a_stream_is_heard_about_it(item: rtcp.Item) -> None:
    core = meeting("bob")
    core.send(1)
    core.subscriptions.subscribe("bob", [], 1.0)
    core.subscriptions.join(OTHER_ROOM, "zoe", [], 1.0)
    core.subscriptions.ready("zoe", True, 1.0)
    for peer in ("bob", "zoe", "ada", "nobody"):
        assert core.hear(peer, item, now=9.0) == []


def test_audio_has_no_key_frames() -> None:
    core = meeting("bob")
    assert core.hear("bob", rtcp.KeyFrameRequest(AUDIO.ssrc)) == []


# -- repeats -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [VIDEO, AUDIO])
def test_a_gap_is_asked_for_at_once_and_again_a_few_times(stream: Stream) -> None:
    core = meeting("bob", limits=MediaLimits(nack_delays=(0.04, 0.06), report_interval=1e9))
    core.send(65_534, 1.0, stream=stream)
    sent = core.send(2, 1.0, stream=stream)
    assert sent.receivers == ("bob",)
    assert nacked(sent.effects) == [(65_535, 0, 1)]
    assert nacked(core.tick(1.03)) == []
    assert core.send(0, 1.035, stream=stream).receivers == ("bob",)
    assert nacked(core.tick(1.041)) == [(65_535, 1)]
    assert nacked(core.tick(1.09)) == []
    assert nacked(core.tick(1.11)) == [(65_535, 1)]
    assert core.tick(9.0) == []


def test_a_jump_is_mended_by_a_key_frame() -> None:
    core = meeting("bob", limits=MediaLimits(gap=50))
    core.send(1)
    sent = core.send(60, 2.0)
    assert nacked(sent.effects) == []
    assert plis(sent.effects) == [("ada", VIDEO.ssrc)]
    assert nacked(core.tick(3.0)) == []


def test_the_list_of_missing_packets_is_bounded() -> None:
    core = meeting("bob", limits=MediaLimits(gap=50))
    number = 0
    for _ in range(20):
        number += 50
        core.send(number)
    again = nacked(core.tick(1.041))
    assert sum(map(len, again)) == 100


@pytest.mark.parametrize(("stream", "kept"), [(VIDEO, 8), (AUDIO, 4)])
def test_the_cache_answers_repeats_and_is_bounded(stream: Stream, kept: int) -> None:
    core = meeting("bob", limits=MediaLimits(video_cache=8, audio_cache=4))
    packets = [core.send(65_530 + i, stream=stream).packet for i in range(20)]
    wanted = tuple((65_530 + i) & 0xFFFF for i in range(20))
    effects = core.hear("bob", rtcp.Nack(stream.ssrc, wanted))
    assert effects == [SendRtp("bob", packet) for packet in packets[-kept:]]


def test_an_old_namesake_is_not_sent() -> None:
    core = meeting("bob", limits=MediaLimits(video_cache=8, video_bitrate=1 << 40))
    core.send(3)
    core.send(20_000)
    core.send(45_000)
    core.send(65_536 + 2)
    assert resent(core.hear("bob", rtcp.Nack(VIDEO.ssrc, (3,)))) == []


def test_repeats_are_limited_for_each_receiver() -> None:
    core = meeting("bob", "eve", limits=MediaLimits(nack_rate=10.0, nack_burst=5))
    for number in range(20):
        core.send(number)
    ask = rtcp.Nack(VIDEO.ssrc, tuple(range(20)))
    assert len(resent(core.hear("bob", ask, now=1.0))) == 5
    assert len(resent(core.hear("bob", ask, now=1.0))) == 0
    assert len(resent(core.hear("eve", ask, now=1.0))) == 5
    assert len(resent(core.hear("bob", ask, now=1.25))) == 2


def test_a_stream_has_a_rate() -> None:
    core = meeting("bob", limits=MediaLimits(video_bitrate=8 * 190, audio_bitrate=8 * 19))
    assert [bool(core.send(i, 1.0).receivers) for i in range(12)] == [True] * 10 + [False] * 2
    assert core.send(13, 1.1).receivers == ("bob",)
    assert [bool(core.send(i, 1.0, stream=AUDIO).receivers) for i in range(2)] == [True, False]


# -- reports -----------------------------------------------------------------------------------


def test_sender_reports_go_to_the_receivers_alone_and_not_too_often() -> None:
    core = meeting("bob", "eve", limits=MediaLimits(sr_interval=0.1))
    core.subscriptions.subscribe("eve", [AUDIO.ssrc], 1.0)
    report = rtcp.SenderReport(VIDEO.ssrc, 0x0001020304050607, 0x08090A0B, 0x0C0D0E0F, 0x10111213)
    assert core.hear("ada", report, now=1.0) == [SendRtcp("bob", rtcp.sender_report(report))]
    assert core.hear("ada", report, now=1.05) == []
    assert len(core.hear("ada", report, now=1.11)) == 1
    assert core.hear("bob", report, now=2.0) == []


def report_of(effects: Iterable[Effect[str]]) -> tuple[tuple[int, ...], list[rtcp.Item]]:
    """The first report block to ada in full, and all that the compound says."""
    (effect,) = (e for e in effects if isinstance(e, SendRtcp) and e.to == "ada" and e.data[1] == rtcp.RR)
    ssrc, loss, highest, jitter, last, delay = struct.unpack_from("!LLLLLL", effect.data, 8)
    return (ssrc, loss >> 24, loss & 0xFFFFFF, highest, jitter, last, delay), rtcp.parse(effect.data)


def test_publishers_hear_how_it_arrives() -> None:
    core = meeting("bob", streams=[VIDEO])
    core.hear(
        "ada", rtcp.SenderReport(VIDEO.ssrc, 0x0001020304050607, 0x08090A0B, 0x0C0D0E0F, 0x10111213), now=1.0
    )
    for number in range(65_530, 65_546):
        if number % 4:
            core.send(number, 1.0, timestamp=0)
    block, items = report_of(core.tick(1.5))
    # from 65,530 to 65,545 there are 16; 65,532, 65,536, 65,540 and 65,544 are missing
    assert block == (VIDEO.ssrc, 64, 4, 65_545, 0, 0x02030405, 32_768)
    assert items[-1] == rtcp.Remb(2_000_000)
    core.send(65_546, 1.6)
    block, _ = report_of(core.tick(2.6))
    assert block[1:3] == (0, 4)


def test_jitter_is_that_of_the_standard() -> None:
    core = meeting("bob", streams=[VIDEO])
    core.send(1, 1.0, timestamp=0)
    core.send(2, 1.1, timestamp=9000)
    core.send(3, 1.21, timestamp=18_000)  # 10 ms late: 900 units
    block, _ = report_of(core.tick(1.5))
    assert block[4] == 900 // 16


def bitrate(core: Core, now: float) -> int:
    _, items = report_of(core.tick(now))
    (remb,) = (item for item in items if isinstance(item, rtcp.Remb))
    return remb.bitrate


def test_a_publisher_sends_what_the_most_able_receiver_can_take() -> None:
    limits = MediaLimits(remb_ceiling=1 << 20, remb_floor=1 << 16)
    core = meeting("bob", "eve", streams=[VIDEO], limits=limits)
    core.send(1)
    assert bitrate(core, 1.5) == 1 << 20
    core.hear("bob", rtcp.Remb(1 << 18), now=2.0)
    assert bitrate(core, 2.6) == 1 << 20
    core.hear("eve", rtcp.Remb(1 << 17), now=3.0)
    assert bitrate(core, 3.7) == 1 << 18
    core.hear("bob", rtcp.Remb(1), now=4.0)
    core.hear("eve", rtcp.Remb(1), now=4.0)
    assert bitrate(core, 4.8) == 1 << 16
    assert bitrate(core, 60.0) == 1 << 20  # too old to count


def test_loss_brings_the_rate_down_and_its_end_up_again() -> None:
    core = meeting("bob", streams=[VIDEO], limits=MediaLimits(remb_ceiling=1 << 20, remb_floor=1 << 16))
    core.send(1)
    for _ in range(3):
        core.hear("bob", rtcp.ReportBlock(VIDEO.ssrc, 128))
    low = bitrate(core, 1.5)
    assert low == pytest.approx((1 << 20) * 0.75**3, rel=0.001)
    core.hear("bob", rtcp.ReportBlock(VIDEO.ssrc, 0))
    assert bitrate(core, 2.6) == pytest.approx(low * 1.08, rel=0.001)
    for _ in range(99):
        core.hear("bob", rtcp.ReportBlock(VIDEO.ssrc, 0))
    assert bitrate(core, 3.7) == 1 << 20


def test_caches_have_sizes_that_work() -> None:
    with pytest.raises(ValueError, match="power of two"):
        Forwarding[str](MediaLimits(video_cache=500))
