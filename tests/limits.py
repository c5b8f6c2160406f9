"""The time limit of a test ends it, wherever it strikes.

pytest-timeout raises in whatever runs at that moment. In a callback or in another task of an event loop,
asyncio keeps the exception to itself and goes on, so that a test with a busy loop never ends.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest_timeout


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
