"""The landlord's window: a page on this machine that shows, live, everything that the operator can see.

The window is off by default. It listens on a loopback address of its own, apart from the port of the
meetings. Requests for data must carry the token from the window's address, where it follows the ``#``. Each
of them reads the live objects (`server.disclosure.view`, `Sfu.streams`) or all memory
(`server.memory_search`); the server stores nothing for the window.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from snugroom.server import config, memory_search, page
from snugroom.server.app import Server
from snugroom.server.config import ConfigError
from snugroom.server.disclosure import text, view
from snugroom.server.loopback import Loopback
from snugroom.server.sfu.facts import StreamFacts
from snugroom.server.sfu.sfu import Sfu
from snugroom.server.sfu.workers.pool import Workers

#: The header that carries the token. A page of another origin cannot send it without a CORS preflight.
_HEADER: Final = "X-Snug-Token"
#: Bytes of a request: every form of a text, in base64.
_REQUEST_MAX: Final = 32 * 1024
_DATA: Final = frozenset({"/now", "/frame", "/find"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def loopback_address(listen: str) -> tuple[str, int]:
    """Return the loopback address and port of ``HOST:PORT``. Raises ConfigError for any other address."""
    found = config.loopback(listen)
    if found is None:
        host, _ = config.host_and_port(listen)
        raise ConfigError(
            f"the window shows private data: it listens on a loopback address, and not on {host}"
        )
    return found


def _stream(facts: StreamFacts) -> dict[str, Any]:
    return {
        "handle": facts.handle.hex(),
        "room": facts.room.hex(),
        "ssrc": facts.ssrc,
        "kind": facts.kind,
        "packets": facts.packets,
        "receivers": facts.receivers,
        "sizes": list(facts.sizes),
    }


async def snapshot(server: Server) -> dict[str, Any]:
    """Return the data of the page: the whole disclosure, as numbers and as sentences, and all streams."""
    media = await view.media_view(server, streams=True)
    disclosed = view.disclosure(server, identifiers=True, media=media)
    return {
        "at": round(server.clock(), 3),
        "disclosure": disclosed,
        "sentences": text.sentences(disclosed),
        "streams": [_stream(facts) for facts in media.streams],
        "hostile": server.hostile(),
    }


async def find(server: Server, wanted: memory_search.Wanted) -> dict[str, Any]:
    """Search all memory of the server's processes. Raises UnreadableError if it cannot read its own.

    `silent` counts the media workers without an answer: their memory was not searched.
    """
    media = server.signaling.media
    own = asyncio.to_thread(memory_search.search, wanted)
    if isinstance(media, Workers):
        first, theirs = await asyncio.gather(own, media.search(wanted))
        every, silent = [first, *theirs], len(media.slots) - len(theirs)
    else:
        every, silent = [await own], 0
    found: dict[str, Any] = msgspec.to_builtins(memory_search.merged(every))
    return {**found, "processes": len(every), "silent": silent}


class Window(Loopback):
    """The HTTP listener for the window of one server. Stopping it twice is harmless."""

    def __init__(self, server: Server, listen: str) -> None:
        self._server = server
        super().__init__(*loopback_address(listen))
        self._token = secrets.token_urlsafe(16)
        self._searching = False

    async def start(self) -> str:
        """Listen, and return the URL with the token.

        Raises OSError if the port is taken, PageError if the window's bundle is missing or damaged.
        """
        bundle = page.load(page.WINDOW)
        app = web.Application(client_max_size=_REQUEST_MAX, middlewares=[self._guard()])
        app.add_routes(
            [
                *page.routes(bundle, where={"window": True}),
                web.get("/now", self._now),
                web.get("/frame", self._frame),
                web.post("/find", self._find),
            ]
        )
        return f"{await self._listen(app)}/#{self._token}"

    def _guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.headers.get(hdrs.HOST) not in self._hosts:
                raise web.HTTPForbidden(text="the window is opened by its own address\n")
            if request.path in _DATA:
                shown = request.headers.get(_HEADER, "")
                if not hmac.compare_digest(shown.encode(), self._token.encode()):
                    raise web.HTTPForbidden(text="open the address that the server printed, token and all\n")
            return await handler(request)

        return guard

    async def _now(self, _: web.Request) -> web.Response:
        return _json(await snapshot(self._server))

    async def _frame(self, request: web.Request) -> web.Response:
        """Answer with the packets (hex, RTP as relayed) of the last whole frame of one stream."""
        media = self._server.signaling.media
        try:
            ssrc = int(request.query.get("ssrc", ""))
        except ValueError:
            raise web.HTTPBadRequest(text="which stream? ssrc=NUMBER\n") from None
        if isinstance(media, Workers):
            packets = await media.last_frame(ssrc)
        else:
            packets = media.last_frame(ssrc) if isinstance(media, Sfu) else []
        return _json({"ssrc": ssrc, "packets": [packet.hex() for packet in packets]})

    async def _find(self, request: web.Request) -> web.Response:
        """Answer with the occurrences of each form in the memory, or ``{"failed": why}``. One at a time."""
        try:
            wanted = msgspec.json.decode(await request.read(), type=memory_search.Wanted)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise web.HTTPBadRequest(text="search for what? a mask, and forms under it\n") from None
        if self._searching:
            raise web.HTTPConflict(text="a search is under way\n")
        self._searching = True
        try:
            return _json(await find(self._server, wanted))
        except memory_search.UnreadableError as error:
            return _json({"failed": str(error)})
        finally:
            self._searching = False


def _json(value: dict[str, Any]) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=json.dumps(value).encode(), content_type="application/json", headers=headers)
