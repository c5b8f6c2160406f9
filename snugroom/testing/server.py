"""A server for tests, in this process or in one of its own, and the meetings and attacks on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

from snugroom.client.participant import Media, Participant
from snugroom.lab.hostile.act import Act
from snugroom.lab.hostile.acts import ACTS
from snugroom.lab.hostile.context import OrderError
from snugroom.lab.hostile.runner import Runner
from snugroom.lab.hostile.server import HostileServer
from snugroom.lab.process import ServerProcess
from snugroom.server.config import Settings
from snugroom.testing.network import PROXY, SERVER, Network

#: A small test card: several participants of a test share one machine.
_MEDIA: Final = Media(size=(128, 96))


class AttackError(ValueError):
    """The act can't be played. The text is a sentence with the reason."""


class Attack:
    """One act of a hostile operator, in play until `stop`."""

    def __init__(self, runner: Runner, act: Act) -> None:
        self._runner = runner
        self._act = act

    @property
    def name(self) -> str:
        """The name of the act, as ``snug lab serve --list`` has it."""
        return self._act.name

    @property
    def deeds(self) -> Mapping[str, int]:
        """What the act has done so far, with counts."""
        return self._act.times

    def stop(self) -> None:
        """End the act. Harmless if it is over."""
        if self._runner.active.get(self.name) is self._act:
            self._runner.end(self.name)


class Server:
    """A real server on a free port of 127.0.0.1, inside ``async with``.

    By default it runs in this process, and is honest until `attack`. With `process=True` it is a
    `snug-server` of its own, which takes no attacks. `network`: what media passes through.
    """

    def __init__(self, *, process: bool = False, network: Network | None = None) -> None:
        if process and network is not None:
            raise ValueError("a network is for a server in this process: leave out `process` or `network`")
        #: The origin, for `Participant.host` and `snug host --server`. Empty before the start.
        self.url = ""
        self.network = network
        self._process = ServerProcess() if process else None
        self._runner: Runner | None = None
        self._server: HostileServer | None = None
        #: The reports of the acts, the oldest first.
        self.reports: list[dict[str, Any]] = []

    async def start(self) -> None:
        """Listen."""
        if self._process is not None:
            await self._process.__aenter__()
            self.url = self._process.url
            return
        settings = Settings(listen="127.0.0.1:0", page=False)
        if self.network is not None:
            port = await self.network.start()
            settings = Settings(
                listen="127.0.0.1:0", page=False, media_address=PROXY, media_bind=SERVER, media_port=port
            )
        self._runner = Runner(ACTS, lambda line: self.reports.append(json.loads(line)))
        self._server = HostileServer(settings, self._runner)
        try:
            self.url = await self._server.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop, and close everything. Harmless if not started."""
        if self._process is not None:
            await self._process.__aexit__(None, None, None)
        if self._server is not None:
            await self._server.stop()
        if self.network is not None:
            await self.network.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @asynccontextmanager
    async def meeting(
        self, host: str, *guests: str, media: Media | None = _MEDIA
    ) -> AsyncIterator[tuple[Participant, ...]]:
        """Hold a meeting: a host who admits everybody, and guests. All are in the room of all."""
        async with AsyncExitStack() as stack:
            everybody = [Participant.host(self.url, name=host, admit="all", media=media)]
            stack.push_async_callback(_close, everybody)
            everybody[0].start()
            await everybody[0].entered()
            for name in guests:
                everybody.append(Participant.join(everybody[0].link, name=name, media=media))
                everybody[-1].start()
            names = (host, *guests)
            await asyncio.gather(*(each.meets(*names) for each in everybody))
            yield tuple(everybody)

    def attack(self, act: str, **orders: object) -> Attack:
        """Turn hostile: begin an act of docs/reference/lab.md, against the oldest meeting.

        `orders` are those of the act, such as ``victim=2``: members are numbered in order of arrival, and the
        host is 1. AttackError if there is no such act, or if it can't begin. An act ends with `Attack.stop`,
        or with the server.
        """
        if self._runner is None:
            raise AttackError("only a started server in this process can be hostile")
        if act not in ACTS:
            raise AttackError(f"there is no act {act!r}; there are: {', '.join(sorted(ACTS))}")
        try:
            return Attack(self._runner, self._runner.begin(act, orders))
        except OrderError as error:
            raise AttackError(str(error)) from None


async def _close(everybody: list[Participant]) -> None:
    """Let all leave, the host last: others are still there when they say goodbye."""
    await asyncio.gather(*(each.close() for each in everybody[1:]))
    await everybody[0].close()
