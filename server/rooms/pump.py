"""Turns on the event loop: a bounded amount of work in each pass, so that sockets are read in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Final

from snugroom.server.config import Settings
from snugroom.server.rooms.turns import Turns

#: Cost of the messages of one pass, in deliveries: some milliseconds, with the writing that follows.
SLICE: Final = 150.0


class Pump:
    """Calls `handle` for each connection whose turn it is. `handle` returns the cost of one message."""

    def __init__(
        self, settings: Settings, handle: Callable[[bytes], float], clock: Callable[[], float]
    ) -> None:
        self.turns = Turns(settings, clock())
        self._handle = handle
        self._clock = clock
        self._left = SLICE
        self._running = False
        self._next: asyncio.Handle | None = None

    def offer(self, group: Hashable, handle: bytes) -> None:
        """Let a connection wait for a turn, which may come at once."""
        self.turns.offer(group, handle, self._clock())
        if not self._running and self._left > 0:
            self._run()

    def stop(self) -> None:
        """Give no turn any more."""
        if self._next is not None:
            self._next.cancel()
        self._running = True

    def _again(self) -> None:
        self._next, self._left = None, SLICE
        self._run()

    def _run(self) -> None:
        self._running = True
        try:
            while self._left > 0 and (handle := self.turns.next(self._clock())) is not None:
                self._left -= self._handle(handle)
        finally:
            self._running = False
            self._plan()

    def _plan(self) -> None:
        """Go on with the next pass of the loop, or when a budget allows it."""
        wait = self.turns.wait(self._clock())
        if wait is None and self._left >= SLICE:
            return
        if self._next is not None:
            self._next.cancel()
        loop = asyncio.get_running_loop()
        self._next = loop.call_later(wait, self._again) if wait else loop.call_soon(self._again)
