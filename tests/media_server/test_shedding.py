"""Load shedding: its control on a simulated clock, and what the forwarding core then does with streams."""

from __future__ import annotations

import math

import pytest

from snugroom.server.sfu.core.shedding import TURN, LagControl, Shedding, Verdict
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server import test_layers as layers
from tests.media_server.forwarding import AUDIO, ROOM, VIDEO, Core, meeting, nacked, plis, resent

LIMIT = 0.02
#: Seconds of one step of the simulation: a drain of some packets.
STEP = 0.002
NAMES = [f"m{number}" for number in range(10)]


def room_of_ten(*, layers: bool = False) -> Core:
    """Ten members, each with one video and audio, and all see all."""
    core = Core(MediaLimits())
    for number, name in enumerate(NAMES):
        above = [0xB00 + number, 0xC00 + number] if layers else []
        streams = [Stream(0xA00 + number, "video", layers=above), Stream(0xD00 + number, "audio")]
        core.subscriptions.join(ROOM, name, streams, 0.0)
        core.subscriptions.ready(name, True, 0.0)
    core.tick(0.0)
    return core


class Server:
    """A queue in front of a forwarding core, in fluid form.

    `load`: what is offered, as a multiple of the server's capacity. A stream that is shed costs a fifth.
    """

    def __init__(self, core: Core, load: float) -> None:
        self.core = core
        self.load = load
        self.lag = self.now = 0.0
        self.lags: list[float] = []
        for track in core.subscriptions.tracks():
            track.packets = 37 if track.kind == "video" else 12
            track.high = track.base = 100

    @property
    def share(self) -> float:
        """The share of the offered work that is not shed."""
        costs = {t: t.packets * len(t.receivers) for t in self.core.subscriptions.tracks()}
        shed = sum(cost for track, cost in costs.items() if track.shed)
        return 1 - 0.8 * shed / sum(costs.values())

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self.lag = max(0.0, self.lag + STEP * (self.load * self.share - 1))
            waits = self.lag if self.lag > STEP else 0.0
            self.core.shedding.handle(waits, self.now, min(1.0, self.load * self.share))
            self.lags.append(self.lag)

    def percentile(self, share: float) -> float:
        return sorted(self.lags)[math.ceil(share * len(self.lags)) - 1]

    def shed(self, kind: str) -> int:
        return sum(track.kind == kind for track in self.core.shedding.shed)


@pytest.mark.parametrize("load", [1.05, 1.3, 2.0, 3.0])
def test_lag_stays_below_30_ms_whatever_is_offered(load: float) -> None:
    server = Server(room_of_ten(), load)
    server.run(3.0)
    assert max(server.lags) < 0.3
    server.lags.clear()
    server.run(60.0)
    assert server.percentile(0.99) < 0.03
    assert max(server.lags) < 0.06


def test_at_1_3_times_the_capacity_half_of_the_videos_and_all_audio_go_on() -> None:
    server = Server(room_of_ten(), 1.3)
    server.run(20.0)
    kept = []
    for _ in range(400):
        server.run(0.1)
        assert server.shed("audio") == 0
        kept.append(10 - server.shed("video"))
    assert sum(kept) / len(kept) > 5


def test_streams_come_back_as_fast_as_there_is_time_for_them() -> None:
    server = Server(room_of_ten(), 3.0)
    server.run(5.0)
    assert server.shed("audio") > 0
    server.load = 1.0
    server.run(6.0)
    assert server.shed("audio") == 0
    assert server.shed("video") <= 5
    assert max(server.lags[-2_500:]) < 0.03


def test_without_load_nothing_is_shed_and_everything_comes_back() -> None:
    server = Server(room_of_ten(), 0.95)
    server.run(5.0)
    assert not server.core.shedding.shed
    server.load = 2.0
    server.run(2.0)
    assert server.core.shedding.shed
    server.load = 0.5
    server.run(90.0)
    assert not server.core.shedding.shed
    assert not any(track.shed for track in server.core.subscriptions.tracks())


def test_a_pause_of_the_process_sheds_nothing_if_the_server_catches_up() -> None:
    server = Server(room_of_ten(), 0.5)
    server.run(1.0)
    for _ in range(5):
        server.lag = 0.2
        server.run(1.0)
        assert not server.core.shedding.shed


def test_the_control_waits_longer_after_each_relapse() -> None:
    control, now, waits = LagControl(LIMIT), 0.0, []
    for _ in range(6):
        assert control.handle(0.03, now, shedding=True) is Verdict.KEEP
        assert control.handle(0.03, now + 0.005, shedding=True) is Verdict.MORE
        begin = now = now + 0.01
        while control.handle(0.0, now, shedding=True) is Verdict.KEEP:
            now += 0.02
        waits.append(round(now - begin))
        now += 0.5
    assert waits == [1, 2, 4, 8, 8, 8]


def test_a_lag_between_both_thresholds_changes_nothing() -> None:
    control = LagControl(LIMIT)
    readings = [control.handle(0.012, number / 50, shedding=True) for number in range(1_000)]
    assert set(readings) == {Verdict.KEEP}


def test_videos_take_turns_so_that_no_stream_fails_for_long() -> None:
    server = Server(room_of_ten(), 1.3)
    longest = dict.fromkeys(NAMES, 0.0)
    since = dict.fromkeys(NAMES, 0.0)
    for _ in range(1_200):
        server.run(0.05)
        shed = {track.owner for track in server.core.shedding.shed}
        for name in NAMES:
            since[name] = since[name] + 0.05 if name in shed else 0.0
            longest[name] = max(longest[name], since[name])
    assert all(0 < seconds <= TURN + 0.2 for seconds in longest.values())


def test_audio_takes_turns_even_where_most_of_it_is_shed() -> None:
    server = Server(room_of_ten(), 3.4)
    server.run(5.0)
    assert server.shed("audio") >= 6
    longest, since, changes = dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, 0.0), 0
    last: set[str] = set()
    for _ in range(1_200):
        server.run(0.05)
        shed = {track.owner for track in server.core.shedding.shed if track.kind == "audio"}
        changes += shed != last
        last = shed
        for name in NAMES:
            since[name] = since[name] + 0.05 if name in shed else 0.0
            longest[name] = max(longest[name], since[name])
    assert max(longest.values()) < 20
    assert changes < 120


def test_no_more_comes_back_at_a_turn_than_is_given_up() -> None:
    core = room_of_ten()
    for track in core.subscriptions.tracks():
        track.high, track.packets = 100, 10 if track.kind == "audio" else 0
    for step in range(60):
        core.shedding.handle(0.05, 1.0 + step / 10)
    first, *others = core.shedding._groups
    first.units += [unit for group in others for unit in group.units]
    first.since = 0.0
    core.shedding._groups = [first]
    before = set(core.shedding.shed)
    assert len(before) == 7
    core.shedding.handle(0.012, 20.0)
    after = set(core.shedding.shed)
    assert len(after) == 7
    assert len(before - after) == 3
    for step in range(50):  # the others wait for half a turn
        core.shedding.handle(0.012, 20.0 + step / 25)
    assert set(core.shedding.shed) == after


def test_larger_layers_go_before_videos_and_audio_goes_last() -> None:
    core = room_of_ten(layers=True)
    for track in core.subscriptions.tracks():
        track.high, track.packets, track.arrived = 100, 10, 5.0
        if track.layer == 2:
            track.packets = 50
            source = track.source
            assert source is not None
            for peer in source.subscriptions:
                track.receivers[peer] = 0
                source.subscriptions[peer].track = track
    order: list[tuple[str, int]] = []
    now = 0.0
    for _ in range(60):
        core.shedding.handle(0.05, now)
        core.shedding.handle(0.05, now + 0.07)
        order += [(t.kind, t.layer) for t in core.shedding.shed[len(order) :]]
        now += 0.08
    assert order[:10] == [("video", 2)] * 10
    # the videos' other layers, and most of the audio: everybody is to be heard in turn
    assert sorted(order[10:30]) == [("video", 0)] * 10 + [("video", 1)] * 10
    assert order[30:] == [("audio", 0)] * 7


def overloaded(*others: str) -> tuple[Core, Shedding[str]]:
    """A meeting whose video is shed at 1.01 s."""
    core = meeting(*others)
    core.send(1, 0.9)
    core.send(1, 0.9, stream=AUDIO)
    video = core.subscriptions.find("ada", VIDEO.ssrc)
    assert video is not None
    video.packets = 100
    audio = core.subscriptions.find("ada", AUDIO.ssrc)
    assert audio is not None
    audio.packets = 500
    core.shedding.handle(0.05, 1.0)
    core.shedding.handle(0.05, 1.01)
    assert core.shedding.shed == (video,)
    return core, core.shedding


def test_a_shed_video_is_counted_and_kept_and_audio_goes_on() -> None:
    core, _ = overloaded("bo", "cy")
    sent = core.send(2, 1.1)
    assert (sent.receivers, sent.effects) == ((), [])
    assert core.counts["shed_video"] == 1
    video = core.subscriptions.find("ada", VIDEO.ssrc)
    assert video is not None
    assert video.cached(2) == sent.packet
    assert core.send(2, 1.1, stream=AUDIO).receivers == ("bo", "cy")
    assert core.counts["shed_audio"] == 0


def test_no_publisher_looks_lossy_and_is_asked_for_what_was_shed() -> None:
    core, shedding = overloaded("bo")
    for number in range(2, 50):
        assert not core.send(number, 1.1).effects
    shedding.handle(0.0, 3.0)
    effects = shedding.handle(0.0, 4.1, 0.2)
    assert not shedding.shed
    assert plis(effects) == [("ada", VIDEO.ssrc)]
    assert core.send(50, 4.2).receivers == ("bo",)
    assert not nacked(core.tick(4.3))
    video = core.subscriptions.find("ada", VIDEO.ssrc)
    assert video is not None
    report = video.reception_report(4.3)
    assert report is not None
    assert (report.fraction, report.lost) == (0, 0)


def test_no_receiver_looks_lossy_and_is_charged_for_what_was_shed() -> None:
    core, shedding = overloaded("bo")
    # one packet keeps the rollover counter, and shows a gap
    assert [number for number in range(2, 4_200) if core.send(number, 1.1).receivers] == [4_096]
    lossy = rtcp.ReportBlock(VIDEO.ssrc, 250, highest=4_199)
    nack = rtcp.Nack(VIDEO.ssrc, (4_000,))
    known = core.subscriptions.peers["bo"]
    video = core.subscriptions.find("ada", VIDEO.ssrc)
    assert video is not None

    def unharmed(now: float) -> None:
        assert not resent(core.hear("bo", lossy, nack, now=now))
        assert not video.estimates
        assert known.budget.target is None

    unharmed(1.2)
    assert not core.hear("bo", rtcp.KeyFrameRequest(VIDEO.ssrc), now=1.2)
    shedding.handle(0.0, 3.0)
    shedding.handle(0.0, 4.1, 0.2)
    unharmed(4.2)
    for _ in range(50):
        core.hear("bo", rtcp.KeyFrameRequest(VIDEO.ssrc), now=4.3)
    assert core.counts["refused_key_frames"] == 0
    # afterwards reports count again
    core.hear("bo", lossy, now=20.0)
    assert video.estimates


@pytest.mark.parametrize(("busy", "most"), [(0.5, 1.5), (0.2, 3.0)])
def test_what_comes_back_at_once_is_limited_by_what_is_forwarded(busy: float, most: float) -> None:
    core = room_of_ten()
    tracks = list(core.subscriptions.tracks())
    for track in tracks:
        track.high, track.packets = 100, 10
    for step in range(40):
        core.shedding.handle(0.05, 1.0 + step / 10)
    grown, now = 0, 10.0
    for _ in range(400):
        before = sum(not track.shed for track in tracks)
        now += 0.02
        core.shedding.handle(0.0, now, busy)
        after = sum(not track.shed for track in tracks)
        assert after <= max(most * before, before + 0.1 * len(tracks))
        grown += after > before
    assert grown > 1
    assert not core.shedding.shed


def test_a_tenth_of_all_comes_back_where_little_is_forwarded() -> None:
    core = room_of_ten()
    for track in core.subscriptions.tracks():
        track.high, track.packets = 100, 10
    for step in range(40):
        core.shedding.handle(0.05, 1.0 + step / 10)
    before = len(core.shedding.shed)
    assert before == 17
    core.shedding.handle(0.0, 10.0, 0.7)
    core.shedding.handle(0.0, 19.0, 0.7)
    assert len(core.shedding.shed) == before - 2


def test_an_idle_server_does_not_wait_longer_after_relapses() -> None:
    control, now = LagControl(LIMIT), 0.0
    for _ in range(5):
        control.handle(0.03, now, shedding=True)
        assert control.handle(0.03, now + 0.07, shedding=True) is Verdict.MORE
        now += 0.1
        while control.handle(0.0, now, shedding=True) is Verdict.KEEP:
            now += 0.02
        now += 0.5
    begin = now
    while control.handle(0.0, now, shedding=True, busy=0.2) is Verdict.KEEP:
        now += 0.02
    assert now - begin < 1.1


def test_streams_that_have_become_expensive_come_back_at_their_present_cost() -> None:
    core = room_of_ten()
    for track in core.subscriptions.tracks():
        track.high, track.packets = 100, 10
    core.shedding.handle(0.05, 1.0)
    core.shedding.handle(0.05, 1.01)
    shed = core.shedding.shed
    assert shed
    for track in shed:
        track.packets = 10_000
    for second in range(3, 30):
        core.shedding.handle(0.0, float(second), 0.5)
    assert core.shedding.shed


def test_nothing_comes_back_while_the_server_is_busy() -> None:
    _, shedding = overloaded("bo")
    for second in range(3, 60):
        assert not shedding.handle(0.0, float(second), 0.9)
    assert shedding.shed


def test_a_stream_that_ends_while_it_is_shed_leaves_nothing() -> None:
    core, shedding = overloaded("bo")
    core.subscriptions.join(ROOM, "ada", [AUDIO], 1.2)
    assert not shedding.handle(0.0, 1.3)
    assert not shedding.shed


def test_receivers_of_a_shed_layer_get_a_smaller_one_without_a_gap() -> None:
    held = layers.Meeting("bo")
    held.frame(key=True)
    held.now += 0.3
    held.tick()
    held.frame(key=True)
    large, middle = (held.core.subscriptions.find("ada", ssrc) for ssrc in (layers.LARGE, layers.MIDDLE))
    assert large is not None
    assert middle is not None
    assert list(large.receivers) == ["bo"]
    large.packets = 100
    held.core.shedding.handle(0.05, held.now)
    effects = held.core.shedding.handle(0.05, held.now + 0.01)
    assert held.core.shedding.shed == (large,)
    assert plis(effects) == [("ada", layers.MIDDLE)]
    before = len(held.got["bo"])
    held.frame(packets=2)
    assert len(held.got["bo"]) == before
    held.frame(key=True)
    assert list(middle.receivers) == ["bo"]
    layers.consecutive(held.got["bo"])
    assert held.core.counts["refused_key_frames"] == 0
    # and back
    held.now += 1.0
    held.core.shedding.handle(0.0, held.now)
    held.now += 1.1
    assert plis(held.core.shedding.handle(0.0, held.now, 0.2)) == [("ada", layers.LARGE)]
    held.frame(key=True)
    assert list(large.receivers) == ["bo"]
    layers.consecutive(held.got["bo"])
