"""Sockets to the media server: datagrams over UDP, or framed over TCP (RFC 4571). They only transport."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable
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


class TcpWire:
    """A TCP socket. It calls `opened` when connected, `broken` when it fails or ends.

    OSError if the connection can't even begin.
    """

    def __init__(
        self,
        candidate: Candidate,
        receive: Callable[[bytes], None],
        opened: Callable[[], None],
        broken: Callable[[], None],
    ) -> None:
        self._receive = receive
        self._opened = opened
        self._broken = broken
        self._incoming = b""
        self._outgoing = bytearray()
        self._stands = False
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            status = self._socket.connect_ex((candidate.address, candidate.port))
            if status not in (0, errno.EINPROGRESS):
                raise OSError(status, os.strerror(status))
        except OSError:
            self._socket.close()
            raise
        self._loop.add_writer(self._socket.fileno(), self._writable)

    @property
    def address(self) -> str | None:
        return _own_address(self._socket)

    def send(self, datagram: bytes) -> bool:
        if self._socket.fileno() < 0 or not self._stands:
            return False
        if len(self._outgoing) + _HEADER + len(datagram) > _WAITING_MAX:
            return False
        waited = bool(self._outgoing)
        self._outgoing += len(datagram).to_bytes(_HEADER, "big") + datagram
        if not waited:
            self._push()
        return True

    def _writable(self) -> None:
        if self._stands:
            self._push()
            return
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._end()
            return
        self._stands = True
        self._loop.remove_writer(self._socket.fileno())
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._opened()

    def _push(self) -> None:
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
            self._loop.add_writer(self._socket.fileno(), self._writable)
        else:
            self._loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        try:
            chunk = self._socket.recv(_CHUNK)
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
            if self._socket.fileno() < 0:
                return  # `receive` has closed the socket
        self._incoming = data[at:]

    def _end(self) -> None:
        if self._socket.fileno() >= 0:
            self.close()
            self._broken()

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        if self._outgoing:
            with contextlib.suppress(OSError):  # the last datagrams, close_notify among them
                self._socket.send(self._outgoing)
        self._socket.close()
