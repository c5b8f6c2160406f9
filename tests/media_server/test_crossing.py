"""A room on two workers: two forwarding cores, joined by lists of what crosses."""

from __future__ import annotations

import pytest

from snugroom.server.sfu.core import Effect, Forget, SendRtcp, SendRtp
from snugroom.server.sfu.core.effects import SendRates, SendWants, Want
from snugroom.server.sfu.limits import MediaError, MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server.forwarding import AUDIO, ROOM, VIDEO, plis, resent
from tests.media_server.peer import rtp
from tests.media_server.test_layers import LARGE, MIDDLE, SIMULCAST, SMALL, layer, which
from tests.media_server.two_cores import BRIDGE, TwoCores, numbers

OTHER = Stream(0xB0B, "video")


def room(*right: str, limits: MediaLimits | None = None) -> TwoCores:
    """ada sends from the left, where cy listens; `right` are on the right."""
    both = TwoCores(limits)
    both.join(both.left, "ada", VIDEO, AUDIO)
    both.join(both.left, "cy")
    for name in right:
        both.join(both.right, name)
    both.tick()
    return both


def crossing_numbers(both: TwoCores, stream: Stream) -> list[int]:
    """Numbers of the packets of a stream that have crossed from the left."""
    return numbers(p for p in both.packets(both.left) if p[8:12] == stream.ssrc.to_bytes(4, "big"))


# -- packets -------------------------------------------------------------------------------------------------


def test_a_packet_crosses_once_for_all_its_receivers_and_both_ways() -> None:
    both = room("bo", "di", "ed")
    packet = both.send(both.left, "ada", VIDEO, 5)
    assert both.left.got == {"cy": [packet]}
    assert both.right.got == {"bo": [packet], "di": [packet], "ed": [packet]}
    assert both.packets(both.left) == [packet]
    both.join(both.right, "bo", OTHER)
    both.tick()
    answer = both.send(both.right, "bo", OTHER, 9)
    assert {name: got[-1] for name, got in both.left.got.items()} == {"ada": answer, "cy": answer}
    assert both.packets(both.right) == [answer]
    assert "bo" not in {name for name, got in both.right.got.items() if answer in got}


def test_nothing_crosses_that_nobody_there_needs() -> None:
    both = room("bo")
    both.right.core.subscriptions.subscribe("bo", [AUDIO.ssrc], both.now)
    both.tick()
    for number in range(1, 4):
        both.send(both.left, "ada", VIDEO, number)
        both.send(both.left, "ada", AUDIO, number)
    assert (crossing_numbers(both, VIDEO), crossing_numbers(both, AUDIO)) == ([], [1, 2, 3])
    assert both.left.got["cy"]
    both.right.core.subscriptions.subscribe("bo", [VIDEO.ssrc], both.now)
    both.tick()
    both.send(both.left, "ada", VIDEO, 4)
    both.send(both.left, "ada", AUDIO, 4)
    assert (crossing_numbers(both, VIDEO), crossing_numbers(both, AUDIO)) == ([4], [1, 2, 3])


def test_a_paused_receiver_keeps_its_rollover_counter_on_another_worker() -> None:
    both = room("bo")
    both.send(both.left, "ada", AUDIO, 4000)
    both.right.core.subscriptions.subscribe("bo", [], both.now)
    both.tick()
    for number in range(4090, 4100):
        both.send(both.left, "ada", AUDIO, number)
    assert crossing_numbers(both, AUDIO) == [4000, 4096]
    assert numbers(both.right.got["bo"]) == [4000, 4096]


def test_packets_that_were_not_wanted_are_not_lost() -> None:
    both = room("bo")
    both.send(both.left, "ada", VIDEO, 1)
    both.right.core.subscriptions.subscribe("bo", [], both.now)
    both.tick()
    for number in range(2, 50):
        both.send(both.left, "ada", VIDEO, number)
    both.tick(1.0)
    both.right.core.subscriptions.subscribe("bo", None, both.now)
    both.tick()
    before = len(both.packets(both.left))
    both.send(both.left, "ada", VIDEO, 50)
    both.tick(0.3)
    assert numbers(both.packets(both.left)[before:]) == [50]
    assert both.right.core.counts["lost"] == 0
    # a late packet of before has no place in the session of a receiver that began afterwards
    got = len(both.right.got["bo"])
    both.right.hear(rtp(VIDEO.ssrc, 49), both.now)
    assert len(both.right.got["bo"]) == got


# -- layers --------------------------------------------------------------------------------------------------


def test_the_layers_cross_that_someone_there_receives() -> None:
    both = TwoCores()
    both.join(both.left, "ada", SIMULCAST)
    for name, most in (("bo", 0), ("di", 2), ("ed", 2)):
        both.join(both.right, name)
        both.right.core.subscriptions.subscribe(name, [SMALL], both.now, [most])
    sequence = 10
    for frame in range(100):
        key = frame % 25 == 0
        for ssrc in (SMALL, MIDDLE, LARGE):
            both.left.packet("ada", layer(ssrc, sequence, 3600 * frame, frame, key=key), both.now)
        sequence += 1
        both.tick(0.04)
    got = {name: {which(packet) for packet in packets[-20:]} for name, packets in both.right.got.items()}
    assert got == {"bo": {SMALL}, "di": {LARGE}, "ed": {LARGE}}
    late = [which(packet) for packet in both.packets(both.left)[-20:]]
    assert set(late) == {SMALL, LARGE}
    assert len(late) == 20
    # the middle one is not here, and its rate is known all the same
    middle = both.right.core.subscriptions.rooms[ROOM].tracks[MIDDLE]
    assert middle.rate > 0
    assert middle.alive(both.now)
    both.right.core.subscriptions.subscribe("di", [SMALL], both.now, [1])
    both.right.core.subscriptions.subscribe("ed", [SMALL], both.now, [1])
    for frame in range(100, 130):
        for ssrc in (SMALL, MIDDLE, LARGE):
            packet = layer(ssrc, sequence, 3600 * frame, frame, key=frame == 110)
            both.left.packet("ada", packet, both.now)
        sequence += 1
        both.tick(0.04)
    assert {which(packet) for packet in both.packets(both.left)[-20:]} == {SMALL, MIDDLE}


# -- requests and reports ------------------------------------------------------------------------------------


def test_a_publisher_is_asked_for_one_key_frame_whoever_asks() -> None:
    both = room("bo", "di")
    for number in range(1, 4):
        both.send(both.left, "ada", VIDEO, number)
    both.tick(1.0)
    both.left.effects.clear()
    request = rtcp.KeyFrameRequest(VIDEO.ssrc)
    for name in ("bo", "di"):
        both.right.take(both.right.core.hear(name, request, now=both.now))
    both.left.take(both.left.core.hear("cy", request, now=both.now))
    both.cross()
    assert plis(both.left.effects) == [("ada", VIDEO.ssrc)]
    both.tick(0.28)
    assert plis(both.left.effects) == [("ada", VIDEO.ssrc)]
    both.tick(0.1)  # those that came too early are one request after the interval
    assert plis(both.left.effects) == 2 * [("ada", VIDEO.ssrc)]


def test_a_key_frame_that_is_asked_for_crosses_before_the_needs_are_told() -> None:
    both = room("bo")
    both.right.core.subscriptions.subscribe("bo", [], both.now)
    both.tick(1.0)
    both.right.take(both.right.core.subscriptions.subscribe("bo", None, both.now))
    assert not any(isinstance(each, SendWants) for each in both.right.out)
    both.cross()
    both.send(both.left, "ada", VIDEO, 7)
    assert numbers(both.right.got["bo"]) == [7]


def test_a_nack_is_answered_from_the_workers_own_packets() -> None:
    both = room("bo")
    for number in range(1, 6):
        both.send(both.left, "ada", VIDEO, number)
    before = {id(end): len(both.crossed[id(end)]) for end in (both.left, both.right)}
    both.right.take(both.right.core.hear("bo", rtcp.Nack(VIDEO.ssrc, (2, 4)), now=both.now))
    both.cross()
    assert resent(both.right.effects) == [("bo", 2), ("bo", 4)]
    assert {id(end): len(both.crossed[id(end)]) for end in (both.left, both.right)} == before


def test_a_packet_that_did_not_cross_comes_from_the_other_worker_and_not_from_the_publisher() -> None:
    both = room("bo")
    both.send(both.left, "ada", VIDEO, 1)
    both.tick(0.5)
    both.joined = False
    both.send(both.left, "ada", VIDEO, 2)
    both.joined = True
    both.left.effects.clear()
    both.send(both.left, "ada", VIDEO, 3)
    assert sorted(numbers(both.right.got["bo"])) == [1, 2, 3]
    assert both.left.effects == []
    assert both.right.core.counts["lost"] == 0


def test_what_the_publishers_worker_misses_is_asked_of_the_publisher_alone() -> None:
    both = room("bo")
    both.send(both.left, "ada", VIDEO, 1)
    both.tick(0.5)
    both.left.effects.clear()
    both.send(both.left, "ada", VIDEO, 3)
    nacks = [e for e in both.left.effects if isinstance(e, SendRtcp) and e.data[1] == rtcp.RTPFB]
    assert [effect.to for effect in nacks] == ["ada"]
    assert not [each for each in both.crossed[id(both.left)] if isinstance(each, SendRtp)]
    both.send(both.left, "ada", VIDEO, 2)
    assert numbers(both.right.got["bo"]) == [1, 3, 2]
    assert both.right.core.counts["asked"] == 0
    both.tick(0.5)
    assert sorted(numbers(both.right.got["bo"])) == [1, 2, 3]


def test_resent_packets_are_limited_for_each_bridge() -> None:
    both = room("bo", limits=MediaLimits(nack_burst=3, nack_rate=0.001))
    for number in range(1, 10):
        both.send(both.left, "ada", VIDEO, number)
    effects = both.left.core.bridges.on_rtcp(BRIDGE, [rtcp.Nack(VIDEO.ssrc, tuple(range(1, 10)))], both.now)
    assert [e.packet[3] for e in effects if isinstance(e, SendRtp)] == [1, 2, 3]


def test_sender_reports_reach_receivers_on_both_workers_unchanged() -> None:
    both = room("bo")
    both.send(both.left, "ada", VIDEO, 1, timestamp=90_000)
    for end in (both.left, both.right):
        end.effects.clear()
    report = rtcp.SenderReport(VIDEO.ssrc, 0x1122334455667788, 90_000, 1, 100)
    both.left.take(both.left.core.hear("ada", report, now=both.now))
    both.cross()
    assert [(e.to, rtcp.parse(e.data)) for e in both.right.effects if isinstance(e, SendRtcp)] == [
        ("bo", [report])
    ]
    assert [(e.to, rtcp.parse(e.data)) for e in both.left.effects if isinstance(e, SendRtcp)] == [
        ("cy", [report])
    ]


def test_a_publishers_bit_rate_is_what_the_best_receiver_on_any_worker_takes() -> None:
    both = room("bo")
    for number in range(1, 200):
        both.send(both.left, "ada", VIDEO, number)
        both.tick()
        both.left.take(both.left.core.hear("cy", rtcp.Remb(150_000), now=both.now))
        both.right.take(both.right.core.hear("bo", rtcp.Remb(700_000), now=both.now))
    told = [e.data for e in both.left.effects if isinstance(e, SendRtcp) and e.to == "ada"]
    rates = [item.bitrate for data in told for item in rtcp.parse(data) if isinstance(item, rtcp.Remb)]
    assert rates[-1] == pytest.approx(700_000, rel=0.01)
    # the other worker does not report to the publisher
    assert not [e for e in both.right.effects if e.to == "ada"]


# -- members that go, and workers ----------------------------------------------------------------------------


def test_no_packet_of_a_removed_member_goes_out() -> None:
    both = room("bo")
    both.send(both.left, "ada", VIDEO, 1)
    # this one is on the link when both workers are told
    both.left.packet("ada", rtp(VIDEO.ssrc, 2), both.now)
    both.leave(both.left, "ada")
    both.cross()
    assert numbers(both.right.got["bo"]) == [1]
    assert both.right.core.subscriptions.rooms[ROOM].tracks == {}
    # and a removed receiver gets none
    both.join(both.right, "ed", OTHER)
    both.tick()
    both.leave(both.left, "cy")
    both.tick()
    both.send(both.right, "ed", OTHER, 1)
    assert crossing_numbers(both, VIDEO) == [1, 2]
    assert both.packets(both.right) == []
    assert numbers(both.right.got["bo"]) == [1, 1]


def test_a_worker_that_dies_leaves_the_others_as_they_were_before_it() -> None:
    both = room("bo", "di")
    both.join(both.right, "ed", OTHER)
    both.tick()
    both.joined = False
    for name in ("bo", "di", "ed"):
        both.left.take(both.left.core.bridges.leave(name, both.now))
    home = both.left.core.subscriptions.rooms[ROOM]
    assert home.bridges == {}
    assert {track.ssrc for track in home.tracks.values()} == {VIDEO.ssrc, AUDIO.ssrc}
    assert all(track.crossing is None for track in home.tracks.values())
    both.left.out.clear()
    both.send(both.left, "ada", VIDEO, 1)
    both.tick(1.0)
    assert both.packets(both.left) == []
    assert numbers(both.left.got["cy"]) == [1]
    # its members come back, to a core that knows nothing
    both.right.core, both.joined = TwoCores().right.core, True
    for name in ("ada", "cy"):
        streams = (VIDEO, AUDIO) if name == "ada" else ()
        both.right.core.bridges.join(ROOM, BRIDGE, name, streams, both.now)
    both.join(both.right, "bo")
    both.tick()
    both.send(both.left, "ada", VIDEO, 2)
    assert numbers(both.right.got["bo"]) == [2]


def test_a_stream_that_comes_back_continues_above_its_last_number() -> None:
    both = room("bo")
    both.send(both.left, "ada", VIDEO, 100)
    both.leave(both.left, "ada")
    # its worker has forgotten all; members of the other one have sessions that continue
    both.left.core = TwoCores().left.core
    both.join(both.left, "ada", VIDEO)
    both.left.core.bridges.join(ROOM, BRIDGE, "bo", (), both.now)
    both.tick()
    both.send(both.left, "ada", VIDEO, 99)
    both.send(both.left, "ada", VIDEO, 100)
    both.send(both.left, "ada", VIDEO, 101)
    assert numbers(both.right.got["bo"]) == [100, 101]


def test_a_stream_is_forgotten_for_a_workers_own_members() -> None:
    both = room("bo", limits=MediaLimits(retired_ssrcs=1))
    forgotten: list[Effect[str]] = []
    for ssrc in (10, 11):
        stream = Stream(ssrc, "audio")
        both.left.core.subscriptions.join(ROOM, "ada", [stream], both.now)
        both.send(both.left, "ada", stream, 1)
        forgotten += both.left.core.subscriptions.join(ROOM, "ada", [], both.now)
    assert forgotten == [Forget(who, 10) for who in ("ada", "cy")]


def test_members_elsewhere_do_not_count_against_a_workers_limit() -> None:
    both = TwoCores(MediaLimits(peers=1))
    both.join(both.left, "ada", VIDEO)
    both.join(both.right, "bo")
    with pytest.raises(MediaError):
        both.left.core.subscriptions.join(ROOM, "cy", [], 0.0)
    both.leave(both.left, "ada")
    both.left.core.subscriptions.join(ROOM, "cy", [], 0.0)
    both.leave(both.right, "bo")
    with pytest.raises(MediaError):
        both.left.core.subscriptions.join(ROOM, "di", [], 0.0)


def test_a_bridge_gives_access_to_streams_of_its_own_side_only() -> None:
    both = room("bo")
    both.join(both.right, "ed", OTHER)
    both.tick()
    bridges = both.right.core.bridges
    assert bridges.find(BRIDGE, VIDEO.ssrc) is not None
    assert bridges.find(BRIDGE, OTHER.ssrc) is None
    assert bridges.find("another", VIDEO.ssrc) is None
    bridges.on_rates("another", [(VIDEO.ssrc, 5)], both.now)
    bridges.on_wants("another", {})
    assert bridges.on_rtcp("another", [rtcp.KeyFrameRequest(OTHER.ssrc)], both.now) == []
    report = rtcp.SenderReport(OTHER.ssrc, 1, 2, 3, 4)
    assert bridges.on_rtcp(BRIDGE, [report], both.now) == []


def test_a_late_worker_sheds_its_own_part() -> None:
    both = room("bo", "di")
    both.send(both.left, "ada", VIDEO, 1)
    both.send(both.left, "ada", AUDIO, 1)
    both.tick(1.0)
    for end, names in ((both.right, ("bo", "di")), (both.left, ("cy",))):
        track = end.core.subscriptions.rooms[ROOM].tracks[VIDEO.ssrc]
        assert tuple(track.receivers) == names
    both.right.core.subscriptions.rooms[ROOM].tracks[VIDEO.ssrc].shed = True
    both.right.core.subscriptions.rooms[ROOM].tracks[AUDIO.ssrc].shed = True
    both.tick()
    for number in range(2, 5):
        both.send(both.left, "ada", VIDEO, number)
        both.send(both.left, "ada", AUDIO, number)
    assert numbers(both.left.got["cy"]) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert numbers(both.right.got["bo"]) == [1, 1]
    # shed audio is counted where it is shed, so that audio takes turns; video does not cross for nothing
    assert (crossing_numbers(both, VIDEO), crossing_numbers(both, AUDIO)) == ([1], [1, 2, 3, 4])
    # and the publisher's worker sheds nothing for the other one
    both.left.core.subscriptions.rooms[ROOM].tracks[AUDIO.ssrc].shed = True
    both.right.core.subscriptions.rooms[ROOM].tracks[AUDIO.ssrc].shed = False
    both.send(both.left, "ada", AUDIO, 5)
    assert numbers(both.right.got["bo"]) == [1, 1, 5]
    assert numbers(both.left.got["cy"])[-1] == 4


def test_needs_and_rates_are_repeated() -> None:
    both = room("bo")
    both.joined = False
    both.right.core.subscriptions.subscribe("bo", [VIDEO.ssrc], both.now)
    both.tick(0.5)
    both.joined = True
    for number in range(1, 60):
        both.send(both.left, "ada", AUDIO, number)
        both.send(both.left, "ada", VIDEO, number)
        both.tick()
    assert crossing_numbers(both, AUDIO)[-1] < 50
    assert crossing_numbers(both, VIDEO)[-1] == 59
    assert any(isinstance(each, SendRates) for each in both.crossed[id(both.left)])


def test_a_stream_that_several_workers_need_goes_to_each_once() -> None:
    both = room("bo")
    core = both.left.core
    core.bridges.join(ROOM, "third", "gus", (), both.now)
    core.bridges.on_wants("third", {AUDIO.ssrc: Want(1, 1)})
    track = core.subscriptions.find("ada", AUDIO.ssrc)
    assert track is not None
    fanouts, _ = core.on_rtp(track, rtp(AUDIO.ssrc, 1, kind="audio"), both.now)
    assert sorted(peer for fanout in fanouts for peer in fanout.receivers) == [BRIDGE, "cy", "third"]
    assert track.crossing is not None
    assert track.crossing.receivers == 2
    core.bridges.leave("gus", both.now)
    fanouts, _ = core.on_rtp(track, rtp(AUDIO.ssrc, 2, kind="audio"), both.now)
    assert sorted(peer for fanout in fanouts for peer in fanout.receivers) == [BRIDGE, "cy"]
