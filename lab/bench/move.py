"""`snug bench move`: the time until everybody hears everybody again, after their server ended the meeting.

Two servers in separate processes, and members without media in this one. The first server is killed (reset),
or stopped so that it answers nothing and closes nothing (black hole). Then each member writes a line. With a
mirror, all are at the second server before (warm).
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from rich.console import Console
from rich.table import Table

from snugroom.client.connection import Connection
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.lab.bench.house import BenchServer
from snugroom.lab.bench.reporting import reported
from snugroom.lab.process import ServerError

Act = Literal["reset", "black hole", "warm reset"]
#: Median seconds until everybody is heard again.
GOALS: Final[dict[Act, float]] = {"reset": 5.0, "black hole": 8.0, "warm reset": 2.0}
MEMBERS: Final = (3, 10, 25)
ROUNDS: Final = 10
_FILL_TIME: Final = 60.0
_MOVE_TIME: Final = 60.0


class _Member:
    """A member without media, and what it has read."""

    def __init__(self, name: str, make: Callable[[float], Session]) -> None:
        self.name = name
        self.link = ""
        self.present = 0
        self.read: list[str] = []
        self.connection = Connection(make(time.time()), make_engine=lambda *_: None, on_event=self._event)

    @property
    def is_mirrored(self) -> bool:
        """Whether the room at the next server is open for this member."""
        room = self.connection.session._room
        return room is not None and room.next_is_ready

    def _event(self, event: ev.Event) -> None:
        match event:
            case ev.InviteMade(link, _):
                self.link = link
            case ev.Roster():
                self.present = len(event.members)
            case ev.Said():
                self.read.append(event.text)


@asynccontextmanager
async def _meeting(urls: Sequence[str], size: int, *, mirror: bool) -> AsyncIterator[list[_Member]]:
    """A meeting of that size at the first of these servers. TimeoutError, ServerError."""
    origin, *servers = map(canonical_origin, urls)
    options = Options(mirror=mirror)
    members = [
        _Member(
            "Host",
            lambda now: Session.host(
                origin=origin, servers=servers, name="Host", admission="all", options=options, now=now
            ),
        )
    ]
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(members[0].connection.run())]
    try:
        await _until(lambda: members[0].link != "" and members[0].present == 1, _FILL_TIME)
        for number in range(1, size):
            name, link = f"Guest {number}", members[0].link
            member = _Member(name, lambda now, name=name, link=link: Session.join(link, name=name, now=now))  # type: ignore[misc]
            members.append(member)
            tasks.append(loop.create_task(member.connection.run()))
        await _until(lambda: all(each.present == size for each in members), _FILL_TIME)
        if mirror:
            await _until(lambda: all(each.is_mirrored for each in members), _FILL_TIME)
        yield members
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition covers several objects
            await asyncio.sleep(0.01)


async def once(size: int, act: Act) -> float:
    """Return the seconds from the act until each member has read what all others wrote then, once each."""
    async with BenchServer() as first, BenchServer() as second:
        async with _meeting([first.url, second.url], size, mirror=act == "warm reset") as members:
            await asyncio.sleep(1)  # all are in step, and nothing is under way
            os.kill(first.pid, signal.SIGSTOP if act == "black hole" else signal.SIGKILL)
            began = time.monotonic()
            for member in members:
                member.connection.feed(ev.Say(member.name))
            await _until(lambda: all(len(each.read) >= size - 1 for each in members), _MOVE_TIME)
            took = time.monotonic() - began
            wrong = [each.name for each in members if len(set(each.read)) != len(each.read)]
            if wrong:
                raise ServerError(f"A message was shown twice to {', '.join(wrong)}.")
        if act == "black hole":
            os.kill(first.pid, signal.SIGKILL)
    return took


async def measure(sizes: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """Return a row for each size and act. ServerError, TimeoutError."""
    rows = []
    for size in sizes:
        for act, goal in GOALS.items():
            took = [await once(size, act) for _ in range(rounds)]
            median = statistics.median(took)
            rows.append(
                {
                    "members": size,
                    "act": act,
                    "median_s": round(median, 2),
                    "least_s": round(min(took), 2),
                    "most_s": round(max(took), 2),
                    "goal_s": goal,
                    "met": median <= goal,
                }
            )
    return rows


async def run(json_output: bool, sizes: Sequence[int] = MEMBERS, rounds: int = ROUNDS) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""

    async def whole() -> dict[str, Any]:
        rows = await measure(sizes, rounds)
        return {"bench": "move", "rounds": rounds, "rows": rows, "met": all(row["met"] for row in rows)}

    seconds = len(sizes) * len(GOALS) * rounds * (_FILL_TIME + _MOVE_TIME)
    return await reported(whole(), seconds, json_output, _show)


def _show(measured: dict[str, Any]) -> None:
    title = f"Until everybody has read what everybody wrote, in s; {measured['rounds']} rounds each"
    table = Table("members", "the server", "median", "least", "most", "goal", title=title)
    for row in measured["rows"]:
        goal = f"{row['goal_s']:.0f}: {'met' if row['met'] else 'NOT met'}"
        seconds = (f"{row[name]:.1f}" for name in ("median_s", "least_s", "most_s"))
        table.add_row(str(row["members"]), row["act"], *seconds, goal)
    Console().print(table)
