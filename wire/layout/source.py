"""Python source that is written line by line, for generated encoders and decoders.

Generated code accepts what the reference accepts, with the same results. Whatever it refuses, it gives to the
reference, which raises the error: texts of errors exist once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

#: Formats of `struct` by the size of an integer; of six bytes, two numbers.
FORMATS: Final = {1: "B", 2: "H", 4: "I", 6: "HI", 8: "Q"}
#: Literals below every key of that type.
BEFORE: Final[dict[type[Any], str]] = {int: "-1", bytes: "b''", tuple: "()"}


class Source:
    """The lines of one function of one argument, and the names that they use."""

    def __init__(self, argument: str, slow: Callable[[Any], Any]) -> None:
        self.names: dict[str, Any] = {"slow": slow, "struct_error": struct.error, "new": tuple.__new__}
        self.argument = argument
        self._lines: list[str] = []
        self._indent = 2
        self._numbers = count()

    def line(self, text: str) -> None:
        """Add a line to the current block."""
        self._lines.append("    " * self._indent + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Add a head, and indent the lines that are added inside."""
        self.line(head)
        self._indent += 1
        yield
        self._indent -= 1

    def refuse_if(self, condition: str) -> None:
        """Hand over to the reference if the condition is true."""
        self.line(f"if {condition}: return slow({self.argument})")

    def new(self, value: Any = None) -> str:
        """Return a fresh name, for that value unless it is None."""
        name = f"v{next(self._numbers)}"
        if value is not None:
            self.names[name] = value
        return name

    def function(self, result: str, what: str) -> Callable[[Any], Any]:
        """Return the function; `result` is the expression that it returns."""
        body = "\n".join(self._lines)
        text = (
            f"def function({self.argument}):\n    try:\n{body}\n        return {result}\n"
            f"    except (struct_error, ValueError, KeyError, TypeError, AttributeError):\n"
            f"        return slow({self.argument})\n"
        )
        exec(compile(text, f"<{what}>", "exec"), self.names)  # noqa: S102 - made of declarations alone
        made: Callable[[Any], Any] = self.names["function"]
        return made
