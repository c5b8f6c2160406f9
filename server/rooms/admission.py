"""Admission of a WebSocket: whose it is, whether there is a place for it, and when its handshake begins."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Final

from aiohttp import web

from snugroom.server.config import Settings
from snugroom.server.rooms.clients import Client, Clients
from snugroom.server.rooms.entrance import Entrance
from snugroom.server.rooms.handshakes import Handshakes
from snugroom.wire.messages import Refused

#: A connection is closed only for a client that has this many fewer: a host has two or three.
_FEWER: Final = 4
#: Connections of one client that are compared with others: its latest.
_LATEST: Final = 4


class Admission:
    """The clients, and the queue of their handshakes. `rng` makes the keys by which clients are known."""

    def __init__(
        self,
        settings: Settings,
        rng: Callable[[int], bytes],
        refusals: Counter[str],
        clock: Callable[[], float],
    ) -> None:
        self.clients = Clients(settings, rng, clock())
        self.entrance = Entrance(settings, self.clients, refusals, clock)
        self.handshakes = Handshakes(settings, clock())
        self._settings = settings
        self._clock = clock
        self._turns: dict[int, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def client(self, request: web.Request, address: str | None) -> tuple[Client, str | None]:
        """Return the client of a request, and its address. `address` is of the connection or PROXY header."""
        if address is None or not self.entrance.proxies.trusts(address):
            return self.clients.find(address, self._clock()), address
        client, address = self.named(request, address)
        if not self.entrance.admits(address):
            raise web.HTTPTooManyRequests(text="too many connections\n", headers={"Retry-After": "5"})
        return client, address

    def named(self, request: web.Request, proxy: str) -> tuple[Client, str | None]:
        """Return the client that the trusted `proxy` names in a request, and its address."""
        entrance = self.entrance
        lines = request.headers.getall(entrance.header, ())
        address = entrance.proxies.client(proxy, lines, entrance.header)
        return self.clients.find(address, self._clock()), address

    def tick(self, now: float) -> None:
        """Cut connections whose time is over, and forget clients that have left."""
        for connection in self.entrance.visits.tick(now):
            connection.abort()
        self.clients.tick(now)

    def refusal(self, client: Client) -> Refused | None:
        """Return why the client may have no further WebSocket; None if it may."""
        if client.may_have(lambda each: each.connections, self._settings.connections_per_client):
            return None
        return Refused("full", "your network has too many connections here: close some", fatal=True)

    def victim(self, client: Client, population: Callable[[bytes], int]) -> bytes | None:
        """Return the connection that makes place for one of `client`; None if none has to.

        It belongs to a client with more connections. `population` is the number of connections in a handle's
        room or lobby: a full room counts more than many connections of one address, which may be a school's.
        """
        mine = 0.0 if client.unlimited else _share(client)
        found = [
            (population(handle) ** 2 / _share(other), handle)
            for other in self.clients.present()
            if _share(other) >= mine + _FEWER
            for handle in islice(reversed(other.handles), _LATEST)
        ]
        return min(found)[1] if found else None

    async def turn(self, client: Client) -> bool:
        """Wait until the handshake of a WebSocket may begin. False: too many wait, or it took too long."""
        ticket = self.handshakes.offer(client)
        if ticket is None:
            return False
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        self._grant()
        try:
            async with asyncio.timeout(self._settings.handshake_time):
                await turn
        except TimeoutError:
            return False
        finally:
            self._turns.pop(ticket, None)
            self.handshakes.withdraw(ticket)
        return True

    def _grant(self) -> None:
        for ticket in self.handshakes.due(self._clock()):
            turn = self._turns.pop(ticket, None)
            if turn is not None and not turn.done():
                turn.set_result(None)
        wait = self.handshakes.wait(self._clock())
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if wait is not None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._grant)


def _share(client: Client) -> float:
    return client.share(lambda each: each.connections)
