"""Reading the values that people type on the command line."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import Final

from snugroom.client.session.catalogue.sentence import Language, in_language, sentence

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?\Z")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
#: Bytes; the longest link has 4,096.
_LINK_MAX: Final = 8192


def duration(text: str) -> float:
    """Parse ``30s``, ``1.5m``, ``2h``, ``500ms``, or a number of seconds; return seconds."""
    match = _DURATION.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 30s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2]]


def count(text: str) -> int:
    """Parse a number, 0 or more."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number: write 0, 9 or 25")
    return int(text)


def numbers(text: str, least: int, most: int) -> tuple[int, ...]:
    """Parse comma-separated numbers; return () if any is invalid or out of bounds."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and least <= int(part) <= most for part in parts):
        return ()
    return tuple(int(part) for part in parts)


def link_of(argument: str, spoken: Language = "en") -> str:
    """Return the link of an argument; ``-`` stands for the first line of standard input.

    Warn about a link in the arguments.
    """
    if argument == "-":
        return first_line("Link: ")
    print(f"snug: {in_language(sentence('terminal.link_visible'), spoken)}", file=sys.stderr)
    return argument


def first_line(prompt: str) -> str:
    """Return the first line of standard input without reading any further: commands follow it."""
    if sys.stdin.isatty():
        print(prompt, end="", file=sys.stderr, flush=True)
    line = b""
    while len(line) <= _LINK_MAX and not line.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode("utf-8", "replace").strip()


def usage(text: str) -> int:
    """Print an error in the arguments; return exit status 2."""
    print(f"snug: {text}", file=sys.stderr)
    return 2
