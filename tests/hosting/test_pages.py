"""The pages for operators, executed as written on machines with Debian's programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from snugroom.server.rooms.relays import credential
from tests.cli.processes import Process
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
    "nats-server",
)
NAME: Final = "meet.example"
#: The addresses of the examples. A page that names another machine gets another address.
ADDRESSES: Final = {
    SERVER: ("203.0.113.7/24", "2001:db8::7/64", "10.0.0.7/24"),
    "relay": ("203.0.113.8/24", "2001:db8::8/64"),
    "bus": ("10.0.0.10/24",),
    "node-1": ("203.0.113.1/24", "10.0.0.1/24"),
    "node-2": ("203.0.113.2/24", "10.0.0.2/24"),
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

    def behind(self) -> None:
        """Let the first machine have a certificate for the name, and let Caddy get one itself."""
        self.public()
        pair = self._authority.issue(NAME)
        self(SERVER).write(f"/etc/letsencrypt/live/{NAME}/fullchain.pem", pair.certificate)
        self(SERVER).write(f"/etc/letsencrypt/live/{NAME}/privkey.pem", pair.key)

    def with_package(self, *names: str) -> None:
        """Let machines have what the package brings, and nothing running."""
        unit = (ROOT / "packaging/systemd/snug-server.service").read_text()
        for name in names:
            self(name).write("/etc/systemd/system/snug-server.service", unit)
            self(name).run("mkdir --parents /etc/snug; systemctl daemon-reload")

    def with_snug(self) -> None:
        """Let a server run on the first machine, as its package has it."""
        self.with_package(SERVER)
        self(SERVER).write("/etc/snug/snug.toml", SETTINGS)
        self(SERVER).run("systemctl start snug-server")

    def with_caddy(self) -> None:
        self(SERVER).write("/etc/caddy/Caddyfile", (ROOT / "packaging/caddy/Caddyfile").read_text())
        self(SERVER).run("systemctl start caddy")

    def with_nodes(self) -> None:
        self.with_package("node-1", "node-2")


@pytest.fixture
def machines(net: Network) -> Iterator[Machines]:
    with net.cleared():
        yield Machines(net)


def relayed(machines: Machines) -> None:
    """The relay of the page takes Snug's credentials, on port 443, over UDP and TCP."""
    machines(SERVER).wait("curl -fsS http://127.0.0.1:8080/healthz")
    for transport in ("udp", "tcp"):
        username, password = credential("LONG-RANDOM-TEXT", time.time(), 600.0, "00")
        order = {"host": "203.0.113.8", "port": 443, "username": username, "password": password}
        order |= {"transport": transport, "peers": [["203.0.113.8", 22], ["10.0.0.1", 40000]]}
        found = json.loads(machines("elsewhere").python("tests.hosting.turn_client", json.dumps(order)))
        assert found["allocated"] == 0
        assert set(found["peers"].values()) == {"403 403"}


def met(machines: Machines) -> None:
    """A meeting at the nodes goes on while one after the other is restarted, and has lost nothing."""
    here = machines("elsewhere")
    with ExitStack() as stack:

        def start(*arguments: str) -> Process:
            process = Process(*arguments, "--json", inside=here.module)
            stack.callback(process.stop)
            return process

        ada = start("host", "--server", f"https://{NAME}", "--name", "Ada", "--admit", "all")
        bo = start("join", ada.wait("invite")["link"], "--name", "Bo")
        for who in (ada, bo):
            who.wait("media", lambda e: e["opened"] > 20)
        for text, node in (("first", "node-1"), ("second", "node-2")):
            machines(node).run("systemctl restart snug-server")
            ada.send({"chat": text})
            bo.wait("chat", lambda e, text=text: e["text"] == text)  # type: ignore[misc]
        assert [e["text"] for e in bo.events("chat")] == ["first", "second"]
        for who in (bo, ada):
            who.send({"leave": True})
            assert who.status() == 0, who.errors


#: Preparations for a page, and checks after it.
BEFORE: Final[dict[str, tuple[Callable[[Machines], None], ...]]] = {
    "first-server": (Machines.public,),
    "upgrade": (Machines.with_snug,),
    "troubleshoot-a-server": (Machines.with_snug,),
    "host-behind-tls": (Machines.public, Machines.with_snug),
    "tls-without-a-proxy": (Machines.public,),
    "limit-who-opens-rooms": (Machines.behind, Machines.with_snug, Machines.with_caddy),
    "run-a-relay": (Machines.with_snug,),
    "watch-a-server": (Machines.with_snug,),
    "several-machines": (Machines.behind, Machines.with_nodes),
}
AFTER: Final[dict[str, Callable[[Machines], None]]] = {"run-a-relay": relayed, "several-machines": met}


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
