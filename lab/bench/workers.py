"""`snug bench workers`: the rate that two media workers forward on two cores, divided by the rate of one.

`snug-server` runs in a separate process, with real rooms: one publisher and 49 subscribers each, who join by
the real protocol. Packets are sealed in advance. A room's publisher sends as fast as its packets come back to
the one subscriber that is read, so that the server always has work and loses nothing. The other subscribers'
sockets are not read. The load has to share the two cores with the server, and the output shows how much of
them it used.
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

from snugroom.lab import machine
from snugroom.lab.bench.drain import BATCH, Drain
from snugroom.lab.bench.flow import SIZE, Video
from snugroom.lab.bench.house import UNLIMITED, BenchServer
from snugroom.lab.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from snugroom.lab.bench.reporting import reported
from snugroom.wire.messages import Stream

#: Goal for the rate of two workers, divided by the rate of one.
GOAL: Final = 1.8
FAN_OUT: Final = 49
SECONDS: Final = 3.0
ROUNDS: Final = 3
_ROOMS: Final = 2
_WARM: Final = 0.5
#: Maximum number of one room's packets in flight: well within a receive buffer of the default size.
_CREDIT: Final = 96
#: Packets a second that a room may need: more than any server here forwards.
_RATE_MAX: Final = 7_000
#: Seconds without a returning packet after which packets in flight count as lost.
_LOST: Final = 0.25
_WHOLE_TIME: Final = 300.0
#: Share of the time that a worker may wait for a core on a machine that counts as quiet.
_NOISE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. `rate`: forwarded packets a second; `us`: CPU microseconds of the server per packet.

    `server` and `load` are shares of one core. `waited`: time that processes with media wanted a core and had
    none, as a share of one worker's time.
    """

    workers: int
    rate: int
    us: float
    server: float
    load: float
    waited: float
    lost: int


class Room:
    """One publisher, one subscriber that is read, and others that are not read."""

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
        """Let everybody join. From then on, only this object uses their sockets. LightError."""
        await crowd.admit([self.publisher, self.read, *self.others])
        await self.publisher.subscribe([])
        loop = asyncio.get_running_loop()
        for peer in (self.publisher, self.read, *self.others):
            assert peer.socket is not None
            loop.remove_reader(peer.socket.fileno())
        for peer in self.others:
            assert peer.socket is not None
            peer.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, 1
            )  # the smallest possible buffer: it is full at once

    def seal(self, count: int) -> None:
        """Seal `count` more packets in advance."""
        now = time.perf_counter()
        self._ready, self._at = self._ready[self._at :], 0
        self._video.go_on(float(count), now)
        packets: list[bytes] = []
        while len(packets) < count:  # `due` returns only a few at once
            now += 0.01
            packets += self._video.due(now)
        assert self.publisher.srtp is not None
        self._ready += [self.publisher.srtp.protect(packet) for packet in packets]

    def turn(self, drain: Drain, now: float) -> bool:
        """Read returned packets, and send as many as that allows. Return False without sealed packets."""
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
        """Number of packets that were sent and have not come back."""
        return self._sent - self._came


def _load(rooms: list[Room], drain: Drain, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        for room in rooms:
            if not room.turn(drain, now):
                raise LightError("The packets that were ready did not last.")
        time.sleep(0.001)


async def measure_one(workers: int, seconds: float = SECONDS, fan_out: int = FAN_OUT) -> Run:
    """Measure a server with `workers` workers and two rooms. LightError, ServerError, TimeoutError."""
    settings: dict[str, object] = {"workers": workers, "page": "false", "media_tcp": "false"}
    async with BenchServer(UNLIMITED, settings) as server, gathering(server.url) as crowd:
        await server.settle()
        rooms = [Room(crowd, number, fan_out) for number in range(_ROOMS)]
        for room in rooms:
            await room.begin(crowd)
        everybody, crowd.peers = (
            crowd.peers,
            {},
        )  # no connectivity checks meanwhile: the server's timeout is longer than this run
        try:
            for room in rooms:
                room.seal(round((seconds + 2 * _WARM) * _RATE_MAX))
            drain = Drain()
            carrying = machine.children(server.pid) or [server.pid]
            _load(rooms, drain, _WARM)
            counts, began = await server.counts(), time.perf_counter()
            cpu, own = server.cpu, time.process_time()
            waited = sum(map(machine.waited_seconds, carrying))
            _load(rooms, drain, seconds)
            after, ended = await server.counts(), time.perf_counter()
            cpu, own = server.cpu - cpu, time.process_time() - own
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
    """Measure one worker and two in turn, `rounds` times; return the medians."""
    runs = [await measure_one(workers, seconds, fan_out) for _ in range(max(1, rounds)) for workers in (1, 2)]
    return summary(runs, fan_out)


def summary(runs: list[Run], fan_out: int) -> dict[str, Any]:
    """Return the output. `by_cpu`: the ratio if each worker had its own core, from CPU per packet."""

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
        # one worker needs one of two cores, and two workers need both
        "quiet": all(run.waited < _NOISE for run in runs),
        "goal": GOAL,
        "met": ratio >= GOAL,
    }


async def run(
    json_output: bool, rounds: int = ROUNDS, seconds: float = SECONDS, fan_out: int = FAN_OUT
) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""
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
