"""Debian's coturn on one address of this machine, with a secret that it shares with us; gone at the end."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snugroom.server.turn import TurnServer

#: Ports that it relays from.
FIRST, LAST = 49160, 49260


def _free(host: str) -> int:
    """A port that is free for both, and below those that the system gives to others meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            contextlib.suppress(OSError),
        ):
            udp.bind((host, port))
            tcp.bind((host, port))
            return port


def _answers(host: str, port: int) -> bool:
    """Whether it answers a binding request."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.sendto(b"\0\1\0\0\x21\x12\xa4\x42" + os.urandom(12), (host, port))
        try:
            return sock.recv(100)[:2] == b"\1\1"
        except OSError:
            return False


@contextlib.contextmanager
def running(folder: Path, host: str, *lines: str) -> Iterator[TurnServer]:
    """As Snug's settings name it. All of its files are in `folder`. `lines`: more of its settings."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.fail("there is no turnserver here: install Debian's coturn (.ci/browsers does)")
    secret, port = os.urandom(16).hex(), _free(host)
    config, log = folder / "turnserver.conf", folder / "turnserver.log"
    config.write_text(
        f"""
        use-auth-secret
        static-auth-secret={secret}
        realm=snug.test
        listening-ip={host}
        listening-port={port}
        relay-ip={host}
        min-port={FIRST}
        max-port={LAST}
        allow-loopback-peers
        no-tls
        no-dtls
        no-cli
        simple-log
        log-file=stdout
        pidfile={folder / "turnserver.pid"}
        userdb={folder / "turnserver.db"}
        """.replace("        ", "")
        + "\n".join(lines)
        + "\n"
    )
    with log.open("w") as out:
        process = subprocess.Popen([program, "-c", str(config)], stdout=out, stderr=out, cwd=folder)
        try:
            deadline = time.monotonic() + 15
            while not _answers(host, port):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"coturn doesn't answer: {log.read_text()[-2000:]}")
            yield TurnServer(urls=[f"turn:{host}:{port}?transport=udp"], secret=secret)
        finally:
            process.terminate()
            process.wait(10)
