"""``snug explain KIND``: shows an alarm's page (docs/reference/alarms), part of the installed package."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markdown import Markdown

from snugroom.installed import IMPORT_FROM

#: The folder in a wheel and the folder in the source tree; the first existing one is used.
_FOLDERS: Final = (IMPORT_FROM / "snugroom" / "client" / "alarms", IMPORT_FROM / "docs/reference/alarms")
_ROW: Final = re.compile(r"^\| \[(\w+)\]\(\w+\.md\) \| [\w, ]+ \| (.+?) \|$", re.MULTILINE)
#: A placeholder in the table's sentences.
_ELSE: Final = re.compile(r"\*([^*]+)\*")
_LINK: Final = re.compile(r"\[([^\]]+)\]\([^)\s]+\)")
#: Columns; longer lines are hard to read.
_WIDTH: Final = 100


class NoPageError(Exception):
    """The page does not exist; the text is a sentence."""


def _folder() -> Path:
    for folder in _FOLDERS:
        if (folder / "README.md").is_file():
            return folder
    raise NoPageError("the pages of the alarms are not installed")


def kinds() -> dict[str, str]:
    """Return the short sentence of each kind of alarm, most important first; NoPageError without pages."""
    rows = _ROW.findall((_folder() / "README.md").read_text(encoding="utf-8"))
    return {kind: _ELSE.sub(lambda found: found[1].upper(), sentence) for kind, sentence in rows}


def page(kind: str) -> str:
    """Return the page of a kind, as Markdown without links; NoPageError for an unknown kind."""
    known = kinds()
    if kind not in known:
        near = difflib.get_close_matches(kind, known, 1)
        hint = f"; did you mean {near[0]}?" if near else "; snug explain lists all"
        raise NoPageError(f"there is no alarm {kind!r}{hint}")
    return _LINK.sub(r"\1", (_folder() / f"{kind}.md").read_text(encoding="utf-8"))


def add_parser(commands: Any) -> None:
    """Add `snug explain` to the commands."""
    parser = commands.add_parser("explain")
    parser.add_argument("kind", nargs="?", metavar="KIND", help="the alarm's kind (default: list all)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console | None = None) -> int:
    """Print a page, or the list of all; return 0, or 2 if there is no such page."""
    console = console or Console(highlight=False)
    try:
        if arguments.kind is not None:
            console.print(Markdown(page(arguments.kind)), width=min(console.width, _WIDTH))
            return 0
        listed = kinds()
    except NoPageError as error:
        print(f"snug: {error}", file=sys.stderr)
        return 2
    width = max(map(len, listed))
    for kind, sentence in listed.items():
        console.print(f"{kind:{width}}  {sentence}", markup=False, soft_wrap=True)
    return 0
