"""A bad network for media: a UDP proxy on loopback that loses and delays datagrams."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any, Final

#: The proxy stands on an address of its own, with the server's port.
PROXY: Final = "127.0.0.2"
SERVER: Final = "127.0.0.1"
_TRIES: Final = 100


class Network:
    """The network between all participants and a `Server(network=...)`, for audio and video.

    `loss`: the share of datagrams that are lost in each direction, 0 to 1. `delay`: seconds for which each
    one is on its way. Both may be changed at any time. `seed` makes the order of losses repeatable.
    """

    def __init__(self, *, loss: float = 0.0, delay: float = 0.0, seed: int = 0) -> None:
        self.loss = loss
        self.delay = delay
        #: Number of datagrams that the network has carried.
        self.carried = 0
        #: Number of datagrams that it has lost.
        self.lost = 0
        self._random = random.Random(seed)  # noqa: S311 - losses, no secrets
        self._port = 0
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[tuple[str, int], asyncio.DatagramTransport] = {}
        self._opening: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Open the proxy; return the port that the server has to take. OSError if none is free."""
        loop = asyncio.get_running_loop()
        self._port = _free_on_both()
        protocol = _Protocol(self._from_client)
        self._front, _ = await loop.create_datagram_endpoint(lambda: protocol, local_addr=(PROXY, self._port))
        return self._port

    async def stop(self) -> None:
        """Close everything. Harmless if not started."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for transport in (*self._backs.values(), *([] if self._front is None else [self._front])):
            transport.close()
        self._backs.clear()
        self._front = None

    def _from_client(self, data: bytes, client: tuple[str, int]) -> None:
        back = self._backs.get(client)
        if back is not None:
            self._carry(back, data, None)
            return
        task = asyncio.get_running_loop().create_task(self._open(client, data))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, client: tuple[str, int], data: bytes) -> None:
        """Give a client a socket of its own, by whose address the server knows it."""

        def from_server(answer: bytes, _: Any) -> None:
            if self._front is not None:
                self._carry(self._front, answer, client)

        loop = asyncio.get_running_loop()
        protocol = _Protocol(from_server)
        back, _ = await loop.create_datagram_endpoint(lambda: protocol, remote_addr=(SERVER, self._port))
        if client in self._backs:  # two datagrams came at once
            back.close()
        else:
            self._backs[client] = back
        self._carry(self._backs[client], data, None)

    def _carry(
        self, transport: asyncio.DatagramTransport, data: bytes, where: tuple[str, int] | None
    ) -> None:
        if self._random.random() < self.loss:
            self.lost += 1
            return
        self.carried += 1
        asyncio.get_running_loop().call_later(self.delay, _send, transport, data, where)


def _send(transport: asyncio.DatagramTransport, data: bytes, where: tuple[str, int] | None) -> None:
    if not transport.is_closing():
        transport.sendto(data, where)


def _free_on_both() -> int:
    """Return a UDP port that is free on both addresses."""
    for _ in range(_TRIES):
        with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as proxy:
            server.bind((SERVER, 0))
            port: int = server.getsockname()[1]
            try:
                proxy.bind((PROXY, port))
            except OSError:
                continue
            return port
    raise OSError("no UDP port is free on both 127.0.0.1 and 127.0.0.2")


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, take: Any) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._take(data, addr)
