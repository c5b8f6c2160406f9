"""A server at a distance is the same server, later."""

from __future__ import annotations

import asyncio
import socket

from snugroom.lab.bench.distance import Distance, Line
from snugroom.wire.messages import Transport
from tests.patience import PATIENCE

ROUND_TRIP = 0.08
#: Timers may be a little early.
EARLY = 0.005


async def test_a_line_keeps_the_order_and_is_never_early() -> None:
    loop, came = asyncio.get_running_loop(), []
    done = asyncio.Event()

    def deliver(data: bytes) -> None:
        came.append((data, loop.time()))
        if data == b"last":
            done.set()

    line, began = Line(0.03, deliver), loop.time()
    line.put(b"waits", began + 0.05)
    line.put(b"after it")
    await asyncio.sleep(0.01)
    line.put(b"last")
    async with asyncio.timeout(PATIENCE):
        await done.wait()
    assert [data for data, _ in came] == [b"waits", b"after it", b"last"]
    assert all(at >= began + 0.08 - EARLY for _, at in came)


async def test_a_connection_takes_a_round_trip_before_its_first_request() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(PATIENCE), Distance(ROUND_TRIP) as far:
        far.lead_to(f"http://127.0.0.1:{port}/")
        began = loop.time()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(far.url.split(":")[2]))
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        first = loop.time() - began
        writer.write(b"two")
        assert await reader.readexactly(3) == b"two"
        second = loop.time() - began - first
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    server.close()
    assert first >= 2 * ROUND_TRIP - EARLY
    assert second >= ROUND_TRIP - EARLY


async def test_media_takes_as_long_and_comes_from_where_it_was_sent() -> None:
    loop = asyncio.get_running_loop()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.setblocking(False)
    real = Transport(
        ufrag="abcdefgh",
        password="a" * 24,
        fingerprint=bytes(32),
        address="127.0.0.1",
        port=server.getsockname()[1],
        tcp=True,
    )
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    async with asyncio.timeout(PATIENCE), Distance(ROUND_TRIP) as far:
        shown = await far.transport(real)
        assert (shown.tcp, shown.port != real.port) == (False, True)
        assert await far.transport(real) == shown
        began = loop.time()
        for number, client in enumerate(clients):
            client.setblocking(False)
            client.connect((shown.address, shown.port))
            await loop.sock_sendall(client, b"from %d" % number)
        addresses = {}
        for _ in clients:
            data, address = await loop.sock_recvfrom(server, 1024)
            addresses[data] = address
        assert loop.time() - began >= ROUND_TRIP / 2 - EARLY
        for data, address in addresses.items():
            await loop.sock_sendto(server, b"to " + data, address)
        for number, client in enumerate(clients):
            assert await loop.sock_recv(client, 1024) == b"to from %d" % number
        assert loop.time() - began >= ROUND_TRIP - EARLY
    for each in (server, *clients):
        each.close()
