"""``snug``: host a meeting, join one, run one on this machine, or check files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from snugroom.client.cli import contacts, evidence, explain, meeting, page, permission, tools


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. Each command sets `run`: arguments in, exit status out."""
    made = argparse.ArgumentParser(
        prog="snug",
        description="Meetings that their server carries and cannot read.",
        epilog="Exit status: 0 success, 1 error, 2 usage, 3 server unreachable, 4 refused, 5 removed, "
        "6 not admitted in time, 7 a check of the demo or the lab failed, 8 dropped by the server, "
        "9 no password or token that the server takes.",
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for part in (meeting, permission, contacts, evidence, explain, page, tools):
        part.add_parser(commands)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if list(argv[:2]) == ["lab", "leakage"]:
        from snugroom.client.tools.lab.leakage import run as leakage

        return leakage.main(argv[2:])
    arguments = parser().parse_args(argv)
    status: int = arguments.run(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
