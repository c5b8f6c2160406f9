"""Passphrases from a file, the environment, or a prompt."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Final

#: The environment variable that is read when no file is given.
VARIABLE: Final = "SNUG_PASSPHRASE"
_MOST: Final = 4096


class PassphraseError(Exception):
    """No passphrase is available; the text is a sentence for a person."""


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--passphrase-file FILE`."""
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        type=Path,
        help=f"its first line is the passphrase; else {VARIABLE} of the environment, else a prompt",
    )


def read_passphrase(file: Path | None, *, what: str, twice: bool = False) -> str:
    """Return the passphrase for `what` (a path or a name, shown in the prompt).

    With `twice`, a prompt asks twice, for a new passphrase.

    PassphraseError if the file can't be read, the two entries differ, the passphrase is empty, or there is no
    terminal for a prompt. The prompt never reads standard input: commands come from there.
    """
    if file is not None:
        try:
            with file.open("rb") as stream:
                line = stream.readline(_MOST)
            found = line.decode().rstrip("\r\n")
        except OSError as error:
            raise PassphraseError(f"{file} can't be read: {error.strerror or error}.") from None
        except UnicodeDecodeError:
            raise PassphraseError(f"{file} is not a text file.") from None
    elif VARIABLE in os.environ:
        found = os.environ.pop(VARIABLE)  # child processes must not inherit it
    else:
        found = _ask(what, twice)
    if not found:
        raise PassphraseError("An empty passphrase protects nothing.")
    return found


def _has_terminal() -> bool:
    """Return whether `getpass` can ask without reading standard input."""
    if not hasattr(os, "O_NOCTTY"):  # Windows: getpass reads the console
        return sys.stdin is not None and sys.stdin.isatty()
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _ask(what: str, twice: bool) -> str:
    if not _has_terminal():
        raise PassphraseError(
            f"There is no terminal to ask for a passphrase: give --passphrase-file or {VARIABLE}."
        )
    try:
        found = getpass.getpass(f"Passphrase for {what}: ")
        if twice and getpass.getpass("Once more: ") != found:
            raise PassphraseError("The two passphrases differ.")
    except (EOFError, KeyboardInterrupt):
        raise PassphraseError("No passphrase was given.") from None
    return found
