"""``snug-server`` as a second process, on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from snugroom.installed import environment

_START_TIME: Final = 60.0
_ANSWER_TIME: Final = 10.0
_STOP_TIME: Final = 10.0
_OUTPUT_TIME: Final = 2.0


class ServerError(Exception):
    """The server process failed, or did not do as requested. The message is a full sentence."""


class ServerProcess:
    """Runs the server inside ``async with``. The process is always gone afterwards.

    `start_time`: seconds until the server must listen. A subclass for another program overrides these
    attributes, and `_hear`.
    """

    module = "snugroom.server"
    #: The demo searches the server's memory.
    always: Sequence[str] = ("--listen", "127.0.0.1:0", "--inspectable")
    arguments: Sequence[str] = ()
    start_time = _START_TIME
    #: Whether the server takes orders on standard input, and the maximum length of a line of output in bytes.
    takes_orders = False
    line_max = 1 << 16
    #: The first words of the line that says that it is ready; `url` is the rest of it.
    ready = "listening on "

    def __init__(self) -> None:
        self.url = ""
        #: None until `stop` has set it.
        self.exit_status: int | None = None
        #: The last 1,000 lines of the server's log.
        self.log: deque[str] = deque(maxlen=1_000)
        self._process: asyncio.subprocess.Process | None = None
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._readers: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self.module,
            *self.always,
            *self.arguments,
            stdin=asyncio.subprocess.PIPE if self.takes_orders else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=self.line_max,
            env=environment(),
        )
        self._readers = [asyncio.create_task(self._read_out()), asyncio.create_task(self._read_log())]
        try:
            self.url = await self._line(self.ready, self.start_time)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def disclosure(self) -> dict[str, Any]:
        """Return the server's own account of the data that it holds (`server.disclosure.view`)."""
        self._signal(signal.SIGUSR1)
        value: dict[str, Any] = json.loads(await self._line("disclosure ", _ANSWER_TIME))
        return value

    async def stop(self) -> int:
        """Send SIGTERM; return the exit status. ServerError if the server takes longer than 10 s."""
        assert self._process is not None
        if self.running:
            self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_TIME):
                self.exit_status = await self._process.wait()
        except TimeoutError:
            raise ServerError(f"The server did not stop within {_STOP_TIME:.0f} s.") from None
        return self.exit_status

    async def kill(self) -> None:
        """Send SIGKILL, and wait until the process is gone."""
        self._signal(signal.SIGKILL)
        await self._end()

    # -- inside ------------------------------------------------------------------------------

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            raise ServerError("The server is not running any more.") from None

    async def _line(self, prefix: str, seconds: float) -> str:
        try:
            async with asyncio.timeout(seconds):
                while not (line := await self._lines.get()).startswith(prefix):
                    if not line:
                        raise ServerError(f"The server ended: {' '.join(self.log) or 'without a word'}")
        except TimeoutError:
            raise ServerError("The server does not answer.") from None
        return line.removeprefix(prefix).rstrip("\n")

    async def _read_out(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._hear(line.decode("utf-8", "replace"))
        self._lines.put_nowait("")

    def _hear(self, line: str) -> None:
        """Handle a line of the server's standard output."""
        self._lines.put_nowait(line)

    async def _read_log(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self.log.append(line.decode("utf-8", "replace").rstrip("\n"))

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        # shielded, so that a second Ctrl-C leaves no zombie
        await asyncio.shield(process.wait())
        # its workers end with it, a moment later, and hold its output open until then
        if self._readers:
            await asyncio.wait(self._readers, timeout=_OUTPUT_TIME)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
