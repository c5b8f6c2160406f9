"""Lines of standard input, one by one and bounded: an endless input must not keep a meeting busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from snugroom.client.session.catalogue.sentence import sentence

#: Maximum bytes of one line.
LINE_MAX: Final = 65_536
#: Maximum lines in a row that are no commands.
WRONG_MAX: Final = 100


class InputEndedError(ValueError):
    """The input does not consist of commands, and is not read any further. The text is a sentence."""


def lines(read: Callable[[], bytes]) -> Iterator[str]:
    """Yield each line without white space around it. `read` returns some bytes, or b"" at the end.

    InputEndedError at a line that is too long.
    """
    rest = b""
    while chunk := read():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").strip()
        if len(rest) > LINE_MAX:
            raise InputEndedError(sentence("terminal.line_long", most=LINE_MAX))


class WrongLines:
    """Counts lines in a row that are no commands."""

    def __init__(self) -> None:
        self._count = 0

    def line(self, is_command: bool) -> None:
        """Count a line; InputEndedError if there were too many in a row."""
        self._count = 0 if is_command else self._count + 1
        if self._count >= WRONG_MAX:
            raise InputEndedError(sentence("terminal.lines_wrong", most=WRONG_MAX))
