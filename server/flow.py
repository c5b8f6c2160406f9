"""What comes over one TCP connection, before anything reads it: in small portions, and not without end.

A WebSocket message may come in pieces, pieces may be empty, and none of them is a message yet that a rate
could count. So the bytes themselves are counted, until messages claim them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

#: Read at once, bytes: about 2,700 of the smallest frames, some milliseconds. Others are served in between.
TURN: Final = 16_384
#: Bytes that each message may claim beside its own: headers of its pieces.
HEADERS: Final = 64


class Flow(asyncio.Protocol):
    """Stands before aiohttp's `handler` of a connection and passes everything on.

    Once `watch` has been called, bytes of which no message has come of (`claim`) are at most `most`; whoever
    sends more is cut off, and `too_much` is told. `gone` is told when the connection is over.
    """

    def __init__(self, handler: asyncio.Protocol, gone: Callable[[], object]) -> None:
        self.handler = handler
        self._gone = gone
        self._transport: asyncio.BaseTransport | None = None
        self._unclaimed = 0
        self._most = 0
        self._too_much: Callable[[], None] | None = None

    def watch(self, most: int, too_much: Callable[[], None]) -> None:
        """From here on it is a WebSocket."""
        self._most, self._too_much = most, too_much

    def claim(self, size: int) -> None:
        """A message of `size` bytes has come of it."""
        self._unclaimed = max(0, self._unclaimed - size - HEADERS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if hasattr(transport, "max_size"):  # of asyncio's own transports: what one read takes
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
