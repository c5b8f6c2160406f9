"""Limits on the incoming bytes of one TCP connection, applied before aiohttp parses them.

A WebSocket message may arrive in fragments, and a fragment may be empty. The rate limits count messages only,
so this module counts bytes until a complete message claims them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from snugroom.server.rooms.memory import Ledger

#: Bytes of one read: about 2,700 of the smallest frames, some milliseconds of work. Other connections are
#: served between reads.
READ_MAX: Final = 16_384
#: Additional bytes that each message claims, for the headers of its fragments.
HEADER_BYTES: Final = 64


class ByteLimiter(asyncio.Protocol):
    """A protocol in front of aiohttp's `handler` of a connection. It passes all events on.

    After `start`, at most `limit` bytes may arrive that no message has claimed (`claim`). If more arrive, the
    connection is aborted and `on_exceeded` is called. `on_lost` is called when the connection ends.
    """

    def __init__(self, handler: asyncio.Protocol, on_lost: Callable[[], object]) -> None:
        self.handler = handler
        #: The address of the client, or of a trusted proxy; None: no quota of a client applies.
        self.address: str | None = None
        self._on_lost = on_lost
        self._transport: asyncio.BaseTransport | None = None
        self._aborted = False
        self._ledger: Ledger | None = None
        #: Bytes that have arrived and belong to no complete message yet, or to none that was read.
        self.unclaimed = 0
        self._limit = 0
        self._on_exceeded: Callable[[], None] | None = None

    def start(self, limit: int, on_exceeded: Callable[[], None], ledger: Ledger) -> None:
        """Count bytes from now on, in `ledger` as well: the connection is a WebSocket."""
        self._limit, self._on_exceeded, self._ledger = limit, on_exceeded, ledger

    def allow(self, limit: int) -> None:
        """Change the limit."""
        self._limit = limit

    def claim(self, size: int) -> None:
        """Subtract the bytes of a complete message of `size` bytes."""
        self._count(-min(self.unclaimed, size + HEADER_BYTES))

    def _count(self, size: int) -> None:
        if self._ledger is not None:
            self.unclaimed += size
            self._ledger.inbox += size

    def abort(self) -> None:
        """Cut the connection, also if it is still in its TLS handshake. Harmless after its end."""
        self._aborted = True
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if self._aborted:
            self.abort()
        if hasattr(transport, "max_size"):  # bytes of one read, in asyncio's own transports
            transport.max_size = READ_MAX
        self.handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._on_exceeded is not None:
            self._count(len(data))
            if self.unclaimed > self._limit:
                self.abort()
                self._on_exceeded()
                self._on_exceeded = None
                return
        self.handler.data_received(data)

    def eof_received(self) -> bool | None:
        return self.handler.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._count(-self.unclaimed)
        self._transport = self._on_exceeded = self._ledger = self.address = None
        self._on_lost()
        self.handler.connection_lost(exc)

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()
