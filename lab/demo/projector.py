"""The lecture's projector: the listener of the page that tells the story in steps.

It listens on 127.0.0.1. Requests for data must carry the token from its
address, where it follows the ``#``.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from aiohttp import hdrs, web

from snugroom.server import page

_HEADER: Final = "X-Snug-Token"
_REQUEST_MAX: Final = 32 * 1024
_NO_STORE: Final = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}


class RefusedError(Exception):
    """The lecture cannot do that now. The text is the name of the reason, for the page."""


class Stage(Protocol):
    """The lecture, as its projector sees it: the running one (`live`), or a recording (`recording`)."""

    async def state(self) -> dict[str, Any]:
        """Return what the page shows now."""

    async def find(self, where: str, wanted: bytes) -> Any:
        """Return the answer to a search of a server's memory; None if it does not answer. RefusedError.

        `where` is "snug" or "ordinary".
        """

    async def do(self, deed: str, told: dict[str, Any]) -> dict[str, Any]:
        """Have something done, and return what the page is to know of it.

        RefusedError if it can't be done; ValueError if `told` lacks something.
        """


#: Deeds that the page can ask for; each is a path of the listener.
DEEDS: Final = ("join", "remove", "kill", "act", "contrast", "beside", "word", "dismiss", "turn", "vote")
#: Servers whose memory is searched, by path.
_PLACES: Final = {"/find": "snug", "/find_ordinary": "ordinary"}


class Projector:
    """The listener, from `start` to `close`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._token = secrets.token_urlsafe(16)
        self._host = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen on a free port, and return the address to open.

        Raises PageError if the page is missing or damaged.
        """
        app = web.Application(client_max_size=_REQUEST_MAX, middlewares=[self._guard])
        bundle = page.load(page.PROJECTOR)
        app.add_routes(
            [
                *page.routes(bundle, where={"projector": True}),
                web.get("/state", self._state),
                *(web.post(path, self._find) for path in _PLACES),
                *(web.post(f"/{deed}", self._done(deed)) for deed in DEEDS),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port: int = self._runner.addresses[0][1]
        self._host = f"127.0.0.1:{port}"
        return f"http://{self._host}/#{self._token}"

    async def close(self) -> None:
        """Stop listening, and end all requests. Harmless if not started."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.headers.getall(hdrs.HOST, []) != [self._host]:
            raise web.HTTPForbidden(text="open the address that Snug printed\n")
        if request.method == hdrs.METH_POST or request.path == "/state":
            shown = request.headers.get(_HEADER, "")
            # another site's page cannot send this header without a CORS preflight
            if not hmac.compare_digest(shown.encode(), self._token.encode()):
                raise web.HTTPForbidden(text="open the address that Snug printed, token and all\n")
        return await handler(request)

    # -- requests ------------------------------------------------------------------------------

    async def _state(self, _: web.Request) -> web.Response:
        return web.json_response(await self._stage.state(), headers=_NO_STORE)

    async def _find(self, request: web.Request) -> web.Response:
        """Pass a search on to the server. The page has masked its text (`server.memory_search`)."""
        try:
            found = await self._stage.find(_PLACES[request.path], await request.read())
        except RefusedError as error:
            return web.json_response({"refused": str(error)}, status=409, headers=_NO_STORE)
        if found is None:
            raise web.HTTPBadGateway(text="the server does not answer\n")
        return web.json_response(found, headers=_NO_STORE)

    def _done(self, deed: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                told = await request.json()
                if not isinstance(told, dict):
                    raise ValueError("a JSON object is expected")
                answer = await self._stage.do(deed, told)
            except RefusedError as error:
                return web.json_response({"refused": str(error)}, status=409, headers=_NO_STORE)
            except ValueError as error:
                raise web.HTTPBadRequest(text=f"{error}\n") from None
            return web.json_response(answer, headers=_NO_STORE)

        return handler
