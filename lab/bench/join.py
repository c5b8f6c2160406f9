"""`snug bench join`: the time from the knock to the first opened frame, and its parts.

One server in a separate process, one host with a test card, and guests who join one after the other. Other
members are there already, without media, in another process. The transport's part is also measured with light
members (`lab.bench.arrive`), in a room full of media.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.client.connection import Connection, SessionCrypto
from snugroom.client.media.engine import MediaEngine, StreamStats
from snugroom.client.media.sources import TestCard
from snugroom.client.media.transport import MediaTransport
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.kernel.batches import ADDS_EVERY
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.lab.bench import arrive
from snugroom.lab.bench.crowd import CrowdProcess
from snugroom.lab.bench.distance import Distance
from snugroom.lab.bench.house import BenchServer
from snugroom.lab.bench.light import LightError
from snugroom.lab.bench.reporting import reported
from snugroom.lab.process import ServerError
from snugroom.wire.messages import Entered, ServerMessage, Transport

GUESTS: Final = 10
#: Members before the guest, including the host.
ROOMS: Final = (1, 10, 25, 100)
_WHOLE_TIME: Final = 58.0
#: Seconds for filling a room: all members present check each commit.
_FILL_TIME: Final = 150.0
_ONE_TIME: Final = 15.0

#: Parts between the knock and the first frame, in order: (mark at the end of the part, description).
PARTS: Final = (
    ("committed", "the host reads the knock, commits, and the server takes the commit"),
    ("joined", "the host's answer comes, and the guest joins by its Welcome"),
    ("entered", "the guest connects to the room, and proves its key"),
    ("transport", "ICE and DTLS with the server"),
    ("first", "senders turn to the new keys, and a frame opens"),
)


_TRANSPORT: Final = "From asking for media to the first packet, in ms (medians), by the members there"
_KNOCK: Final = "From the knock to the first opened frame, in ms (medians), by the members there"
_TOTALS: Final = (
    ("knock_to_first_frame_ms", "all of it"),
    ("least_ms", "the fastest guest"),
    ("most_ms", "the slowest guest"),
    ("first_sound_ms", "first sound"),
    ("first_picture_ms", "first picture"),
)


class Marks:
    """The moments of one guest, each noted once, in seconds of the given clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.at: dict[str, float] = {}

    def note(self, name: str) -> None:
        """Note that `name` happens now, unless it is noted already."""
        self.at.setdefault(name, self._clock())

    @property
    def complete(self) -> bool:
        """Whether audio and video have both come, and all parts are noted."""
        return {"knock", "audio", "video", *(mark for mark, _ in PARTS)} <= self.at.keys()

    def since_knock(self, name: str) -> float:
        """Return the seconds from the knock to `name`."""
        return self.at[name] - self.at["knock"]


class _Link(MediaTransport):
    """The real transport, perhaps to a server at a distance. With `marks` it notes when it is ready."""

    def __init__(self, distance: Distance | None, marks: Marks | None = None) -> None:
        super().__init__()
        self._distance = distance
        self._marks = marks

    async def connect(self, transport: Transport, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - the protocol's
        if self._distance is not None:
            transport = await self._distance.transport(transport)
        await super().connect(transport, timeout)
        if self._marks is not None:
            self._marks.note("transport")


class _Party:
    """The room on the server, with its host."""

    def __init__(self, url: str, distance: Distance | None) -> None:
        self.link: str | None = None
        self._distance = distance
        self.names: set[str] = set()
        self.marks: dict[str, Marks] = {}
        self.host = Connection(
            Session.host(origin=canonical_origin(url), name="Host", admission="all", now=time.time()),
            make_engine=self._engine,
            on_event=self._event,
        )

    def _engine(self, session: Session, crypto: SessionCrypto) -> MediaEngine:
        card = TestCard("Host", session.own_leaf or 0)
        return MediaEngine(crypto=crypto, source=card, link=partial(_Link, self._distance))

    def _event(self, event: ev.Event) -> None:
        match event:
            case ev.InviteMade(link, _):
                self.link = link
            case ev.Roster():
                self.names = {member.name for member in event.members}
                for member in event.added:
                    if member.name in self.marks:
                        self.marks[member.name].note("committed")

    async def guest(self, name: str, link: str) -> Marks:
        """Let a guest join, receive audio and video, and leave; return its marks."""
        marks = self.marks[name] = Marks(time.perf_counter)
        connection = _guest(link, name, marks, self._distance)
        running = asyncio.get_running_loop().create_task(connection.run())
        try:
            await _until(lambda: marks.complete or running.done())
            if running.done():
                raise ServerError(f"A guest could not come in: {connection.session.ended}")
            connection.feed(ev.Leave())
            await running
            await _until(lambda: name not in self.names)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return marks


def _guest(link: str, name: str, marks: Marks, distance: Distance | None) -> Connection:
    def event(what: ev.Event) -> None:
        if isinstance(what, ev.Status) and what.kind == "knocking":
            marks.note("knock")

    def message(endpoint: ev.Endpoint, what: ServerMessage) -> None:
        if endpoint == ev.ROOM and isinstance(what, Entered):
            marks.note("entered")

    def opened(stats: StreamStats) -> None:
        marks.note("transport")  # a frame may open before the task that waits for the transport goes on
        marks.note("first")
        marks.note(stats.kind)

    def engine(session: Session, crypto: SessionCrypto) -> MediaEngine:
        marks.note("joined")
        return MediaEngine(
            crypto=crypto,
            source=TestCard(name, session.own_leaf or 0),
            link=partial(_Link, distance, marks),
            on_opened=opened,
        )

    return Connection(
        Session.join(link, name=name, now=time.time()),
        make_engine=engine,
        on_event=event,
        on_message=message,
    )


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_ONE_TIME):
        while not condition():  # noqa: ASYNC110 - the condition covers several objects
            await asyncio.sleep(0.01)


@asynccontextmanager
async def party(url: str, distance: Distance | None = None) -> AsyncIterator[tuple[_Party, str]]:
    """A meeting with its host, and the link to it. The meeting is over on exit. TimeoutError.

    `url`: of the server, or where it is at that distance.
    """
    host = _Party(url, distance)
    hosting = asyncio.get_running_loop().create_task(host.host.run())
    try:
        await _until(lambda: host.host.engine is not None and host.host.engine.connected)
        assert host.link is not None
        yield host, host.link
    finally:
        with contextlib.suppress(ValueError):
            host.host.feed(ev.Leave())
        hosting.cancel()
        await asyncio.gather(hosting, return_exceptions=True)


async def measure(guests: int, members: int = 1, round_trip: float = 0.0) -> tuple[int, list[Marks]]:
    """Return the number of members present, and the marks of `guests` guests. ServerError, TimeoutError.

    The guests come one after the other, so slowly that none of them waits for a batch of newcomers. For them,
    and for the host, the server is `round_trip` seconds away.
    """
    settings: dict[str, object] = {"max_members": members + 1}
    names = [f"Guest {number}" for number in range(1, guests + 1)]
    async with contextlib.AsyncExitStack() as stack:
        distance = await stack.enter_async_context(Distance(round_trip)) if round_trip else None
        if distance is not None:
            settings["origin"] = json.dumps(distance.url)
        server = await stack.enter_async_context(BenchServer(settings=settings))
        url = server.url
        if distance is not None:
            distance.lead_to(url)
            url = distance.url
        host, link = await stack.enter_async_context(party(url, distance))
        crowd = await stack.enter_async_context(CrowdProcess(link, members - 1, _FILL_TIME))
        measured: list[Marks] = []
        for name in names:
            measured.append(await host.guest(name, link))
            await asyncio.sleep(ADDS_EVERY)
        return 1 + crowd.inside, measured


def summary(guests: list[Marks], members: int = 1) -> dict[str, Any]:
    """Return medians in milliseconds; `share` is of the whole (the median of each guest's own shares)."""

    def median(values: list[float]) -> float:
        return round(statistics.median(values) * 1_000, 2)

    parts = []
    for (mark, what), before in zip(PARTS, ["knock", *(mark for mark, _ in PARTS)], strict=False):
        spans = [g.at[mark] - g.at[before] for g in guests]
        shares = [span / g.since_knock("first") for span, g in zip(spans, guests, strict=True)]
        parts.append(
            {"part": mark, "what": what, "ms": median(spans), "share": round(statistics.median(shares), 3)}
        )
    whole = [g.since_knock("first") for g in guests]
    return {
        "bench": "join",
        "members": members,
        "guests": len(guests),
        "knock_to_first_frame_ms": median(whole),
        "least_ms": round(min(whole) * 1_000, 2),
        "most_ms": round(max(whole) * 1_000, 2),
        "first_sound_ms": median([g.since_knock("audio") for g in guests]),
        "first_picture_ms": median([g.since_knock("video") for g in guests]),
        "parts": parts,
    }


async def run(
    json_output: bool, guests: int = GUESTS, rooms: Sequence[int] = ROOMS, round_trip: float = 0.0
) -> int:
    """Measure, and print tables or one JSON object. Exit status: 0, or 1 if the measurement failed.

    `round_trip`: seconds to the server and back, from the knock to the first frame.
    """

    async def whole() -> dict[str, Any]:
        transport = await arrive.measure(rooms, 2 * guests)
        measured = [await measure(guests, members, round_trip) for members in rooms]
        knocks = [summary(marks, there) for there, marks in measured]
        return knocks[0] | {
            "round_trip_ms": round_trip * 1_000,
            "rooms": knocks,
            "transport": transport,
            "goal": {"transport_ms": arrive.GOAL_MS},
            "met": all(room["met"] for room in transport),
        }

    seconds = sum(_WHOLE_TIME + _FILL_TIME * (members > 1) for members in rooms)
    return await reported(whole(), seconds, json_output, _show, LightError, ExceptionGroup)


def _show(measured: dict[str, Any]) -> None:
    console = Console()
    table = Table("members", "all", *(f"until {name}" for name, _ in arrive.PARTS), title=_TRANSPORT)
    for column in table.columns:
        column.justify = "right"
    for room in measured["transport"]:
        parts = room["parts"].values()
        table.add_row(str(room["members"]), f"{room['ms']:.1f}", *(f"{ms:.1f}" for ms in parts))
    console.print(table)
    for name, what in arrive.PARTS:
        console.print(f"  {name}: {what}")
    verdict = "met" if measured["met"] else "NOT met"
    console.print(f"goal, in each room: below {arrive.GOAL_MS:.0f} ms: {verdict}")
    table = Table("until", "what", *(str(room["members"]) for room in measured["rooms"]), title=_KNOCK)
    for column in table.columns[2:]:
        column.justify = "right"
    for mark, what in PARTS:
        parts = [next(p for p in room["parts"] if p["part"] == mark) for room in measured["rooms"]]
        table.add_row(mark, what, *(f"{part['ms']:.0f}" for part in parts))
    for name, what in _TOTALS:
        table.add_row("", what, *(f"{room[name]:.0f}" for room in measured["rooms"]))
    console.print(table)
    console.print(f"medians of {measured['guests']} guests; members of the full rooms are here without media")
    if far := measured["round_trip_ms"]:
        console.print(f"from the knock on, host and guests have a round trip of {far:.0f} ms to the server")
