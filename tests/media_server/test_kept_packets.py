"""The packets that the SFU keeps: a second of each stream, however fast it is, and of its arrivals."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from snugroom.server.sfu.core.pacer import Pacer
from snugroom.server.sfu.core.tracks import PROBE_PACKETS, Track
from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp, twcc
from snugroom.wire.messages import Stream
from tests.media_server.forwarding import AUDIO, ROOM, VIDEO, Core, meeting, nacked, resent

SHIELDED = Stream(0xADB, "video", rtx=[0xAFB])


def flow(
    core: Core,
    rate: int,
    begin: float,
    seconds: float,
    *,
    first: int,
    stream: Stream = VIDEO,
    round_trips: Mapping[str, float] = MappingProxyType({}),
) -> int:
    """Send `rate` packets a second, with the core's ticks between them; return the next number.

    `round_trips`: receivers that report, and how long a packet and its report take.
    """
    number = first
    for step in range(round(50 * seconds)):
        now = begin + step / 50
        while (number - first) / rate <= now - begin:
            core.send(number & 0xFFFF, now, stream=stream)
            number += 1
        for name, seconds_there_and_back in round_trips.items():
            estimate = core.subscriptions.peers[name].budget.estimate
            estimate.feedback([(now - seconds_there_and_back, 1_000, now)], now)
        core.tick(now)
    return number


def track_of(core: Core, stream: Stream = VIDEO) -> Track[str]:
    track = core.subscriptions.find("ada", stream.ssrc)
    assert track is not None
    return track


def test_a_second_of_packets_is_kept_and_their_bytes_do_not_grow() -> None:
    core = meeting("bo")
    number, kept = 65_400, []  # it wraps
    for second in range(5):
        number = flow(core, 150, 1.0 + second, 1.0, first=number)
        kept.append(core.subscriptions.held()[0])
    assert all(150 <= count <= 1.3 * 150 for count in kept[1:])
    track = track_of(core)
    high = track.high
    assert high is not None
    assert all(track.cached(high - back) is not None for back in range(145))
    assert track.cached(high - 200) is None


def test_packets_are_resent_for_a_second_and_not_later() -> None:
    core = meeting("bo")
    number = flow(core, 150, 1.0, 3.0, first=1)
    recent, old = number - 140, number - 220
    assert resent(core.hear("bo", rtcp.Nack(VIDEO.ssrc, (recent,)), now=4.0)) == [("bo", recent)]
    assert not resent(core.hear("bo", rtcp.Nack(VIDEO.ssrc, (old,)), now=4.0))


@pytest.mark.parametrize(
    ("round_trips", "seconds"),
    [
        ({"bo": 0.02, "eve": 0.02}, 0.25),
        ({"bo": 0.02, "eve": 0.15}, 0.45),
        ({"bo": 0.02, "eve": 0.9}, 1.0),
        ({"bo": 0.02}, 1.0),  # one that says nothing may be far away
    ],
)
def test_near_receivers_need_less(round_trips: dict[str, float], seconds: float) -> None:
    core = meeting("bo", "eve")
    number = flow(core, 150, 1.0, 3.0, first=1, round_trips=round_trips)
    kept = [packet for packet in track_of(core).cache if packet is not None]
    # dropped four times a second, by what there was at those moments
    assert 150 * seconds <= len(kept) <= 150 * (seconds + 0.5)
    wanted = number - round(0.9 * seconds * 150)
    assert resent(core.hear("eve", rtcp.Nack(VIDEO.ssrc, (wanted,)), now=4.0)) == [("eve", wanted)]


def test_a_room_on_several_workers_keeps_the_whole_second() -> None:
    core = meeting("bo")
    core.bridges.join(ROOM, "bridge", "eve", [], 0.0)
    flow(core, 150, 1.0, 3.0, first=1, round_trips={"bo": 0.02})
    assert sum(packet is not None for packet in track_of(core).cache) >= 150


def test_a_receiver_whose_packets_wait_here_has_the_whole_second() -> None:
    core = meeting("bo", "eve")
    core.subscriptions.peers["bo"].pacer = Pacer()
    flow(core, 150, 1.0, 3.0, first=1, round_trips={"bo": 0.02, "eve": 0.02})
    assert core.subscriptions.peers["bo"].pacer is not None
    assert sum(packet is not None for packet in track_of(core).cache) >= 150


def test_a_receiver_without_video_and_sound_are_no_reason() -> None:
    core = meeting("bo", "eve")
    core.subscriptions.subscribe("eve", [AUDIO.ssrc], 1.0)
    for step in range(150):
        core.send(step, 1.0 + step / 50, stream=AUDIO)
        flow(core, 150, 1.0 + step / 50, 1 / 50, first=1 + 3 * step, round_trips={"bo": 0.02})
    assert sum(packet is not None for packet in track_of(core).cache) <= 150 * 0.55
    assert sum(packet is not None for packet in track_of(core, AUDIO).cache) >= 50


def test_a_fast_stream_keeps_no_more_than_its_cache() -> None:
    core = meeting("bo", limits=MediaLimits(video_cache=64, video_bitrate=10**12, member_bitrate=10**12))
    flow(core, 1_000, 1.0, 3.0, first=1)
    assert core.subscriptions.held()[0] == 64
    assert core.counts["over_rate"] == 0


def test_the_latest_packets_of_a_slow_or_ended_flow_stay_for_probes() -> None:
    core = meeting("bo")
    flow(core, 150, 1.0, 2.0, first=1)
    for step in range(100):
        core.tick(3.0 + step / 10)
    assert core.subscriptions.held()[0] == PROBE_PACKETS
    assert len(track_of(core).last_packets(PROBE_PACKETS)) == PROBE_PACKETS


def test_a_packet_that_came_and_was_dropped_does_not_go_out_again_by_rtx() -> None:
    core = meeting("bo", streams=[SHIELDED, AUDIO])
    number = flow(core, 150, 1.0, 3.0, first=1, stream=SHIELDED)
    assert core.send(number - 220, 4.0, stream=SHIELDED).receivers == ()
    assert core.counts["stale"] == 1
    # one that is missing for less than that is welcome
    core.send(number + 1, 4.0, stream=SHIELDED)
    assert core.send(number, 4.01, stream=SHIELDED).receivers == ("bo",)


def test_a_late_packet_without_rtx_is_forwarded_and_not_kept() -> None:
    core = meeting("bo")
    sent = core.send(1, 1.0)
    assert nacked(core.send(3, 1.0).effects) == [(2,)]
    flow(core, 150, 1.0, 3.0, first=4)
    before = core.subscriptions.held()[0]
    assert core.send(2, 4.0).receivers == ("bo",)
    assert core.subscriptions.held()[0] == before
    assert sent.receivers == ("bo",)


def test_arrivals_are_kept_for_a_second_after_they_were_reported() -> None:
    arrivals, told = Arrivals(), 0
    for number in range(3_000):
        now = 5.0 + number / 240
        arrivals.record(number & 0xFFFF, now)
        for data in arrivals.due(1, now):
            told += len(twcc.parse(data).arrivals)
    assert told >= 3_000 - 30
    assert 240 <= len(arrivals._ticks) <= 1.2 * 240
    # one that is later than that would make all others look lost
    before = dict(arrivals._ticks)
    arrivals.record(3_000 - 400, 17.5)
    assert arrivals._ticks == before
    arrivals.record(3_001, 17.6)
    arrivals.record(3_000, 17.61)
    reports = arrivals.due(1, 17.7)
    assert {number for data in reports for number, _ in twcc.parse(data).arrivals} >= {3_000, 3_001}
