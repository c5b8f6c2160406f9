"""The first protocol of each TCP connection: it knows the client, and counts its arrivals.

It reads the PROXY header, if the settings say that there is one, and then puts the next protocol in its
place. A connection that may not come in costs no more than its acceptance.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from snugroom.server.config import Settings
from snugroom.server.rooms.addresses import PROXY_MAX, Proxies, ProxyError, is_loopback, proxy_header
from snugroom.server.rooms.backpressure import ByteLimiter
from snugroom.server.rooms.clients import Clients

_TOO_MANY: Final = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class Entrance:
    """The state that all new connections share. `refusals` counts those that are turned away, by code."""

    def __init__(
        self, settings: Settings, clients: Clients, refusals: Counter[str], clock: Callable[[], float]
    ) -> None:
        self.proxies = Proxies(settings.trusted_proxies)
        self.header = settings.client_header
        self.with_header = settings.proxy_protocol
        self.time = settings.handshake_time
        self.clients = clients
        self._refusals = refusals
        self._clock = clock

    def admits(self, address: str | None) -> bool:
        """Count an arrival of the client at `address`. None: the client is not known, or not yet."""
        now = self._clock()
        if address is None or self.clients.find(address, now).arrive(now):
            return True
        self.refuse("arrivals")
        return False

    def trusts(self, peer: str) -> bool:
        """Return whether `peer` may say in a PROXY header whom it speaks for."""
        return self.proxies.trusts(peer) if self.proxies else is_loopback(peer)

    def refuse(self, code: str) -> None:
        """Count a connection that is turned away."""
        self._refusals[code] += 1


class Arrival(asyncio.Protocol):
    """A connection whose client is not known yet. The protocol `then` takes over, with the client's address.

    The address is None if the client can't be told from others, and that of a trusted proxy until its header
    of HTTP is read. `turned_away` is called if `then` does not take over.
    """

    def __init__(self, entrance: Entrance, then: ByteLimiter, turned_away: Callable[[], object]) -> None:
        self._entrance = entrance
        self._then = then
        self._turned_away = turned_away
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peername = transport.get_extra_info("peername")
        peer = peername[0] if isinstance(peername, tuple) else ""
        entrance = self._entrance
        if entrance.with_header:
            if not entrance.trusts(peer):
                entrance.refuse("proxy")
                self._end()
                return
            loop = asyncio.get_running_loop()
            self._late = loop.call_later(entrance.time, transport.abort)
            return
        proxied = entrance.proxies.trusts(peer)
        self._pass_on(peer if proxied else entrance.proxies.client(peer, (), ""), b"", proxied=proxied)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return  # turned away, and about to be closed
        self._data += data[: PROXY_MAX + 1]
        try:
            found = proxy_header(self._data)
        except ProxyError:
            self._entrance.refuse("proxy")
            self._end()
            return
        if found is not None:
            address, end = found
            rest = self._data[end:] + data[PROXY_MAX + 1 :]
            self._pass_on(address, rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if self._transport is not None:
            self._transport.abort()
        self._transport, self._data = None, b""
        self._turned_away()

    def _pass_on(self, address: str | None, rest: bytes, *, proxied: bool = False) -> None:
        transport = self._transport
        assert transport is not None
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self._transport, self._data = None, b""
        if not proxied and not self._entrance.admits(address):
            transport.write(_TOO_MANY)
            transport.close()
            self._turned_away()
            return
        then = self._then
        then.address = address
        transport.set_protocol(then)
        then.connection_made(transport)
        if rest:
            then.data_received(rest)
