"""``snug --print-completion SHELL``: a script that completes commands, options and files in a shell."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

import shtab

#: Placeholders of arguments that name a file, besides arguments of the type Path.
_FILES: Final = frozenset({"FILE", "BOOK"})


def script(made: argparse.ArgumentParser, shell: str) -> str:
    """Return the script of a shell for this parser."""
    _complete_files(made)
    text: str = shtab.complete(made, shell)
    return text


def _complete_files(made: Any) -> None:
    """Say which arguments name files or folders, in this parser and in the parsers of its commands."""
    for action in made._actions:
        if action.nargs == argparse.PARSER:
            for child in action.choices.values():
                _complete_files(child)
        elif action.metavar == "DIR":
            action.complete = shtab.DIRECTORY
        elif action.type is Path or action.metavar in _FILES:
            action.complete = shtab.FILE
