"""Limits: the time of each test, and the memory that a process of tests keeps.

A time limit ends its test wherever it strikes. pytest-timeout raises in whatever runs at that moment. In a
callback or in another task of an event loop, asyncio keeps the exception to itself and goes on,
so that a test with a busy loop never ends.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable
from typing import Any, Final

import pytest_timeout

from snugroom.server.process import resident_memory

#: Bytes by which a process may grow before it looks for what it can give back.
GROWTH_MAX: Final = 200 << 20


def enforce() -> None:
    """From now on, the limit cancels all tasks of a loop that runs, the test's among them."""
    plain = pytest_timeout.timeout_sigalrm

    def end(item: Any, settings: Any) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            plain(item, settings)
        else:
            loop.call_soon_threadsafe(_cancel, loop, f"Timeout (>{settings.timeout}s)")

    pytest_timeout.timeout_sigalrm = end


def _cancel(loop: asyncio.AbstractEventLoop, why: str) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel(why)


def release() -> None:
    """Give unused memory back: cycles hold frames of video, and malloc keeps what threads have freed."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)


class MemoryBound:
    """Calls `release` when the process has `step` bytes more than `least`, its least since the last call."""

    def __init__(
        self,
        step: int = GROWTH_MAX,
        resident: Callable[[], int] = resident_memory,
        release: Callable[[], None] = release,
    ) -> None:
        self._step, self._resident, self._release = step, resident, release
        self.least: int | None = None

    def check(self) -> None:
        """Look at the memory, after each test."""
        now = self._resident()
        if self.least is None or now < self.least:
            self.least = now
        elif now > self.least + self._step:
            self._release()
            self.least = self._resident()
