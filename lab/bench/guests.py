"""Guests of `snug bench crowd`, all in one process: members without media, which knock one after the other.

    python -m snugroom.lab.bench.guests LINK NAME COUNT SPAN LIMIT SLOWNESS SINCE

Prints JSON lines: `ready`; after a line of input COUNT guests (NAME 1, NAME 2, ...) knock, evenly over SPAN
seconds; `knocked` when all of them have, and `inside` when all are in, or those that are after LIMIT more
seconds. Each has the number of guests, and `at`, the moment of the last one on the machine's monotonic clock.
All leave when input ends. SPAN and LIMIT are seconds of the machine, SLOWNESS and SINCE those of
`SlowClocks`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from snugroom.client.connection import TICK, Clock, Connection
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.lab import machine
from snugroom.lab.bench.crowd import START, MembersProcess

_OUT: Final = 20.0


@dataclass(frozen=True)
class SlowClocks:
    """How the members' clocks go: a second takes `slowness` seconds of the machine, from `since` (Unix) on.

    Hundreds of members share a core here, and real ones do not. Slow clocks give each the time that it would
    have on a machine of its own.
    """

    slowness: float = 1.0
    since: float = field(default_factory=time.time)

    def clock(self) -> Clock:
        """Return a member's clock."""
        return Clock(self._now, self._now)

    @property
    def tick(self) -> float:
        """Seconds of the machine between two ticks of a session."""
        return self.slowness * TICK

    def _now(self) -> float:
        return self.since + (time.time() - self.since) / self.slowness


class _Guest:
    """One guest, the moments at which it knocked and came in (None: not yet), and whether it has ended."""

    def __init__(self, link: str, name: str, changed: asyncio.Event, clocks: SlowClocks) -> None:
        self.knocked: float | None = None
        self.inside: float | None = None
        self.ended = False
        self._changed = changed
        clock = clocks.clock()
        self.connection = Connection(
            Session.join(link, name=name, now=clock()),
            make_engine=lambda *_: None,
            on_event=self._event,
            clock=clock,
            tick=clocks.tick,
        )

    def _event(self, event: ev.Event) -> None:
        if isinstance(event, ev.Status) and event.kind == "knocking" and self.knocked is None:
            self.knocked = time.monotonic()
            self._changed.set()
        elif isinstance(event, ev.Roster) and self.inside is None:
            self.inside = time.monotonic()
            self._changed.set()
        elif isinstance(event, ev.Ended):
            self.ended = True
            self._changed.set()
            if self.inside is None:
                print(f"A guest was not let in: {event.text}", file=sys.stderr, flush=True)


async def run(link: str, name: str, count: int, span: float, limit: float, clocks: SlowClocks) -> int:
    """Knock, report, wait, and leave; return the exit status, 0."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    print(json.dumps({"event": "ready"}), flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    guests: list[_Guest] = []
    running: list[asyncio.Task[ev.Ended | None]] = []
    began = time.monotonic()
    for number in range(count):
        await asyncio.sleep(began + span * number / max(1, count - 1) - time.monotonic())
        guests.append(_Guest(link, f"{name} {number + 1}", changed, clocks))
        running.append(loop.create_task(guests[-1].connection.run()))
    await _reported(guests, "knocked", lambda guest: guest.knocked, changed, limit)
    await _reported(guests, "inside", lambda guest: guest.inside, changed, limit)
    await loop.run_in_executor(None, sys.stdin.read)
    for guest in guests:
        if guest.connection.session.ended is None:
            guest.connection.feed(ev.Leave())
    _, late = await asyncio.wait(running, timeout=_OUT)
    for task in late:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return 0


async def _reported(
    guests: list[_Guest],
    event: str,
    moment: Callable[[_Guest], float | None],
    changed: asyncio.Event,
    limit: float,
) -> None:
    """Wait until all guests have such a moment or have ended, for `limit` seconds at most; print the last."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            while any(moment(guest) is None and not guest.ended for guest in guests):
                changed.clear()
                await changed.wait()
    moments = [at for guest in guests if (at := moment(guest)) is not None]
    print(json.dumps({"event": event, "count": len(moments), "at": max(moments, default=0.0)}), flush=True)


class GuestsProcess(MembersProcess):
    """Runs this module."""

    def __init__(
        self, link: str, name: str, count: int, span: float, limit: float, clocks: SlowClocks
    ) -> None:
        numbers = (count, span, limit, clocks.slowness, clocks.since)
        super().__init__("snugroom.lab.bench.guests", link, name, *map(str, numbers))
        self._limit = span + 2 * limit

    async def _started(self) -> None:
        await self._told("ready", START)

    async def _told(self, event: str, seconds: float) -> tuple[int, float]:
        told = json.loads(await self._line(seconds) or b"{}")
        if told.get("event") != event:
            raise OSError("The process of the guests has ended.")
        return told.get("count", 0), told.get("at", 0.0)

    @property
    def cpu(self) -> float:
        """Seconds of CPU time that the process has used."""
        assert self._process is not None
        return machine.cpu_seconds(self._process.pid)

    def start(self) -> None:
        """Let the guests knock."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    async def knocked(self) -> tuple[int, float]:
        """Return how many knocked, and when the last one did (seconds of `time.monotonic`)."""
        return await self._told("knocked", self._limit)

    async def inside(self) -> tuple[int, float]:
        """Return how many are in, and when the last one came in."""
        return await self._told("inside", self._limit)


if __name__ == "__main__":
    _link, _name, _count, *_times = sys.argv[1:]
    _span, _limit, _slowness, _since = map(float, _times)
    sys.exit(asyncio.run(run(_link, _name, int(_count), _span, _limit, SlowClocks(_slowness, _since))))
