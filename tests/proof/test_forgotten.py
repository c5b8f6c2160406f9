"""A minute after everybody has left, nothing in the server's memory identifies anybody.

The clients have addresses, headers, transport parameters and certificates that occur nowhere else, and the
memory of all processes of the server is searched: while they are there, and after the server has forgotten
them. The server's own clock decides when that is; here it takes seconds instead of half a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from snugroom.server.sfu.io.dtls import Certificate
from snugroom.wire.messages import Streams, Transport
from tests.media_server.framed import by_tcp, put
from tests.media_server.peer import Peer, rtp
from tests.network.namespace import UnavailableError, inside, run
from tests.patience import PATIENCE
from tests.proof.memory import SHORTEST, Searcher, Snapshot, processes, snapshot
from tests.server.wire_clients import Guest, Place

ROOT = Path(__file__).parents[2]


#: Addresses that the loopback of a network namespace takes.
NETWORK6: Final = "fd77:1a2b:3c4d:5e6f"


def _address(six: bool) -> str:
    """An address of loopback with so many digits that no other text has them by chance."""
    if six:
        return ":".join([NETWORK6, *(f"{random.randrange(0x1000, 0x10000):x}" for _ in range(4))])
    return "127." + ".".join(str(random.randrange(100, 255)) for _ in range(3))


@dataclass
class Traces:
    """The traces to search for, as they stand in memory: those too short for `Searcher` are bytes."""

    canaries: dict[str, bytes | str] = field(default_factory=dict)
    short: dict[str, bytes] = field(default_factory=dict)

    def text(self, name: str, value: str) -> str:
        """Text, and its raw bytes in other encodings."""
        if len(value) < SHORTEST:
            self.short[name] = value.encode()
            self.canaries[f"{name} in hex"] = value.encode().hex()
        else:
            self.canaries[name] = value
        return value

    def place(self, name: str, host: str, port: int) -> None:
        """An address as text, and as sockets have it: the port before the address."""
        self.text(f"{name}: host", host)
        if ":" in host:
            self.canaries[f"{name}: sockaddr"] = (
                port.to_bytes(2, "big") + bytes(4) + socket.inet_pton(socket.AF_INET6, host)
            )
            self.canaries[f"{name}: in6_addr"] = socket.inet_pton(socket.AF_INET6, host)
        else:
            self.short[f"{name}: sockaddr"] = port.to_bytes(2, "big") + socket.inet_aton(host)

    def found(self, snapshots: Mapping[str, Snapshot]) -> dict[str, dict[str, list[str]]]:
        """Return what is in each process, each with some of its places. Equal parts are searched once."""
        searcher = Searcher(self.canaries)
        known: dict[bytes, dict[str, int]] = {}
        result: dict[str, dict[str, list[str]]] = {}
        for process, memory in snapshots.items():
            there = result.setdefault(process, {})
            for region in memory.regions:
                data = region.data
                if region.digest not in known:
                    places = {name: at for name, [(_, at), *_] in searcher.search(data).items()}
                    places |= {n: at for n, pattern in self.short.items() if (at := data.find(pattern)) >= 0}
                    known[region.digest] = places
                for name, at in known[region.digest].items():
                    around = data[max(0, at - 40) : at + 60]
                    there.setdefault(name, []).append(f"{region.label or 'anonymous'} {around!r}")
        return result


class Running:
    """A server as `snug-server` starts it, and the processes that it consists of."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    def all(self) -> dict[str, int]:
        """Return the first process and its workers, by name."""
        first, *workers = processes(self.process.pid)
        return {"server": first} | {f"worker {i}": pid for i, pid in enumerate(workers)}

    def search(self, traces: Traces) -> dict[str, dict[str, list[str]]]:
        """Return the traces in each process."""
        return traces.found({name: snapshot(pid) for name, pid in self.all().items()})

    async def disclosure(self) -> dict[str, Any]:
        """Ask the server itself."""
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(PATIENCE):
            line = b""
            while not line.startswith(b"disclosure "):
                line = await self.process.stdout.readline()
        answer: dict[str, Any] = json.loads(line.removeprefix(b"disclosure "))
        return answer


@contextlib.asynccontextmanager
async def serving(folder: Path, listen: str, more: str) -> AsyncIterator[Running]:
    settings = folder / "snug.toml"
    settings.write_text(f'listen = "{listen}"\nforget_time = 1.5\nroom_linger = 0.0\n' + more)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "snugroom.server", "--config", str(settings), "--inspectable"),
        cwd=ROOT,
        limit=1 << 20,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        yield Running(process, line.split()[-1])
    finally:
        process.kill()
        await process.wait()


class Visitors:
    """Clients at all of the server's doors, each from an address of its own."""

    def __init__(self, server: Running, traces: Traces, six: bool) -> None:
        self._server = server
        self._six = six
        self._family = socket.AF_INET6 if six else socket.AF_INET
        self._traces = traces
        self._headers = {
            "User-Agent": traces.text("user agent", f"Canary/{random.randbytes(9).hex()}"),
            "Cookie": traces.text("cookie", f"canary={random.randbytes(9).hex()}"),
            "X-Forwarded-For": traces.text("forwarded", f"2001:db8:{random.randbytes(6).hex(':', 2)}::7"),
            f"X-{traces.text('header', random.randbytes(9).hex())}": "1",
        }
        self._peers: list[Peer] = []

    async def come(self, stack: contextlib.AsyncExitStack) -> None:
        """Come to the room with media over UDP and TCP, to a door, to the page, and with garbage."""
        one = await self._member(stack, "member")
        two = await self._member(stack, "member by TCP")
        udp = Peer((1111, "audio"), certificate=self._certificate("UDP"))
        tcp = Peer((2222, "audio"), certificate=self._certificate("TCP"))
        self._peers += [udp, tcp]
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        sock.bind((_address(self._six), 0))
        sock.setblocking(False)
        put(udp, sock)
        answer = await self._media(one, udp, "UDP")
        framed = await by_tcp(tcp, answer.address, answer.port, source=_address(self._six))
        await self._media(two, tcp, "TCP")
        for name, its in (("UDP", sock), ("TCP", framed.sock)):
            self._traces.place(f"ICE over {name}", *its.getsockname()[:2])
        for number in range(20):
            udp.send_rtp(rtp(1111, number, b"sealed", kind="audio"))
            tcp.send_rtp(rtp(2222, number, b"sealed", kind="audio"))
        await udp.until(lambda: len(udp.rtp) > 5)
        await tcp.until(lambda: len(tcp.rtp) > 5)
        place = await self._place(stack, "at the door")
        await place.guest(self._headers)
        await self._page(place)
        await self._garbage(answer.port)

    def _certificate(self, name: str) -> Certificate:
        certificate = Certificate.generate()
        self._traces.canaries[f"fingerprint, {name}"] = certificate.fingerprint
        return certificate

    async def _media(self, who: Guest, peer: Peer, name: str) -> Transport:
        self._traces.text(f"ufrag, {name}", peer.ufrag)
        self._traces.text(f"password, {name}", peer.password)
        await who.say(peer.media)
        answer = await who.until(Transport)
        await peer.connect(answer)
        await who.until(Streams)
        return answer

    async def _place(self, stack: contextlib.AsyncExitStack, name: str) -> Place:
        host = _address(self._six)
        connector = aiohttp.TCPConnector(local_addr=(host, 0), limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        self._traces.text(f"{name}: host", host)
        return Place(self._server.url, http)

    async def _member(self, stack: contextlib.AsyncExitStack, name: str) -> Guest:
        place = await self._place(stack, name)
        guest = await place.guest(self._headers)
        self._traces.place(name, *guest.transport().get_extra_info("sockname")[:2])
        return await guest.member()

    async def _page(self, place: Place) -> None:
        unique = self._traces.text("query", random.randbytes(9).hex())
        for path in (f"/?{unique}", f"/{unique}", "/healthz", "/readyz"):
            async with place.http.get(self._server.url + path, headers=self._headers) as response:
                await response.read()
                assert "Server" not in response.headers

    async def _garbage(self, udp: int) -> None:
        """No HTTP, no door, no media: from strangers."""
        host, port = self._server.url.removeprefix("http://").rsplit(":", 1)
        host = host.strip("[]")
        junk = self._traces.text("garbage", random.randbytes(12).hex()).encode()
        for words in (
            junk + b"\r\n\r\n",
            b"GET /" + junk + b" HTTP/1.1\r\n" + junk + b"\r\n\r\n",
            b"\x16" + junk,
        ):
            source = _address(self._six), 0
            with socket.create_connection((host, int(port)), source_address=source) as sock:
                self._traces.place("stranger", *sock.getsockname()[:2])
                sock.sendall(words)
                sock.settimeout(PATIENCE)
                with contextlib.suppress(OSError):
                    while sock.recv(4096):
                        pass
        with socket.socket(self._family, socket.SOCK_DGRAM) as sock:
            sock.bind((_address(self._six), 0))
            self._traces.place("stranger by UDP", *sock.getsockname()[:2])
            for first in (b"\x80", b"\x00\x01", b"\x16\xfe\xfd"):
                sock.sendto(first + junk + bytes(20), (host, udp))

    def go(self) -> None:
        for peer in self._peers:
            peer.close()


async def _forgotten(server: Running) -> None:
    """Wait until the server says that it has forgotten everybody."""
    async with asyncio.timeout(PATIENCE):
        while True:
            disclosed = await server.disclosure()
            if not disclosed["forgetting"] and disclosed["connections"] == 0:
                return
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "settings", ["", 'workers = 2\ntrusted_proxies = ["127.0.0.0/8"]\n'], ids=["alone", "proxy"]
)
async def test_nothing_that_identifies_a_client_is_left(tmp_path: Path, settings: str) -> None:
    """Also of clients whose IPv6 addresses a proxy tells."""
    await _all_forgotten(tmp_path, "127.0.0.1:0", settings)


def test_nor_of_a_client_with_an_ipv6_address(tmp_path: Path) -> None:
    """In a network namespace, whose loopback takes all addresses of a network."""

    def whole() -> None:
        run("ip", "-6", "route", "add", "local", f"{NETWORK6}::/64", "dev", "lo")
        run("sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1")
        asyncio.run(_all_forgotten(tmp_path, "[::1]:0", ""))

    try:
        inside(whole)
    except UnavailableError as why:
        pytest.skip(str(why))


async def _all_forgotten(folder: Path, listen: str, settings: str) -> None:
    traces = Traces()
    async with serving(folder, listen, settings) as server:
        visitors = Visitors(server, traces, six=":" in listen.rpartition(":")[0])
        async with contextlib.AsyncExitStack() as stack:
            await visitors.come(stack)
            there = server.search(traces)
            visitors.go()
        await _forgotten(server)
        left = server.search(traces)
        assert (await server.disclosure())["freed_memory_is_overwritten"]
    somewhere = {name for found in there.values() for name in found}
    for kind in ("member: host", "user agent", "cookie", "forwarded", "ufrag, UDP", "password, TCP"):
        assert kind in somewhere, "the search finds what is there"
    assert left == {name: {} for name in left}
