"""`snug bench room`: the server's CPU time per forwarded packet, and the highest rate that it forwards.

`snug-server` runs in a separate process, with signaling, ICE, DTLS and timers. Light members join by the real
protocol: publishers send video in packets of 1,100 bytes, subscribers count the packets that arrive. The
server has one core, the generator another. Losses are reported by place: before the server, in it, and at
subscribers that this program did not empty in time, which is not the server's fault.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.lab import machine
from snugroom.lab.bench.drain import BATCH, Drain
from snugroom.lab.bench.flow import SIZE, Video
from snugroom.lab.bench.house import UNLIMITED, BenchServer
from snugroom.lab.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from snugroom.lab.bench.reporting import reported
from snugroom.wire import limits, rtcp
from snugroom.wire.messages import Stream

#: Goals: microseconds per packet, and packets a second on one core.
GOAL_US: Final = 5.0
GOAL_RATE: Final = 250_000
#: A rate is carried if less than this share of the packets is missing.
LOSS: Final = 0.005
#: Rate at which the cost of a packet is judged: seven cameras of 1.3 Mbit/s, each to 49 subscribers.
JUDGED: Final = 50_000
RATES: Final = (14_000, 50_000, 100_000)
#: The highest rate that is tried, and the maximum number of tries.
_RATE_MAX: Final = 500_000
_STEPS: Final = 12
#: Maximum packets a second of one stream.
_CAMERA: Final = 5_000
_SECONDS: Final = 2.5
_WARM: Final = 0.4
#: Browsers pace like this: bursts every five milliseconds.
_PACE: Final = 0.005
_SETTLE: Final = 0.3
#: One of this many reads of a subscriber opens a datagram, to check its content.
_OPENED: Final = 40
#: CPU share of the generator above which its figures show its own limit.
_BUSY: Final = 0.95
#: Share of the time that the server may wait for its core on a machine that counts as quiet.
_NOISE: Final = 0.05
_WHOLE_TIME: Final = 240.0


@dataclass(frozen=True, slots=True)
class Step:
    """One rate. Shares are of the packets that should have come; `us`: the server's CPU in us a packet.

    `loss`: share that subscribers missed in all. It includes `unforwarded`, which the server did not forward
    (`unread`: its socket was full), and `unread_here`, which came to this program and was not read in time.
    `server` and `generator` are shares of one core. `waited`: share of the time that the server wanted its
    core while others had it. If that is high, the machine is not quiet and losses prove nothing.
    """

    rate: int
    forwarded_rate: int
    us: float
    loss: float
    unforwarded: float
    unread: float
    unread_here: float
    server: float
    generator: float
    waited: float

    @property
    def carried(self) -> bool:
        """Whether subscribers missed less than `LOSS`."""
        return self.loss < LOSS

    @property
    def carried_by_server(self) -> bool:
        """Whether the server has sent all but `LOSS`, even if it was not read here."""
        return self.unforwarded < LOSS


class Subscriber:
    """A light member that counts packets."""

    def __init__(self, peer: LightPeer) -> None:
        self.peer = peer
        self.packets = 0
        self.opened = 0
        self._turn = 0
        peer.on_rtp = self._open

    def _open(self, _packet: bytes) -> None:
        self.opened += 1

    def take_over(self) -> None:
        """From now on read the socket here, instead of in the peer."""
        assert self.peer.socket is not None
        asyncio.get_running_loop().remove_reader(self.peer.socket.fileno())

    def read(self, drain: Drain) -> None:
        """Read and count all datagrams that have come."""
        sock = self.peer.socket
        assert sock is not None
        while True:
            rows, count = drain.receive(sock)
            if not count:
                return
            first, second = rows[:count, 0], rows[:count, 1]
            media = (first >= 128) & (first < 192) & ((second < 192) | (second > 223))
            video = int(media.sum())
            self.packets += video
            if video < count:
                for i in range(count):
                    if not media[i]:
                        self.peer.receive(drain.datagram(i))
            self._turn += 1
            if video == count and not self._turn % _OPENED:
                self.peer.receive(drain.datagram(count - 1))
            if count < BATCH:
                return


class Load:
    """One room with its publishers and subscribers."""

    def __init__(self, server: BenchServer, crowd: Crowd, publishers: int, subscribers: int) -> None:
        self._server = server
        self._crowd = crowd
        self._drain = Drain()
        room = LightRoom()
        now = time.perf_counter()
        # a stream may have 6,000 packets a second: a higher rate needs more cameras
        cameras = min(limits.STREAMS_MAX, math.ceil(_RATE_MAX / subscribers / publishers / _CAMERA))
        self._videos = [
            [Video(ssrc_of("video", number, camera), 1.0, now) for camera in range(cameras)]
            for number in range(publishers)
        ]
        self._publishers = [
            LightPeer(crowd, room, [Stream(video.ssrc, "video") for video in videos])
            for videos in self._videos
        ]
        for peer, videos in zip(self._publishers, self._videos, strict=True):
            peer.on_rtcp = partial(_obey, videos)
        self._subscribers = [Subscriber(LightPeer(crowd, room)) for _ in range(subscribers)]

    async def begin(self) -> None:
        """Let everybody join. LightError."""
        await self._crowd.admit([*self._publishers, *(s.peer for s in self._subscribers)])
        for publisher in self._publishers:
            await publisher.subscribe([])
        for subscriber in self._subscribers:
            subscriber.take_over()

    async def step(self, rate: int, seconds: float = _SECONDS) -> Step:
        """Measure `rate` packets a second, to all subscribers together, for `seconds`."""
        fan = len(self._subscribers)
        each = rate / fan / len(self._publishers)
        videos = [video for of_one in self._videos for video in of_one]
        await self._flow(each, _WARM)
        await self._flow(0.0, _SETTLE)
        counts, drops = await self._server.counts(), machine.udp_drops()
        before = sum(s.packets for s in self._subscribers)
        sent = sum(video.sent for video in videos)
        unsent = self._unsent
        waited = self._server.waited
        began, cpu, own = time.perf_counter(), self._server.cpu, time.process_time()
        await self._flow(each, seconds)
        spent, own = time.perf_counter() - began, time.process_time() - own
        await self._flow(0.0, _SETTLE)
        cpu = self._server.cpu - cpu
        after, dropped = await self._server.counts(), machine.udp_drops()
        wanted = (sum(video.sent for video in videos) - sent) * fan
        forwarded = after["forwarded"] - counts["forwarded"]
        received = sum(s.packets for s in self._subscribers) - before
        port = self._port
        here = sum(dropped.get(p, 0) - drops.get(p, 0) for p in self._ports())
        unread = (dropped.get(port, 0) - drops.get(port, 0)) * fan
        wanted -= (self._unsent - unsent) * fan
        wanted = max(wanted, 1)
        return Step(
            rate=round(wanted / spent),
            forwarded_rate=round(forwarded / spent),
            us=round(1e6 * cpu / max(forwarded, 1), 2),
            loss=round(max(0.0, 1 - received / wanted), 5),
            unforwarded=round(max(0.0, 1 - forwarded / wanted), 5),
            unread=round(unread / wanted, 5),
            unread_here=round(here / wanted, 5),
            server=round(cpu / spent, 3),
            generator=round(own / spent, 3),
            waited=round((self._server.waited - waited) / spent, 3),
        )

    @property
    def opened(self) -> int:
        """Number of counted packets that subscribers have also opened."""
        return sum(s.opened for s in self._subscribers)

    @property
    def refused(self) -> int:
        """Number of packets that failed to open."""
        return sum(s.peer.refused for s in self._subscribers)

    @property
    def _port(self) -> int:
        sock = self._publishers[0].socket
        assert sock is not None
        port: int = sock.getpeername()[1]
        return port

    def _ports(self) -> list[int]:
        return [s.peer.socket.getsockname()[1] for s in self._subscribers if s.peer.socket is not None]

    _unsent = 0

    async def _flow(self, rate: float, seconds: float) -> None:
        """Send `rate` packets a second from each publisher, with as few cameras as carry them, and read."""
        used = max(1, math.ceil(rate / _CAMERA))
        for videos in self._videos:
            for camera, video in enumerate(videos):
                video.go_on(rate / used if camera < used else 0.0, time.perf_counter())
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            for publisher, videos in zip(self._publishers, self._videos, strict=True):
                for video in videos:
                    for packet in video.due(now):
                        self._unsent += not publisher.send_rtp(packet)
            for subscriber in self._subscribers:
                subscriber.read(self._drain)
            await asyncio.sleep(max(0.0, now + _PACE - time.perf_counter()))


def _obey(videos: Sequence[Video], packet: bytes) -> None:
    try:
        asked = {item.ssrc for item in rtcp.parse(packet) if isinstance(item, rtcp.KeyFrameRequest)}
    except rtcp.RtcpError:
        return
    for video in videos:
        if video.ssrc in asked:
            video.key_frame()


async def highest(load: Load, steps: int, seconds: float) -> list[Step]:
    """Find the highest rate that the server carries; return all rates tried, at most `steps`.

    Rates are doubled while the server carries them, and then bisected, until the bounds are within 5%.
    """
    low, high, rate = 0, _RATE_MAX + 1, GOAL_RATE // 4
    tried: list[Step] = []
    for _ in range(steps):
        step = await load.step(rate, seconds)
        tried.append(step)
        if step.carried_by_server:
            low = rate
        else:
            high = rate
        if high - low <= low // 20 or low >= _RATE_MAX:
            break
        rate = min(2 * low, _RATE_MAX) if high > _RATE_MAX else (low + high) // 2
    return tried


async def measure(
    subscribers: int,
    publishers: int = 1,
    rates: Sequence[int] = RATES,
    steps: int = _STEPS,
    seconds: float = _SECONDS,
) -> dict[str, Any]:
    """Measure one room at these rates, then the highest rate. LightError, ServerError, TimeoutError."""
    async with BenchServer(UNLIMITED) as server:
        await server.settle()
        apart = machine.split_cores(server.pid)
        async with gathering(server.url) as crowd:
            load = Load(server, crowd, publishers, subscribers)
            await load.begin()
            at_rates = [await load.step(rate, seconds) for rate in rates]
            tried = await highest(load, steps, seconds)
            if load.refused or not load.opened:
                raise LightError(f"{load.refused} packets could not be opened, {load.opened} could.")
    return summary(subscribers, publishers, apart, at_rates, tried)


def summary(
    subscribers: int, publishers: int, apart: bool, at_rates: Sequence[Step], tried: Sequence[Step]
) -> dict[str, Any]:
    """Return the output. `server_rate`: carried by the server; `rate`: also read here."""
    steps = [*at_rates, *tried]
    server_rate = max((s.forwarded_rate for s in steps if s.carried_by_server), default=0)
    rate = max((s.forwarded_rate for s in steps if s.carried), default=0)
    # the generator was the limit if it was busy while the server carried the rate
    failed = [s for s in tried if not s.carried]
    limited = any(s.generator > _BUSY and s.carried_by_server for s in failed)
    judged = min(at_rates, key=lambda s: abs(s.rate - JUDGED), default=tried[0])
    least = min(s.us for s in steps)
    return {
        "bench": "room",
        "subscribers": subscribers,
        "publishers": publishers,
        "packet_bytes": SIZE,
        "cores": "one for the server, another for the load" if apart else "one for both",
        "rates": [asdict(step) for step in at_rates],
        "tried": [asdict(step) for step in tried],
        "us": judged.us,
        "judged_rate": judged.rate,
        "least_us": least,
        "rate_by_cpu": round(1e6 / least),
        "rate": rate,
        "server_rate": server_rate,
        "generator_was_the_limit": limited,
        "quiet": all(s.waited < _NOISE for s in steps),
        "goal": {"us": GOAL_US, "rate": GOAL_RATE},
        "met": {"us": judged.us <= GOAL_US, "rate": server_rate >= GOAL_RATE},
    }


async def run(
    json_output: bool,
    subscribers: int = 49,
    publishers: int = 1,
    rates: Sequence[int] = RATES,
    steps: int = _STEPS,
    seconds: float = _SECONDS,
) -> int:
    """Measure, and print tables or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    measuring = measure(subscribers, publishers, rates, steps, seconds)
    return await reported(measuring, _WHOLE_TIME, json_output, _show, LightError, ExceptionGroup)


def _show(measured: dict[str, Any]) -> None:
    title = f"One room, {measured['publishers']} to {measured['subscribers']}, {SIZE} bytes a packet"
    columns = (
        "packets a second",
        "us a packet",
        "lost",
        "in the server",
        "unread here",
        "server",
        "load",
        "waited",
    )
    table = Table(*columns, title=title)
    for column in table.columns:
        column.justify = "right"
    for step in [*measured["rates"], *measured["tried"]]:
        table.add_row(
            f"{step['rate']:,}",
            f"{step['us']:.2f}",
            f"{step['loss']:.2%}",
            f"{step['unforwarded']:.2%}",
            f"{step['unread_here']:.2%}",
            f"{step['server']:.0%}",
            f"{step['generator']:.0%}",
            f"{step['waited']:.0%}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"cores: {measured['cores']}; server and load are shares of one core; the server's limit on the bit "
        "rate of one stream was lifted"
    )
    verdict = {True: "met", False: "NOT met"}
    met = measured["met"]
    console.print(
        f"CPU at {measured['judged_rate']:,} packets a second: {measured['us']:.2f} us a packet; "
        f"goal {GOAL_US:.0f}: {verdict[met['us']]}"
    )
    console.print(
        f"highest rate with less than {LOSS:.1%} lost: {measured['server_rate']:,} packets a second by the "
        f"server ({measured['rate']:,} of them read here); goal {GOAL_RATE:,}: {verdict[met['rate']]}"
    )
    console.print(
        f"least CPU: {measured['least_us']:.2f} us a packet, so {measured['rate_by_cpu']:,} packets for each "
        "second of CPU"
    )
    if not measured["quiet"]:
        console.print("this machine was not quiet: the server waited for its core, so the rate is no verdict")
    if measured["generator_was_the_limit"]:
        console.print("the generator was the limit of what could be read: its core was busy all the time")
