"""Limits on the incoming bytes of one TCP connection, applied before aiohttp parses them.

A WebSocket message may arrive in fragments, and a fragment may be empty. The rate limits count messages only,
so this module counts bytes until a complete message claims them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

#: Bytes of one read: about 2,700 of the smallest frames, some milliseconds of work. Other connections are
#: served between reads.
TURN: Final = 16_384
#: Additional bytes that each message claims, for the headers of its fragments.
HEADERS: Final = 64


class Flow(asyncio.Protocol):
    """A protocol in front of aiohttp's `handler` of a connection. It passes all events on.

    After `watch`, at most `most` bytes may arrive that no message has claimed (`claim`). If more arrive, the
    connection is aborted and `too_much` is called. `gone` is called when the connection ends.
    """

    def __init__(self, handler: asyncio.Protocol, gone: Callable[[], object]) -> None:
        self.handler = handler
        self._gone = gone
        self._transport: asyncio.BaseTransport | None = None
        self._unclaimed = 0
        self._most = 0
        self._too_much: Callable[[], None] | None = None

    def watch(self, most: int, too_much: Callable[[], None]) -> None:
        """Count bytes from now on: the connection is a WebSocket."""
        self._most, self._too_much = most, too_much

    def claim(self, size: int) -> None:
        """Subtract the bytes of a complete message of `size` bytes."""
        self._unclaimed = max(0, self._unclaimed - size - HEADERS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if hasattr(transport, "max_size"):  # bytes of one read, in asyncio's own transports
            transport.max_size = TURN
        self.handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._too_much is not None:
            self._unclaimed += len(data)
            if self._unclaimed > self._most:
                if isinstance(self._transport, asyncio.WriteTransport):
                    self._transport.abort()
                self._too_much()
                self._too_much = None
                return
        self.handler.data_received(data)

    def eof_received(self) -> bool | None:
        return self.handler.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = self._too_much = None
        self._gone()
        self.handler.connection_lost(exc)

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()
