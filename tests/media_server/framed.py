"""Peers whose datagrams go in frames of a TCP connection (RFC 4571)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, cast

from tests.media_server.peer import Peer
from tests.patience import PATIENCE


class Framed:
    """In the place of a datagram socket. `ended`: the other end has closed it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.ended = False
        self._data = b""

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self, *, reset: bool = False) -> None:
        if self.sock.fileno() < 0:
            return
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        asyncio.get_running_loop().remove_reader(self.sock.fileno())
        self.sock.close()

    def sendto(self, datagram: bytes, _address: object) -> None:
        self.sock.sendall(len(datagram).to_bytes(2, "big") + datagram)

    def recv(self, _size: int) -> bytes:
        while not self._whole():
            try:
                got = self.sock.recv(65_536)
            except ConnectionError:
                got = b""
            if not got:
                self.ended = True
                # at the end a socket is readable for ever
                asyncio.get_running_loop().remove_reader(self.sock.fileno())
                raise BlockingIOError
            self._data += got
        size = int.from_bytes(self._data[:2], "big")
        datagram, self._data = self._data[2 : 2 + size], self._data[2 + size :]
        return datagram

    def _whole(self) -> bool:
        return len(self._data) >= 2 and len(self._data) >= 2 + int.from_bytes(self._data[:2], "big")


async def dial(host: str, port: int, *, source: str = "", receive: int = 0) -> socket.socket:
    """A connection to the server; `receive`: SO_RCVBUF."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    if receive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    if source:
        sock.bind((source, 0))
    async with asyncio.timeout(PATIENCE):
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
    return sock


def put(peer: Peer, sock: Any) -> None:
    """Have `peer` speak through `sock`, a socket or `Framed`, from now on."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, ValueError):
        loop.remove_reader(peer.socket.fileno())
    peer.socket.close()
    peer.socket = cast(socket.socket, sock)
    loop.add_reader(sock.fileno(), peer._readable)


async def by_tcp(peer: Peer, host: str, port: int, **options: Any) -> Framed:
    """Have `peer` speak through a TCP connection of its own."""
    framed = Framed(await dial(host, port, **options))
    put(peer, framed)
    return framed
