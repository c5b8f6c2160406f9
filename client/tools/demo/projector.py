"""The lecture's projector: one page that tells the story in steps, and what it can have done.

The page shows a member's view and the server's view of the same second: a robot tells the one, and the
server's own window the other. It listens on 127.0.0.1. Requests for data must carry the token from its
address, where it follows the ``#``.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import aiohttp
from aiohttp import hdrs, web

from snugroom.server import page

_HEADER: Final = "X-Snug-Token"
_REQUEST_MAX: Final = 32 * 1024
#: Seconds for the server's window to answer, and for it to search the memory.
_ANSWER_TIME: Final = 3.0
_SEARCH_TIME: Final = 90.0
_NO_STORE: Final = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}


class RefusedError(Exception):
    """The lecture cannot do that now. The text is the name of the reason, for the page."""


class Meeting(Protocol):
    """The lecture, as its projector sees it."""

    @property
    def window(self) -> str:
        """The address of the window of the server where the meeting is, with its token."""

    def view(self) -> dict[str, Any]:
        """Return what members see now, and what is under way."""

    async def let_in(self, name: str) -> None:
        """Let a robot of that name knock, and wait until it is in the room. RefusedError."""

    async def remove(self) -> None:
        """Remove the robot that came last, and wait until it is gone. RefusedError."""

    async def kill(self) -> None:
        """Kill the server where the meeting is. RefusedError if there is no other."""

    async def act(self, name: str) -> None:
        """Begin an act of the server against the meeting. RefusedError."""

    async def contrast(self) -> None:
        """Hold a meeting at a Snug server and at an ordinary one, and search both. RefusedError."""

    def dismiss(self) -> None:
        """Somebody has read the incidents."""


class Projector:
    """The listener, from `start` to `close`."""

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting
        self._token = secrets.token_urlsafe(16)
        self._host = ""
        self._http: aiohttp.ClientSession | None = None
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
                web.post("/find", self._find),
                web.post("/join", self._done(lambda told: self._meeting.let_in(_text(told, "name")))),
                web.post("/remove", self._done(lambda _: self._meeting.remove())),
                web.post("/kill", self._done(lambda _: self._meeting.kill())),
                web.post("/act", self._done(lambda told: self._meeting.act(_text(told, "act")))),
                web.post("/contrast", self._done(lambda _: self._meeting.contrast())),
                web.post("/dismiss", self._done(self._dismissed)),
            ]
        )
        self._http = aiohttp.ClientSession()
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
        if self._http is not None:
            await self._http.close()

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
        """Answer with both views. `server`: the whole answer of its window; null if it does not answer."""
        server = await self._window("GET", "now", None, _ANSWER_TIME)
        return web.json_response({**self._meeting.view(), "server": server}, headers=_NO_STORE)

    async def _find(self, request: web.Request) -> web.Response:
        """Pass a search on to the server. The page has masked its text (`server.memory_search`)."""
        found = await self._window("POST", "find", await request.read(), _SEARCH_TIME)
        if found is None:
            raise web.HTTPBadGateway(text="the server does not answer\n")
        return web.json_response(found, headers=_NO_STORE)

    def _done(
        self, do: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                told = await request.json()
            except ValueError:
                told = None
            if not isinstance(told, dict):
                raise web.HTTPBadRequest(text="a JSON object is expected\n")
            try:
                await do(told)
            except RefusedError as error:
                return web.json_response({"refused": str(error)}, status=409, headers=_NO_STORE)
            return web.json_response({}, headers=_NO_STORE)

        return handler

    async def _dismissed(self, _: dict[str, Any]) -> None:
        self._meeting.dismiss()

    async def _window(self, method: str, path: str, body: bytes | None, seconds: float) -> Any:
        """Return the answer of the server's window; None without one."""
        assert self._http is not None
        url, _, token = self._meeting.window.partition("#")
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._http.request(
                method, url + path, data=body, headers={_HEADER: token}, timeout=limit
            ) as answer:
                return await answer.json() if answer.ok else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        raise web.HTTPBadRequest(text=f"{name}: a text is expected\n")
    return value
