"""`snug bench workers`: what two media workers forward on two cores, divided by what one does.

`snug-server` runs as a process of its own, with real rooms: one publisher and 49 subscribers each, who come
in by the real protocol. Packets were sealed before; a room's publisher sends as fast as its packets come back
to the one subscriber that is read, so that the server always has something to do and loses nothing. The
other subscribers' sockets are read by nobody. The load shares the two cores with the server, as it must: what
it has used of them is told.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from client.bench import machine
from client.bench.drain import BATCH, Drain
from client.bench.flow import SIZE, Video
from client.bench.house import House
from client.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from client.bench.reporting import reported
from server.wire.messages import Stream

#: What two workers are to forward, in rates of one.
GOAL: Final = 1.8
FAN_OUT: Final = 49
SECONDS: Final = 3.0
ROUNDS: Final = 3
_ROOMS: Final = 2
_WARM: Final = 0.5
#: Packets of one room that may be on their way: well within a receive buffer of the default size.
_CREDIT: Final = 96
#: What a room may need: more than any server here forwards, packets a second.
_RATE_MAX: Final = 7_000
#: Nothing has come back for so long (seconds): what was on its way is lost, and counts no more.
_LOST: Final = 0.25
_WHOLE_TIME: Final = 300.0
#: Share of the time that a worker may have waited for a core on a machine that counts as quiet.
_NOISE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. Rates are forwarded packets a second; `us` CPU of the server's processes a packet.

    `server` and `load` are shares of one core, `waited` the time that processes with media wanted a core and
    had none, as a share of one worker's time.
    """

    workers: int
    rate: int
    us: float
    server: float
    load: float
    waited: float
    lost: int


class Room:
    """One publisher, one subscriber that is read, and others that nobody reads."""

    def __init__(self, crowd: Crowd, number: int, fan_out: int) -> None:
        keys = LightRoom()
        self._video = Video(ssrc_of("video", number), 1.0, time.perf_counter())
        self.publisher = LightPeer(crowd, keys, [Stream(self._video.ssrc, "video")])
        self.read = LightPeer(crowd, keys)
        self.others = [LightPeer(crowd, keys) for _ in range(fan_out - 1)]
        self._ready: list[bytes] = []
        self._at = self._came = self._sent = 0
        self._since = time.perf_counter()
        self.lost = 0

    async def begin(self, crowd: Crowd) -> None:
        """Everybody in; from then on nobody but this looks at their sockets. LightError."""
        await crowd.admit([self.publisher, self.read, *self.others])
        await self.publisher.want([])
        loop = asyncio.get_running_loop()
        for peer in (self.publisher, self.read, *self.others):
            assert peer.socket is not None
            loop.remove_reader(peer.socket.fileno())
        for peer in self.others:
            assert peer.socket is not None
            peer.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, 1
            )  # the least there is: it is full at once

    def seal(self, count: int) -> None:
        """Have so many more packets ready."""
        now = time.perf_counter()
        self._ready, self._at = self._ready[self._at :], 0
        self._video.go_on(float(count), now)
        packets: list[bytes] = []
        while len(packets) < count:  # no more than a little is ever due at once
            now += 0.01
            packets += self._video.due(now)
        assert self.publisher.srtp is not None
        self._ready += [self.publisher.srtp.protect(packet) for packet in packets]

    def turn(self, drain: Drain, now: float) -> bool:
        """Take what has come back, and send what that allows; False if there is nothing ready any more."""
        assert self.read.socket is not None
        assert self.publisher.socket is not None
        while True:
            rows, count = drain.receive(self.read.socket)
            if count:
                first, second = rows[:count, 0], rows[:count, 1]
                self._came += int(((first >= 128) & (first < 192) & ((second < 192) | (second > 223))).sum())
                self._since = now
            if count < BATCH:
                break
        if self.on_the_way >= _CREDIT and now - self._since > _LOST:
            self.lost += self.on_the_way
            self._came = self._sent
            self._since = now
        send = self.publisher.socket.send
        end = min(len(self._ready), self._at + _CREDIT - self.on_the_way)
        try:
            while self._at < end:
                send(self._ready[self._at])
                self._at += 1
                self._sent += 1
        except BlockingIOError:
            pass
        return self._at < len(self._ready)

    @property
    def on_the_way(self) -> int:
        """Packets that were sent, and have not come back."""
        return self._sent - self._came


def _load(rooms: list[Room], drain: Drain, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        for room in rooms:
            if not room.turn(drain, now):
                raise LightError("The packets that were ready did not last.")
        time.sleep(0.001)


async def measure_one(workers: int, seconds: float = SECONDS, fan_out: int = FAN_OUT) -> Run:
    """A server with so many workers, two rooms. LightError, ServerError, TimeoutError."""
    settings: dict[str, object] = {"workers": workers, "page": "false", "media_tcp": "false"}
    async with House({"video_bitrate": 10**12}, settings) as house, gathering(house.url) as crowd:
        rooms = [Room(crowd, number, fan_out) for number in range(_ROOMS)]
        for room in rooms:
            await room.begin(crowd)
        everybody, crowd.peers = (
            crowd.peers,
            {},
        )  # no checks meanwhile: the server waits longer than this takes
        try:
            for room in rooms:
                room.seal(round((seconds + 2 * _WARM) * _RATE_MAX))
            drain = Drain()
            carrying = machine.children(house.pid) or [house.pid]
            _load(rooms, drain, _WARM)
            counts, began = await house.counts(), time.perf_counter()
            cpu, own = house.cpu, time.process_time()
            waited = sum(map(machine.waited_seconds, carrying))
            _load(rooms, drain, seconds)
            after, ended = await house.counts(), time.perf_counter()
            cpu, own = house.cpu - cpu, time.process_time() - own
            waited = sum(map(machine.waited_seconds, carrying)) - waited
        finally:
            crowd.peers = everybody
        spent = ended - began
        forwarded = after["forwarded"] - counts["forwarded"]
        if forwarded < 1:
            raise LightError("The server forwarded nothing.")
        return Run(
            workers=workers,
            rate=round(forwarded / spent),
            us=round(1e6 * cpu / forwarded, 3),
            server=round(cpu / spent, 3),
            load=round(own / spent, 3),
            waited=round(waited / spent / len(carrying), 3),
            lost=sum(room.lost for room in rooms),
        )


async def measure(rounds: int = ROUNDS, seconds: float = SECONDS, fan_out: int = FAN_OUT) -> dict[str, Any]:
    """One worker and two in turn, `rounds` times; medians count."""
    runs = [await measure_one(workers, seconds, fan_out) for _ in range(max(1, rounds)) for workers in (1, 2)]
    return summary(runs, fan_out)


def summary(runs: list[Run], fan_out: int) -> dict[str, Any]:
    """What is printed. `by_cpu` is the ratio if each worker had a core of its own: that of CPU a packet."""

    def median(workers: int, name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in runs if run.workers == workers))

    ratio = round(median(2, "rate") / median(1, "rate"), 3)
    by_cpu = round(2 * median(1, "us") / median(2, "us"), 3)
    return {
        "bench": "workers",
        "packet_bytes": SIZE,
        "fan_out": fan_out,
        "rooms": _ROOMS,
        "cores": len(os.sched_getaffinity(0)),
        "runs": [asdict(run) for run in runs],
        "one": round(median(1, "rate")),
        "two": round(median(2, "rate")),
        "ratio": ratio,
        "by_cpu": by_cpu,
        # one worker needs one core of two, and two need both
        "quiet": all(run.waited < _NOISE for run in runs),
        "goal": GOAL,
        "met": ratio >= GOAL,
    }


async def run(
    json_output: bool, rounds: int = ROUNDS, seconds: float = SECONDS, fan_out: int = FAN_OUT
) -> int:
    """Measure and print: a table, or one JSON object. Exit status: 0, or 1 when the measurement failed."""
    measuring = measure(rounds, seconds, fan_out)
    return await reported(measuring, _WHOLE_TIME, json_output, _show, LightError, ExceptionGroup)


def _show(measured: dict[str, Any]) -> None:
    title = f"{measured['rooms']} rooms, one to {measured['fan_out']} in each, {SIZE} bytes a packet"
    table = Table("workers", "packets a second", "us a packet", "server", "load", "waited", title=title)
    for column in table.columns:
        column.justify = "right"
    for step in measured["runs"]:
        table.add_row(
            str(step["workers"]),
            f"{step['rate']:,}",
            f"{step['us']:.2f}",
            f"{step['server']:.0%}",
            f"{step['load']:.0%}",
            f"{step['waited']:.0%}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"server and load are shares of one core of {measured['cores']}; waited: a worker wanted a core, "
        "and others had it"
    )
    if not measured["quiet"]:
        console.print(
            "this machine was not quiet: workers waited for their cores, so the rates are no verdict"
        )
    verdict = "met" if measured["met"] else "NOT met"
    console.print(
        f"two forward {measured['ratio']:.2f} times what one does (goal {GOAL}: {verdict}); by CPU a packet "
        f"it would be {measured['by_cpu']:.2f}, had each a core of its own"
    )
