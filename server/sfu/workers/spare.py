"""A process that is ready for the next replacement: the start of Python is the longest part of a rejoin."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from snugroom.server.sfu.workers.child import WorkerProcess

log = logging.getLogger(__name__)

#: Seconds until the first spare starts: it must not compete with the server's own start.
DELAY: Final = 2.0
#: Seconds between two looks at the spare, and to the next start by the number of spares that failed in turn.
_LOOK: Final = 1.0
_BACK_OFF: Final = (0.0, 1.0, 4.0, 15.0, 60.0)
#: A spare must have been heard in the last seconds (it sends something every second), or it is not used.
_FRESH: Final = 3.0
_CLOSE_TIME: Final = 1.0


class Spare:
    """Keeps one `WorkerProcess` ready, and replaces it when it ends or says nothing for `silent` seconds."""

    def __init__(self, silent: float) -> None:
        self.silent = silent
        #: Number of spares that were replaced without having been used.
        self.replaced = 0
        self._child: WorkerProcess | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def child(self) -> WorkerProcess | None:
        """The process, while there is one."""
        return self._child

    def start(self) -> None:
        """Keep a spare from now on."""
        self._watch = asyncio.create_task(self._keep())

    def take(self) -> WorkerProcess | None:
        """Return the spare and leave the place to the next one; None if there is none that surely works."""
        child = self._child
        if child is None or child.gone.is_set() or child.silence() > _FRESH or not child.loaded:
            return None
        self._child = None
        return child

    async def close(self) -> None:
        """End the spare, and keep none any more. Takes a bounded time."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        child, self._child = self._child, None
        if child is not None:
            await child.end(_CLOSE_TIME)

    async def _keep(self) -> None:
        failed = 0
        await asyncio.sleep(DELAY)
        while True:
            if self._child is None:
                await asyncio.sleep(_BACK_OFF[min(failed, len(_BACK_OFF) - 1)])
                try:
                    self._child = await WorkerProcess.start()
                except OSError as error:
                    failed += 1
                    log.error("a spare media worker can't be started: %s", error.strerror)
                    continue
            child = self._child
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await child.gone.wait()
            if child is not self._child:  # it was taken
                failed = 0
            elif child.gone.is_set() or child.silence() > child.patience(self.silent):
                failed += 1
                self.replaced += 1
                self._child = None
                silent = "" if child.gone.is_set() else child.fault()
                if silent:
                    child.kill()
                await child.end(_CLOSE_TIME)
                log.error("the spare media worker %s: another one starts", silent or child.fault())
