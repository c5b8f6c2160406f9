"""``snug``: the commands of a participant, who knows nothing of the laboratory, and the laboratory's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from snugroom.client.cli.main import main as run

if TYPE_CHECKING:
    import argparse

#: The commands of the laboratory by module, as `client.cli.parser` has a participant's, and `schema`, which
#: knows the lines of both.
LABORATORY: Final = {
    "snugroom.lab.crowd.command": {
        "crowd": "load a server: let many participants join a meeting, and say what they observed"
    },
    "snugroom.schema": {"schema": "print the types of the lines of --json, as JSON Schema"},
    "snugroom.lab.commands": {
        "demo": "hold a whole meeting on this machine, and show what its server saw",
        "lab": "play every act of a hostile operator on a live meeting here",
        "bench": "measure, as ratios within one run",
    },
}
#: They run a server on this machine, or read its memory.
NEEDS_LINUX: Final = frozenset({"demo", "lab", "bench"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status. Without `argv`, the process ends with it."""
    return run(argv, LABORATORY, NEEDS_LINUX)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    from snugroom.client.cli import parser as made

    return made.parser(more=LABORATORY)


if __name__ == "__main__":
    sys.exit(main())
