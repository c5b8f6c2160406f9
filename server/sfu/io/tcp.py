"""ICE over TCP (RFC 6544, passive) for networks that block UDP: datagrams in frames (RFC 4571).

To the SFU a connection is an address of its own kind, and its frames are datagrams. A new connection is not
trusted: a stranger gets one small buffer and a few seconds. A slow reader loses packets, as on any narrow
path, and a reader that takes nothing is cut. Nothing waits for slow readers, and no buffer grows without
limit.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import ipaddress
import itertools
import socket
import sys
from collections.abc import Callable, Container, Sequence
from typing import Final

from snugroom.server.sfu.io import srtp
from snugroom.server.sfu.io.ice import Address
from snugroom.server.sfu.io.packet_io import DatagramHandler
from snugroom.server.sfu.limits import DATAGRAM_MAX, MediaLimits

_HEADER: Final = 2
#: Bytes read at once: a thousand of the smallest frames, before the next connection's turn.
_CHUNK: Final = 16_384
#: The header of a DTLS record; STUN, SRTP and SRTCP are longer.
_LEAST: Final = 13
#: Connections accepted in one turn of the loop.
_ACCEPTS: Final = 16
#: The most unsent bytes in the kernel. Other data waits here, where it can be dropped.
_UNSENT: Final = 16_384
#: A larger packet belongs to video. Only audio may fill the last half of the buffer.
_SMALL: Final = 400


def _place(host: str) -> str:
    """Return the group for counting connections: an IPv4 address, or the /64 of one subscriber."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.version == 4:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped) if mapped is not None else str(ipaddress.ip_address(int(address) >> 64 << 64))


class TcpConnection:
    """One TCP connection: received bytes that are not a frame yet, and bytes to send.

    `known_at`: when it was last a peer's address through an authenticated check, or when it was accepted.
    `moved_at`: when bytes last left, or began to wait.
    """

    __slots__ = (
        "address", "greeted", "incoming", "known_at", "moved_at", "outgoing", "place", "sock", "waits",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, address: Address, now: float) -> None:
        self.sock = sock
        self.address = address
        self.place = _place(address[0])
        self.incoming = b""
        self.outgoing = bytearray()
        self.greeted = False
        self.known_at = self.moved_at = now
        #: Whether the loop watches for the socket to take more.
        self.waits = False


class Tcp:
    """All TCP connections. It replaces the socket of a `PlainPacketIo`: it has a `sendto`.

    `handle` gets each frame like a datagram. `then` is called after frames were handled. `gone` gets the
    address of each closed connection. `ever`: there has been a connection.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        limits: MediaLimits,
        clock: Callable[[], float],
        *,
        handle: DatagramHandler,
        then: Callable[[], None],
        gone: Callable[[Address], None],
    ) -> None:
        self._listeners = list(listeners)
        self._limits = limits
        self._clock = clock
        self._handle = handle
        self._then = then
        self._gone = gone
        self.ever = False
        self._connections: dict[Address, TcpConnection] = {}
        self._places: collections.Counter[str] = collections.Counter()
        self._dirty: dict[TcpConnection, None] = {}
        self._chunk = bytearray(_CHUNK)
        self._inbox = srtp.Buffer(DATAGRAM_MAX)
        self._loop = asyncio.get_running_loop()
        # Each connection has a unique address, though a port may be used again.
        self._numbers = itertools.count()
        self._deaf = False
        self.counts: collections.Counter[str] = collections.Counter()
        self._listen()

    @property
    def connections(self) -> int:
        """The number of connections, strangers included."""
        return len(self._connections)

    @property
    def buffers(self) -> int:
        """Bytes held: shared buffers, data that waits, and received bytes that are not a frame yet."""
        each = (len(c.outgoing) + len(c.incoming) for c in self._connections.values())
        return len(self._chunk) + len(self._inbox.view) + sum(each)

    def close(self) -> None:
        """Close all connections and listeners."""
        for connection in list(self._connections.values()):
            self._push(connection)  # send goodbyes
            self._close(connection)
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            listener.close()

    # -- receiving ---------------------------------------------------------------------------

    def _listen(self) -> None:
        for listener in self._listeners:
            self._loop.add_reader(listener.fileno(), self._accept, listener)
        self._deaf = False

    def _accept(self, listener: socket.socket) -> None:
        limits = self._limits
        for _ in range(_ACCEPTS):
            try:
                sock, name = listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # gone before it was accepted
                continue
            except OSError:
                # No file descriptor is left. A waiting connection would wake the loop at once again, so stop
                # listening until the next sweep.
                self.counts["tcp_refused"] += 1
                for each in self._listeners:
                    self._loop.remove_reader(each.fileno())
                self._deaf = True
                return
            connection = TcpConnection(sock, (name[0], name[1], next(self._numbers)), self._clock())
            full = len(self._connections) >= limits.tcp_connections
            if full or self._places[connection.place] >= limits.tcp_per_address:
                self.counts["tcp_refused"] += 1
                sock.close()
                continue
            self._take(connection)

    def _take(self, connection: TcpConnection) -> None:
        sock = connection.sock
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sys.platform == "linux":
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        self.counts["tcp_taken"] += 1
        self._connections[connection.address] = connection
        self._places[connection.place] += 1
        self._loop.add_reader(sock.fileno(), self._readable, connection)
        self.ever = True

    def _readable(self, connection: TcpConnection) -> None:
        try:
            size = connection.sock.recv_into(self._chunk)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size == 0 or not self._frames(connection, connection.incoming + self._chunk[:size]):
            self._close(connection)
        self._then()

    def _frames(self, connection: TcpConnection, data: bytes) -> bool:
        """Handle all whole frames; False if this cannot be a client of Snug."""
        at, end, view = 0, len(data), self._inbox.view
        while end - at >= _HEADER:
            size = int.from_bytes(data[at : at + _HEADER], "big")
            # HTTP and TLS begin like this, for example. Except for an empty frame, no valid frame is so
            # small.
            if size >= DATAGRAM_MAX or 0 < size < _LEAST:
                self.counts["tcp_garbage"] += 1
                return False
            if end - at - _HEADER < size:
                break
            at += _HEADER
            if size and not connection.greeted:
                if data[at] > 3:  # a client begins with a check
                    self.counts["tcp_garbage"] += 1
                    return False
                connection.greeted = True
            if size:
                view[:size] = data[at : at + size]
                self._handle(self._inbox.data, view, size, connection.address)
            at += size
        connection.incoming = data[at:]
        return True

    # -- sending -----------------------------------------------------------------------------

    def sendto(self, datagram: bytes | memoryview, address: Address) -> None:
        """Frame a datagram; it leaves at `flush` at the latest. OSError if the connection is gone or full."""
        connection = self._connections.get(address)
        if connection is None:
            raise ConnectionError("the connection is gone")
        size, waiting = len(datagram), len(connection.outgoing)
        room = self._limits.tcp_buffer if size <= _SMALL else self._limits.tcp_buffer // 2
        if waiting + _HEADER + size > room:
            self.counts["tcp_full"] += 1
            raise BlockingIOError("too much is waiting")
        if not waiting:
            connection.moved_at = self._clock()
        connection.outgoing += size.to_bytes(_HEADER, "big")
        connection.outgoing += datagram
        if not connection.waits:
            self._dirty[connection] = None

    def flush(self) -> None:
        """Give the kernel as much of the waiting data as it takes."""
        dirty, self._dirty = self._dirty, {}
        for connection in dirty:
            if not self._push(connection):
                self._close(connection)

    def _push(self, connection: TcpConnection) -> bool:
        """Send waiting data; False if the connection is broken."""
        outgoing = connection.outgoing
        if outgoing:
            try:
                sent = connection.sock.send(outgoing)
            except BlockingIOError:
                sent = 0
            except OSError:
                return False
            if sent:
                del outgoing[:sent]
                connection.moved_at = self._clock()
        if bool(outgoing) != connection.waits:
            connection.waits = bool(outgoing)
            if connection.waits:
                self._loop.add_writer(connection.sock.fileno(), self._writable, connection)
            else:
                self._loop.remove_writer(connection.sock.fileno())
        return True

    def _writable(self, connection: TcpConnection) -> None:
        if not self._push(connection):
            self._close(connection)

    def wipe(self) -> None:
        """Overwrite the buffers that all connections share."""
        self._chunk[:] = bytes(_CHUNK)
        self._inbox.wipe()

    # -- ending ------------------------------------------------------------------------------

    def sweep(self, now: float, known: Container[Address]) -> None:
        """Once a second: cut readers that take nothing, and connections of no peer (`known`) for too long."""
        for connection in list(self._connections.values()):
            if connection.address in known:
                connection.known_at = now
            elif now - connection.known_at > self._limits.tcp_time:
                self.counts["tcp_strangers"] += 1
                self._close(connection)
                continue
            if connection.outgoing and now - connection.moved_at > self._limits.tcp_stall:
                self.counts["tcp_slow"] += 1
                self._close(connection)
        if self._deaf:
            self._listen()

    def _close(self, connection: TcpConnection) -> None:
        if self._connections.get(connection.address) is not connection:
            return
        del self._connections[connection.address]
        self._places[connection.place] -= 1
        if not self._places[connection.place]:
            del self._places[connection.place]
        self._dirty.pop(connection, None)
        self._loop.remove_reader(connection.sock.fileno())
        self._loop.remove_writer(connection.sock.fileno())
        connection.sock.close()
        connection.outgoing.clear()
        self._gone(connection.address)
