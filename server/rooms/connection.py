"""One WebSocket: a bounded queue of outgoing frames, and the task that sends them.

A slow reader is dropped, and delays no other connection.
"""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import WSMsgType, web

from snugroom.server.config import Settings
from snugroom.server.rooms.rate_limits import RateLimits

#: Seconds for the last message and the WebSocket's closing handshake.
CLOSE_TIMEOUT = 1.0


class SignalingConnection:
    """One WebSocket, its bounded queue of frames, and the task that sends them."""

    def __init__(
        self, ws: web.WebSocketResponse, request: web.Request, settings: Settings, now: float
    ) -> None:
        self.rate_limits = RateLimits(settings, now)
        self.dropped = False
        self._ws = ws
        self._request = request
        self._settings = settings
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._writer = asyncio.create_task(self._write())
        self._finishing: asyncio.Task[None] | None = None

    @property
    def queued_bytes(self) -> int:
        """Number of bytes in the queue."""
        return self._bytes

    @property
    def address_and_headers(self) -> tuple[str, dict[str, str]]:
        """The address and the headers of the HTTP request, which last as long as the connection."""
        return self._request.remote or "", dict(self._request.headers)

    def put(self, frame: bytes) -> bool:
        """Queue a frame; return False if the queue has no space for it."""
        s = self._settings
        if self._bytes + len(frame) > s.queue_bytes or len(self._queue) >= s.queue_messages:
            return False
        self._queue.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        return True

    async def _write(self) -> None:
        try:
            while True:
                while self._queue:
                    frame = self._queue.popleft()
                    await self._ws.send_frame(frame, WSMsgType.TEXT)
                    self._bytes = max(0, self._bytes - len(frame))
                if self.dropped:
                    return
                self._wake.clear()
                await self._wake.wait()
        except ConnectionError:
            pass  # the reader notices, and removes the connection

    def clear_queue(self) -> None:
        """Empty the queue."""
        self._queue.clear()
        self._bytes = 0

    def drop(self, last: bytes) -> None:
        """Send the frame `last` after the queued frames, and close.

        Without space in the queue, `last` replaces the queued frames.
        """
        self.dropped = True
        if self._bytes + len(last) > self._settings.queue_bytes:
            self._queue.clear()
        self._queue.append(last)
        self._bytes += len(last)
        self._wake.set()
        self.finish()

    def finish(self) -> asyncio.Task[None]:
        """Send the last frame, close, and abort the connection if that takes longer than `CLOSE_TIMEOUT`."""
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish())
        return self._finishing

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                if self.dropped:
                    await self._writer
                if not await self._ws.close() and not self._ws.closed:
                    self._cut()
        except (TimeoutError, ConnectionError):
            self._cut()
        finally:
            self._writer.cancel()

    def _cut(self) -> None:
        transport = self._request.transport
        if transport is not None:
            transport.abort()
