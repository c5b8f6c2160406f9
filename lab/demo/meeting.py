"""The meeting of the demo, from the start of the server to the facts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, Final, Protocol

from snugroom.client.media.codec import HEIGHT, WIDTH
from snugroom.client.media.sources import pitch_of_identity
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.crypto.entry.invite import Invite, canonical_origin
from snugroom.crypto.proof.verification import grouped
from snugroom.lab.demo.facts import Facts, Pair, Search, Stream
from snugroom.lab.demo.memory import Copy, UnreadableError, copy_all
from snugroom.lab.demo.proof import Evidence, examine, frames_in
from snugroom.lab.demo.robot import Robot, Witness
from snugroom.lab.demo.search import Wanted, search
from snugroom.lab.demo.traces import Person, Traces, look
from snugroom.lab.machine import children
from snugroom.lab.process import ServerError, ServerProcess
from snugroom.server import page
from snugroom.wire.messages import MediaKind

#: First names are displayed. The names are full names, because two letters occur in any memory.
NAMES: Final = (
    "Ada Brandt",
    "Bo Ekman",
    "Cem Aydin",
    "Dana Novak",
    "Eve Marlow",
    "Finn Aalto",
    "Gus Moreau",
    "Hana Sato",
)
TITLE: Final = "Supper club, the menu for Friday"
LINES: Final = (
    "Good evening! Does everybody see my card?",
    "I do, and I hear everybody beep.",
    "Shall we start with the soup, as last time?",
    "Leek soup it is, then dumplings.",
    "Whoever brings the wine, not the red one again.",
    "My clock says we have time for dessert.",
    "Plum cake, I have a recipe that nobody knows.",
    "Then let us read the code out, and goodbye!",
)
#: The host's message when the server is already dead.
CUT_OFF: Final = "And now I am cut off in the middle of a sen-"
#: From this many participants on, width and height of the video are halved: all run on one machine.
MANY: Final = 5
_COME_IN_TIME: Final = 30.0
_MEDIA_TIME: Final = 20.0
_SETTLE_TIME: Final = 8.0
_END_TIME: Final = 10.0
_MOVE_TIME: Final = 20.0
#: Seconds that the room stays open for people who join by the page, and seconds that they may stay in it.
VISIT_TIME: Final = 60.0
_STAY_TIME: Final = 1800.0
_LOOK: Final = 0.05
_PROGRESS: Final = 0.25


class Show(Protocol):
    """Reports progress to a person or a program."""

    def server(self, url: str, pid: int) -> None:
        """The server listens."""
        ...

    def page(self, link: str) -> None:
        """A person can join at `link` with a browser."""
        ...

    def event(self, robot: Robot, event: ev.Event) -> None:
        """A participant received an event."""
        ...

    def said(self, robot: Robot, text: str) -> None:
        """A participant sent a chat message."""
        ...

    def step(self, text: str) -> None:
        """The next step begins."""
        ...

    def progress(self, robots: list[Robot], done: float, seconds: float) -> None:
        """`done` seconds of the meeting are over."""
        ...

    def close(self) -> None:
        """No more progress follows."""
        ...


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether `condition` becomes true within `seconds`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        if loop.time() > end:
            return False
        await asyncio.sleep(_LOOK)
    return True


@dataclass
class _Seen:
    """Observations from the time when everybody was present."""

    rosters: dict[str, frozenset[str]] = field(default_factory=dict)
    codes: dict[str, tuple[int, str]] = field(default_factory=dict)
    leaves: dict[tuple[str, str], int | None] = field(default_factory=dict)
    before: dict[tuple[str, str], tuple[Stream, Stream]] = field(default_factory=dict)
    after: dict[tuple[str, str], tuple[Stream, Stream]] = field(default_factory=dict)
    disclosure: dict[str, Any] | None = None
    memory: Copy | None = None
    wanted: Wanted | None = None
    unreadable: str | None = None
    looked_at: float = 0.0


def _host(urls: Sequence[str], name: str, now: float) -> Session:
    origin, *servers = map(canonical_origin, urls)
    return Session.host(origin=origin, servers=servers, name=name, title=TITLE, admission="ask", now=now)


def _guest(link: str, name: str, now: float) -> Session:
    return Session.join(link, name=name, now=now)


class Meeting:
    """One run with these participants for `seconds`. Recordings go to `directory`. `size`: of video, pixels.

    The host admits people who come by the page, and the meeting ends only after they have left, for at most
    1,800 s. With `go_on`, the end also waits for newcomers, for 60 s or until the event is set. With
    `kill_server`, its server is killed at the beginning, and it goes on at another one.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        seconds: float,
        directory: Path,
        show: Show,
        go_on: asyncio.Event | None = None,
        *,
        kill_server: bool = False,
    ) -> None:
        self._go_on = go_on
        self.names = names
        self._seconds = seconds
        self._directory = directory
        self._show = show
        self._server = ServerProcess()
        self._next = ServerProcess() if kill_server else None
        self._moved_after: float | None = None
        #: Frames by receiver that came while their signatures could not, because the receiver was on its way.
        self._unsigned: dict[str, int] = {}
        self._robots: list[Robot] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._said: dict[str, str] = {}
        self._trouble: list[str] = []
        self._seen = _Seen()
        self.size = (WIDTH, HEIGHT) if len(names) < MANY else (WIDTH // 2, HEIGHT // 2)

    async def run(self) -> Facts:
        """Hold the meeting and return the facts. Nothing of it runs afterwards, also after an error."""
        try:
            async with self._server, self._next or contextlib.nullcontext():
                await self._hold()
        except ServerError as error:
            self._trouble.append(str(error))
        self._show.close()
        self._show.step(
            "The meeting is over. Looking at what was recorded, and through the server's memory..."
        )
        proof, found = await asyncio.gather(self._prove(), self._find())
        return self._facts(proof, found)

    async def _hold(self) -> None:
        self._show.server(self._server.url, self._server.pid)
        if self.size != (WIDTH, HEIGHT):
            self._show.step(f"{len(self.names)} on one machine: pictures of {self.size[0]} x {self.size[1]}.")
        try:
            if await self._gather():
                await self._meet()
                await self._look()
                await self._visited()
                await self._end()
        finally:
            await self._stop_all()
        await self._server.stop()

    # -- step by step ------------------------------------------------------------------------

    def _start(self, name: str, make: Callable[[float], Session]) -> Robot:
        directory = self._directory / str(len(self._robots))
        robot = Robot(name, make, directory=directory, size=self.size, on_event=self._show.event)
        self._robots.append(robot)
        self._tasks.append(asyncio.get_running_loop().create_task(robot.run()))
        return robot

    @property
    def _going(self) -> bool:
        return self._server.running and not any(task.done() for task in self._tasks)

    async def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        await until(lambda: condition() or not self._going, seconds)
        return self._going and condition()

    async def _gather(self) -> bool:
        """Let all participants join; return False on failure."""
        urls = [each.url for each in (self._server, self._next) if each is not None]
        host = self._start(self.names[0], partial(_host, urls, self.names[0]))
        await self._wait(lambda: host.connection.engine is not None, _COME_IN_TIME)
        link = host.invite
        if link is None or not self._going:
            self._trouble.append("The host could not open the room.")
            return False
        for name in self.names[1:]:
            self._start(name, partial(_guest, link, name))
        everybody = set(self.names)
        if not await self._wait(lambda: all(r.sees(everybody) for r in self._robots), _COME_IN_TIME):
            self._trouble.append("Not everybody came in.")
            return False
        if (page.FOLDER / "manifest.json").is_file():  # otherwise the server has no page
            self._show.page(link)
        return True

    async def _meet(self) -> None:
        """Run for `seconds`, once all participants decode each other's media, or after 20 s."""
        if await self._wait(
            lambda: all(s.decoded for pair in self._streams().values() for s in pair), _MEDIA_TIME
        ):
            self._show.step("Everybody hears and sees everybody.")
        if self._next is not None:
            await self._kill(self._next)
        self._seen.before = self._streams()
        loop = asyncio.get_running_loop()
        began = loop.time()
        plan = [
            (self._seconds * 0.7 * (i + 0.5) / len(self._robots), robot, LINES[i % len(LINES)])
            for i, robot in enumerate(self._robots)
        ]
        while self._going and (done := loop.time() - began) < self._seconds:
            while plan and plan[0][0] <= done:
                self._say(*plan.pop(0)[1:])
            self._show.progress(self._robots, done, self._seconds)
            await asyncio.sleep(min(_PROGRESS, max(0.0, self._seconds - done)))
        for late in plan:
            self._say(*late[1:])
        if not await self._wait(self._settled, _SETTLE_TIME) and not self._going:
            self._trouble.append("The meeting ended before its time.")

    async def _kill(self, following: ServerProcess) -> None:
        """Kill the server, have the host write, and wait until everybody reads, hears and sees again."""
        dead, self._server, self._next = self._server, following, None
        loop, host, decoded = asyncio.get_running_loop(), self._robots[0], self._streams()
        await dead.kill()
        began = loop.time()
        self._show.step(f"The server {dead.url} is killed (SIGKILL).")
        host.say(CUT_OFF)
        self._show.said(host, CUT_OFF)
        others = self._robots[1:]
        if not await self._wait(lambda: all((host.name, CUT_OFF) in r.heard for r in others), _MOVE_TIME):
            self._trouble.append("The meeting did not go on at the other server.")
            return
        self._moved_after = loop.time() - began
        self._show.step(
            f"Everybody has read it, {self._moved_after:.1f} s later: the meeting goes on at {following.url}."
        )

        def again() -> bool:
            return all(
                now.decoded > then.decoded
                for who, streams in self._streams().items()
                for now, then in zip(streams, decoded[who], strict=True)
            )

        if await self._wait(again, _MEDIA_TIME):
            self._show.step("Everybody hears and sees everybody again.")
        self._unsigned = {r.name: Robot.total(r.connection.stats()).failed for r in self._robots}

    def _say(self, robot: Robot, text: str) -> None:
        try:
            robot.say(text)
            self._show.said(robot, text)
            self._said[robot.name] = text
        except ValueError as error:
            self._trouble.append(f"{robot.name} could not write: {error}.")

    def _settled(self) -> bool:
        """Return whether all chat messages have arrived everywhere and all codes are equal."""
        lines = set(self._said.items())
        return len({r.code for r in self._robots}) == 1 and all(
            {line for line in lines if line[0] != r.name} <= r.heard for r in self._robots
        )

    def _streams(self) -> dict[tuple[str, str], tuple[Stream, Stream]]:
        """Return the counters by (speaker, listener); `sent` and `received` count from the beginning."""

        def one(speaker: Robot, listener: Robot, kind: MediaKind) -> Stream:
            stream = listener.stream(speaker.name, kind)
            return replace(stream, sent=speaker.sent(kind), received=stream.decoded)

        return {
            (speaker.name, listener.name): (
                one(speaker, listener, "audio"),
                one(speaker, listener, "video"),
            )
            for speaker, listener in permutations(self._robots, 2)
        }

    async def _look(self) -> None:
        """Note all observations and copy the server's memory, while everybody is present."""
        seen = self._seen
        seen.after = self._streams()
        for robot in self._robots:
            seen.rosters[robot.name] = frozenset(m.name for m in robot.members)
            if robot.code is not None:
                seen.codes[robot.name] = robot.code.epoch, robot.code.digits
        for speaker, listener in permutations(self._robots, 2):
            seen.leaves[speaker.name, listener.name] = listener.leaf_of(speaker.name)
        seen.disclosure = await self._server.disclosure()
        for witness in self._witnesses():
            witness.keep_all()  # a copy takes seconds, and the server's frames change meanwhile
        try:
            pids = [self._server.pid, *children(self._server.pid)]  # media has a process of its own
            seen.memory = await asyncio.to_thread(copy_all, pids)
        except UnreadableError as error:
            seen.unreadable = str(error)
        seen.looked_at = asyncio.get_running_loop().time()  # a copy takes seconds if it is large
        seen.wanted = self._wanted()

    def _witnesses(self) -> list[Witness]:
        return [robot.witness for robot in self._robots if robot.witness is not None]

    def _wanted(self) -> Wanted:
        invite = Invite.parse(self._robots[0].invite or "")
        codes = {digits for _, digits in self._seen.codes.values()}
        witnesses = self._witnesses()
        handles = {s.handle for robot in self._robots for s in robot.connection.stats() if not s.gone}
        return Wanted(
            secrets={
                "name": [name.encode() for name in self.names],
                "title": [TITLE.encode()],
                "chat line": [text.encode() for text in (*self._said.values(), CUT_OFF)],
                "code": [shape.encode() for d in codes for shape in (d, grouped(d))],
                "secret of the link": [invite.secret, invite.token],
            },
            before=[frame for witness in witnesses for frame in witness.before],
            after=[frame for witness in witnesses for frame in witness.after],
            known=sorted(handles),
        )

    def _visitors(self) -> frozenset[str]:
        """Names besides the robots' that have knocked: the host admits everybody."""
        return frozenset(self._robots[0].knocked - set(self.names))

    async def _visited(self) -> None:
        """Wait until people who joined by the page have left. Others get a minute to join."""
        host, go_on = self._robots[0], self._go_on

        def inside() -> bool:
            return any(member.name not in self.names for member in host.members)

        self._show.close()
        if go_on is not None and not inside() and not go_on.is_set():
            self._show.step(
                f"The room stays open for {VISIT_TIME:.0f} s: come in by the page above, "
                "or press Enter to see what the server saw."
            )
            await self._wait(lambda: inside() or go_on.is_set(), VISIT_TIME)
        if inside():
            self._show.step("The meeting goes on while somebody is in it by the page.")
            await self._wait(lambda: not inside() or (go_on is not None and go_on.is_set()), _STAY_TIME)

    async def _end(self) -> None:
        with contextlib.suppress(ValueError):  # a former host has lost that role: the verdict reports it
            self._robots[0].leave()
        await asyncio.wait(self._tasks, timeout=_END_TIME)

    async def _stop_all(self) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for robot, result in zip(self._robots, results, strict=True):
            if isinstance(result, Exception):
                self._trouble.append(f"{robot.name} broke: {type(result).__name__}: {result}")

    # -- afterwards --------------------------------------------------------------------------

    async def _prove(self) -> dict[tuple[str, str], Evidence]:
        cores = asyncio.Semaphore(2)

        async def one(leaf: int, file: Path) -> Evidence:
            async with cores:
                return await asyncio.to_thread(examine, file, leaf)

        robots = {robot.name: robot for robot in self._robots}
        jobs = {
            (speaker, listener): one(leaf, file)
            for (speaker, listener), leaf in self._seen.leaves.items()
            if leaf is not None and (file := robots[listener].recording(speaker, leaf)) is not None
        }
        return dict(zip(jobs, await asyncio.gather(*jobs.values()), strict=True))

    def traces(self) -> Traces | None:
        """Search the server's memory for what members saw and heard: call it after `run`, in a thread.

        None if the memory could not be read, or if nobody recorded anything.
        """
        memory, leaves = self._seen.memory, self._seen.leaves
        people = []
        for speaker, listener in pairwise([*self._robots, *self._robots[:1]]):
            leaf = leaves.get((speaker.name, listener.name))
            file = None if leaf is None else listener.recording(speaker.name, leaf)
            if leaf is None or file is None:
                return None
            said = self._said.get(speaker.name, CUT_OFF)
            # the meeting may have gone on for visitors
            frames = frames_in(file, self._seen.looked_at - listener.zero)
            people.append(Person(speaker.name, said, frames, pitch_of_identity(leaf)))
        if memory is None or not people:
            return None
        return look(memory.regions, "\n".join(self._server.log).encode(), memory.read, people)

    async def _find(self) -> Search | None:
        memory, wanted = self._seen.memory, self._seen.wanted
        if memory is None or wanted is None:
            return None
        return await asyncio.to_thread(search, memory, "\n".join(self._server.log).encode(), wanted)

    def _facts(self, proof: dict[tuple[str, str], Evidence], found: Search | None) -> Facts:
        seen = self._seen
        pairs = []
        for who, after in seen.after.items():
            evidence, before = proof.get(who, Evidence()), seen.before.get(who, (Stream(), Stream()))
            sound, sight = (
                replace(now, sent=now.sent - then.sent, received=now.received - then.received)
                for now, then in zip(after, before, strict=True)
            )
            pairs.append(
                Pair(
                    *who,
                    replace(sound, measured=evidence.hz, proved=evidence.heard),
                    replace(sight, measured=evidence.pictures, proved=evidence.seen),
                )
            )
        return Facts(
            seconds=self._seconds,
            names=self.names,
            rosters=seen.rosters,
            pairs=tuple(pairs),
            said=self._said,
            heard={robot.name: frozenset(robot.heard) for robot in self._robots},
            codes=seen.codes,
            refused={
                r.name: Robot.total(r.connection.stats()).failed - self._unsigned.get(r.name, 0)
                for r in self._robots
            },
            endings={r.name: r.ended.reason for r in self._robots if r.ended is not None},
            disclosure=seen.disclosure,
            server_exit=self._server.exit_status,
            search=found,
            search_refused=seen.unreadable,
            alarms=tuple((r.name, alarm.kind, alarm.text) for r in self._robots for alarm in r.alarms),
            trouble=tuple(self._trouble),
            visitors=self._visitors() if self._robots else frozenset(),
            moved_after=self._moved_after,
        )
