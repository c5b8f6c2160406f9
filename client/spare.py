"""A connection that is opened ahead of time, for the next one to the same server.

A newcomer opens it with its knock: when the answer comes, the room's connection is there, with its challenge.
It saves waiting and nothing else: if anything fails here, the participant connects anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

#: Seconds for which a spare connection is kept. The server closes it after five (protocol section 3).
SPARE_TIME: Final = 4.0
#: Seconds for a closing handshake, and for what is still to be sent before it.
GOODBYE_TIME: Final = 1.0
#: Errors of a connection.
NETWORK: Final = (aiohttp.ClientError, OSError, TimeoutError)

#: A WebSocket, and the first frame that has come on it.
Taken = tuple[aiohttp.ClientWebSocketResponse, aiohttp.WSMessage]


class SpareConnection:
    """At most one open connection that nothing uses yet. `connect` opens a WebSocket to a server's URL."""

    def __init__(self, connect: Callable[[str], Awaitable[aiohttp.ClientWebSocketResponse]]) -> None:
        self._connect = connect
        self._url = ""
        self._opening: asyncio.Task[Taken] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._goodbyes: set[asyncio.Task[None]] = set()

    def open(self, url: str) -> None:
        """Begin to connect to `url`. The connection is closed after `SPARE_TIME`, unless it is taken."""
        self.drop()
        loop = asyncio.get_running_loop()
        self._url, self._opening = url, loop.create_task(self._open(url))
        self._timer = loop.call_later(SPARE_TIME, self.drop)

    async def take(self, url: str) -> Taken | None:
        """Return the connection to `url`, once it is open; None if there is no usable one."""
        opening = self._release()
        if opening is None:
            return None
        if url != self._url:
            self._discard(opening)
            return None
        try:
            ws, first = await opening
        except NETWORK:
            return None
        if first.type is not aiohttp.WSMsgType.TEXT or await _has_more(ws):
            self._part_with(ws)
            return None
        return ws, first

    def drop(self) -> None:
        """Close the connection, if there is one."""
        opening = self._release()
        if opening is not None:
            self._discard(opening)

    async def close(self) -> None:
        """Close the connection, and wait until it is closed."""
        self.drop()
        if self._goodbyes:
            await asyncio.wait(self._goodbyes)

    def _release(self) -> asyncio.Task[Taken] | None:
        if self._timer is not None:
            self._timer.cancel()
        opening, self._opening, self._timer = self._opening, None, None
        return opening

    async def _open(self, url: str) -> Taken:
        ws = await self._connect(url)
        try:
            return ws, await ws.receive()
        except BaseException:
            self._part_with(ws)
            raise

    def _discard(self, opening: asyncio.Task[Taken]) -> None:
        if not opening.done():
            opening.cancel()
        elif not opening.cancelled() and opening.exception() is None:
            self._part_with(opening.result()[0])

    def _part_with(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        goodbye = asyncio.get_running_loop().create_task(part_with(ws))
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)


async def part_with(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Close a WebSocket. A network that has gone answers no closing handshake, so the wait has a limit."""
    closing = asyncio.get_running_loop().create_task(ws.close())
    await asyncio.wait([closing], timeout=GOODBYE_TIME)
    closing.cancel()


async def _has_more(ws: aiohttp.ClientWebSocketResponse) -> bool:
    """Return whether anything follows the challenge: a server that speaks before the door says goodbye."""
    try:
        async with asyncio.timeout(0):
            await ws.receive()
    except TimeoutError:
        return False
    return True
