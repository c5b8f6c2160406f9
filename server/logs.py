"""Logs without an address, room number, handle, name, blob or URL, at any level and from any library.

The server's own lines are constant texts; their only arguments are numbers and error codes. The texts of
libraries may contain anything: aiohttp logs the remote address with every failed request, asyncio logs
sockets in debug mode, and an exception quotes the value that caused it. Of a library's record only the level,
the logger and the place in the code are kept; of any exception, its type and place. The log record factory
removes the rest, so that no handler receives more.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: Top-level loggers whose texts are kept.
OWN = ("snugroom", "__main__")
WITHHELD = "(text withheld)"


def location(error: BaseException | None, trace: TracebackType | None) -> str:
    """Return the type of an exception and its place in the code, without its text."""
    if error is None:
        return ""
    lines = [type(error).__name__]
    # no look-up of source lines: file, line and function name come from the code alone
    frames = traceback.StackSummary.extract(traceback.walk_tb(trace), lookup_lines=False)
    lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return "\n".join(lines)


class SafeRecord(logging.LogRecord):
    """A log record without the text of libraries and of exceptions."""

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,  # as logging.LogRecord has it
        exc_info: Any,  # as logging.LogRecord has it
        func: str | None = None,
        sinfo: str | None = None,
        **kwargs: object,
    ) -> None:
        if name.partition(".")[0] not in OWN:
            msg, args = f"{WITHHELD} {pathname}:{lineno}", None
        super().__init__(name, level, pathname, lineno, msg, args, None, func, None)
        if isinstance(exc_info, tuple) and len(exc_info) == 3:
            self.exc_text = location(exc_info[1], exc_info[2])


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    text = location(error, trace) or kind.__name__
    logging.getLogger("snugroom.server.uncaught").critical("uncaught %s", text)


def install(level: str) -> None:
    """Install `SafeRecord` for all loggers of this process, and log to standard error from `level` up.

    Warnings and uncaught exceptions are logged too. Call it in a process of the server, not in a library.
    """
    logging.setLogRecordFactory(SafeRecord)
    logging.captureWarnings(True)
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda u: _uncaught(u.exc_type, u.exc_value, u.exc_traceback)
    threading.excepthook = lambda a: _uncaught(a.exc_type, a.exc_value, a.exc_traceback)
