"""Logs without an address, room number, handle, name, blob or URL, at any level and from any library.

The server's own lines are constant texts; their only arguments are numbers and error codes. The texts of
libraries may contain anything: aiohttp logs the remote address with every failed request, asyncio logs
sockets in debug mode, and an exception quotes the value that caused it. Of a library's record only the level,
the logger and the place in the code are kept; of any exception, its type and place. The log record factory
removes the rest, so that no handler receives more.

A log must never stop the server. Lines wait in a queue for a thread that writes them, and that may block: if
nobody reads standard error, or the disk is full, lines are dropped and counted (`LineWriter`). An error that
says that there is no memory is not logged: it ends the process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: Top-level loggers whose texts are kept.
OWN = ("snugroom", "__main__")
WITHHELD = "(text withheld)"
#: Lines that wait at most, and characters of a log record.
LINES_MAX = 1024
LINE_MAX = 4096
STDOUT, STDERR = 1, 2
#: The exit status of a process that has no memory left.
OUT_OF_MEMORY = 4


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


class LineWriter:
    """Writes lines to a file descriptor from a thread. `dropped` counts the lines that it could not write.

    `put` never waits. When lines can be written again, one of them tells how many were dropped. After
    `close`, `put` writes by itself: while the interpreter ends, a new thread would never start.
    """

    def __init__(self, descriptor: int) -> None:
        self.dropped = 0
        self._told = 0
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, line: str) -> None:
        """Write a line, sooner or later; drop it if too many are waiting."""
        if self._closed:
            self._put_last(line)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
            self._thread.start()
        if self._lines.qsize() >= LINES_MAX:
            self.dropped += 1
        else:
            self._lines.put(line.encode("utf-8", "replace") + b"\n")

    def close(self, seconds: float) -> None:
        """Write what waits, for at most this time."""
        self._closed = True
        if self._thread is not None:
            self._lines.put(None)
            self._thread.join(seconds)

    def _put_last(self, line: str) -> None:
        # a pipe that can be written to has space for PIPE_BUF bytes
        data = line.encode("utf-8", "replace")[: select.PIPE_BUF - 1] + b"\n"
        try:
            fits = bool(select.select([], [self._descriptor], [], 0)[1])
        except (OSError, ValueError):  # there is no such file
            fits = False
        self.dropped += not (fits and self._write(data))

    def _run(self) -> None:
        written = 0
        while (line := self._lines.get()) is not None:
            if not self._write(line):
                self.dropped += 1
                continue
            written += 1
            missing = self.dropped - self._told
            if missing and (self._lines.empty() or written % LINES_MAX == 0):
                self._told += missing * self._write(f"{missing} log lines dropped\n".encode())

    def _write(self, data: bytes) -> bool:
        """Return whether all of `data` was written."""
        with contextlib.suppress(OSError):  # nobody reads, the disk is full, or there is no such file
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:  # somebody else has made the file non-blocking
                    select.select([], [self._descriptor], [])
            return True
        return False


class _Handler(logging.Handler):
    """Passes formatted records to a `LineWriter`."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.put(self.format(record)[:LINE_MAX])


#: Standard error's and standard output's, once they are used.
_writers: dict[int, LineWriter] = {}


def writer(descriptor: int) -> LineWriter:
    """Return the one writer of this descriptor."""
    return _writers.setdefault(descriptor, LineWriter(descriptor))


def dropped() -> int:
    """Return the number of lines of this process that could not be written."""
    return sum(each.dropped for each in _writers.values())


def close(seconds: float = 0.5) -> None:
    """Write what waits, before the process ends."""
    for each in _writers.values():
        each.close(seconds)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, MemoryError):
        os._exit(OUT_OF_MEMORY)
    text = location(error, trace) or kind.__name__
    logging.getLogger("snugroom.server.uncaught").critical("uncaught %s", text)


def _record(*arguments: Any, **more: Any) -> SafeRecord:
    """Make a record; end the process instead, if it is about a lack of memory.

    Work that it cut short may never be finished, and nobody would know: tasks end, answers are missing.
    A new process has the memory, and members lose nothing.
    """
    exc_info = arguments[6] if len(arguments) > 6 else None  # as logging.Logger.makeRecord calls it
    if isinstance(exc_info, tuple) and isinstance(exc_info[1], MemoryError):
        os._exit(OUT_OF_MEMORY)
    return SafeRecord(*arguments, **more)


def install(level: str) -> None:
    """Install `SafeRecord` for all loggers of this process, and log to standard error from `level` up.

    Warnings and uncaught exceptions are logged too. Call it in a process of the server, not in a library.
    """
    logging.setLogRecordFactory(_record)
    logging.captureWarnings(True)
    logging.raiseExceptions = False
    handler = _Handler(writer(STDERR))
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda u: _uncaught(u.exc_type, u.exc_value, u.exc_traceback)
    threading.excepthook = lambda a: _uncaught(a.exc_type, a.exc_value, a.exc_traceback)
