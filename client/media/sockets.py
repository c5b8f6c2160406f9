"""Sockets to the media server: datagrams over UDP, or framed over TCP (RFC 4571). They only transport."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from snugroom.client.media.reach import Candidate

_DRAIN: Final = 64  # maximum number of datagrams read in one turn of the event loop
_DATAGRAM_MAX: Final = 2_048
_BUFFER: Final = 1 << 21
_CHUNK: Final = 65_536
_HEADER: Final = 2
#: Maximum number of bytes queued for TCP; more is dropped, like at a full UDP socket.
_WAITING_MAX: Final = 262_144


def _own_address(own: socket.socket) -> str | None:
    try:
        return str(own.getsockname()[0])
    except OSError:
        return None


class Wire(Protocol):
    """A socket to the server. Closing twice is harmless."""

    @property
    def address(self) -> str | None:
        """Our own IP address; None while it is unknown."""
        ...

    def send(self, datagram: bytes) -> bool:
        """Send one datagram; return False if it was dropped."""

    def close(self) -> None: ...


class UdpWire:
    """A connected UDP socket; OSError without a route to the server.

    Connecting makes the kernel choose our address (loopback for loopback) and accept datagrams from the
    server only.
    """

    def __init__(self, candidate: Candidate, receive: Callable[[bytes], None]) -> None:
        self._receive = receive
        family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            self._socket.connect((candidate.address, candidate.port))
        except OSError:
            self._socket.close()
            raise
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    @property
    def address(self) -> str | None:
        return _own_address(self._socket)

    def send(self, datagram: bytes) -> bool:
        try:
            self._socket.send(datagram)
        except OSError:
            # full, closed, or an ICMP error of an earlier datagram: ICE checks notice a lasting failure
            return False
        return True

    def _readable(self) -> None:
        for _ in range(_DRAIN):
            try:
                data = self._socket.recv(_DATAGRAM_MAX)
            except OSError:
                return
            if data:
                self._receive(data)

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()


async def connected(candidate: Candidate) -> socket.socket:
    """Return a TCP socket that is connected to this candidate; OSError."""
    family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (candidate.address, candidate.port))
    except BaseException:
        made.close()
        raise
    return made


class TcpWire:
    """A TCP socket, which `dial` connects. It calls `opened` then, and `broken` when that fails or ends."""

    def __init__(
        self,
        dial: Callable[[], Awaitable[socket.socket]],
        receive: Callable[[bytes], None],
        opened: Callable[[], None],
        broken: Callable[[], None],
    ) -> None:
        self._receive = receive
        self._opened = opened
        self._broken = broken
        self._incoming = b""
        self._outgoing = bytearray()
        self._socket: socket.socket | None = None
        self._loop = asyncio.get_running_loop()
        self._dialling: asyncio.Task[None] | None = self._loop.create_task(self._connect(dial))

    @property
    def address(self) -> str | None:
        return None if self._socket is None else _own_address(self._socket)

    async def _connect(self, dial: Callable[[], Awaitable[socket.socket]]) -> None:
        try:
            self._socket = await dial()
        except OSError:
            self._dialling = None
            self._broken()
            return
        self._dialling = None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._opened()

    def send(self, datagram: bytes) -> bool:
        if self._socket is None:
            return False
        if len(self._outgoing) + _HEADER + len(datagram) > _WAITING_MAX:
            return False
        waited = bool(self._outgoing)
        self._outgoing += len(datagram).to_bytes(_HEADER, "big") + datagram
        if not waited:
            self._push()
        return True

    def _push(self) -> None:
        if self._socket is None:
            return
        try:
            sent = self._socket.send(self._outgoing)
        except BlockingIOError:
            sent = 0
        except OSError:
            # call `_end` after `send` has returned: its callback must not surprise the caller
            self._loop.call_soon(self._end)
            return
        del self._outgoing[:sent]
        if self._outgoing:
            self._loop.add_writer(self._socket.fileno(), self._push)
        else:
            self._loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        link = self._socket
        assert link is not None
        try:
            chunk = link.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._end()
            return
        data, at = self._incoming + chunk, 0
        while len(data) - at >= _HEADER:
            size = int.from_bytes(data[at : at + _HEADER], "big")
            if len(data) - at - _HEADER < size:
                break
            at += _HEADER + size
            if size:
                self._receive(data[at - size : at])
            if link.fileno() < 0:
                return  # `receive` has closed the socket
        self._incoming = data[at:]

    def _end(self) -> None:
        if self._socket is not None:
            self.close()
            self._broken()

    def close(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self._socket is None:
            return
        gone, self._socket = self._socket, None
        self._loop.remove_reader(gone.fileno())
        self._loop.remove_writer(gone.fileno())
        if self._outgoing:
            with contextlib.suppress(OSError):  # the last datagrams, close_notify among them
                gone.send(self._outgoing)
        gone.close()
