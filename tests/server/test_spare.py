"""A connection that a newcomer opens with its knock, and what becomes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import aiohttp
import pytest

from snugroom.client import spare
from snugroom.client.connection import Connection
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.spare import SpareConnection
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.server.rooms.clients import Client
from snugroom.server.rooms.effects import Drop
from snugroom.wire.messages import Challenge, Refused, decode_server
from tests.server.wire_clients import Place, eventually, serving


def _arrivals(place: Place) -> list[bytes]:
    """The handles of all connections from now on, in order of arrival."""
    handles: list[bytes] = []
    hub = place.server.signaling.hub
    connect = hub.connect

    def noted(client: Client | None = None) -> tuple[bytes, Challenge]:
        handle, challenge = connect(client)
        handles.append(handle)
        return handle, challenge

    hub.connect = noted  # type: ignore[method-assign]
    return handles


def _close(place: Place, handle: bytes) -> None:
    """Have the server close this connection, as it does when it needs the place."""
    signaling = place.server.signaling
    signaling.perform([Drop(handle, Refused("full", "all connections are in use", fatal=True))])


def spare_at(place: Place) -> SpareConnection:
    return SpareConnection(lambda url: place.http.ws_connect(url + "/ws"))


async def test_a_spare_connection_is_taken_with_its_challenge() -> None:
    async with serving() as place:
        spares = spare_at(place)
        spares.open(place.url)
        taken = await spares.take(place.url)
        assert taken is not None
        ws, first = taken
        assert isinstance(decode_server(first.data), Challenge)
        assert place.server.signaling.hub.at_the_door() == 1
        assert await spares.take(place.url) is None  # once
        await ws.close()


async def test_a_spare_connection_is_for_one_server() -> None:
    async with serving() as place:
        spares = spare_at(place)
        spares.open(place.url)
        await eventually(lambda: place.server.signaling.hub.at_the_door() == 1)
        assert await spares.take(place.url + "/n/1") is None
        await eventually(lambda: place.server.signaling.connections == 0)
        await spares.close()


async def test_a_spare_connection_is_dropped_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "SPARE_TIME", 2.0)
    async with serving() as place:
        handles = _arrivals(place)
        spares = spare_at(place)
        spares.open(place.url)
        await eventually(lambda: len(handles) == 1 and place.server.signaling.connections == 0)
        assert await spares.take(place.url) is None
        assert not place.server.signaling.refusals, "the client has closed it, not the server"


async def test_a_spare_connection_that_the_server_has_closed_is_of_no_use() -> None:
    async with serving() as place:
        handles = _arrivals(place)
        spares = spare_at(place)
        spares.open(place.url)
        await eventually(lambda: place.server.signaling.hub.at_the_door() == 1)
        _close(place, handles[0])
        await eventually(lambda: place.server.signaling.connections == 0)
        assert await spares.take(place.url) is None
        await spares.close()


async def test_a_spare_connection_that_fails_is_none() -> None:
    async with aiohttp.ClientSession() as http:
        spares = SpareConnection(lambda url: http.ws_connect(url + "/ws"))
        spares.open("http://127.0.0.1:1")
        assert await spares.take("http://127.0.0.1:1") is None
        spares.open("http://127.0.0.1:1")
        await asyncio.sleep(0)
        await spares.close()


class _Person:
    """A participant without media."""

    def __init__(self, session: Session) -> None:
        self.events: list[ev.Event] = []
        self.connection = Connection(session, make_engine=lambda *_: None, on_event=self.events.append)
        self.running = asyncio.create_task(self.connection.run())

    def link(self) -> str:
        return next(e.link for e in self.events if isinstance(e, ev.InviteMade))

    def has(self, kind: type[ev.Event]) -> bool:
        return any(isinstance(e, kind) for e in self.events)


@asynccontextmanager
async def _meeting(place: Place, admission: Literal["ask", "all"]) -> AsyncIterator[tuple[_Person, _Person]]:
    """A host, and a guest that knocks."""
    origin = canonical_origin(place.url)
    now = time.time()
    host = _Person(Session.host(origin=origin, name="Ada", admission=admission, now=now))
    people = [host]
    try:
        await eventually(lambda: host.has(ev.InviteMade))
        people.append(guest := _Person(Session.join(host.link(), name="Bo", now=now)))
        yield host, guest
    finally:
        for person in people:
            person.connection.feed(ev.Leave())
        await asyncio.gather(*(person.running for person in people))


async def test_a_guest_enters_by_its_spare_connection() -> None:
    async with serving() as place:
        handles = _arrivals(place)
        async with _meeting(place, "all") as (_, guest):
            await eventually(lambda: guest.connection.session.entered)
            # the host's room and lobby, the guest's lobby and room: no further one
            assert len(handles) == 4
            assert place.server.signaling.hub.at_the_door() == 0


async def test_a_guest_whose_spare_connection_is_gone_connects_anew() -> None:
    async with serving() as place:
        handles = _arrivals(place)
        async with _meeting(place, "ask") as (host, guest):
            await eventually(lambda: host.has(ev.Knocked) and len(handles) == 4)
            _close(place, handles[3])
            await eventually(lambda: place.server.signaling.connections == 3)
            knocked = next(e for e in host.events if isinstance(e, ev.Knocked))
            host.connection.feed(ev.Admit(knocked.knock))
            await eventually(lambda: guest.connection.session.entered)
            assert len(handles) == 5
            assert not [e for e in guest.events if isinstance(e, ev.Status) and e.kind.startswith("away")]
