"""The common part of all HTTP listeners: answers in pieces, without a banner; a log without clients' faults.

The only module that uses private names of aiohttp.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.payload import Payload

#: Bytes of an answer that are written at once, and that a reader has to take within `page_time`.
PIECE: Final = 65_536
#: More than the names in the cache of aiohttp's parser.
_NAMES: Final = 600


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Meter(Protocol):
    """Learns what is written to each connection, which aiohttp's `protocol` of it stands for."""

    def begin(self, protocol: object) -> None:
        """Note that an answer begins."""

    def wrote(self, protocol: object) -> None:
        """Note that a piece was written."""

    def took(self, protocol: object) -> None:
        """Note that the connection has room for another piece."""

    async def count(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer a request with `handler` when it may be answered."""


_METER: Final = web.AppKey("meter", Meter)


class Request(web.Request):
    """A request whose answer names no software and no version, whatever makes the answer.

    Its body is written in pieces. aiohttp begins no answer before the connection has room for the one before.
    """

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        response.headers.pop(hdrs.SERVER, None)
        meter = None if self._match_info is None else self._match_info.apps[0].get(_METER)
        if meter is not None:
            meter.begin(self._protocol)
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            response.body = _Pieces(response.body, self._protocol, meter)


class _Pieces(Payload):
    """The body of an answer. aiohttp would write it at once into the memory of the connection."""

    def __init__(self, body: bytes, protocol: object, meter: Meter | None) -> None:
        super().__init__(body)
        self._size = len(body)
        self._protocol, self._meter = protocol, meter

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        whole = memoryview(self._value)
        for at in range(0, len(whole), PIECE):
            await writer.write(whole[at : at + PIECE])
            if self._meter is not None:
                self._meter.wrote(self._protocol)
            await writer.drain()
            if self._meter is not None:
                self._meter.took(self._protocol)


class Log(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log of errors. A request that is no valid HTTP is its client's fault, and only counted."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("aiohttp.server"))
        #: Requests that were no valid HTTP.
        self.malformed = 0

    def exception(self, msg: object, *arguments: Any, exc_info: Any = True, **more: Any) -> None:
        """Log an error of the server, with its place in the code."""
        if isinstance(exc_info, HttpProcessingError):
            self.debug(msg, *arguments, exc_info=exc_info, **more)
        else:
            super().exception(msg, *arguments, exc_info=exc_info, **more)

    def debug(self, msg: object, *arguments: Any, exc_info: Any = None, **more: Any) -> None:
        """Count a malformed request."""
        self.malformed += isinstance(exc_info, HttpProcessingError)
        super().debug(msg, *arguments, exc_info=exc_info, **more)


async def run(
    app: web.Application, log: Log | None = None, meter: Meter | None = None, **options: Any
) -> web.AppRunner:
    """Return a runner of `app` that is set up. `options`: as `aiohttp.web.AppRunner` has them.

    Bodies of requests stay packed: a few bytes could become as much as memory holds.
    """
    if meter is not None:
        app[_METER] = meter
    runner = web.AppRunner(app, access_log=None, logger=log or Log(), auto_decompress=False, **options)
    await runner.setup()
    assert runner.server is not None
    if meter is not None:
        # not as a middleware: aiohttp keeps these for ever, with all that they refer to
        runner.server.request_handler = partial(meter.count, handler=app._handle)
    runner.server.request_factory = partial(app._make_request, _cls=Request)
    return runner


def empty_cache(loop: asyncio.AbstractEventLoop) -> None:
    """Remove clients' headers' names from the cache of aiohttp's parser, which has no function for that.

    The cache is emptied when it has 512 names: this parses a request with as many that nobody has sent.
    """
    protocol = BaseProtocol(loop)
    parser = HttpRequestParser(protocol, loop, 2**16, max_headers=2 * _NAMES)
    name = secrets.token_hex(8)
    names = "".join(f"{name}-{number}: \r\n" for number in range(_NAMES))
    parser.feed_data(f"GET / HTTP/1.1\r\nHost: h\r\n{names}\r\n".encode())
