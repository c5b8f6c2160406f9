"""One publisher, and receivers behind simulated links: each gets the layer that its link carries."""

from __future__ import annotations

import heapq
import itertools
import random
import struct
from collections.abc import Callable, Sequence

from snugroom.server.sfu.core import Effect, Forwarding, SendRtcp, SendRtp, rewriter
from snugroom.server.sfu.core.twcc_arrivals import Arrivals
from snugroom.server.sfu.core.twcc_sequence import TwccFeedback, TwccSequence
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import twcc, vp8
from snugroom.wire.messages import Stream
from tests.media_server.test_layers import LARGE, MIDDLE, SIMULCAST, SMALL, layer, which

ROOM = b"r" * 16
SOUND = Stream(0xA0D, "audio")
#: Bits a second of each layer, at 25 frames a second.
RATES = {SMALL: 100_000, MIDDLE: 350_000, LARGE: 1_200_000}
FPS = 25


# -- with links --------------------------------------------------------------------------------


class Link:
    """A receiver's: `capacity` in bits a second, a queue of `queue` bytes, 25 ms each way."""

    def __init__(self, sim: Sim, name: str, capacity: float, queue: int = 40_000, loss: float = 0.0) -> None:
        self.sim, self.name, self.capacity, self.queue, self.loss = sim, name, capacity, queue, loss
        self.row = sim.twcc_sequence.open()
        self.arrivals = Arrivals()
        self.free = 0.0
        self.got: list[tuple[float, bytes]] = []
        #: Sequence numbers of video packets as they were sent, before the link lost any.
        self.numbers: list[int] = []
        self.delays: list[float] = []
        self.dropped = 0

    def send(self, packet: bytes, with_twcc: bool) -> None:
        sim = self.sim
        if packet[1] & 0x7F == 96:
            self.numbers.append(int.from_bytes(packet[2:4], "big"))
        number = sim.twcc_sequence.assign(self.row, len(packet), sim.now) if with_twcc else None
        backlog = max(0.0, self.free - sim.now) * self.capacity / 8
        if backlog + len(packet) > self.queue or sim.rng.random() < self.loss:
            self.dropped += 1
            return
        self.free = max(self.free, sim.now) + 8 * len(packet) / self.capacity
        self.delays.append(self.free - sim.now)
        sim.at(self.free + 0.025, lambda: self._arrive(packet, number))

    def _arrive(self, packet: bytes, number: int | None) -> None:
        self.got.append((self.sim.now, packet))
        if number is not None:
            self.arrivals.record(number, self.sim.now + 77)

    def report(self) -> None:
        for data in self.arrivals.due(1, self.sim.now + 77):
            settled = tuple(self.sim.twcc_sequence.match_report(self.row, twcc.parse(data)))
            self.sim.at(self.sim.now + 0.025, lambda settled=settled: self.sim.hear(self.name, settled))  # type: ignore[misc]

    def rate(self, begin: float, end: float, ssrc: int | None = None) -> float:
        """Bits a second that arrived, of everything or of one layer (without what was sent again)."""
        chosen = [p for at, p in self.got if begin <= at < end and (ssrc is None or is_of(p, ssrc))]
        return 8 * sum(map(len, chosen)) / (end - begin)


def is_of(packet: bytes, ssrc: int) -> bool:
    return packet[1] & 0x7F == 96 and b"sealed " in packet and which(packet) == ssrc


class Sim:
    """ada sends sound and three layers (those of `sends`), or one; time passes in events."""

    def __init__(self, stream: Stream = SIMULCAST, *, limits: MediaLimits | None = None) -> None:
        self.rng = random.Random(7)
        self.now = 0.0
        self.core = Forwarding[str](limits or MediaLimits())
        self.twcc_sequence = TwccSequence()
        self.links: dict[str, Link] = {}
        self.order = itertools.count()
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.core.subscriptions.join(ROOM, "ada", [SOUND, stream], 0.0)
        self.core.subscriptions.ready("ada", True, 0.0)
        self.layers = [stream.ssrc, *stream.layers]
        self.count = dict.fromkeys([*self.layers, SOUND.ssrc], 0)
        self.pictures = 0
        self.keys = set(self.layers)
        self.at(0.0, self.sound)
        self.at(0.001, self.picture)
        self.at(0.002, self.tick)

    def join(self, name: str, capacity: float, **options: float) -> Link:
        link = self.links[name] = Link(self, name, capacity, **options)  # type: ignore[arg-type]
        self.core.subscriptions.join(ROOM, name, [], self.now, feedback=True, rtx=True)
        self.perform(self.core.subscriptions.ready(name, True, self.now))
        self.at(self.now + 0.05, lambda: self.reports(link))
        return link

    def reports(self, link: Link) -> None:
        link.report()
        self.at(self.now + 0.05, lambda: self.reports(link))

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (when, next(self.order), what))

    def run(self, until: float) -> None:
        while self.events[0][0] < until:
            self.now, _, what = heapq.heappop(self.events)
            what()
        self.now = until

    def sound(self) -> None:
        self.count[SOUND.ssrc] += 1
        head = struct.pack(
            "!BBHLL", 0x80, 111, self.count[SOUND.ssrc] & 0xFFFF, 960 * self.count[SOUND.ssrc], SOUND.ssrc
        )
        self.packet(SOUND.ssrc, head + bytes(120))
        self.at(self.now + 0.02, self.sound)

    def picture(self) -> None:
        self.pictures += 1
        for ssrc in self.layers:
            key = ssrc in self.keys
            size = int(RATES[ssrc] / 8 / FPS * (4 if key else 1) * self.rng.uniform(0.8, 1.2))
            pieces = max(1, -(-size // 1100))
            for i in range(pieces):
                self.count[ssrc] += 1
                data = layer(
                    ssrc, self.count[ssrc], 3600 * self.pictures, self.pictures, key=key, start=not i
                )
                self.packet(ssrc, data + bytes(max(0, size // pieces - len(data))))
        self.keys.clear()
        self.at(self.now + 1 / FPS, self.picture)

    def packet(self, ssrc: int, data: bytes) -> None:
        track = self.core.subscriptions.find("ada", ssrc)
        assert track is not None
        fanouts, effects = self.core.on_rtp(track, data, self.now)
        for fanout in fanouts:
            for i, peer in enumerate(fanout.receivers):
                out = bytearray(data)
                if fanout.offsets is not None:
                    found = vp8.read_descriptor(data, 12)
                    rewriter.rewrite(out, 0, data[2] << 8 | data[3], fanout.ssrc, found, fanout.offsets[i])
                self.links[peer].send(bytes(out), fanout.twcc)
        self.perform(effects)

    def tick(self) -> None:
        self.perform(self.core.tick(self.now))
        self.at(self.now + 0.02, self.tick)

    def hear(self, name: str, settled: tuple[tuple[float, int, float | None], ...]) -> None:
        self.perform(self.core.on_rtcp(name, [TwccFeedback(settled)], self.now))

    def perform(self, effects: Sequence[Effect[str]]) -> None:
        for effect in effects:
            if isinstance(effect, SendRtp):
                self.links[effect.to].send(effect.packet, effect.twcc)
            elif isinstance(effect, SendRtcp) and effect.data[:2] == b"\x81\xce":
                self.keys.add(int.from_bytes(effect.data[8:12], "big"))


def test_a_slow_link_beside_a_fast_one_gets_what_it_carries() -> None:
    sim = Sim()
    fast = sim.join("eve", 20_000_000)
    slow = sim.join("bob", 500_000)
    sim.run(40.0)
    # the fast receiver loses nothing by it
    assert fast.rate(5, 40, LARGE) > 0.95 * RATES[LARGE]
    assert fast.dropped == 0
    # the slow one has sound and the layer that fits, most of the time, and hardly any queue
    sound = [p for at, p in slow.got if at >= 5 and p[1] & 0x7F == 111]
    assert len(sound) > 0.99 * 35 * 50
    assert slow.rate(10, 40, SMALL) + slow.rate(10, 40, MIDDLE) > 0.9 * RATES[SMALL]
    assert slow.rate(10, 40, LARGE) < 0.05 * RATES[LARGE]
    # whatever waited, was dropped or changed its layer: the numbers have no hole
    assert sim.core.counts["switches"] >= 3
    assert slow.numbers == [(slow.numbers[0] + i) & 0xFFFF for i in range(len(slow.numbers))]
    late = slow.delays[len(slow.delays) // 4 :]
    assert sum(late) / len(late) < 0.15


def test_a_link_that_grows_is_found_out_and_one_that_shrinks_is_followed() -> None:
    sim = Sim()
    bob = sim.join("bob", 300_000)
    sim.run(20.0)
    assert bob.rate(10, 20, LARGE) < 0.05 * RATES[LARGE]
    bob.capacity = 5_000_000
    sim.run(45.0)
    assert bob.rate(38, 45, LARGE) > 0.9 * RATES[LARGE]
    bob.capacity = 600_000
    sim.run(60.0)
    assert bob.rate(52, 60, LARGE) < 0.05 * RATES[LARGE]
    assert bob.rate(52, 60, SMALL) + bob.rate(52, 60, MIDDLE) > 0.9 * RATES[SMALL]


def test_video_without_layers_stops_where_it_does_not_fit_and_comes_back() -> None:
    sim = Sim(Stream(LARGE, "video", [], [0xA3]))
    fast = sim.join("eve", 20_000_000)
    bob = sim.join("bob", 400_000)
    sim.run(30.0)
    assert fast.rate(5, 30, LARGE) > 0.95 * RATES[LARGE]
    assert len([p for at, p in bob.got if at >= 5 and p[1] & 0x7F == 111]) > 0.97 * 25 * 50
    assert sim.core.counts["stopped"] >= 1
    bob.capacity = 20_000_000
    sim.run(75.0)
    assert bob.rate(60, 75, LARGE) > 0.95 * RATES[LARGE]


def test_loss_without_a_queue_does_not_stop_the_video() -> None:
    sim = Sim()
    bob = sim.join("bob", 20_000_000, loss=0.1)
    sim.run(40.0)
    assert bob.rate(20, 40) > 0.5 * RATES[LARGE]
