"""A hostile server's choice of acts, the server that runs them, and its console."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Sequence

from snugroom.lab.hostile.act import Act
from snugroom.lab.hostile.acts import ACTS
from snugroom.lab.hostile.runner import Runner
from snugroom.lab.hostile.server import HostileServer
from snugroom.server.config import ConfigError, Settings

_LINE_MAX = 1 << 20


def chosen_acts(names: str) -> dict[str, type[Act]]:
    """Return the acts of a comma-separated list, or all acts for ``all``. Raises ConfigError."""
    wanted = list(ACTS) if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in ACTS]
    if unknown or not wanted:
        raise ConfigError(f"there is no act {', '.join(unknown) or names!r}: --list shows them")
    return {name: ACTS[name] for name in wanted}


def listing() -> str:
    """Return the names and descriptions of all acts, one line each."""
    width = max(map(len, ACTS))
    return "\n".join(f"{name:{width}}  {kind.about}" for name, kind in ACTS.items())


class ConsoleServer(HostileServer):
    """A hostile server that takes orders from standard input."""

    def __init__(self, settings: Settings, runner: Runner) -> None:
        super().__init__(settings, runner)
        self._orders_to = runner

    async def start(self) -> str:
        url = await super().start()
        listen(self._orders_to)
        return url


def make(settings: Settings, acts: dict[str, type[Act]]) -> HostileServer:
    """Return a server for these acts, which begin by order. ConfigError for settings of honest servers."""
    if settings.workers > 1:
        raise ConfigError("a hostile server has its media in the one process: leave out --workers")
    if settings.nodes is not None:
        raise ConfigError("a hostile server is the only one: leave out [nodes]")
    return ConsoleServer(settings, Runner(acts, lambda line: print(line, flush=True)))


def listen(runner: Runner) -> None:
    """Take orders from standard input, one a line, until it ends. The server runs on afterwards.

    A thread reads standard input, because that works for a file, a pipe and a terminal.
    """
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read, args=(loop, runner), daemon=True).start()


def _read(loop: asyncio.AbstractEventLoop, runner: Runner) -> None:
    rest = b""
    while True:
        try:
            chunk = os.read(sys.stdin.fileno(), 65_536)
        except (OSError, ValueError):
            return
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest if len(rest) <= _LINE_MAX else b""
        _hand_over(loop, runner, [line for line in lines if line.strip()])


def _hand_over(loop: asyncio.AbstractEventLoop, runner: Runner, lines: Sequence[bytes]) -> None:
    for line in lines:
        try:
            loop.call_soon_threadsafe(runner.order, line)
        except RuntimeError:
            return  # the loop is closed: the server has stopped
