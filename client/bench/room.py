"""`snug bench room`: what the whole server spends on a forwarded packet, and how many it forwards.

`snug-server` runs as a process of its own, with signaling, ICE, DTLS and timers. Light members come in by the
real protocol: publishers send video in packets of 1,100 bytes, subscribers count what comes. The server has
one core, the generator another. What was lost is told by place: before the server, in it, and at subscribers
that this program didn't empty in time, which is no fault of the server's.
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

from client.bench import machine
from client.bench.drain import BATCH, Drain
from client.bench.flow import SIZE, Video
from client.bench.house import House
from client.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from client.bench.reporting import reported
from client.media.rtp import Pli, RtpError, parse_rtcp
from server.wire import limits
from server.wire.messages import Stream

#: What is wanted: microseconds a packet, and packets a second of one core.
GOAL_US: Final = 5.0
GOAL_RATE: Final = 250_000
#: A rate is carried while no more than this share of the packets is missing.
LOSS: Final = 0.005
#: Where the cost of a packet is judged: seven cameras of 1.3 Mbit/s, each to 49.
JUDGED: Final = 50_000
RATES: Final = (14_000, 50_000, 100_000)
#: The highest rate that is tried, and how often one is.
_RATE_MAX: Final = 500_000
_STEPS: Final = 12
#: Packets a second of one stream, at most.
_CAMERA: Final = 5_000
_SECONDS: Final = 2.5
_WARM: Final = 0.4
#: Browsers pace so: bursts of five milliseconds.
_PACE: Final = 0.005
_SETTLE: Final = 0.3
#: Of a subscriber's datagrams one in so many readings is opened, to see that it is what it should be.
_OPENED: Final = 40
#: CPU share of the generator beyond which its figures are its own.
_BUSY: Final = 0.95
#: Share of the time that the server may have waited for its core on a machine that counts as quiet.
_NOISE: Final = 0.05
_WHOLE_TIME: Final = 240.0


@dataclass(frozen=True, slots=True)
class Step:
    """One rate. Shares are of what should have come; `us` is the server's CPU a forwarded packet.

    `loss` is what subscribers missed in all. Of it `unforwarded` the server didn't forward (`unread`: its
    socket was full), and `unread_here` came to this program, which was too slow to read it. `server` and
    `generator` are shares of one core, `waited` the share of the time that the server wanted its core and
    others had it: then the machine is not quiet, and what is lost says nothing.
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
        """Whether subscribers missed next to nothing."""
        return self.loss < LOSS

    @property
    def carried_by_server(self) -> bool:
        """Whether the server has sent nearly all, be it read here or not."""
        return self.unforwarded < LOSS


class Subscriber:
    """A light member that counts."""

    def __init__(self, peer: LightPeer) -> None:
        self.peer = peer
        self.packets = 0
        self.opened = 0
        self._turn = 0
        peer.on_rtp = self._open

    def _open(self, _packet: bytes) -> None:
        self.opened += 1

    def take_over(self) -> None:
        """From now on this reads the socket, not the peer."""
        assert self.peer.socket is not None
        asyncio.get_running_loop().remove_reader(self.peer.socket.fileno())

    def read(self, drain: Drain) -> None:
        """All that has come."""
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

    def __init__(self, house: House, crowd: Crowd, publishers: int, subscribers: int) -> None:
        self._house = house
        self._crowd = crowd
        self._drain = Drain()
        room = LightRoom()
        now = time.perf_counter()
        # a stream may have 6,000 packets a second: who sends more has more cameras
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
        """Everybody in. LightError."""
        await self._crowd.admit([*self._publishers, *(s.peer for s in self._subscribers)])
        for publisher in self._publishers:
            await publisher.want([])
        for subscriber in self._subscribers:
            subscriber.take_over()

    async def step(self, rate: int, seconds: float = _SECONDS) -> Step:
        """So many packets a second, to all subscribers together, for so long."""
        fan = len(self._subscribers)
        each = rate / fan / len(self._publishers)
        videos = [video for of_one in self._videos for video in of_one]
        await self._flow(each, _WARM)
        await self._flow(0.0, _SETTLE)
        counts, drops = await self._house.counts(), machine.udp_drops()
        before = sum(s.packets for s in self._subscribers)
        sent = sum(video.sent for video in videos)
        unsent = self._unsent
        waited = self._house.waited
        began, cpu, own = time.perf_counter(), self._house.cpu, time.process_time()
        await self._flow(each, seconds)
        spent, own = time.perf_counter() - began, time.process_time() - own
        await self._flow(0.0, _SETTLE)
        cpu = self._house.cpu - cpu
        after, dropped = await self._house.counts(), machine.udp_drops()
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
            waited=round((self._house.waited - waited) / spent, 3),
        )

    @property
    def opened(self) -> int:
        """Packets that subscribers have opened, of those that they counted."""
        return sum(s.opened for s in self._subscribers)

    @property
    def refused(self) -> int:
        """Packets that should have opened and didn't."""
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
        """Send so many packets a second of each publisher, from as few cameras as carry them, and read."""
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
        asked = {part.media for part in parse_rtcp(packet) if isinstance(part, Pli)}
    except RtpError:
        return
    for video in videos:
        if video.ssrc in asked:
            video.key_frame()


async def highest(load: Load, steps: int, seconds: float) -> list[Step]:
    """Rates, doubled while they are carried and then halved in between, until `steps` have been tried."""
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
    """One room, these rates, and then the highest. LightError, ServerError, TimeoutError."""
    async with House({"video_bitrate": 10**12}) as house:
        apart = machine.split_cores(house.pid)
        async with gathering(house.url) as crowd:
            load = Load(house, crowd, publishers, subscribers)
            await load.begin()
            at_rates = [await load.step(rate, seconds) for rate in rates]
            tried = await highest(load, steps, seconds)
            if load.refused or not load.opened:
                raise LightError(f"{load.refused} packets could not be opened, {load.opened} could.")
    return summary(subscribers, publishers, apart, at_rates, tried)


def summary(
    subscribers: int, publishers: int, apart: bool, at_rates: Sequence[Step], tried: Sequence[Step]
) -> dict[str, Any]:
    """What is printed. `server_rate` is what the server carried, `rate` what was read here as well."""
    steps = [*at_rates, *tried]
    server_rate = max((s.forwarded_rate for s in steps if s.carried_by_server), default=0)
    rate = max((s.forwarded_rate for s in steps if s.carried), default=0)
    # the generator was the limit, if it was busy where the server wasn't
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
    """Measure and print: tables, or one JSON object. Exit status: 0, or 1 when the measurement failed."""
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
