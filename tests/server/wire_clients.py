"""A server on loopback, and clients that speak only the wire protocol."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp

from snugroom.server.app import Server
from snugroom.server.config import Settings
from snugroom.wire.messages import (
    Challenge,
    Closing,
    Entered,
    Media,
    Message,
    Refused,
    Transport,
    decode_server,
    encode,
)
from tests.patience import PATIENCE
from tests.server.people import lobby_door, opening, room_door, show

M = TypeVar("M", bound=Message)
#: Another loopback address than the server's, so that a search for it finds clients only.
CLIENT_ADDRESS = "127.0.0.77"


class Calls:
    """Notes what an SFU would have been asked, and answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.refuses = False

    def join(self, room: bytes, handle: bytes, media: Media) -> Transport:
        self.calls.append(("join", room, handle, media))
        if self.refuses:
            raise ValueError("no place")
        return Transport("serverufrag", "p" * 24, bytes(32), "127.0.0.1", 9)

    def subscribe(self, room: bytes, handle: bytes, ssrcs: list[int] | None, max_layers: list[int]) -> None:
        self.calls.append(("subscribe", room, handle, ssrcs))

    def leave(self, room: bytes, handle: bytes) -> None:
        self.calls.append(("leave", room, handle))

    def totals(self) -> dict[str, int]:
        return {"calls": len(self.calls)}


class Guest:
    """One WebSocket to the server."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.challenge: Challenge
        self.handle = b""

    async def frame(self) -> aiohttp.WSMessage:
        return await self.ws.receive(timeout=PATIENCE)

    async def next(self) -> Message:
        """The next message; EOFError when the server has closed."""
        got = await self.frame()
        if got.type is not aiohttp.WSMsgType.TEXT:
            raise EOFError(got.type)
        return decode_server(got.data)

    async def expect(self, kind: type[M]) -> M:
        message = await self.next()
        assert isinstance(message, kind), message
        return message

    async def until(self, kind: type[M]) -> M:
        """The next of this kind; what comes before is passed over."""
        while True:
            message = await self.next()
            if isinstance(message, kind):
                return message

    async def say(self, message: Message) -> None:
        await self.ws.send_str(encode(message).decode())

    async def ended(self) -> list[Message]:
        """All that still comes before the server closes."""
        messages: list[Message] = []
        try:
            while True:
                messages.append(await self.next())
        except EOFError:
            return messages

    async def dropped(self, code: str) -> Message:
        """The last word of a server that closes, which must have this code."""
        last = (await self.ended())[-1]
        assert isinstance(last, Refused | Closing), last
        assert last.code == code
        assert isinstance(last, Closing) or last.fatal
        return last

    async def enter_room(self) -> Entered:
        await self.say(room_door(self.challenge.origin, self.challenge.nonce))
        entered = await self.expect(Entered)
        self.handle = entered.handle
        return entered

    async def enter_lobby(self) -> Entered:
        await self.say(lobby_door(self.challenge.origin, self.challenge.nonce))
        return await self.expect(Entered)

    def transport(self) -> asyncio.Transport:
        """The TCP connection, for what no client's public interface does: not reading, vanishing."""
        connection = self.ws._response.connection
        assert connection is not None
        assert isinstance(connection.transport, asyncio.Transport)
        return connection.transport

    async def member(self, slot: int = 0) -> Guest:
        """In the open room, the current pass shown; opens it if nobody has."""
        if (await self.enter_room()).slot is None:
            await self.say(opening(slot))
        await self.say(show(slot))
        while type(await self.next()).__name__ != "Shown":
            pass
        return self


class Place:
    """A running server, and the way in."""

    def __init__(self, url: str, http: aiohttp.ClientSession, server: Server | None = None) -> None:
        self.url = url
        self.http = http
        self._server = server
        # a connection that nobody refers to is closed whenever Python looks for garbage
        self._guests: list[Guest] = []

    @property
    def server(self) -> Server:
        """The server itself, when it runs in this process."""
        assert self._server is not None
        return self._server

    async def raw(
        self, headers: dict[str, str] | None = None, compress: int = 0, autoping: bool = True
    ) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(
            self.url + "/ws", max_msg_size=2**22, headers=headers, compress=compress, autoping=autoping
        )

    async def guest(self, headers: dict[str, str] | None = None, autoping: bool = True) -> Guest:
        """Connected, the challenge read."""
        guest = Guest(await self.raw(headers, autoping=autoping))
        self._guests.append(guest)
        guest.challenge = await guest.expect(Challenge)
        return guest


@asynccontextmanager
async def visiting(
    url: str, server: Server | None = None, trust: ssl.SSLContext | bool = True
) -> AsyncIterator[Place]:
    """A way in to a server that runs already. `trust`: the certificates that this visitor trusts."""
    connector = aiohttp.TCPConnector(local_addr=(CLIENT_ADDRESS, 0), limit=0, ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield Place(url, http, server)


@asynccontextmanager
async def serving(settings: Settings | None = None, calls: Calls | None = None) -> AsyncIterator[Place]:
    """A server in this process, without an SFU: its calls are noted."""
    async with running(Server(settings or quiet(), media=calls or Calls())) as place:
        yield place


@asynccontextmanager
async def running(server: Server, trust: ssl.SSLContext | bool = True) -> AsyncIterator[Place]:
    """Start a server, visit it, and stop it in the end."""
    url = await server.start()
    try:
        async with visiting(url, server, trust) as place:
            yield place
    finally:
        async with asyncio.timeout(PATIENCE):
            await server.stop()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait, within bounds, for something that no message tells."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # what is waited for is the server's inside
            await asyncio.sleep(0.01)


def quiet(**changes: object) -> Settings:
    """Settings on an ephemeral port, and on loopback alone."""
    return Settings(listen="127.0.0.1:0", media_beside_loopback=False, **changes)  # type: ignore[arg-type]  # checked by the tests that use it
