"""Limits of what one member publishes, and of what a room and the whole SFU send: cores, on a clock."""

from __future__ import annotations

from collections import Counter

from snugroom.server.sfu.core import SendRtcp
from snugroom.server.sfu.core.forwarding import Forwarding
from snugroom.server.sfu.core.traffic import PUBLISH_BURST, SEND_BURST, Traffic
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream
from tests.media_server.forwarding import AUDIO, VIDEO, meeting, resent
from tests.media_server.peer import rtp
from tests.media_server.test_layers import LARGE, MIDDLE, SMALL
from tests.media_server.test_rates import RATES, ROOM, Sim

SIZE = 1000
#: The payload type of sound.
SOUND = 111


class Senders:
    """Sends packets of one size at given rates, and counts what is forwarded, by stream."""

    def __init__(self, core: Forwarding[str]) -> None:
        self.core = core
        self.now = 0.0
        self.sent: dict[tuple[str, int], int] = {}
        #: Bytes forwarded, and packets, for each receiver.
        self.bytes: dict[tuple[str, int], int] = {}
        self.packets: dict[tuple[str, int], int] = {}

    def send(self, peer: str, stream: Stream) -> None:
        key = peer, stream.ssrc
        self.sent[key] = self.sent.get(key, 0) + 1
        size = SIZE if stream.kind == "video" else 150
        packet = rtp(stream.ssrc, self.sent[key], bytes(size - 12), kind=stream.kind)
        track = self.core.subscriptions.find(peer, stream.ssrc)
        assert track is not None
        fanouts, _ = self.core.on_rtp(track, packet, self.now)
        count = sum(len(fanout.receivers) for fanout in fanouts)
        self.bytes[key] = self.bytes.get(key, 0) + size * count
        self.packets[key] = self.packets.get(key, 0) + count

    def run(self, seconds: float, *rates: tuple[str, Stream, int]) -> None:
        """Send each stream at its rate, packets a second, in steps of 10 ms."""
        for step in range(round(seconds * 100)):
            self.now += 0.01
            for peer, stream, rate in rates:
                for _ in range((step + 1) * rate // 100 - step * rate // 100):
                    self.send(peer, stream)
            if not step % 2:
                self.core.tick(self.now)


def test_a_member_is_forwarded_at_its_rate_and_its_sound_comes_first() -> None:
    # 9 Mbit/s, where 2 are allowed
    core = meeting("bob", "eve", limits=MediaLimits(member_bitrate=2_000_000))
    senders = Senders(core)
    senders.run(4.0, ("ada", VIDEO, 1125), ("ada", AUDIO, 50))
    each = senders.bytes["ada", VIDEO.ssrc] / 2
    assert 0.8 * 4 * 250_000 < each <= (4 + PUBLISH_BURST) * 250_000
    assert senders.packets["ada", AUDIO.ssrc] == 2 * 200
    assert core.counts["over_member_rate"] > 1000


def test_an_honest_member_is_not_limited() -> None:
    """Three layers of a camera, a screen and sound, as large as the page sends them, with key frames."""
    screen = Stream(0x5C, "video")
    core = meeting("bob", streams=(VIDEO, screen, AUDIO))
    senders = Senders(core)
    for _ in range(8):
        senders.run(0.1, ("ada", VIDEO, 1000), ("ada", screen, 1000))  # 10 Mbit/s for a moment
        senders.run(2.9, ("ada", VIDEO, 250), ("ada", screen, 190), ("ada", AUDIO, 50))
    assert core.counts["over_member_rate"] == 0


def test_a_room_sends_at_its_rate_and_its_sound_comes_first() -> None:
    core = meeting("bob", "eve", "mal", limits=MediaLimits(room_bitrate=2_400_000))
    senders = Senders(core)
    senders.run(4.0, ("ada", VIDEO, 300), ("ada", AUDIO, 50))  # 900 kB/s, where 300 are allowed
    assert senders.bytes["ada", VIDEO.ssrc] <= (4 + SEND_BURST) * 300_000
    assert senders.packets["ada", AUDIO.ssrc] == 3 * 200
    assert core.counts["over_room_rate"] > 100


def test_what_was_not_sent_can_be_requested_within_the_limit() -> None:
    core = meeting("bob", limits=MediaLimits(room_bitrate=800_000))
    senders = Senders(core)
    senders.run(0.9, ("ada", VIDEO, 200))
    first = core.counts["over_room_rate"]
    assert first > 0
    last = senders.sent["ada", VIDEO.ssrc]
    # SIZE bytes for each of these: not at once, and some of them a moment later
    nack = rtcp.Nack(VIDEO.ssrc, tuple(range(last - 19, last + 1)))
    assert len(resent(core.on_rtcp("bob", [nack], senders.now))) < 5
    assert core.counts["over_room_rate"] > first
    again = resent(core.on_rtcp("bob", [nack], senders.now + 0.1))
    assert 5 <= len(again) <= 11


def test_one_room_does_not_take_the_capacity_of_the_others() -> None:
    counts: Counter[str] = Counter()
    traffic = Traffic(MediaLimits(room_bitrate=10**9, total_bitrate=4_000_000), counts)
    greedy, modest = traffic.room(0.0), traffic.room(0.0)
    sent = Counter[str]()
    for step in range(600):  # 1.2 MB/s and 100 kB/s, where 500 are allowed
        now = step / 100
        for _ in range(12):
            sent["greedy"] += SIZE * traffic.may_send(greedy, SIZE, now, video=True)
        sent["modest"] += SIZE * traffic.may_send(modest, SIZE, now, video=True)
        if not step % 25:
            traffic.tick([(greedy, 0.0), (modest, 0.0)], now)
    assert sent["modest"] == 600 * SIZE
    assert sent["modest"] + sent["greedy"] <= (6 + SEND_BURST) * 500_000
    assert counts["over_total_rate"] > 1000


def test_a_full_room_gets_smaller_videos_instead_of_holes() -> None:
    sim = Sim(limits=MediaLimits(room_bitrate=2_600_000))
    links = [sim.join(name, 50_000_000) for name in ("bob", "cid", "dan", "eve")]
    plain = sim.join("old", 50_000_000)  # without feedback: nothing else would limit it
    sim.core.subscriptions.join(ROOM, "old", [], 0.0)
    sim.run(15.0)
    before = sim.core.counts["over_room_rate"]
    sim.run(40.0)
    for link in (*links, plain):
        assert link.rate(20, 40, MIDDLE) + link.rate(20, 40, SMALL) > 0.9 * RATES[SMALL]
        assert len([p for at, p in link.got if at >= 1 and p[1] & 0x7F == SOUND]) >= 0.99 * 39 * 50
        assert link.rate(20, 40) < 600_000
    assert sim.core.counts["over_room_rate"] - before < 100
    # there is room for one again
    for name in ("cid", "dan", "eve", "old"):
        sim.core.subscriptions.leave(name, sim.now)
    sim.run(90.0)
    assert links[0].rate(75, 90, LARGE) > 0.9 * RATES[LARGE]


def test_videos_that_a_limit_stopped_come_back() -> None:
    """A receiver that reports nothing gets everything again when the limit no longer matters."""
    sim = Sim(Stream(LARGE, "video", [], [0xA3]), limits=MediaLimits(room_bitrate=1_500_000))
    links = [sim.join(name, 50_000_000) for name in ("bob", "cid")]
    for name in ("bob", "cid"):
        sim.core.subscriptions.join(ROOM, name, [], 0.0)
    sim.run(20.0)
    room = sim.core.subscriptions.rooms[ROOM]
    assert sim.core.counts["stopped"] > 0
    assert LARGE in room.peers["bob"].stopped or LARGE in room.peers["cid"].stopped
    sim.core.subscriptions.leave("cid", sim.now)
    room.traffic.load.share = float("inf")
    sim.run(30.0)
    assert links[0].rate(25, 30, LARGE) > 0.9 * RATES[LARGE]


def test_browsers_are_told_no_more_than_a_member_may_send() -> None:
    core = meeting("bob", limits=MediaLimits(member_bitrate=1_000_000, remb_ceiling=4_000_000))
    senders = Senders(core)
    senders.run(0.5, ("ada", VIDEO, 100))
    told = [
        item.bitrate
        for effect in core.tick(senders.now + 1.0)
        if isinstance(effect, SendRtcp) and effect.to == "ada"
        for item in rtcp.parse(effect.data)
        if isinstance(item, rtcp.Remb)
    ]
    assert told
    assert all(0.85 * 1_000_000 < bitrate <= 900_000 for bitrate in told)
