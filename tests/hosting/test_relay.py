"""coturn with the packaged settings relays to the media port, and is no proxy into its operator's network."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from snugroom.server.rooms.relays import credential
from tests.hosting.machine import ROOT, Machine, Network

PROGRAMS: Final = ("turnserver", "nft")
SERVER, SERVER6, OLD, CLIENT = "203.0.113.7", "2001:db8::7", "203.0.113.8", "198.51.100.9"
MEDIA, OTHER = 40000, 9100
#: Addresses of the machine beside the relay: in its LAN, at its cloud (metadata), behind its carrier, public.
INSIDE: Final = ("10.0.0.9", "192.168.7.9", "172.16.0.9", "169.254.169.254", "100.64.0.9", "203.0.113.9")
#: And of the relay itself, of everybody, and of nobody.
OWN: Final = ("10.0.0.7", "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255")  # noqa: S104
INSIDE6: Final = ("2001:db8::9", "fd00::9", "::1", "::", "ff02::1", "::ffff:10.0.0.9", "::ffff:127.0.0.1")
#: Codes of errors (RFC 8656 19): both ways to ask for a peer, a transport, a name, and a quota.
REFUSED: Final = "403 403"
UNSUPPORTED, UNAUTHORIZED, QUOTA = 442, 401, 486
#: The settings that were documented before: five lines.
USUAL: Final = """\
use-auth-secret
static-auth-secret=LONG-RANDOM-TEXT
realm=meet.example
listening-port=3478
no-cli
"""


@dataclass
class Relay:
    """A relay, and a client on the internet."""

    server: Machine
    client: Machine
    host: str

    def configured(self, text: str) -> None:
        self.server.write("/etc/turnserver.conf", text)
        self.server.run("chgrp turnserver /etc/turnserver.conf; chmod 640 /etc/turnserver.conf")
        self.server.run("systemctl restart coturn")

    def ask(
        self, *peers: tuple[str, int], name: tuple[str, str] | None = None, **order: Any
    ) -> dict[str, Any]:
        """Return what comes of an order (turn_client.py), with new credentials or with these."""
        username, password = name or credentials()
        whole = {"host": self.host, "port": 3478, "username": username, "password": password, "peers": peers}
        found: dict[str, Any] = json.loads(
            self.client.python("tests.hosting.turn_client", json.dumps(whole | order))
        )
        return found


def credentials(lifetime: float = 600.0, client: str = "") -> tuple[str, str]:
    """Of a client that no other test knows, or of this one."""
    return credential("LONG-RANDOM-TEXT", time.time(), lifetime, client or os.urandom(8).hex())


@pytest.fixture(scope="module")
def machines(net: Network) -> Iterator[tuple[Machine, Machine, Machine]]:
    """The relay, an old relay, and a client. Only the relays can reach another machine beside them."""
    relay = net.machine("server", f"{SERVER}/24", "10.0.0.7/24", f"{SERVER6}/64", "fd00::7/64")
    old = net.machine("old", f"{OLD}/24", "10.0.0.8/24")
    inside = net.machine("inside", *(f"{each}/24" for each in INSIDE), "2001:db8::9/64", "fd00::9/64")
    client = net.machine("client", f"{CLIENT}/24", "2001:db8:1::9/64")
    # they stand for the media port, and for services that only this network should reach
    echoes = [
        machine.start_python("tests.hosting.echo", str(MEDIA), str(OTHER)) for machine in (relay, inside)
    ]
    for echo in echoes:
        assert echo.stdout is not None
        assert echo.stdout.readline() == "ready\n"
    yield relay, old, client
    for echo in echoes:
        echo.kill()
        echo.communicate()


@pytest.fixture(scope="module")
def relay(machines: tuple[Machine, Machine, Machine]) -> Relay:
    """With the packaged settings and the packaged firewall."""
    server, _, client = machines
    made = Relay(server, client, SERVER)
    made.configured((ROOT / "packaging/coturn/turnserver.conf").read_text())
    server.write("/etc/snug/snug.nft", (ROOT / "packaging/nftables/snug.nft").read_text())
    server.run("nft -f /etc/snug/snug.nft")
    return made


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_relays_to_the_media_address_alone(relay: Relay, transport: str) -> None:
    others = [(address, port) for address in (*INSIDE, *OWN, CLIENT) for port in (MEDIA, OTHER)]
    found = relay.ask((SERVER, MEDIA), *others, transport=transport)
    assert found["peers"].pop(f"{SERVER} {MEDIA}") == "echo"
    assert found["peers"] == {f"{address} {port}": REFUSED for address, port in others}


def test_nothing_is_reached_over_ipv6_either(relay: Relay) -> None:
    others = [(address, MEDIA) for address in INSIDE6]
    found = relay.ask((SERVER6, MEDIA), *others, family=6)
    assert found["peers"].pop(f"{SERVER6} {MEDIA}") == "echo"
    assert found["peers"] == {f"{address} {MEDIA}": REFUSED for address in INSIDE6}


def test_the_firewall_keeps_relayed_ports_from_other_services_of_the_media_address(relay: Relay) -> None:
    assert relay.ask((SERVER, OTHER))["peers"] == {f"{SERVER} {OTHER}": "silent"}
    assert relay.ask((SERVER, MEDIA))["peers"] == {f"{SERVER} {MEDIA}": "echo"}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_relays_no_tcp(relay: Relay, transport: str) -> None:
    assert relay.ask(transport=transport, relay="tcp")["allocated"] == UNSUPPORTED


def test_the_lines_that_are_usual_relay_into_the_network(machines: tuple[Machine, Machine, Machine]) -> None:
    """The five lines that were documented before: the tests above tell them from the packaged settings."""
    _, old, client = machines
    usual = Relay(old, client, OLD)
    usual.configured(f"{USUAL}verbose\n")
    found = usual.ask(("10.0.0.9", OTHER), ("169.254.169.254", OTHER))
    assert set(found["peers"].values()) == {"echo"}
    assert usual.ask(transport="tcp", relay="tcp")["allocated"] == 0
    assert CLIENT in old.traces(CLIENT)


def test_a_call_outlives_its_credentials_and_nobody_else_uses_them(relay: Relay) -> None:
    """A relayed port is refreshed after its credentials have expired, with a nonce that has expired too."""
    text = (ROOT / "packaging/coturn/turnserver.conf").read_text()
    relay.configured(text.replace("stale-nonce=600", "stale-nonce=1"))
    try:
        name = credentials(2.0)
        found = relay.ask(name=name, lapse=True)
        assert (found["allocated"], found["refreshed"]) == (0, 0)
        assert relay.ask(name=name)["allocated"] == UNAUTHORIZED
    finally:
        relay.configured(text)


def test_one_clients_credentials_take_few_ports(relay: Relay) -> None:
    """By the packaged quotas. tests/network/test_turn.py has credentials of many moments."""
    found = relay.ask(name=credentials(client="one"), more=70)
    assert found["taken"] == [0] * 63 + [QUOTA] * 7
    assert relay.ask(name=credentials(client="other"))["allocated"] == 0


def test_no_file_has_a_members_address(relay: Relay) -> None:
    text = (ROOT / "packaging/coturn/turnserver.conf").read_text()
    relay.configured(f"{text}verbose\n")
    # a verbose log names the address when a connection closes
    for transport in ("udp", "tcp"):
        relay.ask((SERVER, MEDIA), ("10.0.0.9", MEDIA), transport=transport)
    # it may keep lines until it ends
    relay.server.run("systemctl stop coturn")
    assert relay.server.traces(CLIENT) == ""
    relay.configured(text)
