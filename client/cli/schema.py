"""``snug schema``: the types of `--json`, for programs in other languages."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add `schema` to the commands (argparse's subparsers)."""
    parser = commands.add_parser("schema")
    parser.add_argument("--typescript", action="store_true", help="print them as TypeScript types")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from snugroom.client.tools import schema

    print(schema.typescript() if arguments.typescript else schema.json_schema(), end="")
    return 0
