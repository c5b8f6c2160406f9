"""The pages for operators, executed as written on machines with Debian's programs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from snugroom.server.sfu.io.turn import credential
from tests.hosting import pages
from tests.hosting.authority import PUBLIC, Authority
from tests.hosting.machine import ROOT, Machine, Network
from tests.hosting.steps import SERVER, Execution, steps, variants

PROGRAMS: Final = (
    "nginx",
    "caddy",
    "certbot",
    "turnserver",
    "prometheus",
    "promtool",
    "nft",
    "curl",
    "openssl",
)
NAME: Final = "meet.example"
#: The addresses of the examples. A page that names another machine gets another address.
ADDRESSES: Final = {
    SERVER: ("203.0.113.7/24", "2001:db8::7/64"),
    "relay": ("203.0.113.8/24", "2001:db8::8/64"),
    "elsewhere": ("198.51.100.9/24", "2001:db8:1::9/64"),
}
NAMES: Final = {NAME: "203.0.113.7", "relay.example": "203.0.113.8", PUBLIC: "203.0.113.53"}
#: A page that does not make a server itself finds one with these settings.
SETTINGS: Final = f"""\
listen = "127.0.0.1:8080"
origin = "https://{NAME}"
media_address = "203.0.113.7"
media_also = ["2001:db8::7"]
media_bind = "0.0.0.0"
media_port = 40000
"""


class Machines:
    """The machines of a page: each is made when the page first names it."""

    def __init__(self, net: Network) -> None:
        self._net = net
        self._authority = Authority()
        self._made: dict[str, Machine] = {}

    def __call__(self, name: str) -> Machine:
        if name not in self._made:
            machine = self._made[name] = self._net.machine(name, *ADDRESSES[name])
            self._net.names(NAMES)
            self._authority.trusted_on(machine)
        return self._made[name]

    def public(self) -> None:
        """Let there be an authority that issues certificates to whoever serves the name."""
        authority = self._net.machine("authority", f"{NAMES[PUBLIC]}/24")
        # before Caddy starts: it remembers what names are for some seconds
        self._net.names(NAMES)
        self._authority.serve(authority)

    def with_snug(self) -> None:
        """Let a server run on the first machine, as its package has it."""
        server = self(SERVER)
        server.write("/etc/snug/snug.toml", SETTINGS)
        unit = (ROOT / "packaging/systemd/snug-server.service").read_text()
        server.write("/etc/systemd/system/snug-server.service", unit)
        server.run("systemctl daemon-reload; systemctl start snug-server")


@pytest.fixture
def machines(net: Network) -> Iterator[Machines]:
    with net.cleared():
        yield Machines(net)


def relayed(machines: Machines) -> None:
    """The relay of the page takes Snug's credentials, on port 443, over UDP and TCP."""
    machines(SERVER).wait("curl -fsS http://127.0.0.1:8080/healthz")
    for transport in ("udp", "tcp"):
        username, password = credential("LONG-RANDOM-TEXT", time.time(), 600.0, os.urandom(8))
        order = {"host": "203.0.113.8", "port": 443, "username": username, "password": password}
        order |= {"transport": transport, "peers": [["203.0.113.8", 22], ["10.0.0.1", 40000]]}
        found = json.loads(machines("elsewhere").python("tests.hosting.turn_client", json.dumps(order)))
        assert found["allocated"] == 0
        assert set(found["peers"].values()) == {"403 403"}


#: Preparations for a page, and checks after it.
BEFORE: Final[dict[str, tuple[Callable[[Machines], None], ...]]] = {
    "first-server": (Machines.public,),
    "upgrade": (Machines.with_snug,),
    "troubleshoot-a-server": (Machines.with_snug,),
    "host-behind-tls": (Machines.public, Machines.with_snug),
    "tls-without-a-proxy": (Machines.public,),
    "run-a-relay": (Machines.with_snug,),
    "watch-a-server": (Machines.with_snug,),
}
AFTER: Final[dict[str, Callable[[Machines], None]]] = {"run-a-relay": relayed}


def cases() -> list[tuple[str, str | None]]:
    return [
        (name, variant)
        for name in pages.existing()
        for variant in variants(steps(pages.path(name).read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize(("name", "variant"), cases(), ids=lambda value: value)
def test_a_page_works_as_written(machines: Machines, name: str, variant: str | None) -> None:
    for prepare in BEFORE[name]:
        prepare(machines)
    Execution(machines).execute(steps(pages.path(name).read_text(encoding="utf-8")), variant)
    if name in AFTER:
        AFTER[name](machines)
