"""Facts about a process and its sockets, which Linux reports in /proc."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: clock_gettime(2): number of a process's CPU clock. The upper bits of the clock id hold the process.
_CPU_OF: Final = 2


def cpu_seconds(pid: int) -> float:
    """Return CPU seconds (user and system) of a process and its current children. OSError if it is gone."""
    return sum(time.clock_gettime(~one << 3 | _CPU_OF) for one in (pid, *children(pid)))


def waited_seconds(pid: int) -> float:
    """Return the seconds that the first threads of a process and its current children waited for a core.

    A thread whose time is unknown counts as 0.
    """
    waited = 0.0
    for one in (pid, *children(pid)):
        with contextlib.suppress(OSError, ValueError, IndexError):
            waited += int(Path(f"/proc/{one}/schedstat").read_text().split()[1]) / 1e9
    return waited


def children(pid: int) -> list[int]:
    """Return the processes that this one has started, and all of their children."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            own = [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # the thread is gone, or the kernel does not report children
        found += [*own, *(further for child in own for further in children(child))]
    return found


@dataclass(frozen=True, slots=True)
class Footprint:
    """Resources of a process: resident bytes (`own`: without files), open files, threads."""

    resident: int
    own: int
    files: int
    threads: int


def footprint(pid: int) -> Footprint:
    """Return the footprint of a process and its current children. OSError if the process is gone."""
    resident = own = files = threads = 0
    for one in (pid, *children(pid)):
        status = dict(re.findall(r"^(\w+):\s+(\d+)", Path(f"/proc/{one}/status").read_text(), re.MULTILINE))
        resident += 1024 * int(status["VmRSS"])
        own += 1024 * int(status["RssAnon"])
        threads += int(status["Threads"])
        files += len(os.listdir(f"/proc/{one}/fd"))
    return Footprint(resident, own, files, threads)


def udp_drops() -> dict[int, int]:
    """Return, by local port, the datagrams that the kernel dropped because a socket's buffer was full."""
    found: dict[int, int] = {}
    for name in ("udp", "udp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            found[port] = found.get(port, 0) + int(fields[-1])
    return found


def split_cores(server: int) -> bool:
    """Pin the server and its children to the first core, and this process to the others.

    Return False if there is only one core.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return False
    for one in (server, *children(server)):
        os.sched_setaffinity(one, {cores[0]})
    os.sched_setaffinity(0, set(cores[1:]))
    return True
