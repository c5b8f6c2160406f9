"""Connections from addresses of choice to a server on loopback: 127.0.0.1 is its proxy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from snugroom.server.config import Settings
from snugroom.wire.messages import Entered
from tests.exhaustion.rooms import keys
from tests.server.people import room_door
from tests.server.wire_clients import Guest, Place, quiet

PROXY = "127.0.0.1"
STRANGER = "127.0.6.6"


def behind_proxy(**changes: object) -> Settings:
    """Settings by which 127.0.0.1 is a trusted proxy, and each other address of 127.0.0.0/8 a client."""
    return quiet(trusted_proxies=[PROXY], **changes)


@asynccontextmanager
async def coming_from(address: str, place: Place) -> AsyncIterator[Place]:
    """The same server, visited from another address."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield Place(place.url, http, place.server)


def by_proxy(client: str) -> dict[str, str]:
    """The header with which the proxy names `client`, behind a claim of the client's own."""
    return {"X-Forwarded-For": f"192.0.2.99, {client}"}


async def enter(guest: Guest, name: str) -> bool:
    """Enter the room `name`, and open it if nobody has. Return whether that was allowed."""
    door, room_admin = keys(name)
    await guest.say(room_door(guest.challenge.origin, guest.challenge.nonce, door, room_admin))
    entered = await guest.next()
    if not isinstance(entered, Entered):
        return False
    guest.handle = entered.handle
    return True


@asynccontextmanager
async def tasks() -> AsyncIterator[list[asyncio.Task[object]]]:
    """Tasks that are cancelled in the end."""
    running: list[asyncio.Task[object]] = []
    try:
        yield running
    finally:
        for task in running:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*running, return_exceptions=True)
