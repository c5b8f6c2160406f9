"""A server at a distance: what goes to it and comes from it takes longer than on loopback.

`snug bench join --round-trip` puts this between its clients and its server. A kernel would do the same with
netem; few containers have it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit

import msgspec

from snugroom.wire.messages import Transport

_HERE: Final = "127.0.0.1"
_READ: Final = 1 << 16

_Address: TypeAlias = tuple[str, int]


class Line:
    """Hands on what it is given, in order, each `delay` seconds later."""

    def __init__(self, delay: float, deliver: Callable[[bytes], None]) -> None:
        self._delay = delay
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, data: bytes, earliest: float = 0.0) -> None:
        """Send `data` now, or at the loop's time `earliest` if that is later."""
        due = max(self._loop.time(), earliest) + self._delay
        self._waiting.append((due, data))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._due)

    def _due(self) -> None:
        self._timer = None
        while self._waiting and self._waiting[0][0] <= self._loop.time():
            self._deliver(self._waiting.popleft()[1])
        if self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][0], self._due)


class Distance:
    """Forwards connections and media to a server on 127.0.0.1, inside ``async with``.

    Each way takes half of `round_trip` seconds. A connection is there after a round trip, as with TCP: the
    first that a client sends waits for it. `url` is for clients; the server takes it as its `origin`, and is
    named when it has started.
    """

    def __init__(self, round_trip: float) -> None:
        self.url = ""
        self._server: _Address | None = None
        self._round_trip = round_trip
        self._listening: asyncio.Server | None = None
        self._ports: dict[_Address, _Port] = {}
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._accept, _HERE, 0)
        port = self._listening.sockets[0].getsockname()[1]
        self.url = f"http://{_HERE}:{port}"
        return self

    def lead_to(self, url: str) -> None:
        """Name the server."""
        self._server = (_HERE, urlsplit(url).port or 80)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listening is not None
        self._listening.close()
        for port in self._ports.values():
            port.close()
        for writer in self._writers:
            writer.close()

    async def transport(self, real: Transport) -> Transport:
        """Return the same parameters with an address that leads to the server at this distance."""
        address = (real.address, real.port)
        if address not in self._ports:
            self._ports[address] = port = _Port(address, self._round_trip / 2)
            await port.open()
        here = self._ports[address].number
        return msgspec.structs.replace(real, address=_HERE, port=here, others=[], tcp=False, turn=[])

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = asyncio.get_running_loop().time() + self._round_trip
        assert self._server is not None
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(*self._server)
            self._writers |= {writer, far_writer}
            try:
                await asyncio.gather(
                    self._carry(reader, far_writer, there), self._carry(far_reader, writer, there)
                )
            finally:
                self._writers -= {writer, far_writer}
        writer.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, earliest: float
    ) -> None:
        """Carry bytes one way, and the end of them."""
        over = asyncio.Event()

        def deliver(data: bytes) -> None:
            if data and not writer.is_closing():
                writer.write(data)
            elif not data:
                over.set()

        line = Line(self._round_trip / 2, deliver)
        data = b"-"
        while data:
            try:
                data = await reader.read(_READ)
            except OSError:
                data = b""
            line.put(data, earliest)
        await over.wait()
        writer.close()


class _Port(asyncio.DatagramProtocol):
    """A UDP port of the server, at a distance. Each client has a socket of its own to the server."""

    def __init__(self, server: _Address, delay: float) -> None:
        self.number = 0
        self._server = server
        self._delay = delay
        self._here: asyncio.DatagramTransport | None = None
        self._clients: dict[_Address, _Client] = {}

    async def open(self) -> None:
        """Begin to receive, at `number`."""
        loop = asyncio.get_running_loop()
        self._here, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(_HERE, 0))
        self.number = self._here.get_extra_info("sockname")[1]

    def close(self) -> None:
        """Receive nothing any more."""
        assert self._here is not None
        self._here.close()
        for client in self._clients.values():
            client.close()

    def datagram_received(self, data: bytes, address: _Address) -> None:
        """Pass on what a client sends."""
        assert self._here is not None
        here = self._here
        if address not in self._clients:
            self._clients[address] = _Client(
                self._server, self._delay, lambda data: here.sendto(data, address)
            )
        self._clients[address].up.put(data)


class _Client:
    """A client's socket to the server."""

    def __init__(self, server: _Address, delay: float, down: Callable[[bytes], None]) -> None:
        self.up = Line(delay, self._send)
        self._down = Line(delay, down)
        self._there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._there.setblocking(False)
        self._there.connect(server)
        asyncio.get_running_loop().add_reader(self._there, self._receive)

    def close(self) -> None:
        """Close the socket."""
        asyncio.get_running_loop().remove_reader(self._there)
        self._there.close()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._down.put(self._there.recv(_READ))

    def _send(self, data: bytes) -> None:
        # what a full buffer or a closed port does not take is lost, as on any network
        with contextlib.suppress(OSError):
            self._there.send(data)
