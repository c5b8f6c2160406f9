"""What a process can tell of itself: memory, and the files that it could write to."""

from __future__ import annotations

import fcntl
import os
import resource
import stat


def resident() -> int:
    """Resident memory of this process, bytes; where the system doesn't say, the most that it ever was."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def files_open_for_writing() -> int:
    """Regular files that this process could write to, standard streams aside; -1: it can't be told."""
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
            continue  # the directory's own, closed by now
    return count
