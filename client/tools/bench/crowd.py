"""Members without media, many in one process: they hold the whole meeting, but send and receive no frames.

    python -m snugroom.client.tools.bench.crowd LINK MEMBERS SECONDS NICE

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
_START: Final = 60.0


class _Member:
    def __init__(self, link: str, name: str) -> None:
        self.inside = asyncio.Event()
        self.connection = Connection(
            Session.join(link, name=name, now=time.time()),
            make_engine=lambda *_: None,
            on_event=self._event,
        )

    def _event(self, event: ev.Event) -> None:
        if isinstance(event, ev.Roster):
            self.inside.set()


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
                    await member.inside.wait()
    # members that were not admitted in time give up
    for member, task in zip(members, running, strict=False):
        if not member.inside.is_set():
            task.cancel()
    inside = [member for member in members if member.inside.is_set()]
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


class CrowdProcess:
    """Runs such a process inside ``async with``; `inside` is the number of members. TimeoutError, OSError.

    `nice` is its niceness, 0 to 19: a busy machine may leave the lowest priority no CPU time for minutes.
    """

    def __init__(self, link: str, count: int, seconds: float, *, nice: int = _NICE) -> None:
        self.inside = 0
        #: The process's exit status, set on exit.
        self.ended: int | None = None
        self._link = link
        self._count = count
        self._seconds = seconds
        self._nice = nice
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        if not self._count:
            return self
        arguments = (self._link, str(self._count), str(self._seconds), str(self._nice))
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "snugroom.client.tools.bench.crowd",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._seconds + _START):
                self.inside = int(await process.stdout.readline() or b"0")
        except BaseException:
            await self.__aexit__()
            raise
        return self

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


if __name__ == "__main__":
    os.nice(int(sys.argv[4]))
    sys.exit(asyncio.run(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
