"""A lock on a folder, for programs that save in it one at a time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from snugroom.client.files import flags

try:
    import fcntl
except ModuleNotFoundError:  # on Windows
    _FLOCK = False
else:
    _FLOCK = True

#: Where no folder can be locked, a file of this name is the lock.
_NAME: Final = ".snug-lock"
#: Seconds after which such a file is of a program that has crashed: honest ones hold it much shorter.
_CRASHED: Final = 10.0


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the lock. BlockingIOError if another program holds it, OSError if the folder can't be used."""
    with _flock(folder) if _FLOCK else _lock_file(folder):
        yield


@contextlib.contextmanager
def _flock(folder: Path) -> Iterator[None]:
    assert flags.FOLDER is not None
    number = os.open(folder, flags.FOLDER)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(number)


@contextlib.contextmanager
def _lock_file(folder: Path) -> Iterator[None]:
    path = folder / _NAME
    try:
        os.close(os.open(path, flags.NEW, 0o600))
    except FileExistsError:
        with contextlib.suppress(FileNotFoundError):
            # the clock of files may have been set back: only a difference in either direction counts
            if abs(time.time() - path.stat().st_mtime) > _CRASHED:
                path.unlink()
        raise BlockingIOError from None
    except PermissionError:
        # Windows also answers this while a file of that name is being removed
        if path.exists():
            raise BlockingIOError from None
        raise
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
