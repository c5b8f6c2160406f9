"""The current process: its memory, the files that it could write to, and who may read its memory."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import stat
from typing import Final

#: prctl(2).
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4


def resident_memory() -> int:
    """Return the resident memory of this process in bytes; without ``/proc``, its maximum so far."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def files_open_for_writing() -> int:
    """Return the number of regular files open for writing, without standard streams; -1 without ``/proc``."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return -1
    count = 0
    for number in numbers:
        try:
            writable = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            count += number > 2 and writable and stat.S_ISREG(os.fstat(number).st_mode)
        except OSError:
            continue  # the descriptor of the listing itself is closed by now
    return count


def lock_memory_away(*, inspectable: bool = False) -> None:
    """Leave no core dump, and let no other process of this user read the memory (``/proc``, ptrace).

    A process with CAP_SYS_PTRACE, such as root's, may still read it. `inspectable`: others of this user too.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not inspectable:
        _prctl(_PR_SET_DUMPABLE, 0)


def memory_is_locked_away() -> bool:
    """Return whether other processes of this user may not read the memory of this one."""
    return _prctl(_PR_GET_DUMPABLE, 0) == 0


def _prctl(option: int, argument: int) -> int:
    try:
        return int(ctypes.CDLL(None).prctl(option, argument, 0, 0, 0))
    except (OSError, AttributeError):
        return -1
