"""nginx and Caddy with the packaged files: a meeting through TLS, limits that see clients, and no logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import pytest

from tests.cli.processes import Process
from tests.hosting.authority import PUBLIC, Authority
from tests.hosting.machine import ROOT, Machine, Network

PROGRAMS: Final = ("nginx", "caddy", "curl", "openssl", "nft")
NAME, SERVER = "meet.example", "203.0.113.7"
ADA, BO, AUTHORITY = "198.51.100.9", "192.0.2.9", "203.0.113.53"
#: WebSockets of one client.
QUOTA: Final = 3
SETTINGS: Final = f"""\
listen = "127.0.0.1:8080"
origin = "https://{NAME}"
media_address = "{SERVER}"
media_bind = "0.0.0.0"
media_port = 40000
trusted_proxies = ["127.0.0.1"]
"""
#: Seconds after which a request that does not end is cut for sure: the limit is 10, the machine may be busy.
#: Without the limit it takes 60.
CUT: Final = 45
#: A client that opens a number of WebSockets, claims to be others, and prints which of them got a challenge.
SOCKETS: Final = "tests.hosting.web_client"


@dataclass
class House:
    """A server behind one proxy, and two clients."""

    server: Machine
    ada: Machine
    bo: Machine

    def serves(self, settings: str = SETTINGS) -> None:
        """(Re)start Snug with these settings."""
        self.server.write("/etc/snug/snug.toml", settings)
        self.server.write(
            "/etc/systemd/system/snug.service",
            "[Service]\nExecStart=/usr/bin/snug-server --config /etc/snug/snug.toml\nDynamicUser=yes\n",
        )
        self.server.run("systemctl daemon-reload; systemctl restart snug")
        self.server.wait("curl -fsS http://127.0.0.1:8080/healthz")

    def get(self, path: str, *options: str) -> str:
        """The answer to a request of Ada's, with its headers."""
        return self.ada.run(f"curl -sS -i --max-time 20 {' '.join(options)} https://{NAME}{path}")


def started(net: Network, proxy: str) -> House:
    authority = Authority()
    server = net.machine("server", f"{SERVER}/24", "2001:db8::7/64")
    house = House(server, net.machine("ada", f"{ADA}/24"), net.machine("bo", f"{BO}/24"))
    public = net.machine("authority", f"{AUTHORITY}/24")
    net.names({NAME: SERVER, PUBLIC: AUTHORITY})
    for machine in (server, house.ada, house.bo, public):
        authority.trusted_on(machine)
    house.serves()
    if proxy == "nginx":
        pair = authority.issue(NAME)
        server.write(f"/etc/letsencrypt/live/{NAME}/fullchain.pem", pair.certificate)
        server.write(f"/etc/letsencrypt/live/{NAME}/privkey.pem", pair.key)
        server.write("/etc/nginx/conf.d/snug.conf", (ROOT / "packaging/nginx/snug.conf").read_text())
        server.run("nginx -t; systemctl restart nginx")
    else:
        authority.serve(public)
        server.write("/etc/caddy/Caddyfile", (ROOT / "packaging/caddy/Caddyfile").read_text())
        server.run("caddy validate --config /etc/caddy/Caddyfile; systemctl restart caddy")
    server.write("/etc/snug/snug.nft", (ROOT / "packaging/nftables/snug.nft").read_text())
    server.run("nft -c -f /etc/snug/snug.nft; nft -f /etc/snug/snug.nft")
    house.ada.wait(f"curl -fsS --max-time 5 https://{NAME}/healthz")
    return house


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def house(net: Network, request: pytest.FixtureRequest) -> Iterator[House]:
    with net.cleared():
        yield started(net, request.param)


def test_the_page_comes_with_the_headers_of_snug(house: House) -> None:
    page = house.get("/")
    assert re.match(r"HTTP/\S+ 200", page)
    assert "strict-transport-security: max-age=31536000" in page.lower()
    assert "content-security-policy: " in page.lower()
    assert page.lower().count("referrer-policy: no-referrer") == 1
    assert not re.search(r"^server:.*\d", page, re.MULTILINE | re.IGNORECASE), "no version"
    told = json.loads(house.ada.run(f"snug verify-page https://{NAME} --json"))
    assert (told["same"], told["differs"]) == (True, []), "the packaged proxy changes nothing"
    assert re.match(r"HTTP/\S+ 404", house.get("/readyz"))
    plain = house.ada.run(f"curl -sS -i http://{NAME}/room")
    assert re.match(r"HTTP/\S+ 308", plain)
    assert f"ocation: https://{NAME}/room" in plain


def test_a_meeting_through_the_proxy(house: House) -> None:
    with ExitStack() as stack:

        def start(machine: Machine, *arguments: str) -> Process:
            process = Process(*arguments, inside=machine.module)
            stack.callback(process.stop)
            return process

        ada = start(
            house.ada, "host", "--server", f"https://{NAME}", "--name", "Ada", "--admit", "all", "--json"
        )
        link = ada.wait("invite")["link"]
        assert link.startswith(f"https://{NAME}/")
        bo = start(house.bo, "join", link, "--name", "Bo", "--json")
        for who in (ada, bo):
            who.wait("media", lambda e: e["stream"] == "audio" and e["opened"] > 20)
            who.wait("media", lambda e: e["stream"] == "video" and e["opened"] > 20)
        ada.send({"chat": "hello"})
        bo.wait("chat", lambda e: e["text"] == "hello")
        for who in (bo, ada):
            who.send({"leave": True})
            assert who.status() == 0, who.errors


def test_limits_see_clients_and_not_what_they_claim(house: House) -> None:
    house.serves(f"{SETTINGS}connections_per_client = {QUOTA}\n")
    try:
        opened = [
            machine.start_python(SOCKETS, f"wss://{NAME}/ws", str(QUOTA + 1))
            for machine in (house.ada, house.bo)
        ]
        for process in opened:
            assert process.stdout is not None
            assert process.stdout.readline().split() == ["open"] * QUOTA + ["refused"]
        for process in opened:
            process.communicate("end\n")
    finally:
        house.serves()


def test_slow_clients_leave_room_for_others(house: House) -> None:
    """300 requests that never end: others are served meanwhile, and these are cut."""
    slow = house.bo.start_python("tests.hosting.slow_client", NAME, "300")
    assert slow.stdout is not None
    assert slow.stdout.readline() == "open\n"
    assert re.match(r"HTTP/\S+ 200", house.get("/"))
    cut = re.fullmatch(r"all cut after (\d+) s\n", slow.stdout.readline())
    assert cut is not None
    assert int(cut[1]) < CUT
    slow.communicate()


def test_no_log_has_an_address_even_if_the_server_is_down(house: House) -> None:
    house.server.run("systemctl stop snug")
    try:
        assert re.match(r"HTTP/\S+ 502", house.get("/"))
        house.ada.run(f"curl -sS -o /dev/null https://{NAME}/%2e%2e/ -H 'Host: x' || true")
        house.ada.run(f"curl -sS -o /dev/null http://{SERVER}/x -H 'Host: {NAME}' || true")
        assert house.server.traces(ADA) == ""
    finally:
        house.serves()


def test_other_ports_are_closed(house: House) -> None:
    services = [house.server.start_python("http.server", str(port)) for port in (9100, 25)]
    for port in (9100, 25):
        house.server.wait(f"curl -fsS http://{SERVER}:{port}/ -o /dev/null")
        done = house.ada.attempt(f"curl -sS --max-time 3 http://{SERVER}:{port}/")
        assert "timed out" in done.stdout
    assert "timed out" in house.ada.attempt(f"curl -sS --max-time 3 http://{SERVER}:8080/").stdout
    for service in services:
        service.kill()
        service.communicate()
