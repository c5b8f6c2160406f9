"""The shell of `server.rooms.visits` for answers of plain HTTP: whose they are, and what is left unread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from snugroom.server.rooms.admission import Admission
from snugroom.server.rooms.backpressure import ByteLimiter


class Answers:
    """Counts the answers of all HTTP connections. `byte_limiters`: of each one, by aiohttp's protocol."""

    def __init__(
        self,
        admission: Admission,
        byte_limiters: Mapping[object, ByteLimiter],
        clock: Callable[[], float],
    ) -> None:
        self._admission = admission
        self._byte_limiters = byte_limiters
        self._clock = clock

    def begin(self, protocol: object) -> None:
        """Note that an answer begins: see `http.Meter`."""
        if (limiter := self._byte_limiters.get(protocol)) is not None:
            limiter.answers()
            self._admission.entrance.visits.progress(limiter, limiter.unread, self._clock())

    def wrote(self, protocol: object) -> None:
        """Note that a piece was written."""
        if (limiter := self._byte_limiters.get(protocol)) is not None:
            entrance = self._admission.entrance
            entrance.cut(entrance.visits.wrote(limiter, limiter.unread), "unread")

    def took(self, protocol: object) -> None:
        """Note that there is room for another piece."""
        if (limiter := self._byte_limiters.get(protocol)) is not None:
            self._admission.entrance.visits.progress(limiter, limiter.unread, self._clock())

    async def count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Let a request of plain HTTP wait for its turn. Raises HTTPTooManyRequests: the client has too many.

        WebSockets have limits of their own.
        """
        limiter = self._byte_limiters.get(request.protocol)
        if limiter is None or request.path.endswith("/ws"):
            return await handler(request)
        entrance = self._admission.entrance
        visits, address = entrance.visits, limiter.address
        if address is not None and entrance.proxies.trusts(address):
            client, address = self._admission.named(request, address)
            if not visits.belongs(limiter, client, address):
                entrance.refuse("visits")
                raise web.HTTPTooManyRequests(text="too many at once\n", headers={"Retry-After": "5"})
        if wait := visits.wait(limiter, self._clock()):
            await asyncio.sleep(wait)
        return await handler(request)
