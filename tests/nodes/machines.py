"""Several `snug-server` processes, their bus, and the proxy before them, on this machine."""

from __future__ import annotations

import contextlib
import json
import random
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import PATIENCE, Process, free_port, running

LEASE = 3.0
_TARGET = re.compile(rb"[A-Z]+ (?:/n/([0-9]+))?/[^ ]* HTTP/1\.1\r\n")


class Bus:
    """Debian's nats-server. `start` after `stop` is another process, which knows nothing."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin") or shutil.which(
            "nats-server"
        )
        if program is None:
            pytest.fail("there is no nats-server here: install Debian's (.ci/hosting does)")
        self.folder = folder / "jetstream"
        self.port = free_port()
        self._log = folder / "nats.log"
        self._command = [program, "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.folder)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


class Proxy(socketserver.ThreadingTCPServer):
    """What the documented nginx does: `/n/2/` goes to node 2, all else to any; a dead one is passed over.

    In turn, two who come again at the same time would both always come to the same node.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visitor)
        self.nodes: dict[int, int] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def ports(self, number: bytes | None) -> list[int]:
        if number is not None:
            port = self.nodes.get(int(number))
            return [] if port is None else [port]
        ports = list(self.nodes.values())
        return random.sample(ports, len(ports))


class _Visitor(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.request.recv(65536)
            if not data:
                return
            head += data
        target = _TARGET.match(head)
        for port in self.server.ports(target[1] if target else None):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as node:
                node.settimeout(None)
                node.sendall(head)
                back = threading.Thread(target=_copy, args=(node, self.request), daemon=True)
                back.start()
                _copy(self.request, node)
                back.join()
                return
        self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Machines:
    """The nodes. `node(1)` starts the first one; `stack` ends all of them."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.bus = Bus(folder)
        stack.callback(self.bus.stop)
        self.bus.start()
        self.proxy = Proxy()
        stack.callback(self.proxy.server_close)
        stack.callback(self.proxy.shutdown)
        self.nodes: dict[int, Process] = {}
        (folder / "secret").write_text("0123456789" * 5)

    def settings(self, number: int) -> Path:
        path = self.folder / f"node{number}.toml"
        path.write_text(
            f"""
            listen = "127.0.0.1:0"
            origin = "{self.proxy.origin}"
            page = false
            [nodes]
            node = {number}
            secret_file = "{self.folder / "secret"}"
            bus = "{self.bus.url}"
            lease = {LEASE}
            """
        )
        return path

    def start(self, number: int) -> Process:
        process = self.stack.enter_context(
            running("--config", str(self.settings(number)), module="snugroom.server")
        )
        self.nodes[number] = process
        return process

    def begun(self, number: int) -> Process:
        """Wait until this node listens, and tell the proxy."""
        process = self.nodes[number]
        line = process.wait_line(lambda line: line.startswith("listening on "))
        self.proxy.nodes[number] = int(line.rpartition(":")[2])
        return process

    def disclosure(self, number: int) -> dict[str, Any]:
        """This node's own account of all that it holds."""
        process = self.nodes[number]
        since = len(process.lines)
        process.signal(signal.SIGUSR1)
        line = process.wait_line(lambda line: line.startswith("disclosure "), since)
        return dict(json.loads(line.removeprefix("disclosure ")))

    def ready(self, number: int) -> bool:
        """Whether this node says that it can open rooms."""
        with socket.create_connection(("127.0.0.1", self.proxy.nodes[number]), PATIENCE) as node:
            node.sendall(b"GET /readyz HTTP/1.1\r\nHost: snug.test\r\nConnection: close\r\n\r\n")
            return node.recv(65536).startswith(b"HTTP/1.1 200 ")

    def rooms(self, number: int) -> list[int]:
        """The number of connections in each room of this node."""
        return [room["connections"] for room in self.disclosure(number)["rooms"]]

    def home(self) -> int:
        """The node that has the only meeting."""
        (number,) = [number for number in self.nodes if any(self.rooms(number))]
        return number


@contextlib.contextmanager
def machines(folder: Path, nodes: int = 2) -> Iterator[Machines]:
    """Nodes that have begun."""
    with contextlib.ExitStack() as stack:
        all_of_them = Machines(folder, stack)
        for number in range(1, nodes + 1):
            all_of_them.start(number)
        for number in range(1, nodes + 1):
            all_of_them.begun(number)
        yield all_of_them
