"""Logs that can't tell: no address, room number, handle, name, blob or URL, at any level, from any library.

Our own lines are constant texts with numbers and error codes as their only arguments. What libraries
have to say may hold anything (aiohttp logs the remote address with every failed request, asyncio logs
sockets when it debugs, every exception quotes what it choked on), so of theirs only the level, the logger
and the place in the code are kept, and of any exception its type and place. This is done where records are
made, so that no handler, whoever added it, ever sees more.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: Only these loggers' texts are kept.
OWN = ("server", "__main__")
WITHHELD = "(text withheld)"


def place(error: BaseException | None, trace: TracebackType | None) -> str:
    """The type of an exception, and where in the code it was raised: never its text."""
    if error is None:
        return ""
    lines = [type(error).__name__]
    # built without look-up of source lines: a frame's file, line and function name are the code's alone
    frames = traceback.StackSummary.extract(traceback.walk_tb(trace), lookup_lines=False)
    lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return "\n".join(lines)


class SafeRecord(logging.LogRecord):
    """A record that never held what must not be logged."""

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
            self.exc_text = place(exc_info[1], exc_info[2])


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    text = place(error, trace) or kind.__name__
    logging.getLogger("server.uncaught").critical("uncaught %s", text)


def install(level: str) -> None:
    """Make all logging of this process safe, and write it to standard error from `level` up.

    Warnings and uncaught exceptions go the same way. For a process of the server's own, not for a library.
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
