"""A command of ``snug`` as a second process: its output, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final

from snugroom.installed import environment

#: Maximum length of a line of output, bytes.
_LINE_MAX: Final = 4 * 2**20
#: Seconds for the command to end by itself.
_STOP_TIME: Final = 10.0


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``snug`` with these arguments and without input. Its processes are gone on exit."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "snugroom.command", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_MAX,
        env=environment(),
        # Ctrl-C is for this process only: `_end` stops the command, once
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await asyncio.shield(_end(process))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Stop the process and those that it has started: SIGINT first, then SIGKILL."""
    try:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_TIME):
                    await process.wait()
    finally:
        # the process leads its own group: kill the rest of the group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
