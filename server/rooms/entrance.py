"""The first protocol of each TCP connection: it knows the client, and counts its arrivals and connections.

It reads the PROXY header, if the settings say that there is one, and then puts the next protocol in its
place, after a TLS handshake if the server has TLS. A connection that may not come in costs no more than its
acceptance.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from snugroom.server.config import Settings
from snugroom.server.rooms.addresses import PROXY_MAX, Proxies, ProxyError, is_loopback, proxy_header
from snugroom.server.rooms.backpressure import ByteLimiter
from snugroom.server.rooms.clients import Clients
from snugroom.server.rooms.visits import Connection, Visits

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
        self.visits = Visits(settings, clients)
        self._refusals = refusals
        self._clock = clock

    def enters(self, connection: ByteLimiter, address: str | None) -> bool:
        """Give a connection its place, or return False. None: the client is not known, or not yet."""
        now = self._clock()
        cut = self.visits.enter(connection, self.clients.find(address, now), address, now)
        if cut is None:
            self.refuse("visits")
            return False
        self.cut(cut, "visits")
        return True

    def cut(self, connections: Iterable[Connection], code: str) -> None:
        """Cut connections that were given up, and count them by `code`."""
        for connection in connections:
            self.refuse(code)
            connection.abort()

    def admits(self, address: str | None) -> bool:
        """Count an arrival of the client at `address`. None: the client is not known, or not yet."""
        now = self._clock()
        if address is None or self.clients.find(address, now).arrive(now):
            return True
        self.refuse("arrivals")
        return False

    def now(self) -> float:
        """Return the time."""
        return self._clock()

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

    def __init__(
        self,
        entrance: Entrance,
        then: ByteLimiter,
        turned_away: Callable[[], object],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._entrance = entrance
        self._then = then
        self._turned_away = turned_away
        self._tls = tls
        self._securing: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._then.accept(transport)
        peername = transport.get_extra_info("peername")
        peer = peername[0] if isinstance(peername, tuple) else ""
        entrance = self._entrance
        if entrance.with_header:
            if not entrance.trusts(peer):
                entrance.refuse("proxy")
                self._end()
                return
            if not entrance.enters(self._then, None):
                self._end()
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
        if self._transport is not None:
            self._transport.abort()
        self._transport, self._data = None, b""
        self._turned_away()

    def _pass_on(self, address: str | None, rest: bytes, *, proxied: bool = False) -> None:
        transport = self._transport
        assert transport is not None
        self._transport, self._data = None, b""
        entrance, then = self._entrance, self._then
        if not proxied and not entrance.admits(address):
            self._refuse(transport)
            return
        known = None if proxied else address
        if entrance.with_header:
            client = entrance.clients.find(known, entrance.now())
            if not entrance.visits.belongs(then, client, known):
                entrance.refuse("visits")
                self._refuse(transport)
                return
        elif not entrance.enters(then, known):
            self._refuse(transport)
            return
        then.address = address
        if self._tls is not None:
            self._securing = asyncio.get_running_loop().create_task(self._secure(transport, self._tls))
            return
        transport.set_protocol(then)
        then.connection_made(transport)
        if rest:
            then.data_received(rest)

    def _refuse(self, transport: asyncio.Transport) -> None:
        if self._tls is None:
            transport.write(_TOO_MANY)
            transport.close()
        else:
            transport.abort()  # an answer would cost a handshake
        self._turned_away()

    async def _secure(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        # a TLS handshake has ended, well or badly, before the connection is cut
        time = self._entrance.time / 2
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                self._then,
                tls,
                server_side=True,
                ssl_handshake_timeout=time,
                ssl_shutdown_timeout=time,
            )
        except OSError:
            secured = None
        if secured is not None and not transport.is_closing():
            self._then.connection_made(secured)
        else:
            transport.abort()
            self._then.connection_lost(None)
