"""The event loop of a command, and its signals, on every system."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final, TypeVar

T = TypeVar("T")
#: Seconds within which a signal is noticed on Windows, where it does not wake the event loop.
_NOTICED: Final = 0.25


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, as `asyncio.run` does."""
    # the default loop of Windows can't watch the sockets of media
    factory = asyncio.SelectorEventLoop if sys.platform == "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def on_end(call: Callable[[int], object]) -> None:
    """Call this in the running event loop, with its number, at every SIGINT and SIGTERM."""
    loop = asyncio.get_running_loop()

    def received(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(call, number)

    def wake() -> None:
        loop.call_later(_NOTICED, wake)

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, call, number)
    except NotImplementedError:  # on Windows
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, received)
        wake()
