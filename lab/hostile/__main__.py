"""``snug lab serve``: a hostile server, with the options of ``snug-server``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from snugroom.server import memory

if __name__ == "__main__":
    memory.begin(serves=True)

from snugroom.lab.hostile import run
from snugroom.server import __main__ as server
from snugroom.server.config import ConfigError

NAME: Final = "snug lab serve"
_WARNING: Final = "this server is hostile. It is for showing what an operator can do, and for nothing else."


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="A server that turns against its meetings when it is told to on standard input: "
        "docs/reference/lab.md has the orders.",
    )
    parser.add_argument(
        "acts", metavar="ACT[,ACT]", nargs="?", help="the acts that may begin; all: every one"
    )
    parser.add_argument("--list", action="store_true", help="list the acts, and serve nothing")
    server.add_options(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit status, which is as that of ``snug-server``."""
    made = parser()
    arguments = made.parse_args(argv)
    if arguments.list:
        print(run.listing())
        return server.STOPPED
    if arguments.acts is None:
        made.error("name the acts that may begin: --list shows them, and all stands for every one")
    if arguments.until_eof:
        made.error("it takes orders on standard input: leave out --until-eof")
    try:
        acts = run.chosen_acts(arguments.acts)
    except ConfigError as error:
        made.error(str(error))
    print(f"{NAME}: {_WARNING}", file=sys.stderr, flush=True)
    return server.run(arguments, lambda settings: run.make(settings, acts), NAME)


if __name__ == "__main__":
    sys.exit(main())
