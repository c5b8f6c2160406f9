"""A private Tor network on 127.0.0.1, of Debian's tor: authorities, relays, an onion service and a client.

No process of it knows of the public Tor network, and each has its files in one folder. It is up within a
minute, most of which is the directory authorities' first vote.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cli.processes import free_port

#: Seconds for the whole network, an onion service included.
BOOTSTRAP: Final = 180.0
AUTHORITIES: Final = 3
RELAYS: Final = 2
_COMMON: Final = """
TestingTorNetwork 1
UseDefaultFallbackDirs 0
RunAsDaemon 0
ShutdownWaitLength 0
SafeLogging 0
Log notice file {folder}/log
DataDirectory {folder}
ControlSocket {folder}/control
ControlSocketsGroupWritable 0
PathsNeededToBuildCircuits 0.25
"""
_RELAY: Final = """
Nickname {name}
Address 127.0.0.1
ORPort 127.0.0.1:{port} IPv4Only
SocksPort 0
AssumeReachable 1
ExitRelay 0
ContactInfo none
DirCache 1
"""
_AUTHORITY: Final = """
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
DirPort 127.0.0.1:{dir_port} IPv4Only
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
V3AuthNIntervalsValid 2
TestingV3AuthInitialVotingInterval 10
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
TestingMinExitFlagThreshold 0
"""


class UnavailableError(Exception):
    """There can be no such network here; the text says why."""


@dataclass(frozen=True)
class Network:
    """An onion service's address, the SOCKS port of a client, and the seconds that the network took."""

    onion: str
    socks: int
    seconds: float


class _Node:
    """One process of tor, and its folder."""

    def __init__(self, folder: Path, lines: str) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "torrc").write_text(_COMMON.format(folder=folder) + lines)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def start(self) -> None:
        with (self.folder / "output").open("wb") as out:
            self.process = subprocess.Popen(
                ["tor", "--defaults-torrc", os.devnull, "-f", str(self.folder / "torrc")],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def wait(self, text: str, until: float) -> None:
        """Wait for a text in the log."""
        while text not in self.log:
            self.check(f"no {text!r}", until)
            time.sleep(0.1)

    def check(self, what: str, until: float) -> None:
        """Fail, with the end of the log, if the process has ended, or the time is up."""
        assert self.process is not None
        over = self.process.poll() is not None or time.monotonic() > until
        assert not over, f"{what}: {self.log[-3000:]}{(self.folder / 'output').read_text()[-1000:]}"


def _run(*command: str, given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def _authority(folder: Path) -> tuple[str, str]:
    """Make an authority's keys, and return its lines, and the line by which others know it."""
    port, dir_port = free_port(), free_port()
    name = folder.name
    lines = _RELAY.format(name=name, port=port) + _AUTHORITY.format(dir_port=dir_port)
    keys = folder / "keys"
    keys.mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    _run(
        "tor-gencert", "--create-identity-key", "--passphrase-fd", "0", "-m", "12",
        "-a", f"127.0.0.1:{dir_port}", "-i", str(keys / "authority_identity_key"),
        "-s", str(keys / "authority_signing_key"), "-c", str(keys / "authority_certificate"),
        given="a passphrase\n",
    )  # fmt: skip
    identity = re.search(r"^fingerprint ([0-9A-F]{40})$", (keys / "authority_certificate").read_text(), re.M)
    assert identity is not None
    node = _Node(folder, lines)
    told = _run(
        "tor", "--defaults-torrc", os.devnull, "-f", str(node.folder / "torrc"), "--quiet",
        "--list-fingerprint",
        "--DirAuthority", f"placeholder 127.0.0.1:1 {'F' * 40}",
    )  # fmt: skip
    relay = "".join(told.split()[-10:])  # after the name, in groups of four
    assert re.fullmatch("[0-9A-F]{40}", relay), told
    known = f"DirAuthority {name} orport={port} v3ident={identity[1]} 127.0.0.1:{dir_port} {relay}\n"
    return lines, known


@contextlib.contextmanager
def network(folder: Path, ports: Sequence[int]) -> Iterator[Network]:
    """A network with an onion service that has these ports of 127.0.0.1, the first of them as its port 80.

    UnavailableError where there is no tor.
    """
    for tool in ("tor", "tor-gencert"):
        if shutil.which(tool) is None:
            raise UnavailableError(f"there is no `{tool}` here: install Debian's tor (.ci/hosting does)")
    began = time.monotonic()
    until = began + BOOTSTRAP
    made = [(f"auth{n}", *_authority(folder / f"auth{n}")) for n in range(AUTHORITIES)]
    known = "".join(line for _, _, line in made)
    made = [(name, lines, "") for name, lines, _ in made]
    made += [(f"relay{n}", _RELAY.format(name=f"relay{n}", port=free_port()), "") for n in range(RELAYS)]
    served = "".join(
        f"HiddenServicePort {port if at else 80} 127.0.0.1:{port}\n" for at, port in enumerate(ports)
    )
    service = f"SocksPort 0\nHiddenServiceDir {folder}/service/onion\n{served}"
    socks = free_port()
    nodes = {name: _Node(folder / name, lines + known) for name, lines, _ in made}
    nodes["service"] = _Node(folder / "service", service + known)
    nodes["client"] = _Node(folder / "client", f"SocksPort 127.0.0.1:{socks}\n" + known)
    try:
        for node in nodes.values():
            node.start()
        _uploaded(nodes["service"], until)
        nodes["client"].wait("Bootstrapped 100%", until)
        onion = (folder / "service" / "onion" / "hostname").read_text().strip()
        yield Network(onion, socks, time.monotonic() - began)
    finally:
        for node in reversed(nodes.values()):
            node.stop()


def _uploaded(service: _Node, until: float) -> None:
    """Wait until the onion service is in the network's directory."""
    control = service.folder / "control"
    while not control.exists():
        service.check("no control socket", until)
        time.sleep(0.1)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1.0)
        sock.connect(str(control))
        sock.sendall(b"AUTHENTICATE\r\nSETEVENTS HS_DESC\r\n")
        heard = b""
        while b"HS_DESC UPLOADED" not in heard:
            service.check(f"no descriptor: {heard[-500:]!r}", until)
            with contextlib.suppress(TimeoutError):
                heard += sock.recv(4096)
