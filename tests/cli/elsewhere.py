"""`snug` in a process that lacks what another system lacks: ``python -m tests.cli.elsewhere SYSTEM ...``.

Modules that the system does not have can't be imported, by anybody. Functions and constants that it does not
have are removed when the libraries have been imported, which have their own ways on each system: Snug meets
a Python without them.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any, Final

#: Modules of Python that a system lacks. On macOS, glibc and /proc are what is missing.
MODULES: Final = {
    "win32": ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "readline", "syslog", "uvloop"),
    "darwin": ("uvloop",),
}
#: Attributes that a system lacks.
ATTRIBUTES: Final[dict[str, dict[Any, tuple[str, ...]]]] = {
    "win32": {
        os: (
            *("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_DIRECTORY", "O_NOCTTY", "O_SYNC"),
            *(
                "getuid",
                "geteuid",
                "getgid",
                "getegid",
                "fchmod",
                "fchown",
                "fork",
                "setsid",
                "getpgid",
                "killpg",
            ),
            *("pread", "pwrite", "uname", "mkfifo", "memfd_create", "sched_getaffinity", "sched_setaffinity"),
            *("sched_yield", "getresuid", "wait4", "posix_spawn", "sendfile"),
        ),
        signal: (
            *("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGSTOP", "SIGPIPE", "SIGALRM", "SIGCHLD"),
            *("pthread_sigmask", "setitimer", "sigwait"),
        ),
        # Python makes a pair of sockets of AF_UNIX wherever this is not truly Windows
        socket: ("SO_REUSEPORT", "MSG_DONTWAIT", "CMSG_LEN", "SCM_RIGHTS"),
    },
    "darwin": {os: ("memfd_create", "sched_getaffinity", "sched_setaffinity", "posix_fallocate")},
}
_LIBRARIES: Final = (
    *("aiohttp.web", "av", "cryptography.x509", "msgspec.json", "nacl.pwhash", "numpy", "OpenSSL.SSL"),
    *(
        "pylibsrtp",
        "rich.markdown",
        "segno",
        "voprf",
        "getpass",
        "tempfile",
        "uuid",
        "concurrent.futures.thread",
    ),
)


class Blocker(MetaPathFinder):
    """Finds no module of these names, before anything else can."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def become(system: str) -> None:
    """Make this process lack what this system lacks."""
    for name in MODULES[system]:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Blocker(MODULES[system]))
    for library in _LIBRARIES:
        importlib.import_module(library)
    for module, names in ATTRIBUTES[system].items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    if system == "win32":
        for method in ("add_signal_handler", "remove_signal_handler"):
            setattr(asyncio.SelectorEventLoop, method, _not_implemented)
    sys.platform = system


def _not_implemented(*_: object) -> None:
    raise NotImplementedError


def main() -> int:
    system, *arguments = sys.argv[1:]
    become(system)
    from snugroom.command import main as snug

    return snug(arguments)


if __name__ == "__main__":
    sys.exit(main())
