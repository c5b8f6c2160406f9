"""`snug bench crowd`: many guests at once: how soon they are in, and the CPU time of all members.

All are real members without media: the host in this process, all guests in another one, the server in a
third. More than a hundred have slow clocks (`SlowClocks`), and then all seconds are those of their clocks.
In the first meeting guests knock within ten seconds, and the host admits all. In the full room each member's
idle CPU time is measured, and what one more guest costs all of them: the mean of a few. In the second
meeting all guests wait until the host admits all of them at once, or as many as can wait on one link.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from rich.console import Console
from rich.table import Table

from snugroom.client.connection import Connection, SessionCrypto
from snugroom.client.media.engine import MediaEngine
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby import KNOCKS_EACH
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.lab.bench.guests import GuestsProcess, SlowClocks
from snugroom.lab.bench.house import BenchServer
from snugroom.lab.bench.reporting import reported
from snugroom.lab.crowd.card import EncodedCard
from snugroom.lab.crowd.member import sending
from snugroom.lab.process import ServerError

Admission = Literal["ask", "all"]

GUESTS: Final = 100
#: Seconds in which all knock.
SPAN: Final = 10.0
#: Goals, for a hundred guests: seconds after the last knock, or after "admit all"; CPU seconds of all members
#: for all entrances, and for one; ms of CPU time a second of an idle member.
GOALS: Final = {
    "after_last_knock_s": 2.0,
    "entrances_cpu_s": 25.0,
    "after_admit_all_s": 2.0,
    "one_entrance_cpu_s": 1.0,
    "idle_ms_per_s": 8.0,
}
#: Seconds for all to come in, and in which what a change causes has happened.
_LIMIT: Final = 180.0
_SETTLE: Final = 3.0
#: More guests, one after the other: what a single one costs varies fivefold with what members do just then.
_LATE: Final = 4
#: Joins keep members busy after them: those are idle when they use less than this part of a core for so long.
_CALM: Final = 0.85
_CALM_TIME: Final = 2.0
IDLE: Final = 20.0
_WHOLE_TIME: Final = 900.0

_ROWS: Final = (
    ("after_last_knock_s", "all are in after the last knock", "s"),
    ("entrances_cpu_s", "CPU time of all members until then", "s"),
    ("after_admit_all_s", 'all who wait are in after "admit all"', "s"),
    ("one_entrance_cpu_s", "CPU time of all members for one more guest", "s"),
    ("idle_ms_per_s", "CPU time of an idle member a second", "ms"),
    ("server_cpu_s", "CPU time of the server until all are in", "s"),
)


class Host:
    """The host, in this process. `knocks`: those that it was asked about. `card`: what it sends, or None."""

    def __init__(
        self,
        url: str,
        admission: Admission,
        card: EncodedCard | None = None,
        clocks: SlowClocks | None = None,
    ) -> None:
        self.link: str | None = None
        self.knocks = 0
        self._changed = asyncio.Event()
        clocks = clocks or SlowClocks()
        clock = clocks.clock()
        session = Session.host(origin=canonical_origin(url), name="Host", admission=admission, now=clock())
        self.connection = Connection(
            session, make_engine=self._engine, on_event=self._event, clock=clock, tick=clocks.tick
        )
        self._card = card

    def _event(self, event: ev.Event) -> None:
        if isinstance(event, ev.InviteMade):
            self.link = event.link
        elif isinstance(event, ev.Knocked):
            self.knocks += 1
        self._changed.set()

    def _engine(self, _: Session, crypto: SessionCrypto) -> MediaEngine | None:
        if self._card is None:
            return None
        asyncio.get_running_loop().call_soon(self.connection.feed, ev.SetState(True, True))
        return sending(self._card, self.connection, crypto, lambda _: None)

    async def until(self, condition: Callable[[], bool], seconds: float = _LIMIT) -> None:
        """Wait for events that make it true. TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def hosted(
    guests: int, admission: Admission, card: EncodedCard | None = None, clocks: SlowClocks | None = None
) -> AsyncIterator[tuple[BenchServer, Host, str]]:
    """A server with a meeting: the server, the host, and the link. TimeoutError, ServerError."""
    members, connections = guests + 1 + _LATE, 4 * guests + 16
    settings: dict[str, object] = {"max_members": members, "connections_per_client": connections}
    async with BenchServer(settings=settings) as server:
        await server.settle()
        host = Host(server.url, admission, card, clocks)
        running = asyncio.get_running_loop().create_task(host.connection.run())
        try:
            await host.until(lambda: host.link is not None)
            assert host.link is not None
            yield server, host, host.link
        finally:
            with contextlib.suppress(ValueError):
                host.connection.feed(ev.Leave())
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _paced(guests: int, span: float, idle: float, clocks: SlowClocks) -> dict[str, float]:
    """Measure guests that knock within `span` seconds, and are admitted at once; then the full room."""
    slow, limit = clocks.slowness, clocks.slowness * _LIMIT
    async with (
        hosted(guests, "all", clocks=clocks) as (server, _, link),
        GuestsProcess(link, "Guest", guests, slow * span, limit, clocks) as them,
        GuestsProcess(link, "Late", _LATE, slow * _SETTLE * (_LATE - 1), limit, clocks) as late,
    ):

        def cpu() -> float:
            return them.cpu + time.process_time()

        began, served = cpu(), server.cpu
        them.start()
        _, last_knock = await them.knocked()
        inside, last = await them.inside()
        entrances, served = cpu() - began, server.cpu - served
        await _calm(them, limit)
        before, since = them.cpu, time.monotonic()
        await asyncio.sleep(slow * idle)
        rate = (them.cpu - before) / (time.monotonic() - since)
        began, since, starting = cpu(), time.monotonic(), late.cpu
        late.start()
        await late.knocked()
        joined, _ = await late.inside()
        await asyncio.sleep(slow * _SETTLE)
        added = cpu() - began - rate * (time.monotonic() - since) + late.cpu - starting
        if joined < _LATE:
            raise ServerError(f"{joined} of {_LATE} more guests were let in; {inside} of {guests} before.")
        return {
            "admitted": inside,
            "after_last_knock_s": (last - last_knock) / slow,
            "entrances_cpu_s": entrances,
            "server_cpu_s": served,
            "one_entrance_cpu_s": added / _LATE,
            "idle_ms_per_s": 1_000 * slow * rate / guests,
        }


async def _calm(them: GuestsProcess, seconds: float) -> None:
    """Wait until the guests have done what the joins left to do. TimeoutError."""
    async with asyncio.timeout(seconds):
        used = math.inf
        while used > _CALM * _CALM_TIME:
            before = them.cpu
            await asyncio.sleep(_CALM_TIME)
            used = them.cpu - before


async def _waiting(guests: int, span: float, clocks: SlowClocks) -> dict[str, float]:
    """Measure guests that wait until the host admits all."""
    limit = clocks.slowness * _LIMIT
    async with (
        hosted(guests, "ask", clocks=clocks) as (_, host, link),
        GuestsProcess(link, "Guest", guests, clocks.slowness * span, limit, clocks) as them,
    ):
        them.start()
        await them.knocked()
        await host.until(lambda: host.knocks >= guests, limit)
        began = time.monotonic()
        host.connection.feed(ev.AdmitAll())
        inside, last = await them.inside()
        return {"admitted_together": inside, "after_admit_all_s": (last - began) / clocks.slowness}


async def measure(guests: int = GUESTS, span: float = SPAN, idle: float = IDLE) -> dict[str, Any]:
    """Measure both meetings. ServerError, TimeoutError, OSError."""
    slowness = slowness_of(guests)
    paced = await _paced(guests, span, idle, SlowClocks(slowness))
    waiting = await _waiting(min(guests, KNOCKS_EACH), span, SlowClocks(slowness))
    return summary(guests, span, {**paced, **waiting})


def slowness_of(guests: int) -> float:
    """Return how much slower the clocks of that many members go: a core is enough for all members of 100."""
    return float(max(1, math.ceil((guests / GUESTS) ** 3)))


def summary(guests: int, span: float, measured: dict[str, float]) -> dict[str, Any]:
    """Return the output. The goals are for a hundred guests; they are met only if all are in."""
    waited = min(guests, KNOCKS_EACH)
    all_in = measured["admitted"] == guests and measured["admitted_together"] == waited
    return {
        "bench": "crowd",
        "guests": guests,
        "span_s": span,
        "waited": waited,
        "slowness": slowness_of(guests),
        **{name: round(value, 3) for name, value in measured.items()},
        "goal": GOALS,
        "met": all_in and all(measured[name] <= goal for name, goal in GOALS.items()),
    }


async def run(json_output: bool, guests: int = GUESTS, span: float = SPAN, idle: float = IDLE) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    seconds = slowness_of(guests) * _WHOLE_TIME
    return await reported(measure(guests, span, idle), seconds, json_output, _show)


def _show(measured: dict[str, Any]) -> None:
    guests = measured["guests"]
    table = Table(
        "",
        "measured",
        "goal (100 guests)",
        title=f"{guests} guests, who knock within {measured['span_s']:.0f} s",
    )
    table.columns[1].justify = table.columns[2].justify = "right"
    for name, what, unit in _ROWS:
        goal = f"{GOALS[name]:g} {unit}" if name in GOALS else ""
        table.add_row(what, f"{measured[name]:.2f} {unit}", goal)
    console = Console()
    console.print(table)
    console.print(
        f"admitted: {measured['admitted']:.0f} of {guests} one after the other, "
        f"{measured['admitted_together']:.0f} of {measured['waited']} together"
    )
    if measured["slowness"] > 1:
        console.print(f"The members' clocks went {measured['slowness']:.0f} times slower: all share a core.")
    console.print(f"goals: {'met' if measured['met'] else 'NOT met'}")
