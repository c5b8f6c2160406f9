"""The meeting page at an origin of its own on this machine: its name, its link, its question to the server.

The origin is ``http://NAME.localhost:PORT``. Browsers resolve every name below ``localhost`` to loopback, and
trust it like https (RFC 6761 6.3, W3C Secure Contexts 3.1). NAME is random and stays with this installation,
so that browsers remember camera permissions. Another program that had the port before cannot have left a
service worker or a permission at an origin whose name it never knew.

The address that the user opens has a key in its fragment, which no browser sends. The page asks the program
that serves it to prove that it knows the key, and only then says that it comes from the user's machine.
Another program at this port, or a tunnel to a server, knows no key of an address that it did not print.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import os
import re
import secrets
import socket
import stat
from base64 import b32encode
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from snugroom.client.files import flags
from snugroom.client.reachable import answers
from snugroom.client.session.addresses import is_confined, led
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import SnugError
from snugroom.server import page

#: Used at every start if it is free: an origin includes the port.
PORT: Final = 8790
_NAME: Final = re.compile(r"[a-z2-7]{26}")
_NONCE: Final = re.compile(r"[0-9a-f]{32}")
_NODE: Final = re.compile(r"/n/[1-9][0-9]?\Z")
_NO_STORE: Final = {hdrs.CACHE_CONTROL: "no-store"}


class OwnPage:
    """The page for a browser on this machine, from `start` to `close`.

    With an `origin`, the page may connect to that server and to those of `servers` only to which a meeting
    leads (`addresses`). The page gets `link` once, by the key in the address that `start` returns: browsers
    write addresses into their history, and keep them.
    """

    def __init__(
        self,
        bundle: page.Bundle,
        origin: str | None,
        link: str | None = None,
        *,
        servers: Iterable[str] = (),
        lecture: bool = False,
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        self._first = origin
        self._is_confined = origin is not None and is_confined(origin)
        servers = servers if origin is None else led(origin, servers, anywhere=False)
        self._origins = None if origin is None else {origin, *servers}
        self._link = link
        self._key = secrets.token_urlsafe(16)
        self._host = ""
        # without an origin, the page must reach the server of any link that the user pastes
        connect = ["ws:", "wss:"] if origin is None else [page.sockets(each) for each in (origin, *servers)]
        self._headers = page.headers(connect)
        app = web.Application(client_max_size=1024, middlewares=[self._guard])
        app.on_response_prepare.append(self._complete)
        where: dict[str, object] = {"origin": origin, "lecture": lecture, "peers": []}
        app.add_routes(page.routes(bundle, where=where, connect=connect))
        own = [
            web.post("/proof", self._prove),
            web.post("/link", self._hand_over),
            web.post("/answers", self._probe),
        ]
        app.add_routes([*own, *routes])
        # closing the page, or going back, cancels what runs for it
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)

    async def start(self, port: int | None = None, query: str = "") -> str:
        """Listen, and return the address to open, with `query`. OSError if the requested port is taken."""
        await self._runner.setup()
        name = kept_name()
        try:
            try:
                sockets = _listen(PORT if port is None else port)
            except OSError as error:
                # the program that has the port may have learned the name: a browser asked it for an old tab
                if error.errno == errno.EADDRINUSE:
                    name = new_name()
                if port is not None:
                    raise
                sockets = _listen(0)
        except OSError:
            await self._runner.cleanup()
            raise
        for each in sockets:
            await web.SockSite(self._runner, each).start()
        number: int = sockets[0].getsockname()[1]
        self._host = f"{name}.localhost" if number == 80 else f"{name}.localhost:{number}"
        return f"http://{self._host}/{query}#{'own' if self._link is None else 'once'}-{self._key}"

    def replace_link(self, link: str) -> None:
        """Give out another link, unless the page has had its own already."""
        if self._link is not None:
            self._link = link

    async def close(self) -> None:
        """Stop listening, and end all requests."""
        await self._runner.cleanup()

    # -- every request -------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer requests for this origin only, and other sites' requests only if they open the page."""
        if request.headers.getall(hdrs.HOST, []) != [self._host]:
            raise web.HTTPMisdirectedRequest(text="open the address that Snug printed\n")
        told = request.headers
        opens = (told.get("Sec-Fetch-Mode"), told.get("Sec-Fetch-Dest")) == ("navigate", "document")
        if told.get("Sec-Fetch-Site", "none") not in ("same-origin", "none") and not opens:
            raise web.HTTPForbidden(text="this is for the page itself\n")
        if request.method == hdrs.METH_POST and told.get("Sec-Fetch-Site") != "same-origin":
            raise web.HTTPForbidden(text="this is for the page itself\n")
        return await handler(request)

    async def _complete(self, _: web.Request, response: web.StreamResponse) -> None:
        """Put the page's headers on every answer, refusals included: none may differ for a stranger."""
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)

    # -- the page's requests -------------------------------------------------------------------

    def _mac(self, purpose: str, nonce: str = "") -> str:
        """Return HMAC-SHA256 under the address's key, in hex, as `app/ownPage.ts` of the page computes it."""
        message = f"snug {purpose}\nhttp://{self._host}\n{nonce}"
        return hmac.digest(self._key.encode(), message.encode(), "sha256").hex()

    async def _prove(self, request: web.Request) -> web.Response:
        """Answer the page's nonce, 32 hex digits, with the proof that this program printed the address."""
        nonce = (await request.read()).decode(errors="replace")
        if _NONCE.fullmatch(nonce) is None:
            raise web.HTTPBadRequest(text="a nonce of 32 hex digits is expected\n")
        return web.Response(text=self._mac("page", nonce), headers=_NO_STORE)

    async def _hand_over(self, request: web.Request) -> web.Response:
        """Return the link for the key, once; 410 for a used address, or one from an earlier start."""
        shown = await request.read()
        if self._link is None or not hmac.compare_digest(shown, self._mac("link").encode()):
            raise web.HTTPGone(text="this address has been used\n")
        link, self._link = self._link, None
        return web.Response(text=link, headers=_NO_STORE)

    async def _probe(self, request: web.Request) -> web.Response:
        """Return whether a server answers HTTP at all: the page may ask servers by WebSocket only."""
        try:
            url = (await request.read()).decode()
            path = _NODE.search(url)
            origin = canonical_origin(url[: path.start()] if path else url)
        except (SnugError, UnicodeDecodeError):
            raise web.HTTPBadRequest(text="the origin of a server is expected\n") from None
        if self._origins is not None and origin not in self._origins:
            raise web.HTTPForbidden(text="this page is for another server\n")
        # the page may have been led to any other server than the one of its link
        public_only = self._is_confined and origin != self._first
        found = await answers(origin + (path[0] if path else ""), public_only=public_only)
        return web.json_response(found, headers=_NO_STORE)


def _listen(port: int) -> list[socket.socket]:
    """Return listening sockets at one port of both loopback addresses; OSError if either is taken.

    A browser tries both for a name below ``localhost``: a program at the other one would be the page.
    """
    for _ in range(20):
        first = socket.create_server(("127.0.0.1", port))
        number = first.getsockname()[1]
        try:
            return [first, socket.create_server(("::1", number), family=socket.AF_INET6)]
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                return [first]  # this machine has no IPv6
            first.close()
            if port != 0:
                raise
    raise OSError(errno.EADDRINUSE, "no free port")


# -- the name -------------------------------------------------------------------------------------


def _path() -> Path:
    """Return the path of the file with the name (XDG Base Directory Specification)."""
    told = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(told) if Path(told).is_absolute() else Path.home() / ".local" / "state"
    return folder / "snug" / "page-name"


def kept_name() -> str:
    """Return this installation's name for the page's origin; a new one if no private file has it."""
    with contextlib.suppress(OSError, RuntimeError, UnicodeDecodeError):
        with os.fdopen(os.open(_path(), flags.READ_NO_LINK), encoding="ascii") as file:
            found, name = os.fstat(file.fileno()), file.read(64)
        if stat.S_ISREG(found.st_mode) and _is_private(found) and _NAME.fullmatch(name):
            return name
    return new_name()


def _is_private(found: os.stat_result) -> bool:
    # Windows tells neither owner nor mode here, and keeps a user's folder from other users
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o077)


def new_name() -> str:
    """Return a new name, and keep it in a private file. Without such a place, it lasts for this run."""
    name = b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
    with contextlib.suppress(OSError, RuntimeError):
        path = _path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, flags.NEW, 0o600), "w", encoding="ascii") as file:
            file.write(name)
        beside.replace(path)
    return name
