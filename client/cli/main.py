"""A command line's way in and out: signals, pipes, and what this machine may lack.

It imports little by itself, so that Ctrl-C ends it cleanly at once. `snugroom.command` is ``snug``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence, Set
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from snugroom.client.cli.parser import Commands


def main(argv: Sequence[str] | None, more: Commands, needs_linux: Set[str]) -> int:
    """Run a participant's command or one of `more`; return the exit status. Without `argv`, the process ends.

    `needs_linux`: commands that only Linux can run.
    """
    signal.signal(signal.SIGINT, _end_at_once)
    from snugroom.client.cli.pipe import Pipe
    from snugroom.client.headless.status import Status

    output = sys.stdout
    # without a reader there is nothing to do: as after Ctrl-C
    pipe = sys.stdout = Pipe(output, lambda: signal.raise_signal(signal.SIGINT))
    try:
        status = _run(sys.argv[1:] if argv is None else argv, more, needs_linux)
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    finally:
        # the interpreter's own end takes a moment, in which another Ctrl-C would be a traceback
        signal.signal(signal.SIGINT, signal.SIG_IGN if argv is None else signal.default_int_handler)
        pipe.flush()
        sys.stdout = output
    return Status.NO_READER if pipe.closed_by_reader else status


def _run(argv: Sequence[str], more: Commands, needs_linux: Set[str]) -> int:
    from snugroom.client.cli import requirements
    from snugroom.client.cli.parser import COMPLETION, parser

    command = argv[0] if argv else ""
    try:
        requirements.check_system(argv, needs_linux)
        made = parser(None if command.startswith(COMPLETION) else command, more)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        arguments = made.parse_args(argv)
        status: int = arguments.run(arguments)
    except ModuleNotFoundError as error:
        return requirements.missing(error, command)
    except requirements.NeedsLinuxError as error:
        return requirements.refused(error)
    return status


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """End while modules are imported: an exception there could pass for an error of theirs."""
    os._exit(128 + number)
