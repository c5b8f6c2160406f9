"""When the timers are checked: often, or seldom while nothing comes and nothing waits for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

#: Seconds between two ticks at rest.
REST: Final = 0.1


class Ticker:
    """Calls `tick` every `interval` seconds, and every `REST` seconds at rest.

    It is at rest when nothing has come since the last tick, and `tick` returns False: nothing waits for the
    next one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float, tick: Callable[[], bool]) -> None:
        self._loop = loop
        self._interval = interval
        self._tick = tick
        self._came = True
        self._resting = False
        self._timer = loop.call_later(interval, self._due)

    def came(self) -> None:
        """Note that something has come: the next tick comes within `interval`."""
        self._came = True
        if self._resting:
            self._resting = False
            self._timer.cancel()
            self._timer = self._loop.call_later(self._interval, self._due)

    def stop(self) -> None:
        """Call `tick` no more."""
        self._timer.cancel()

    def _due(self) -> None:
        came, self._came, waits = self._came, False, True
        try:
            waits = self._tick()
        finally:  # the next tick must still come
            self._resting = not came and not self._came and not waits and self._interval < REST
            self._timer = self._loop.call_later(REST if self._resting else self._interval, self._due)
