"""Commands of Snug as processes, forked from one that has imported them already.

Imports take a `snug` four fifths of a second, and tests start hundreds. A child is what `python -m MODULE` is
from the call of its `main` to its end: it has streams, arguments, a status and a traceback of its own, and
nothing of the test's. Tests of a process itself, as of its memory or its start, start theirs by `subprocess`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final, NoReturn

from snugroom.client.cli.parser import COMMANDS
from snugroom.command import LABORATORY

ROOT: Final = Path(__file__).resolve().parents[2]
#: Where the `main` of what `python -m` starts is.
MAIN: Final = {
    "snugroom.command": "snugroom.command",
    "snugroom.server": "snugroom.server.__main__",
    "snugroom.lab.hostile": "snugroom.lab.hostile.__main__",
}
#: Modules that `main` imports only when it runs.
LATER: Final = {"snugroom.command": [*COMMANDS, *LABORATORY]}
_REQUEST_MAX: Final = 1 << 16


def environment() -> dict[str, str]:
    """Ours for a child: with the project to import, output that comes at once, and in English."""
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}


class Forked:
    """A child, as `subprocess.Popen` shows one: text streams, a process id and a status."""

    def __init__(self, pid: int, ended: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[str] = os.fdopen(stdin, "w")
        self.stdout: IO[str] = os.fdopen(stdout)
        self.stderr: IO[str] = os.fdopen(stderr)
        self._ended = ended

    def _look(self, seconds: float) -> bool:
        if self.returncode is None:
            poll = select.poll()
            poll.register(self._ended, select.POLLIN)
            if not poll.poll(seconds * 1000):
                return False
            # nothing: the process that would have said it has ended itself
            self.returncode = int(os.read(self._ended, 16) or str(-signal.SIGKILL))
            os.close(self._ended)
        return True

    def poll(self) -> int | None:
        self._look(0)
        return self.returncode

    def wait(self, seconds: float) -> int:
        """The exit status; the negative number of the signal that ended it. Raises TimeoutExpired."""
        if not self._look(seconds):
            raise subprocess.TimeoutExpired(str(self.pid), seconds)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process that has imported a command, and forks a child of it for each `start`."""

    def __init__(self, module: str) -> None:
        self._one = threading.Lock()
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), module],
                cwd=ROOT,
                env=environment(),
                pass_fds=[theirs.fileno()],
            )

    def start(self, arguments: Sequence[str]) -> Forked:
        """A child with these arguments, in the project's folder."""
        request = json.dumps({"arguments": arguments, "environment": environment()}).encode()
        assert len(request) < _REQUEST_MAX
        stdin, ours_in = os.pipe()
        ours_out, stdout = os.pipe()
        ours_err, stderr = os.pipe()
        ended, tells = os.pipe()
        theirs = [stdin, stdout, stderr, tells]
        with self._one:
            socket.send_fds(self._ours, [request], theirs)
            for fd in theirs:
                os.close(fd)
            pid = int(self._ours.recv(16) or "0")
        assert pid, "the process that forks has ended; its stderr says why"
        return Forked(pid, ended, ours_in, ours_out, ours_err)

    def close(self) -> None:
        """End it, and its children with it."""
        self._ours.close()
        self._process.wait(30)


# -- the process that forks ------------------------------------------------------------------------------


def _child(module: str, fds: list[int], request: dict[str, object]) -> NoReturn:
    """Be that command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for at, fd in enumerate(fds[:3]):
        os.dup2(fd, at)
    for fd in fds:
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    sys.argv = [module, *request["arguments"]]  # type: ignore[misc]
    # tests stay on loopback: a server finds no other address to have media at
    vars(importlib.import_module("snugroom.server.addresses"))["found"] = list
    # tests of clients need no media worker, whose start takes as long as a server's
    alone = module == "snugroom.server" and "--workers" not in sys.argv
    sys.exit(importlib.import_module(MAIN[module]).main(**({"in_process": True} if alone else {})))


def serve(control: socket.socket, module: str) -> None:
    """Fork whatever is asked for until nobody can ask any more; then end the children."""
    for name in (MAIN[module], *LATER.get(module, ())):
        importlib.import_module(name)
    gc.freeze()  # so that no child's collector copies what they share
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: whoever asks decides what that ends
    signal.set_wakeup_fd(woken)
    tells: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 1 << 10)
            while tells and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                with os.fdopen(tells.pop(ended[0]), "w") as tell:
                    tell.write(str(os.waitstatus_to_exitcode(ended[1])))
        if control.fileno() in ready:
            request, fds, _, _ = socket.recv_fds(control, _REQUEST_MAX, 4)
            if not request:
                break
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for fd in (control.detach(), wake, woken, *tells.values()):
                    os.close(fd)
                _child(module, fds, json.loads(request))
            for fd in fds[:3]:
                os.close(fd)
            tells[pid] = fds[3]
            control.send(str(pid).encode())
    for pid in tells:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
