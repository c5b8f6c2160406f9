"""A thread in a network namespace of its own: processes that it starts have a loopback that loses, no more.

The namespace goes when the thread and the processes have gone. Nothing of the machine's own network is
touched, and the rest of the test process stays where it is.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
_CLONE_NEWNET: Final = 0x40000000


class UnavailableError(Exception):
    """There is no such network here; the text says why."""


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise UnavailableError(f"{' '.join(command)}: {done.stderr.strip()}")


def enter(netem: tuple[str, ...]) -> None:
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            raise UnavailableError(f"there is no `{tool}` here")
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise UnavailableError(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    run("ip", "link", "set", "lo", "up")
    if netem:
        run("tc", "qdisc", "add", "dev", "lo", "root", "netem", *netem)


def inside(work: Callable[[], T], *netem: str) -> T:
    """Do `work` behind a loopback with these netem parameters, and return its result; UnavailableError."""

    def whole() -> T:
        enter(netem)
        return work()

    # a thread: a child inherits the namespace of the thread that starts it
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(whole).result()
