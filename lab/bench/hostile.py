"""`snug bench hostile`: an honest meeting, while strangers do everything to the server that its limits allow.

The server runs in a separate process, and so does each storm (`lab.bench.storms`), at a low
priority. Two light members exchange audio and messages all the time, and a host at another address opens a
room every second. Storm, meeting and server share this machine's cores, so results are for this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import aiohttp
from rich.console import Console
from rich.table import Table

from snugroom.lab.bench import storms
from snugroom.lab.bench.flow import Audio, Video
from snugroom.lab.bench.house import BenchServer
from snugroom.lab.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from snugroom.lab.bench.reporting import reported
from snugroom.wire import limits, messages

#: Goals: milliseconds of the 95th percentile, seconds until an honest host has a room, and what one address
#: that has not answered may get for each byte from it.
MESSAGE_MS: Final = 200.0
OPEN_S: Final = 2.0
REFLECTION: Final = 3.0
SECONDS: Final = 10.0
#: Addresses of a storm; 0 is one IPv6 network of 48 bits.
CLIENTS: Final = (1, 16, 256, 0)
#: All storms with their clients. Members of one room need no more than one address each.
PLAN: Final[tuple[tuple[str, int], ...]] = (
    ("calm", 1),
    ("one_room", 16),
    ("many_rooms", 16),
    ("bytes_of_one", 1),
    ("hoards", 16),
    ("nonsense", 16),
    ("downloads", 16),
    *((name, clients) for name in ("passing_rooms", "squatters", "idlers") for clients in CLIENTS),
)
_SETTINGS: Final[dict[str, object]] = {"trusted_proxies": '["127.0.0.1"]'}
_HOME, _HOST, _VICTIM = "127.77.0.1", "127.77.0.2", "127.77.0.3"
_TICK: Final = 0.01
_MESSAGE_EVERY: Final = 0.05
_OPEN_EVERY: Final = 1.0
_OPEN_MAX: Final = 20.0
_RETRY: Final = 0.25
_SETTLE: Final = 1.0
_WHOLE_TIME: Final = 600.0
#: Share of the time that the server may wait for a core on a machine that counts as quiet.
_NOISE: Final = 0.1
#: Fewer messages or rooms than this share of what should have been are no measurement.
_ENOUGH: Final = 0.5


class HostileError(Exception):
    """The measurement failed. The message is a full sentence that says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """One storm. `open_s`: the longest time until an honest host had a room. `memory`: the most, in bytes.

    `messages`, `audio` and `opened` count what was measured, `storm` what the storm did. `server` is the CPU
    time of the server, and `waited` the time that it wanted a core while others had it, both as shares of one
    core.
    """

    name: str
    clients: int
    message_ms: float
    audio_lost: int
    open_s: float
    memory: int
    counted: int
    messages: int
    audio: int
    opened: int
    server: float
    waited: float
    storm: dict[str, int]

    @property
    def met(self) -> bool:
        """Whether the honest meeting and the honest host noticed nothing to speak of."""
        return self.message_ms < MESSAGE_MS and self.audio_lost == 0 and self.open_s < OPEN_S


class Meeting:
    """Two members with audio. One sends a message every 50 ms, and notes when it comes to the other."""

    def __init__(self, crowd: Crowd) -> None:
        room = LightRoom()
        self._crowd = crowd
        self._audio = [Audio(ssrc_of("honest", number), crowd.now) for number in range(2)]
        self.peers = [LightPeer(crowd, room, [messages.Stream(a.ssrc, "audio")]) for a in self._audio]
        self.came = [0, 0]
        self.delays: list[float] = []
        self._sent_at: dict[bytes, float] = {}

    async def begin(self) -> None:
        """Let both join. LightError."""
        await self._crowd.admit(self.peers)
        for number, peer in enumerate(self.peers):
            peer.on_rtp = partial(self._heard, number)
            peer.on_message = lambda _message: None
        self.peers[1].on_message = self._came

    def _heard(self, number: int, _packet: bytes) -> None:
        self.came[number] += 1

    def _came(self, message: messages.Message) -> None:
        if isinstance(message, messages.Relayed) and message.blob[:8] in self._sent_at:
            self.delays.append(time.perf_counter() - self._sent_at.pop(message.blob[:8]))

    @property
    def audio(self) -> int:
        """The number of packets that were sent."""
        return sum(audio.sent for audio in self._audio)

    @property
    def overdue(self) -> list[float]:
        """For how long messages have been on the way that have not come yet."""
        return [time.perf_counter() - at for at in self._sent_at.values()]

    async def talk(self, seconds: float) -> None:
        """Send audio and messages for so long. LightError if the server has ended the meeting."""
        end, next_message = self._crowd.now + seconds, self._crowd.now
        for audio in self._audio:
            audio.go_on(self._crowd.now)
        while self._crowd.now < end:
            for peer, audio in zip(self.peers, self._audio, strict=True):
                for packet in audio.due(self._crowd.now):
                    peer.send_rtp(packet)
            if self._crowd.now >= next_message:
                next_message += _MESSAGE_EVERY
                name = os.urandom(8)
                self._sent_at[name] = time.perf_counter()
                await self.peers[0].say(messages.Relay(name + bytes(limits.BUCKETS[0] - 8)))
            await asyncio.sleep(_TICK)


async def _open_room(crowd: Crowd) -> float:
    """Open a room as an honest host does, who tries again; return the seconds that it took."""
    began = crowd.now
    while crowd.now - began < _OPEN_MAX:
        peer = LightPeer(crowd, LightRoom())
        with contextlib.suppress(LightError, aiohttp.ClientError, OSError, TimeoutError):
            try:
                async with asyncio.timeout(_OPEN_MAX - (crowd.now - began)):
                    await peer.enter()
                return crowd.now - began
            finally:
                await peer.leave()
        await asyncio.sleep(_RETRY)
    return _OPEN_MAX


async def _open_rooms(crowd: Crowd, times: list[float]) -> None:
    while True:
        times.append(await _open_room(crowd))
        await asyncio.sleep(_OPEN_EVERY)


async def _watch(server: BenchServer, most: dict[str, int]) -> None:
    while True:
        most["memory"] = max(most["memory"], server.footprint.resident)
        counted = (await server.disclosure()).get("memory_bytes", 0)
        most["counted"] = max(most["counted"], counted)
        await asyncio.sleep(0.5)


@asynccontextmanager
async def _beside(*coroutines: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure_one(name: str, clients: int, seconds: float) -> Result:
    """Measure one storm. HostileError, LightError, ServerError, TimeoutError."""
    async with (
        BenchServer(settings=dict(_SETTINGS)) as server,
        gathering(server.url, _HOME) as home,
        gathering(server.url, _HOST) as elsewhere,
    ):
        meeting = Meeting(home)
        await meeting.begin()
        await meeting.talk(_SETTLE)
        times: list[float] = []
        most = {"memory": 0, "counted": 0}
        meeting.delays.clear()
        before, came, cpu, waited = meeting.audio, sum(meeting.came), server.cpu, server.waited
        began = home.now
        async with (
            storms.raging(name, server.url, seconds, clients) as storm,
            _beside(_open_rooms(elsewhere, times), _watch(server, most)),
        ):
            await meeting.talk(seconds + _SETTLE)
            did = await storms.counts(storm)
        spent, cpu, waited = home.now - began, server.cpu - cpu, server.waited - waited
        await asyncio.sleep(_SETTLE)
        sent = meeting.audio - before
        delays = sorted([*meeting.delays, *meeting.overdue])
        _check(name, did, delays, times, seconds + _SETTLE)
        return Result(
            name=name,
            clients=clients,
            message_ms=round(1_000 * statistics.quantiles(delays, n=20)[-1], 1),
            audio_lost=max(0, sent - (sum(meeting.came) - came)),
            open_s=round(max(times), 3),
            memory=most["memory"],
            counted=most["counted"],
            messages=len(delays),
            audio=sent,
            opened=len(times),
            server=round(cpu / spent, 3),
            waited=round(waited / spent, 3),
            storm=did,
        )


def _check(name: str, did: dict[str, int], delays: Sequence[float], times: list[float], spent: float) -> None:
    """Raise HostileError if what was measured is too little to say anything."""
    if name == "calm":
        pass
    elif did.get("tried", 0) < 1 or (name != "nonsense" and did.get("entered", 0) < 1):
        raise HostileError(f"The storm {name} did not begin: {did}.")
    if len(delays) < _ENOUGH * spent / _MESSAGE_EVERY:
        raise HostileError(
            f"Only {len(delays)} messages were sent in {spent:.0f} s: the machine is too busy."
        )
    if not times:
        raise HostileError("No host has tried to open a room.")


async def reflection(seconds: float = 3.0) -> float:
    """Return the bytes that an address gets which never answers, for each byte that came from it."""
    async with BenchServer(settings=dict(_SETTINGS)) as server, gathering(server.url, _HOME) as crowd:
        room = LightRoom()
        video = Video(ssrc_of("reflected"), 500.0, crowd.now)
        publisher = LightPeer(crowd, room, [messages.Stream(video.ssrc, "video")])
        receiver = LightPeer(crowd, room)
        heard = 0

        def note(_packet: bytes) -> None:
            nonlocal heard
            heard += 1

        receiver.on_rtp = note
        await crowd.admit([publisher, receiver])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
            victim.setblocking(False)
            victim.bind((_VICTIM, 0))
            sent = got = 0
            began = crowd.now
            while (at := crowd.now - began) < seconds:
                for packet in video.due(crowd.now):
                    publisher.send_rtp(packet)
                if at > seconds / 3:
                    sent += receiver.check_from(victim)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        got += len(victim.recv(2_048))
                await asyncio.sleep(0.025)
        if not sent or not heard:
            raise HostileError("No media came to the honest receiver, so nothing could be turned elsewhere.")
        return round(got / sent, 2)


async def measure(plan: Sequence[tuple[str, int]] = PLAN, seconds: float = SECONDS) -> dict[str, Any]:
    """Measure all storms of `plan`, one after the other, and the reflection.

    `failed` has a sentence for each storm that could not be measured: without it, nothing is met.
    """
    results: list[Result] = []
    failed: list[str] = []
    for name, clients in plan:
        try:
            results.append(await measure_one(name, clients, seconds))
        except (HostileError, LightError) as error:
            failed.append(f"{name}, {clients} clients: {error}")
    factor: float | None = None
    try:
        factor = await reflection()
    except (HostileError, LightError) as error:
        failed.append(f"reflection: {error}")
    return {
        "bench": "hostile",
        "cores": len(os.sched_getaffinity(0)),
        "seconds": seconds,
        # a busy machine holds up the meeting without any storm
        "quiet": all(result.waited < _NOISE for result in results),
        "storms": [asdict(result) | {"met": result.met} for result in results],
        "failed": failed,
        "reflection": factor,
        "goal": {"message_ms": MESSAGE_MS, "audio_lost": 0, "open_s": OPEN_S, "reflection": REFLECTION},
        "met": not failed and all(result.met for result in results) and (factor or 0.0) <= REFLECTION,
    }


async def run(json_output: bool, names: Sequence[str] = (), seconds: float = SECONDS) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if a measurement failed."""
    plan = [(name, clients) for name, clients in PLAN if not names or name in names]
    whole = _WHOLE_TIME + 3 * seconds * len(plan)
    failed: list[str] = []

    async def measuring() -> dict[str, Any]:
        measured = await measure(plan, seconds)
        failed.extend(measured["failed"])
        return measured

    status = await reported(measuring(), whole, json_output, _show, HostileError, LightError, ExceptionGroup)
    for why in failed:
        print(f"not measured: {why}", file=sys.stderr)
    return 1 if failed else status


def _show(measured: dict[str, Any]) -> None:
    title = f"An honest meeting during storms of {measured['seconds']:.0f} s, on {measured['cores']} cores"
    columns = (
        "storm",
        "from",
        "message p95",
        "audio lost",
        "a room within",
        "memory",
        "counted",
        "tried",
        "server",
        "waited",
        "met",
    )
    table = Table(*columns, title=title)
    for column in table.columns[2:]:
        column.justify = "right"
    for storm in measured["storms"]:
        table.add_row(
            storm["name"],
            f"{storm['clients']} IPv4" if storm["clients"] else "a /48",
            f"{storm['message_ms']:.0f} ms",
            f"{storm['audio_lost']} of {storm['audio']}",
            f"{storm['open_s']:.2f} s",
            f"{storm['memory'] / 2**20:.0f} MB",
            f"{storm['counted'] / 2**20:.0f} MB",
            f"{storm['storm'].get('tried', 0):,}",
            f"{storm['server']:.0%}",
            f"{storm['waited']:.0%}",
            "yes" if storm["met"] else "NO",
        )
    console = Console()
    console.print(table)
    console.print(
        "calm: without a storm; memory: of all processes; counted: against memory_bytes; server: CPU time; "
        "waited: it wanted a core, and others had it"
    )
    if not measured["quiet"]:
        console.print("this machine was not quiet: the server waited for a core, so delays are no verdict")
    if measured["reflection"] is not None:
        console.print(
            f"an address that never answered got {measured['reflection']:.1f} bytes for each byte from it "
            f"(goal: at most {REFLECTION:.0f})"
        )
    console.print(
        f"goals: messages within {MESSAGE_MS:.0f} ms (95 of 100), no audio lost, a room within "
        f"{OPEN_S:.0f} s: {'met' if measured['met'] else 'NOT met'}"
    )
