"""The commands of `snug`, and their options."""

from __future__ import annotations

import argparse

from snugroom.client.cli import contacts, evidence, explain, meeting, page, permission, tools
from snugroom.client.cli.status import MEANINGS


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. Each command sets `run`: arguments in, exit status out."""
    made = argparse.ArgumentParser(
        prog="snug",
        description="Meetings that their server carries and cannot read.",
        epilog="Exit status: "
        + ", ".join(f"{int(status)} {short}" for status, (short, _) in MEANINGS.items())
        + ".",
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for part in (meeting, permission, contacts, evidence, explain, page, tools):
        part.add_parser(commands)
    return made
