"""Runs a crowd: paced joins, a stay, a summary, and the departure of all."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from snugroom.client.proxy import Proxy
from snugroom.lab.crowd import summary
from snugroom.lab.crowd.card import EncodedCard
from snugroom.lab.crowd.member import Member
from snugroom.lab.crowd.summary import EndCount, HeardPairs, Kind, Unheard

#: Participants in one process. A server with default settings takes 256 connections from one client.
COUNT_MAX: Final = 200
#: Joins and chat messages in a second.
RATE_MAX: Final = 20.0
#: Participants that wait for a host's answer at a time: a lobby has room for others, too.
_KNOCKING_MAX: Final = 16
#: Seconds in which a participant has to come in.
_JOIN_TIME: Final = 60.0
#: Seconds for the last message, and the first frames, to reach everybody.
_SETTLE: Final = 3.0
_SETTLE_LOOK: Final = 0.25
#: Seconds to leave in an orderly way.
_LEAVE_TIME: Final = 20.0
_LOOK: Final = 0.05


@dataclass(frozen=True)
class Plan:
    """How many participants (1 to COUNT_MAX) join with the link, how fast, and what they do there.

    `media`: each sends the test card and receives the others'. `talk`: they say something in turns, `rate`
    times a second. `seconds`: the stay, from the last join on. `size`: of the test card, pixels.
    """

    link: str
    count: int
    media: bool = False
    talk: bool = False
    seconds: float = 10.0
    rate: float = 2.0
    name: str = "Crowd"
    size: tuple[int, int] = (640, 360)
    proxy: Proxy | None = None


class Crowd:
    """One run. `on_progress` gets the number of participants that are in, whenever it has changed."""

    def __init__(self, plan: Plan, on_progress: Callable[[int], None] = lambda _: None) -> None:
        self.members: list[Member] = []
        self._plan = plan
        self._on_progress = on_progress
        self._told = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Let all leave now."""
        self._stop.set()

    @property
    def contacted(self) -> bool:
        """Whether the server has let anybody into its lobby or a room."""
        return any(member.connection.session.contacted for member in self.members)

    async def run(self) -> summary.Summary:
        """Run to the end, and return what was observed. All have left then."""
        try:
            _, cpu_joining = await _measured(self._join())
            seconds, cpu = await _measured(self._stay())
            return self._summary(seconds, cpu_joining, cpu)
        finally:
            await self._leave()

    # -- inside ------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> bool:
        """Wait; return False as soon as all are to leave."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stop.wait()
        except TimeoutError:
            return True
        return False

    async def _join(self) -> None:
        plan = self._plan
        width, height = plan.size
        card = (
            await asyncio.to_thread(EncodedCard, plan.name, width=width, height=height)
            if plan.media
            else None
        )
        loop = asyncio.get_running_loop()
        for number in range(1, plan.count + 1):
            # the host decides how fast knocks are answered
            while len(self._knocking()) >= _KNOCKING_MAX:
                if not await self._pause(_LOOK):
                    return
                self._progress()
            member = Member(plan.link, f"{plan.name} {number}", card=card, proxy=plan.proxy)
            self.members.append(member)
            self._tasks.append(loop.create_task(member.run()))
            if not await self._pause(1 / plan.rate if number < plan.count else 0.0):
                return
            self._progress()
        while self._knocking() and await self._pause(_LOOK):
            self._progress()
        self._progress()

    def _knocking(self) -> list[Member]:
        """Return the participants that may still come in. One that has waited for too long leaves."""
        waiting = [m for m in self.members if m.joined_after is None and m.ended is None]
        for member in waiting:
            if member.waited > _JOIN_TIME:
                member.leave()
        return waiting

    def _progress(self) -> None:
        joined = sum(member.joined_after is not None for member in self.members)
        if joined != self._told:
            self._told = joined
            self._on_progress(joined)

    async def _stay(self) -> None:
        """Stay for the planned time. Speakers take turns; the last of them is heard by the end of it."""
        plan = self._plan
        end = time.monotonic() + plan.seconds
        turn = 0
        while plan.talk and time.monotonic() < end:
            inside = [member for member in self.members if member.inside]
            if inside:
                member = inside[turn % len(inside)]
                member.say(f"{member.name}: message {turn + 1} of this crowd")
                turn += 1
            if not await self._pause(1 / plan.rate):
                return
        if not await self._pause(end - time.monotonic()):
            return
        settled = time.monotonic() + _SETTLE
        while self._pairs()[1] and time.monotonic() < settled:
            if not await self._pause(_SETTLE_LOOK):
                return

    def _pairs(self) -> tuple[tuple[HeardPairs, ...], tuple[Unheard, ...]]:
        """Return what the participants inside heard of each other."""
        inside = [member for member in self.members if member.inside]
        names = [member.name for member in inside]
        speakers: dict[Kind, list[str]] = {}
        if self._plan.media:
            speakers |= {"audio": names, "video": names}
        if self._plan.talk:
            speakers["chat"] = [member.name for member in inside if member.spoke]
        return summary.pairs({member.name: member.heard() for member in inside}, speakers)

    def _summary(self, seconds: float, cpu_joining: float, cpu: float) -> summary.Summary:
        heard, unheard = self._pairs()
        over = Counter(member.ended for member in self.members if member.ended is not None)
        times = [member.joined_after for member in self.members if member.joined_after is not None]
        return summary.Summary(
            asked=self._plan.count,
            joined=len(times),
            inside=sum(member.inside for member in self.members),
            join_seconds=summary.join_times(times),
            seconds=round(seconds, 1),
            heard=heard,
            unheard=unheard,
            alarms=summary.alarm_counts(member.alarms for member in self.members),
            ended=tuple(EndCount(reason, count) for reason, count in over.most_common()),
            cpu_joining=round(cpu_joining, 1),
            cpu=round(cpu, 1),
        )

    async def _leave(self) -> None:
        for member in self.members:
            member.leave()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LEAVE_TIME)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)


async def _measured(work: Awaitable[None]) -> tuple[float, float]:
    """Return how long the work took, seconds, and how much CPU time of it was used, percent of a core."""
    began, spent = time.monotonic(), time.process_time()
    await work
    seconds = time.monotonic() - began
    return seconds, 100 * (time.process_time() - spent) / max(seconds, _LOOK)
