"""`snug` and `snug-server` as processes, read line by line."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.forks import ROOT, Forked, Forks, environment

#: No step of a test takes longer on a slow machine; every wait ends as soon as what it waits for is there.
PATIENCE = 120.0
Event = dict[str, Any]
#: Ports that `free_port` has returned.
_given: set[int] = set()


@functools.cache
def forks(module: str) -> Forks:
    """One for all tests of this process; it ends with it."""
    return Forks(module)


def start(
    module: str, arguments: Sequence[str], inside: Sequence[str] = ()
) -> Forked | subprocess.Popen[str]:
    """That command with these arguments; by itself in a namespace or `inside` a machine, or forked."""
    if not inside and os.readlink("/proc/thread-self/ns/net") == os.readlink("/proc/self/ns/net"):
        return forks(module).start(arguments)
    return subprocess.Popen(
        [*(inside or (sys.executable, "-m")), module, *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str, module: str = "snugroom.command") -> subprocess.CompletedProcess[str]:
    """Run it to its end, without input."""
    with running(*arguments, module=module) as process:
        process.end_input()
        status = process.status()
        out, errors = ("".join(f"{line}\n" for line in lines) for lines in (process.lines, process.errors))
        return subprocess.CompletedProcess(arguments, status, out, errors)


class Process:
    """A child whose standard output is read as it comes."""

    def __init__(self, *arguments: str, module: str = "snugroom.command", inside: Sequence[str] = ()) -> None:
        self._process = start(module, arguments, inside)
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read_out, daemon=True),
            threading.Thread(target=self._read_err, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_out(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._new.put(line)
        self._new.put(None)

    def _read_err(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.errors.append(line.rstrip("\n"))

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_line(self, matches: Callable[[str], bool], since: int = 0) -> str:
        """The first line, from number `since` on, that matches."""
        end = time.monotonic() + PATIENCE
        at = since
        while True:
            while at < len(self.lines):
                if matches(self.lines[at]):
                    return self.lines[at]
                at += 1
            left = end - time.monotonic()
            try:
                if left <= 0 or (self._new.get(timeout=left) is None and at >= len(self.lines)):
                    raise queue.Empty
            except queue.Empty:
                raise AssertionError(f"no such line: {self.lines[-15:]} {self.errors[-15:]}") from None

    def send(self, line: str | dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
        self._process.stdin.flush()

    def end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def status(self) -> int:
        """Wait for the exit status."""
        status = self._process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # the child is gone, and with it the reader
                    stream.close()

    # -- JSON lines ------------------------------------------------------------------------------

    def events(self, kind: str | None = None) -> list[Event]:
        parsed = [json.loads(line) for line in self.lines]
        return [e for e in parsed if kind is None or e["event"] == kind]

    def wait(self, kind: str, matches: Callable[[Event], bool] = lambda e: True, since: int = 0) -> Event:
        """The first event of a kind, from line `since` on, that matches."""

        def right(line: str) -> bool:
            event = json.loads(line)
            return bool(event["event"] == kind and matches(event))

        return dict(json.loads(self.wait_line(right, since)))


@contextmanager
def running(*arguments: str, module: str = "snugroom.command") -> Iterator[Process]:
    process = Process(*arguments, module=module)
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def on(system: str, *arguments: str) -> Iterator[Process]:
    """`snug` on a system that lacks what this one has (`tests.cli.elsewhere`)."""
    process = Process(system, *arguments, module="tests.cli.elsewhere", inside=(sys.executable, "-m"))
    try:
        yield process
    finally:
        process.stop()


def free_port(count: int = 1) -> int:
    """The first of so many ports in a row that nobody uses on loopback, for TCP or UDP.

    They are below those that the system gives to whoever wants any, as most other tests do: they stay free.
    No port is given twice: a test may bind one only after it has asked for others.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    for _ in range(100):
        first = random.SystemRandom().randrange(lowest // 2, lowest - count)
        wanted = range(first, first + count)
        if not _given.isdisjoint(wanted):
            continue
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in wanted:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    stack.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", port))
            _given.update(wanted)
            return first
    raise AssertionError("no port is free")


@contextmanager
def server(port: int = 0) -> Iterator[tuple[Process, str]]:
    """A `snug-server`, and its URL."""
    with running("--listen", f"127.0.0.1:{port}", module="snugroom.server") as process:
        line = process.wait_line(lambda line: line.startswith("listening on "))
        yield process, line.removeprefix("listening on ")
        process.signal(signal.SIGTERM)
        assert process.status() == 0


def names(event: Event) -> list[str]:
    return [m["name"] for m in event["members"]]
