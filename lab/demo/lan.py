"""The lecture's page for phones: an HTTP listener in the local network, in the lecture's own process.

It listens on one address of this computer, which the lecturer names, and serves nothing but the page, its
texts and the current question. Its addresses begin with a random code that is on the screen. It is plain
HTTP: other machines in the network can read and alter what passes. No vote is a secret, and none decides
anything.

Everything that a stranger can use up has a limit: connections, their length, requests and phones (`votes`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any, Final, Self

from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError

from snugroom.client.cli.language import language_of
from snugroom.client.session.catalogue.sentence import LANGUAGES, Language, table
from snugroom.lab.demo.votes import PHONES_PER_ADDRESS, Rates, Votes
from snugroom.server import page

#: Connections at a time: of all addresses, and of one address for each phone that may share it.
CONNECTIONS_MAX: Final = 512
CONNECTIONS_PER_PHONE: Final = 6
#: Seconds that a connection lasts at most: a phone makes one for each request.
CONNECTION_TIME: Final = 10.0
_REQUEST_MAX: Final = 1_024
_BACKLOG: Final = 256
_PORT_MAX: Final = 65_535
#: Letters of the code in the address that nobody mistakes for others, and their number.
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_CODE_SIZE: Final = 6
_TOKEN: Final = re.compile(r"[\w-]{22}\Z", re.ASCII)
_NO_STORE: Final = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}
#: An address that belongs to nobody (RFC 5737): a route to it shows which own address packets leave from.
_ELSEWHERE: Final = ("192.0.2.1", 9)


class LanError(Exception):
    """Phones can't be let in. The text is the name of the reason (`terminal.lan_...`)."""


def own_address() -> str:
    """Return this computer's address in its local network. No packet is sent. LanError without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
            return checked(str(probe.getsockname()[0]), named=False)
        except OSError:
            raise LanError("none") from None


def parsed(text: str) -> tuple[str, int]:
    """Return address and port (0: a free one) of ``ADDRESS``, ``ADDRESS:PORT`` or ``""``. LanError.

    IPv6 is refused: a machine takes as many addresses there as it likes, so that votes could not be counted
    once for each.
    """
    if not text:
        return own_address(), 0
    address, _, port = text.partition(":")
    if ":" in port:
        raise LanError("version")
    if port and not (port.isascii() and port.isdigit() and int(port) <= _PORT_MAX):
        raise LanError("name")
    return checked(address, named=True), int(port or 0)


def checked(address: str, *, named: bool) -> str:
    """Return the IPv4 address if phones may be let in there; LanError otherwise.

    A public address must be `named` by the lecturer.
    """
    try:
        found = ipaddress.IPv4Address(address)
    except ValueError:
        raise LanError("name") from None
    if found.is_unspecified or found.is_multicast:
        raise LanError("name")
    if not named and (not found.is_private or found.is_loopback):
        raise LanError("none")
    return address


def preferred(accepted: str) -> Language:
    """Return the first known language of an Accept-Language: browsers list them in order of liking."""
    tags = [part.split(";")[0].strip() for part in accepted.split(",")]
    found = [language_of(tag) for tag in tags if tag.lower().startswith(("en", "de", "zh"))]
    return found[0] if found else "en"


@cache
def _words() -> dict[str, dict[str, str]]:
    rows = table("predictions").items()
    return {language: {key: row[language] for key, row in rows} for language in LANGUAGES}


class Phones:
    """The listener, from `start` to `close`.

    `per_address`: phones that may share an address; `clock` tells seconds, from any beginning.
    """

    def __init__(
        self,
        votes: Votes,
        address: str,
        port: int = 0,
        *,
        per_address: int = PHONES_PER_ADDRESS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._votes = votes
        self._where = (address, port)
        self._per_address = per_address
        self._code = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_SIZE))
        self._host = ""
        self._clock = clock
        self._rates = Rates(per_address, clock())
        self._runner: web.AppRunner | None = None
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._open: Counter[str] = Counter()

    async def start(self) -> str:
        """Listen, and return the address for phones.

        Raises OSError if this computer does not have the address, PageError if the page is missing.
        """
        own = web.Application()
        own.add_routes(
            [
                *page.routes(page.load(page.PHONE), where={"phone": True}),
                web.get("/words.json", self._tell_words),
                web.get("/now", self._now),
                web.post("/vote", self._vote),
            ]
        )
        app = web.Application(client_max_size=_REQUEST_MAX, middlewares=[self._guard])
        app.add_subapp(f"/{self._code}/", own)
        app.on_response_prepare.append(_unnamed)
        listening = socket.create_server(self._where, backlog=_BACKLOG)
        listening.setblocking(False)
        self._socket = listening
        log = logging.getLogger(__name__)
        log.addFilter(_QUIET)
        self._runner = web.AppRunner(app, access_log=None, logger=log, shutdown_timeout=0.5)
        await self._runner.setup()
        self._host = "{}:{}".format(*listening.getsockname())
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listening))
        return f"http://{self._host}/{self._code}/"

    async def close(self) -> None:
        """Stop listening, and end all connections. Harmless if not started."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _accept(self, listening: socket.socket) -> None:
        """Accept connections within their limits. A connection above them is closed unread."""
        loop = asyncio.get_running_loop()
        assert self._runner is not None
        assert self._runner.server is not None
        while True:
            try:
                accepted, (address, _) = await loop.sock_accept(listening)
            except OSError:  # out of file descriptors, for a moment
                await asyncio.sleep(0.1)
                continue
            most = CONNECTIONS_PER_PHONE * self._per_address
            if self._open.total() >= CONNECTIONS_MAX or self._open[address] >= most:
                accepted.close()
                continue
            self._open[address] += 1
            protocol = _Counted(self._runner.server(), partial(self._left, address))
            try:
                await loop.connect_accepted_socket(protocol.itself, accepted)
            except OSError:
                accepted.close()
                self._left(address)

    def _left(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not self._rates.allows(str(request.remote), self._clock()):
            raise web.HTTPTooManyRequests(headers=_NO_STORE)
        # a name of somebody else's that resolves to this address is another origin
        if request.headers.getall(hdrs.HOST, []) != [self._host]:
            raise web.HTTPForbidden(text="open the address on the screen\n")
        answer = await handler(request)
        answer.force_close()
        return answer

    # -- requests ------------------------------------------------------------------------------

    async def _tell_words(self, request: web.Request) -> web.Response:
        """Answer with all texts, and with the language that the browser prefers."""
        first = preferred(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
        return web.json_response({"first": first, "words": _words()}, headers=_NO_STORE)

    async def _now(self, _: web.Request) -> web.Response:
        return web.json_response(self._votes.told(), headers=_NO_STORE)

    async def _vote(self, request: web.Request) -> web.Response:
        """Count ``{"phone": TOKEN, "question": NAME, "choice": NUMBER}``, or say why it does not count."""
        # a form of another site's page cannot have this type without a CORS preflight
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        try:
            told: Any = await request.json()
            phone, question, choice = told["phone"], told["question"], told["choice"]
            if not (isinstance(phone, str) and _TOKEN.match(phone) and isinstance(question, str)):
                raise ValueError
            if type(choice) is not int:
                raise ValueError
            refused = self._votes.vote(phone, str(request.remote), question, choice)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise web.HTTPBadRequest(text="that is no vote\n") from None
        answer = {"refused": refused} if refused else {}
        return web.json_response(answer, status=409 if refused else 200, headers=_NO_STORE)


class _Counted(asyncio.Protocol):
    """A connection whose end is counted, and that ends after its time whatever it does."""

    def __init__(self, inner: Any, ended: Callable[[], None]) -> None:
        self._inner = inner
        self._ended = ended
        self._timer: asyncio.TimerHandle | None = None

    def itself(self) -> Self:
        """Return this protocol: a factory for one connection."""
        return self

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        answer: bool | None = self._inner.eof_received()
        return answer

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._timer = asyncio.get_running_loop().call_later(CONNECTION_TIME, transport.abort)
        self._inner.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._ended()
        self._inner.connection_lost(error)


class _Quiet(logging.Filter):
    """Keeps requests that are no valid HTTP out of the lecturer's terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        return kind is None or not issubclass(kind, HttpProcessingError)


async def _unnamed(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop(hdrs.SERVER, None)


_QUIET: Final = _Quiet()
