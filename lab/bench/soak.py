"""`snug bench soak --minutes 30`: continuous joins and leaves, to find anything in the server that grows.

Rooms of light members have a publisher each. Packets get lost and are requested again. Every fraction of a
second a member leaves and another joins, ICE restarts, a member subscribes to other streams, or a key frame
is requested; from time to time a room ends and another begins. Beside them, a real meeting goes on with a
host and guests that open frames. Memory, open files, threads and the sizes of all server tables are sampled.
At the end everybody leaves, and the tables must be as empty as before.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.lab.bench import join
from snugroom.lab.bench.flow import Audio, Video
from snugroom.lab.bench.growth import trend
from snugroom.lab.bench.house import BenchServer, table
from snugroom.lab.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering
from snugroom.lab.bench.reporting import reported
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream

MINUTES: Final = 30.0
_ROOMS: Final = 4
_MEMBERS: Final = 8
_PACE: Final = 0.01
_RATE: Final = 60.0
_LOSS: Final = 0.02
#: Seconds between two acts, between two guests of the real meeting, and between two samples at most.
_ACT: Final = 0.1
_GUEST: Final = 5.0
_SAMPLE: Final = 10.0
_SAMPLES: Final = 60
#: Warm-up: share of the time, and maximum in seconds. Members join and leave as fast as possible before the
#: first sample, because Python's own memory grows for the first few thousand of them and then stops.
_WARM_SHARE: Final = 0.1
_WARM: Final = 60.0
_WARM_AT_ONCE: Final = 8
#: Seconds until an empty room is forgotten, and seconds allowed for the end.
_LINGER: Final = 1
_END: Final = 30.0
#: Growth in the second half that is allowed: a share of the mean, and an absolute minimum. Tables depend on
#: the members present, and a room keeps 64 commits. A leak of one entry per leave soon has hundreds.
_SHARE: Final = 0.05
_SHARE_OF_TABLES: Final = 0.5
_SLACK: Final = 3_000_000.0
_SLACK_OF_COUNTS: Final = 80.0
_MEMORY: Final = ("resident", "own")
#: Small rings are full after a minute, so that filling them is not taken for a leak.
_SETTINGS: Final[dict[str, object]] = {
    "room_linger": _LINGER,
    "ring_relays": 16,
    "media_changes_per_second": 50,
    "media_change_burst": 1000,
}
_MEDIA: Final[dict[str, object]] = {"retired_ssrcs": 8}
#: Sizes that count events since the start, and therefore grow. So do the ended streams that a room remembers,
#: up to 65,536: none may be left when the room has ended.
_EVENTS: Final = (
    "uptime",
    "refusals.",
    "media.",
    "rooms.slot",
    "rooms.relays.relay",
    "rooms.commits.slot",
    "rooms.seats.pass_slot",
    "rooms.seats.won",
    "rooms.seats.lost",
    "sealed_media.ended_streams",
)
_TABLES: Final = ("media.peers", "media.peers_ready")
#: Entries that must be gone when everybody has left.
_GONE: Final = (
    "connections",
    "rooms",
    "lobbies",
    "blobs",
    "media.peers",
    "srtp_sessions",
    "sealed_media.packets",
    "sealed_media.ended_streams",
    "files",
)
_ASKED: Final = 0.5
_SPARE: Final = 60.0


class _Room:
    """A room of light members with a publisher, and the acts on it."""

    def __init__(self, soak: Soak) -> None:
        self._soak = soak
        self._keys = LightRoom()
        self._publisher: LightPeer | None = None
        self._sources: list[Audio | Video] = []
        self._members: deque[LightPeer] = deque()

    @property
    def _ssrcs(self) -> list[int]:
        return [source.ssrc for source in self._sources]

    async def begin(self) -> None:
        await self._publish()
        for _ in range(_MEMBERS):
            await self._come()

    async def end(self) -> None:
        for peer in [*self._members, *filter(None, [self._publisher])]:
            await peer.leave()
        self._members.clear()
        self._publisher = None

    async def _publish(self) -> None:
        now, rng = self._soak.crowd.now, self._soak.rng
        sound, picture, layer, again, other = (rng.randrange(1, 1 << 32) for _ in range(5))
        streams = [
            Stream(sound, "audio"),
            Stream(picture, "video", layers=[layer], rtx=[again, other])
            if rng.random() < 0.5
            else Stream(picture, "video"),
        ]
        numbers = iter(range(1 << 62))
        video = Video(picture, _RATE, now, lambda: next(numbers) & 0xFFFF)
        peer = LightPeer(self._soak.crowd, self._keys, streams)
        peer.on_rtcp = lambda _packet: video.key_frame()
        await peer.enter()
        await peer.connect()
        self._publisher, self._sources = peer, [Audio(sound, now), video]

    async def _come(self) -> None:
        soak = self._soak
        modern = soak.rng.random() < 0.5
        peer = LightPeer(soak.crowd, self._keys, feedback=modern, rtx=modern)

        def lost(data: bytes) -> bool:
            if rtcp.is_rtcp(data) or soak.rng.random() >= _LOSS:
                return False
            ssrc, number = int.from_bytes(data[8:12], "big"), int.from_bytes(data[2:4], "big")
            soak.done["lost"] += 1
            peer.send_rtcp(rtcp.nack(1, ssrc, [number]))
            return True

        def got(_packet: bytes) -> None:
            soak.done["packets"] += 1

        peer.drop, peer.on_rtp = lost, got
        await peer.enter()
        await peer.connect()
        self._members.append(peer)

    def send(self, now: float) -> None:
        if self._publisher is not None:
            for source in self._sources:
                for packet in source.due(now):
                    self._publisher.send_rtp(packet)

    async def act(self) -> None:
        """Do one random act."""
        rng = self._soak.rng
        what = rng.choices(
            ("replaced", "restarted", "wanted", "asked", "republished", "ended"), (40, 15, 15, 15, 10, 5)
        )[0]
        self._soak.done[what] += 1
        somebody = rng.choice(self._members)
        if what == "replaced":
            await self._members.popleft().leave()
            await self._come()
        elif what == "restarted":
            await somebody.restart()
        elif what == "wanted":
            await somebody.subscribe(rng.choice([None, [], self._ssrcs[:1], self._ssrcs]))
        elif what == "asked":
            somebody.send_rtcp(rtcp.key_frame_request(1, self._ssrcs[1]))
        elif what == "republished":
            assert self._publisher is not None
            await self._publisher.leave()
            await self._publish()
        else:
            await self.end()
            self._keys = LightRoom()
            await self.begin()


@dataclass(slots=True)
class Soak:
    """The whole run. `samples`: (seconds, sizes by name). `done`: counts of events."""

    server: BenchServer
    crowd: Crowd
    rng: random.Random
    samples: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    #: Set to stop new acts.
    over: bool = False

    async def warm(self, seconds: float) -> None:
        """Let members join and leave at once, for `seconds`. LightError."""

        async def come_and_go() -> None:
            while self.crowd.now < end:
                peer = LightPeer(self.crowd, room, feedback=True, rtx=True)
                await peer.enter()
                await peer.connect()
                await peer.leave()
                self.done["before"] += 1

        room = LightRoom()
        end = self.crowd.now + seconds
        await asyncio.gather(*(come_and_go() for _ in range(_WARM_AT_ONCE)))

    async def run(self, seconds: float, *, meeting: bool) -> None:
        """Run for `seconds`, with a real meeting if `meeting`. LightError, ServerError, TimeoutError."""
        rooms = [_Room(self) for _ in range(_ROOMS)]
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            for room in rooms:
                await room.begin()
            acting = [loop.create_task(self._act(room)) for room in rooms]
            others = [self._flow(rooms), self._sample(seconds), *([self._meet()] if meeting else [])]
            running = [*acting, *(loop.create_task(other) for other in others)]
            stack.push_async_callback(_stop, running)
            await _watch(running, seconds)
            # acts in progress are completed, so that no member is left between two rooms
            self.over = True
            async with asyncio.timeout(_END):
                await asyncio.gather(*acting)
        for room in rooms:
            await room.end()

    async def sizes(self) -> dict[str, int]:
        """Return all sizes of the server, by name."""
        taken = self.server.footprint
        told = table(await self.server.disclosure())
        return told | {
            "resident": taken.resident,
            "own": taken.own,
            "files": taken.files,
            "threads": taken.threads,
        }

    async def _sample(self, seconds: float) -> None:
        while True:
            self.samples.append((self.crowd.now, await self.sizes()))
            await asyncio.sleep(min(_SAMPLE, seconds / _SAMPLES))

    async def _flow(self, rooms: list[_Room]) -> None:
        while True:
            for room in rooms:
                room.send(self.crowd.now)
            await asyncio.sleep(_PACE)

    async def _act(self, room: _Room) -> None:
        while not self.over:
            await room.act()
            await asyncio.sleep(_ACT * _ROOMS * (0.5 + self.rng.random()))

    async def _meet(self) -> None:
        """Hold a real meeting with a host. Guests join, open audio and video, and leave."""
        async with join.party(self.server.url) as (party, link):
            while True:
                self.done["guests"] += 1
                try:
                    await party.guest(f"Guest {self.done['guests']}", link)
                except TimeoutError:
                    # this process does the work of all members, so it may be late itself
                    self.done["guests late"] += 1
                    if self.done["guests late"] > max(2, self.done["guests"] // 10):
                        raise LightError("Guests of the meeting got no frame in time.") from None
                await asyncio.sleep(_GUEST)


async def _watch(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Let the tasks run for `seconds`. The error of a failed task is raised."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def measure(
    minutes: float = MINUTES, *, meeting: bool = True, seed: int | None = None
) -> dict[str, Any]:
    """Run for `minutes`. LightError, ServerError, TimeoutError."""
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    async with BenchServer(_MEDIA, _SETTINGS) as server, gathering(server.url) as crowd:
        await server.settle()
        soak = Soak(server, crowd, random.Random(seed))  # noqa: S311 - so that a run can be repeated
        before = await soak.sizes()
        warm = min(_WARM, _WARM_SHARE * minutes * 60)
        await soak.warm(warm)
        await soak.run(minutes * 60 - warm, meeting=meeting)
        left = await emptied(soak.sizes, before, _END)
        errors = (await server.counts()).get("errors", 0)
    if not soak.done["packets"]:
        raise LightError("Nobody got a packet.")
    return summary(minutes, seed, soak.samples, soak.done, left) | {"server_errors": errors}


async def emptied(
    sizes: Callable[[], Awaitable[dict[str, int]]], before: dict[str, int], patience: float
) -> dict[str, int]:
    """Wait until all sizes in `_GONE` are at most as `before`; return the others after `patience` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        after = await sizes()
        left = {name: after[name] for name in _GONE if after.get(name, 0) > before.get(name, 0)}
        if not left or loop.time() >= deadline:
            return left
        await asyncio.sleep(_ASKED)


def summary(
    minutes: float,
    seed: int,
    samples: list[tuple[float, dict[str, int]]],
    done: Counter[str],
    left: dict[str, int],
) -> dict[str, Any]:
    """Return the output. ValueError if there are too few samples."""
    times = [at for at, _ in samples]
    trends: dict[str, Any] = {}
    names = {name for _, sizes in samples for name in sizes}
    for name in sorted(name for name in names if name in _TABLES or not name.startswith(_EVENTS)):
        values = [float(sizes.get(name, 0)) for _, sizes in samples]
        share = _SHARE if name in _MEMORY else _SHARE_OF_TABLES
        slack = _SLACK if name in _MEMORY or name.endswith("bytes") else _SLACK_OF_COUNTS
        found = trend(times, values, share, slack)
        trends[name] = {
            "first": values[0],
            "mean": round(found.mean, 1),
            "grew": round(found.grew, 1),
            "grows": found.grows,
        }
    grows = [name for name, found in trends.items() if found["grows"]]
    return {
        "bench": "soak",
        "minutes": minutes,
        "seed": seed,
        "samples": len(samples),
        "done": dict(sorted(done.items())),
        "trends": trends,
        "memory": [[round(at - times[0], 1), sizes.get("own", 0)] for at, sizes in samples],
        "grows": grows,
        "left": left,
        "met": not grows and not left,
    }


async def run(json_output: bool, minutes: float = MINUTES, *, meeting: bool = True) -> int:
    """Measure, and print a table or one JSON object.

    Exit status: 0, or 1 if the measurement failed, or something grows or is left.
    """
    verdict: list[bool] = []

    async def whole() -> dict[str, Any]:
        measured = await measure(minutes, meeting=meeting)
        verdict.append(measured["met"])
        return measured

    seconds = minutes * 60 + _END + _SPARE
    status = await reported(whole(), seconds, json_output, _show, LightError, ValueError, ExceptionGroup)
    return status or int(verdict != [True])


def _show(measured: dict[str, Any]) -> None:
    shown = Table("of the server", "at first", "mean", "grew by", "", title="In the second half of the time")
    for column in shown.columns[1:4]:
        column.justify = "right"
    for name, found in measured["trends"].items():
        if found["mean"] or found["grows"]:
            numbers = (f"{found[of]:,.0f}" for of in ("first", "mean", "grew"))
            shown.add_row(name, *numbers, "GROWS" if found["grows"] else "")
    console = Console()
    console.print(shown)
    done = ", ".join(f"{number:,} {what}" for what, number in measured["done"].items())
    console.print(f"{measured['minutes']:g} minutes, seed {measured['seed']}: {done}")
    if measured["left"]:
        console.print(f"left when everybody had gone: {measured['left']}")
    if measured.get("server_errors"):
        console.print(f"errors that the server caught: {measured['server_errors']}")
    console.print("nothing grows" if measured["met"] else "something GROWS, or was left")
