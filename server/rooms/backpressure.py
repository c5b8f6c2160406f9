"""Limits on the incoming bytes of one TCP connection, applied before aiohttp parses them.

A WebSocket message may arrive in fragments, and a fragment may be empty. The rate limits count messages only,
so this module counts bytes until a complete message claims them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from snugroom.server.http import PIECE
from snugroom.server.rooms.memory import Ledger

#: Bytes of one read: about 2,700 of the smallest frames, some milliseconds of work. Other connections are
#: served between reads.
READ_MAX: Final = 16_384
#: Additional bytes that each message claims, for the headers of its fragments.
HEADER_BYTES: Final = 64
#: Bytes that may arrive between two answers of plain HTTP: a browser's request has one or two thousand.
REQUEST_BYTES: Final = 32_768


class ByteLimiter(asyncio.Protocol):
    """A protocol in front of aiohttp's `handler` of a connection. It passes all events on.

    Before `start`, at most `REQUEST_BYTES` may arrive between two calls of `answers`. After it, at most
    `limit` bytes may arrive that no message has claimed (`claim`). If more arrive, the connection is aborted
    and `on_exceeded` is called. `on_lost` is called when the connection ends.
    """

    def __init__(
        self, handler: asyncio.Protocol, on_exceeded: Callable[[], object], on_lost: Callable[[], object]
    ) -> None:
        self.handler = handler
        #: The TCP connection, below TLS if there is TLS.
        self.tcp: asyncio.Transport | None = None
        #: The address of the client, or of a trusted proxy; None: no quota of a client applies.
        self.address: str | None = None
        self._on_lost = on_lost
        self._transport: asyncio.BaseTransport | None = None
        self._aborted = False
        self._ledger: Ledger | None = None
        #: Bytes that have arrived and belong to no complete message yet, or to none that was read.
        self.unclaimed = 0
        self._limit = REQUEST_BYTES
        self._on_exceeded: Callable[[], object] | None = on_exceeded
        self._early = b""

    def start(self, limit: int, ledger: Ledger) -> None:
        """Count bytes from now on, in `ledger` as well: the connection is a WebSocket."""
        self.unclaimed, self._limit, self._ledger = 0, limit, ledger

    def answers(self) -> None:
        """Count the bytes of the next request, because the answer to this one begins."""
        if self._ledger is None:
            self.unclaimed = 0

    @property
    def unread(self) -> int:
        """Bytes that were written and that the kernel has not taken yet."""
        transports = {self.tcp, self._transport}
        return sum(each.get_write_buffer_size() for each in transports if isinstance(each, asyncio.Transport))

    def allow(self, limit: int) -> None:
        """Change the limit."""
        self._limit = limit

    def claim(self, size: int) -> None:
        """Subtract the bytes of a complete message of `size` bytes."""
        self._count(-min(self.unclaimed, size + HEADER_BYTES))

    def _count(self, size: int) -> None:
        self.unclaimed += size
        if self._ledger is not None:
            self._ledger.inbox += size

    def accept(self, tcp: asyncio.Transport) -> None:
        """Set the TCP connection, before its TLS handshake if there is one."""
        self.tcp = tcp
        if hasattr(tcp, "max_size"):  # bytes of one read, in asyncio's own transports
            tcp.max_size = READ_MAX
        tcp.set_write_buffer_limits(high=PIECE)
        if self._aborted:
            tcp.abort()

    def abort(self) -> None:
        """Cut the connection, also if it is still in its TLS handshake. Harmless after its end."""
        self._aborted = True
        if self.tcp is not None:
            self.tcp.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if transport is not self.tcp:
            # TLS keeps nothing that TCP has room for; asyncio's TLS never resumes with a limit of 0
            transport.set_write_buffer_limits(high=1)
        self.handler.connection_made(transport)
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            self._early += data  # it came with the end of the TLS handshake
            return
        self._count(len(data))
        if self.unclaimed > self._limit:
            if self._on_exceeded is not None:
                self._on_exceeded()
                self._on_exceeded = None
            self.abort()
            return
        self.handler.data_received(data)

    def eof_received(self) -> bool | None:
        return self.handler.eof_received() if self._transport is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        made = self._transport is not None
        self._count(-self.unclaimed)
        self.tcp = self._transport = self._on_exceeded = self._ledger = self.address = None
        self._early = b""
        self._on_lost()
        if made:
            self.handler.connection_lost(exc)

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()
