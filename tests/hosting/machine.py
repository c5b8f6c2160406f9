"""Machines of the test's own, with systemd, services and a network: what an operator's pages are written for.

A `Machine` sees this machine's programs. Its changes to files are kept in memory, and end with it. It has a
network namespace, joined with the other machines of its `Network` by a bridge. Nothing is open to others.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.patience import PATIENCE

ROOT: Final = Path(__file__).parents[2]
#: Where a machine has this repository, and this Python's environment: services may see no home and no /tmp.
SOURCE: Final = "/usr/src/snug"
_PYTHON: Final = f"/usr/src/python/bin/{Path(sys.executable).name}"
BOOT: Final = Path(__file__).with_name("boot.sh")
#: Programs that make a machine.
TOOLS: Final = ("setpriv", "unshare", "nsenter", "ip", "mount", "systemctl")
#: Programs that end with this process, however it ends.
_BOUND: Final = ("setpriv", "--pdeathsig", "KILL")
INSTALL: Final = ".ci/hosting installs what these tests need on Debian, as root"
_SPACES: Final = ("-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w")
_ENVIRONMENT: Final = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb")
#: Wrappers of the two commands: the machine has the package as if it were installed.
_COMMANDS: Final = {"snug-server": "snugroom.server", "snug": "snugroom.command"}


class UnavailableError(Exception):
    """There can be no such machine here; the text says why."""


class CommandError(AssertionError):
    """A command on a machine has failed; the text has its output."""


def cgroups() -> Path:
    """Return the folder of cgroup 2. UnavailableError."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise UnavailableError("there is no cgroup 2 here")


def require(*programs: str) -> None:
    """Raise UnavailableError if this machine has not all that is needed."""
    if os.geteuid() != 0:
        raise UnavailableError("only root can make machines")
    missing = [name for name in (*TOOLS, *programs) if shutil.which(name, path="/usr/sbin:/usr/bin") is None]
    if missing:
        raise UnavailableError(f"there is no {', '.join(missing)} here: {INSTALL}")
    cgroups()


class Machine:
    """One that runs. `run` and `start` are commands of root on it."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], init: int) -> None:
        self.name = name
        self._process = process
        #: The beginning of a command of this machine that runs on that one, as root.
        self.inside = ["nsenter", "-t", str(init), *_SPACES, "env", "-i", *_ENVIRONMENT]
        self.init = init
        self.root = Path(f"/proc/{init}/root")

    def attempt(self, command: str, seconds: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a command of the shell, which ends at the first error; standard error is part of its output."""
        return subprocess.run(
            [*self.inside, "bash", "-euo", "pipefail", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )

    def run(self, command: str, seconds: float = PATIENCE) -> str:
        """Run it and return its output; CommandError if it fails."""
        done = self.attempt(command, seconds)
        if done.returncode:
            raise CommandError(
                f"{self.name}: {command}\nended with {done.returncode}:\n{done.stdout[-4000:]}"
            )
        return done.stdout

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a program. It ends when the returned process is killed."""
        return _started([*self.inside, *_BOUND, *command])

    def python(self, module: str, *arguments: str) -> str:
        """Run a module of this repository to its end, and return its output; CommandError if it fails."""
        process = self.start_python(module, *arguments)
        output, _ = process.communicate(timeout=PATIENCE)
        if process.returncode:
            raise CommandError(f"{self.name}: {module}\n{output[-4000:]}")
        return output

    @property
    def module(self) -> list[str]:
        """The beginning of a command that runs a module of this repository on that machine."""
        return [*self.inside, f"PYTHONPATH={SOURCE}", *_BOUND, _PYTHON, "-m"]

    def start_python(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a module of this repository."""
        return _started([*self.module, module, *arguments])

    def write(self, path: str, text: str) -> None:
        """Write a file, and the folders above it."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def traces(self, text: str) -> str:
        """Return the lines of logs and of programs' data, and of the journal, that have this text."""
        folders = "/var/log /var/lib /var/tmp /tmp/systemd-private-*"
        return self.run(f"grep -rsF {text} {folders} || true; journalctl --no-pager | grep -F {text} || true")

    def wait(self, command: str, seconds: float = PATIENCE) -> None:
        """Wait until a command succeeds; CommandError."""
        end = time.monotonic() + seconds
        while (done := self.attempt(command)).returncode:
            if time.monotonic() > end:
                journal = self.attempt("journalctl --no-pager --lines 20").stdout
                raise CommandError(
                    f"{self.name}: {command}\nnever succeeded:\n{done.stdout[-4000:]}\n{journal[-4000:]}"
                )
            time.sleep(0.1)

    def end(self) -> None:
        """Pull its plug."""
        self._process.kill()
        self._process.wait(PATIENCE)


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)


class Network:
    """A bridge; machines are plugged into it. All addresses are reached directly, as on one cable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._group = cgroups() / f"snug-test-{uuid.uuid4().hex[:12]}"
        self._bridge = subprocess.Popen([*_BOUND, "unshare", "-n", "sleep", "infinity"])
        self._machines: list[Machine] = []
        self._made = 0

    def _ip(self, command: str) -> None:
        done = subprocess.run(
            ["nsenter", "-t", str(self._bridge.pid), "-n", "ip", *command.split()],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UnavailableError(f"ip {command}: {done.stderr.strip()}")

    def begin(self) -> None:
        """Make the bridge. UnavailableError."""
        own = os.readlink("/proc/self/ns/net")
        end = time.monotonic() + PATIENCE
        while os.readlink(f"/proc/{self._bridge.pid}/ns/net") == own:
            if self._bridge.poll() is not None or time.monotonic() > end:
                raise UnavailableError("no network namespace can be made here")
            time.sleep(0.01)
        self._ip("link add bridge type bridge")
        self._ip("link set bridge up")

    def machine(self, name: str, *addresses: str) -> Machine:
        """Start a machine with these addresses, and wait until it is up. UnavailableError."""
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        group = self._group / name
        group.mkdir(parents=True)
        # its cgroup first: systemd takes the one that it is started in for the whole tree
        script = 'echo $$ > "$0/cgroup.procs"; exec "$@"'
        spaces = [*_BOUND, "unshare", "-mnpiuCf", "--kill-child", "bash"]
        process = subprocess.Popen(
            [
                "sh",
                "-c",
                script,
                str(group),
                *spaces,
                str(BOOT),
                str(folder),
                str(ROOT),
                sys.prefix,
                sys.base_prefix,
            ]
        )
        machine = Machine(name, process, _first_child(process))
        self._machines.append(machine)
        machine.wait("systemctl is-system-running | grep -qx running")
        port = f"port{self._made}"
        self._ip(f"link add {port} type veth peer name eth0 netns {machine.init}")
        self._ip(f"link set {port} master bridge up")
        plug = [f"ip addr add {each} dev eth0 {'nodad' if ':' in each else ''}" for each in addresses]
        plug += ["ip link set eth0 up", "ip route add default dev eth0", "ip -6 route add default dev eth0"]
        machine.run("\n".join(plug))
        _furnish(machine, name)
        return machine

    def names(self, addresses: Mapping[str, str]) -> None:
        """Let all machines know these names, as DNS would."""
        lines = "".join(f"{address} {name}\n" for name, address in addresses.items())
        for machine in self._machines:
            machine.write(
                "/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {machine.name}\n{lines}"
            )

    @contextlib.contextmanager
    def cleared(self) -> Iterator[None]:
        """End all machines at the end, and if one could not be furnished."""
        try:
            yield
        finally:
            self.clear()

    def clear(self) -> None:
        """End all machines. Their names can be used again."""
        for machine in self._machines:
            machine.end()
        self._machines.clear()
        end = time.monotonic() + PATIENCE
        while self._group.exists() and time.monotonic() < end:
            for folder in sorted(self._group.rglob("*"), key=lambda path: -len(path.parts)):
                with contextlib.suppress(OSError):  # a file, or a process that is still ending
                    folder.rmdir()
            with contextlib.suppress(OSError):
                self._group.rmdir()

    def end(self) -> None:
        self.clear()
        self._bridge.kill()
        self._bridge.wait(PATIENCE)


def _first_child(process: subprocess.Popen[bytes]) -> int:
    """Return the process id of the machine's process 1, as it is seen here."""
    end = time.monotonic() + PATIENCE
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None and time.monotonic() < end:
        if found := children.read_text().split():
            init = int(found[0])
            with contextlib.suppress(OSError):
                if Path(f"/proc/{init}/comm").read_text().strip() == "systemd":
                    return init
        time.sleep(0.02)
    raise UnavailableError(f"systemd can't be started here (status {process.poll()})")


def _furnish(machine: Machine, name: str) -> None:
    commands = [f"hostname {name}", ": > /etc/resolv.conf"]
    # a package that is installed here is one that Debian would install now
    commands.append("rm -rf /var/lib/apt/lists/*")
    for command, module in _COMMANDS.items():
        file = f"/usr/bin/{command}"
        machine.write(file, f'#!/bin/sh\nPYTHONPATH={SOURCE} exec {_PYTHON} -Bm {module} "$@"\n')
        commands.append(f"chmod 755 {file}")
    # Services run as other users. This machine's Python may be in a home, which they can't see elsewhere.
    commands.append(f"chmod a+x {' '.join(map(str, sorted(Path(sys.base_prefix).parents)))}")
    if Path(sys.base_prefix).is_relative_to("/root") or Path(sys.base_prefix).is_relative_to("/home"):
        machine.write("/etc/systemd/system/service.d/python.conf", "[Service]\nProtectHome=no\n")
        commands.append("systemctl daemon-reload")
    machine.run("\n".join(commands))


@contextlib.contextmanager
def network(programs: Sequence[str] = ()) -> Iterator[Network]:
    """A network without machines. UnavailableError if there can be none, or a program is missing."""
    require(*programs)
    folder = Path(tempfile.mkdtemp(prefix="snug-machines-"))
    made = Network(folder)
    try:
        made.begin()
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)
