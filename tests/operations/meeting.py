"""A meeting of two headless participants at a server that fails, and the count of their messages."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from tests.cli.forks import ROOT, environment
from tests.cli.processes import PATIENCE, Process, free_port, running

#: Around the server: one signal blocks its event loop for 4 s, another sets its clock forward by a year.
BLOCK, CLOCK = signal.SIGRTMIN, signal.SIGRTMIN + 1
_FRAIL = """
import runpy, signal, time
real, ahead = time.time, [0]
time.time = lambda: real() + ahead[0]
signal.signal(signal.SIGRTMIN, lambda *_: time.sleep(4))
signal.signal(signal.SIGRTMIN + 1, lambda *_: ahead.__setitem__(0, 365 * 86400))
runpy.run_module("snugroom.server", run_name="__main__", alter_sys=True)
"""


class Server:
    """`snug-server` on a port of its own, which can be started again."""

    def __init__(self, *arguments: str, log: str | None = None) -> None:
        self._port = free_port()
        self._arguments = arguments
        self._log = log
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-c", _FRAIL, "--listen", f"127.0.0.1:{self._port}", *self._arguments]
        with open(self._log or os.devnull, "w") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on "), line

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def workers(self) -> list[int]:
        """The process ids of the media workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def size(self, name: str) -> int:
        """A line of proc(5)'s status in bytes, such as VmSize."""
        found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{self.pid}/status").read_text(), re.M)
        assert found
        return int(found[1]) << 10

    def wait(self) -> int:
        """Wait for its end, and return its status."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        """End it, whatever its state."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGCONT)
                self.signal(signal.SIGKILL)
            self._process.wait(PATIENCE)
            assert self._process.stdout is not None
            self._process.stdout.close()


@dataclass
class Meeting:
    """Ada hosts, Bo has joined, both with sound. `sent` has all messages of each, in order."""

    server: Server
    people: dict[str, Process]
    link: str
    sent: dict[str, list[str]] = field(default_factory=lambda: {"Ada": [], "Bo": []})
    since: dict[str, int] = field(default_factory=dict)

    def talk(self, count: int = 20) -> None:
        """Both write so many messages, in turn, over two seconds."""
        for _ in range(count):
            for name, person in self.people.items():
                text = f"{name} {len(self.sent[name])}"
                self.sent[name].append(text)
                person.send({"chat": text})
            time.sleep(2 / count)  # the pace of the two; nothing is waited for

    def mark(self) -> None:
        """From now on, `sees` and `quiet` look at what people are told from here."""
        self.since = {name: len(person.lines) for name, person in self.people.items()}

    def sees(self, kind: str, within: float) -> None:
        """Both are told this status within so many seconds."""
        begin = time.monotonic()
        for name, person in self.people.items():
            person.wait("status", lambda e: e["kind"] == kind, self.since[name])
            assert time.monotonic() - begin < within, f"{name} was told late"

    def told(self) -> set[str]:
        """The statuses and alarms since `mark`."""
        return {
            event["kind"]
            for name, person in self.people.items()
            for event in person.events()[self.since[name] :]
            if event["event"] in ("status", "alarm")
        }

    def complete(self, within: float) -> None:
        """Each has all of the other's messages within so many seconds: once each, in order."""
        begin = time.monotonic()
        for reader, author in (("Ada", "Bo"), ("Bo", "Ada")):
            last = self.sent[author][-1]
            self.people[reader].wait("chat", lambda e, last=last: e["text"] == last)  # type: ignore[misc]
            assert time.monotonic() - begin < within, f"{reader} got the last message late"
        for reader, author in (("Ada", "Bo"), ("Bo", "Ada")):
            got = [e["text"] for e in self.people[reader].events("chat") if e["from"] == author]
            assert got == self.sent[author], f"{reader} of {author}: " + "; ".join(
                unified_diff(self.sent[author], got, "sent", "read", lineterm="", n=1)
            )

    def sounds(self, within: float, frames: int = 100) -> None:
        """Each hears the other: so many more frames of sound come within so many seconds."""
        begin = time.monotonic()
        for person in self.people.values():
            least = _opened(person) + frames
            person.wait("media", lambda e, least=least: e["stream"] == "audio" and e["opened"] >= least)  # type: ignore[misc]
            assert time.monotonic() - begin < within


def _opened(person: Process) -> int:
    counts = [e["opened"] for e in person.events("media") if e["stream"] == "audio"]
    return int(counts[-1]) if counts else 0


@contextlib.contextmanager
def meeting(*arguments: str, log: str | None = None) -> Iterator[Meeting]:
    """Hold it at a server with these arguments, and end it as people do: both leave, and the server stops."""
    server = Server(*arguments, log=log)
    try:
        server.start()
        host = ("host", "--server", server.url, "--admit", "all", "--name", "Ada", "--no-video", "--json")
        with running(*host) as ada:
            link = ada.wait("invite")["link"]
            with running("join", link, "--name", "Bo", "--no-video", "--json") as bo:
                held = Meeting(server, {"Ada": ada, "Bo": bo}, link)
                for person in (ada, bo):
                    person.wait("roster", lambda e: len(e["members"]) == 2)
                held.sounds(PATIENCE)
                held.mark()
                held.talk()
                held.complete(PATIENCE)
                held.mark()
                yield held
                for person in (bo, ada):
                    person.send({"leave": True})
                    assert person.status() == 0, person.errors
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        server.kill()
