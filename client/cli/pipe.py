"""Standard output that outlives its reader: `snug host | head` leaves the meeting, without a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TextIO


class Pipe:
    """A text stream. `on_closed` is called once, at the first write that nobody can read."""

    def __init__(self, stream: TextIO, on_closed: Callable[[], None]) -> None:
        self._stream = stream
        self._on_closed = on_closed
        #: Whether the reader has gone.
        self.closed_by_reader = False

    def write(self, text: str) -> int:
        """Write; a text that nobody can read is dropped."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Flush; what nobody can read is dropped."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        if self.closed_by_reader:
            return
        self.closed_by_reader = True
        # the stream has buffered text, which would raise again at the end of the process
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        self._on_closed()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
