"""The needs of a command besides this program: a system, and Python packages that may be missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence, Set
from typing import Final

from snugroom.client.headless.status import Status

#: The option that runs a server on this machine, and its shortest form: argparse takes abbreviations.
_LINUX_OPTION: Final = "--landlord"
_SHORT: Final = "--land"
#: Extras of the package, by the modules that they bring. Every other module comes with the package itself.
EXTRAS: Final = {"playwright": "lab", "sklearn": "lab", "threadpoolctl": "lab", "aiortc": "class"}


class NeedsLinuxError(Exception):
    """The command needs Linux, and this system is another; the argument is what was typed."""


def check_system(argv: Sequence[str], commands: Set[str]) -> None:
    """Raise NeedsLinuxError on a system other than Linux, for one of `commands` and for `--landlord`."""
    needs = _linux_part(argv, commands)
    if needs is not None and sys.platform != "linux":
        raise NeedsLinuxError(needs)


def _linux_part(argv: Sequence[str], commands: Set[str]) -> str | None:
    """Return what only Linux can do, if this is not about its help."""
    command, *options = argv or [""]
    if command in commands and not {"-h", "--help"} & set(options):
        return f"snug {command}"
    if command == "host" and any(each.startswith(_SHORT) for each in options):
        return f"snug host {_LINUX_OPTION}"
    return None


def refused(error: NeedsLinuxError) -> int:
    """Print why a command does not run here; return the exit status."""
    return _say("terminal.needs_linux", command=str(error))


def missing(error: ModuleNotFoundError, command: str) -> int:
    """Print which package to install for a module that is missing; return the exit status.

    A module of Snug itself, or of Python, is an error of Snug: it is raised again.
    """
    module = (error.name or "").partition(".")[0]
    if not module or module == "snugroom" or module in sys.stdlib_module_names:
        raise error
    extra = f"[{EXTRAS[module]}]" if module in EXTRAS else ""
    return _say(
        "terminal.needs_package", command=f"snug {command}", module=module, package=f"snugroom{extra}"
    )


def _say(key: str, **args: str) -> int:
    from snugroom.client.cli import language
    from snugroom.client.session.catalogue.sentence import in_language, sentence

    text = in_language(sentence(key, **args), language.chosen(None, os.environ))
    print(f"snug: {text}", file=sys.stderr)
    return Status.USAGE
