"""The common part of all HTTP listeners: answers without a banner, and a log without clients' faults.

The only module that uses private names of aiohttp.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import partial
from typing import Any, Final

from aiohttp import hdrs, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser

#: More than the names in the cache of aiohttp's parser.
_NAMES: Final = 600


class Request(web.Request):
    """A request whose answer names no software and no version, whatever makes the answer."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        response.headers.pop(hdrs.SERVER, None)


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


async def run(app: web.Application, log: Log | None = None, **options: Any) -> web.AppRunner:
    """Return a runner of `app` that is set up. `options`: as `aiohttp.web.AppRunner` has them."""
    runner = web.AppRunner(app, access_log=None, logger=log or Log(), **options)
    await runner.setup()
    assert runner.server is not None
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
