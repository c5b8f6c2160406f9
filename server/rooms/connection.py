"""One WebSocket: the messages that wait for their turn, a bounded queue of outgoing frames, and its writer.

A slow reader is dropped, and delays no other connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from aiohttp import WSMsgType, web

from snugroom.server.config import Settings
from snugroom.server.rooms.backpressure import ByteLimiter
from snugroom.server.rooms.clients import Client
from snugroom.server.rooms.memory import FRAME, Ledger
from snugroom.server.rooms.rate_limits import RateLimits

#: Seconds for the last message and the WebSocket's closing handshake.
CLOSE_TIMEOUT = 1.0
#: Messages, and their bytes, that may wait for their turn before the server stops reading.
INBOX_MESSAGES: Final = 32
INBOX_BYTES: Final = 524_288


class SignalingConnection:
    """One WebSocket, its bounded queues in both directions, and the task that sends."""

    def __init__(
        self,
        ws: web.WebSocketResponse,
        request: web.Request,
        settings: Settings,
        ledger: Ledger,
        byte_limiter: ByteLimiter | None,
        client: Client,
        now: float,
    ) -> None:
        self.client = client
        self.rate_limits = RateLimits(settings, now)
        self.dropped = False
        self._ws = ws
        self._request = request
        self._settings = settings
        self._ledger = ledger
        self._byte_limiter = byte_limiter
        self._inbox: deque[tuple[bytes | str, bool]] = deque()
        self._inbox_bytes = 0
        self._moved = asyncio.Event()
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._writer = asyncio.create_task(self._write())
        self._finishing: asyncio.Task[None] | None = None

    @property
    def queued_bytes(self) -> int:
        """Bytes of memory of the outgoing frames."""
        return self._bytes

    @property
    def memory(self) -> int:
        """Bytes of memory of everything that waits, in both directions."""
        arriving = 0 if self._byte_limiter is None else self._byte_limiter.unclaimed
        return self._bytes + self._inbox_bytes + arriving

    @property
    def address_and_headers(self) -> tuple[str, dict[str, str]]:
        """The address and the headers of the HTTP request, which last as long as the connection."""
        return self._request.remote or "", dict(self._request.headers)

    # -- messages that wait for their turn -------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether a message waits for its turn."""
        return bool(self._inbox)

    def receive(self, data: bytes | str, is_text: bool) -> None:
        """Let a message wait for its turn."""
        self._inbox.append((data, is_text))
        self._count_inbox(len(data) + FRAME)

    def take(self) -> tuple[bytes | str, bool]:
        """Return the message whose turn it is, and whether it is text."""
        data, is_text = self._inbox.popleft()
        self._count_inbox(-len(data) - FRAME)
        self._moved.set()
        return data, is_text

    async def space(self) -> None:
        """Wait until another message may be read."""
        while len(self._inbox) >= INBOX_MESSAGES or self._inbox_bytes >= INBOX_BYTES:
            await self._move()

    async def handled(self) -> None:
        """Wait until no message waits any more."""
        while self._inbox:
            await self._move()

    async def _move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _count_inbox(self, size: int) -> None:
        self._inbox_bytes += size
        self._ledger.inbox += size

    # -- outgoing frames -----------------------------------------------------------------------

    def put(self, frame: bytes) -> bool:
        """Queue a frame; return False if the queue has no space for it."""
        s = self._settings
        if self._bytes + len(frame) > s.queue_bytes or len(self._queue) >= s.queue_messages:
            return False
        self._append(frame)
        return True

    def _append(self, frame: bytes) -> None:
        self._queue.append(frame)
        self._count(len(frame) + FRAME)
        self._wake.set()

    def _count(self, size: int) -> None:
        self._bytes += size
        self._ledger.frames += size

    async def _write(self) -> None:
        try:
            while True:
                while self._queue:
                    frame = self._queue.popleft()
                    try:
                        await self._ws.send_frame(frame, WSMsgType.TEXT)
                    finally:
                        self._count(-len(frame) - FRAME)
                if self.dropped:
                    return
                self._wake.clear()
                await self._wake.wait()
        except ConnectionError:
            pass  # the reader notices, and removes the connection

    def clear_queue(self) -> None:
        """Empty the queue of outgoing frames."""
        while self._queue:
            self._count(-len(self._queue.pop()) - FRAME)

    def drop(self, last: bytes) -> None:
        """Send the frame `last` after the queued frames, and close.

        Without space in the queue, `last` replaces the queued frames.
        """
        self.dropped = True
        while self._inbox:
            self.take()
        if self._bytes + len(last) > self._settings.queue_bytes:
            self.clear_queue()
        self._append(last)
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
                    self.cut()
        except (TimeoutError, ConnectionError):
            self.cut()
        finally:
            self._writer.cancel()
            self.clear_queue()

    def cut(self) -> None:
        """Abort the TCP connection."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()
