"""Members without media, many in one process: they hold the whole meeting, but send and receive no frames.

    python -m snugroom.lab.bench.crowd LINK MEMBERS SECONDS NICE

The program prints the number of members inside, when all are in or after SECONDS, and leaves when standard
input ends. Benchmarks give it the lowest priority (NICE is 19): real members have machines of their own, so
these must take no CPU time from the measured server.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from typing import Final, Self

from snugroom.client.connection import Connection
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.installed import environment

_NICE: Final = 19
#: Members that knock at the same time: hosts admit several with one commit.
_AT_ONCE: Final = 12
_OUT: Final = 20.0
START: Final = 60.0


class _Member:
    def __init__(self, link: str, name: str) -> None:
        self.inside = False
        #: Set when it is inside, or has ended.
        self.answered = asyncio.Event()
        self.connection = Connection(
            Session.join(link, name=name, now=time.time()),
            make_engine=lambda *_: None,
            on_event=self._event,
        )

    def _event(self, event: ev.Event) -> None:
        self.inside |= isinstance(event, ev.Roster)
        if isinstance(event, ev.Roster | ev.Ended):
            self.answered.set()


async def run(link: str, count: int, seconds: float) -> int:
    """Join, print how many members are inside, wait, and leave; return the exit status, 0."""
    members = [_Member(link, f"Crowd {number}") for number in range(count)]
    running: list[asyncio.Task[ev.Ended | None]] = []
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for at in range(0, count, _AT_ONCE):
                some = members[at : at + _AT_ONCE]
                running += [loop.create_task(member.connection.run()) for member in some]
                for member in some:
                    await member.answered.wait()
    # members that were not admitted in time give up
    for member, task in zip(members, running, strict=False):
        if not member.inside:
            task.cancel()
    inside = [member for member in members if member.inside]
    print(len(inside), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for member in inside:
        if member.connection.session.ended is None:
            member.connection.feed(ev.Leave())
    if running:
        _, late = await asyncio.wait(running, timeout=_OUT)
        for task in late:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return 0


class MembersProcess:
    """A process of members, inside ``async with``: it reports on its output, and ends when its input ends.

    `program`: the module's name, and its arguments. Methods raise TimeoutError and OSError.
    """

    def __init__(self, *program: str) -> None:
        #: The process's exit status, set on exit.
        self.ended: int | None = None
        self._program = program
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self._program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
        )
        try:
            await self._started()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _started(self) -> None:
        """Wait for its first report."""

    async def _line(self, seconds: float) -> bytes:
        """Return its next report, empty if it has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            return await self._process.stdout.readline()

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(2 * _OUT):
                self.ended = await process.wait()
        except TimeoutError:
            process.kill()
            self.ended = await process.wait()


class CrowdProcess(MembersProcess):
    """Runs this module; `inside` is the number of members. Without any, no process is started.

    `nice` is its niceness, 0 to 19: a busy machine may leave the lowest priority no CPU time for minutes.
    """

    def __init__(self, link: str, count: int, seconds: float, *, nice: int = _NICE) -> None:
        super().__init__("snugroom.lab.bench.crowd", link, str(count), str(seconds), str(nice))
        self.inside = 0
        self._count = count
        self._seconds = seconds

    async def __aenter__(self) -> Self:
        return await super().__aenter__() if self._count else self

    async def _started(self) -> None:
        self.inside = int(await self._line(self._seconds + START) or b"0")


if __name__ == "__main__":
    os.nice(int(sys.argv[4]))
    sys.exit(asyncio.run(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
