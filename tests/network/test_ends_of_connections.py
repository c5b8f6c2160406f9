"""Over real sockets: which ends of a connection are the server's own, and which a network can make."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from snugroom.client.connection import Connection
from snugroom.client.session import events as ev
from snugroom.client.session.options import Options

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Listener:
    """Stands in for a session: connects once, and ends with the loss of the connection."""

    ended: ev.Ended | None = None
    inside = False
    options = Options()

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.lost: list[ev.Lost] = []

    def start(self) -> list[ev.Effect]:
        return [ev.Connect(ev.ROOM)]

    def handle(self, what: ev.Input, now: float) -> list[ev.Effect]:
        if isinstance(what, ev.Lost):
            self.lost.append(what)
            self.ended = ev.Ended("left", "")
            self.connection._done.set()
        return []

    connection: Any


async def _closes(request: web.Request) -> web.StreamResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.close()
    return ws


def _ends(how: Callable[[asyncio.Transport], None]) -> Serve:
    """End the bytes of a WebSocket, without a close frame."""

    async def serve(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        assert request.transport is not None
        how(request.transport)
        return ws

    return serve


async def _aborts(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _says(status: int) -> Serve:
    async def serve(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    return serve


@pytest.mark.parametrize(
    ("serve", "by_server"),
    [
        pytest.param(_closes, True, id="a close frame"),
        pytest.param(_ends(asyncio.Transport.abort), False, id="a reset"),
        pytest.param(_ends(asyncio.Transport.close), False, id="an end without a close frame"),
        pytest.param(_aborts, False, id="a reset of the handshake"),
        pytest.param(_says(403), True, id="403"),
        pytest.param(_says(404), True, id="404"),
        pytest.param(_says(429), False, id="429"),
        pytest.param(_says(502), False, id="502"),
        pytest.param(_says(521), False, id="521"),
    ],
)
async def test_a_close_frame_and_a_refusal_over_http_are_the_servers_own(
    serve: Serve, by_server: bool
) -> None:
    app = web.Application()
    app.router.add_get("/ws", serve)
    app.router.add_route("HEAD", "/", _says(200))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        session = _Listener(f"http://127.0.0.1:{port}")
        session.connection = Connection(session, make_engine=lambda *_: None, on_event=lambda _: None)  # type: ignore[arg-type]
        async with asyncio.timeout(20):
            await session.connection.run()
    finally:
        await runner.cleanup()
    (lost,) = session.lost
    assert (lost.answered, lost.by_server) == (True, by_server)
