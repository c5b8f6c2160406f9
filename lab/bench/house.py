"""The server of a bench: `snug-server` in a separate process, with settings and measurements."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from snugroom.lab import machine
from snugroom.lab.process import ServerProcess
from snugroom.server.sfu.limits import BIT_RATES

#: Settings of media that limit no bit rate; `UNLIMITED` sheds nothing either.
UNLIMITED_BUT_LAG: Final[dict[str, object]] = dict.fromkeys(BIT_RATES, 10**12)
UNLIMITED: Final[dict[str, object]] = {**UNLIMITED_BUT_LAG, "lag_max": 3600.0}
#: Seconds to wait for the processes of a server that start after it.
_SETTLE: Final = 10.0


class BenchServer(ServerProcess):
    """`media`: settings of the table of that name; `settings`: other settings. Values are TOML text."""

    line_max = 1 << 26

    def __init__(
        self, media: dict[str, object] | None = None, settings: dict[str, object] | None = None
    ) -> None:
        super().__init__()
        lines = [f"{name} = {value}" for name, value in (settings or {}).items()]
        lines += ["[media]", *(f"{name} = {value}" for name, value in (media or {}).items())]
        self._lines_of_settings: Sequence[str] = lines
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="snug-bench-")
        path = Path(self._folder.name) / "settings.toml"
        path.write_text("\n".join(self._lines_of_settings) + "\n")
        self.arguments = ("--config", str(path))
        try:
            return await super().__aenter__()
        except BaseException:
            self._folder.cleanup()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            assert self._folder is not None
            self._folder.cleanup()

    async def settle(self, workers: int = 1) -> None:
        """Wait until the spare worker has started: its start would count as work of the server."""
        end = time.monotonic() + _SETTLE
        while len(machine.children(self.pid)) <= workers and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        before = -1.0
        while (used := self.cpu) - before > 0.01 and time.monotonic() < end:
            before = used
            await asyncio.sleep(0.3)

    async def counts(self) -> dict[str, int]:
        """Return the SFU's totals."""
        totals: dict[str, int] = (await self.disclosure())["media"]
        return totals

    @property
    def cpu(self) -> float:
        """Seconds of CPU time that the server has used, user and system."""
        return machine.cpu_seconds(self.pid)

    @property
    def waited(self) -> float:
        """Seconds that the server was ready to run while others had its core."""
        return machine.waited_seconds(self.pid)

    @property
    def footprint(self) -> machine.Footprint:
        """The server's current use of memory, files and threads."""
        return machine.footprint(self.pid)


def table(disclosure: dict[str, Any]) -> dict[str, int]:
    """Return the sizes of everything that grows and shrinks in a server, by name, from its disclosure."""
    sizes: dict[str, int] = {}

    def note(name: str, value: Any) -> None:
        if isinstance(value, bool):
            return
        if isinstance(value, int):
            sizes[name] = sizes.get(name, 0) + value
        elif isinstance(value, list):
            sizes[name] = sizes.get(name, 0) + len(value)
            for item in value:
                if isinstance(item, dict):
                    note(name, item)
        elif isinstance(value, dict):
            for key, inner in value.items():
                note(f"{name}.{key}" if name else key, inner)

    note("", disclosure)
    return sizes
