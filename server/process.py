"""Facts about the current process: its memory, and the files that it could write to."""

from __future__ import annotations

import fcntl
import os
import resource
import stat


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
