"""Links that come and go: which one an engine has, and when it is told that it has none."""

from __future__ import annotations

import asyncio

import pytest

from snugroom.client.media.engine import MediaEngine
from snugroom.client.media.transport import MediaTransport, TransportError
from snugroom.wire.messages import Transport
from tests.media_client.ice_lite import IceLiteServer
from tests.media_client.meeting import NOWHERE, Forwarder, MemoryLink, TestCrypto, until


class Slow(MemoryLink):
    """Its connection comes about when `let` is set, and fails when it is closed."""

    def __init__(self, forwarder: Forwarder) -> None:
        super().__init__(forwarder, b"\1" * 8)
        self.let = asyncio.get_running_loop().create_future()

    async def connect(self, transport: Transport, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - a link's own limit
        await self.let
        await super().connect(transport, timeout)

    async def close(self) -> None:
        if not self.let.done():
            self.let.set_exception(TransportError("closed"))
        await super().close()


async def test_a_link_that_is_lost_as_its_handshake_ends_is_missed() -> None:
    links: list[MemoryLink] = []
    lost: list[str] = []

    class Brief(MemoryLink):
        async def connect(self, transport: Transport, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - a link's own limit
            await super().connect(transport, timeout)
            if len(links) == 1:
                self.on_lost("the server has closed it")

    def link() -> MemoryLink:
        links.append(Brief(Forwarder(), b"\1" * 8))
        return links[-1]

    engine = MediaEngine(crypto=TestCrypto(1), source=None, link=link, on_lost=lost.append)
    try:
        engine.parameters()
        await engine.connect(NOWHERE)
        assert (lost, engine.connected, engine.renewing) == (["the server has closed it"], False, False)
        engine.parameters()
        await engine.connect(NOWHERE)
        assert engine.connected
        links[1].on_lost("and again")
        assert (lost[1:], engine.connected) == (["and again"], False)
    finally:
        await engine.close()


async def test_a_link_that_is_lost_while_its_engine_closes_is_not_missed() -> None:
    lost: list[str] = []

    class Parting(MemoryLink):
        async def close(self) -> None:
            self.on_lost("the server has closed it")
            await super().close()

    def link() -> Parting:
        return Parting(Forwarder(), b"\1" * 8)

    engine = MediaEngine(crypto=TestCrypto(1), source=None, link=link, on_lost=lost.append)
    engine.parameters()
    await engine.connect(NOWHERE)
    await engine.close()
    assert lost == []


async def test_a_later_link_ends_the_attempt_before_it() -> None:
    links: list[Slow] = []
    lost: list[str] = []

    def link() -> Slow:
        links.append(Slow(Forwarder()))
        return links[-1]

    engine = MediaEngine(crypto=TestCrypto(1), source=None, link=link, on_lost=lost.append)
    try:
        engine.parameters()
        first = asyncio.create_task(engine.connect(NOWHERE))
        await asyncio.sleep(0)
        engine.parameters()
        second = asyncio.create_task(engine.connect(NOWHERE))
        await first  # given up, which is no failure
        assert links[0].let.exception() is not None
        assert not engine.connected
        assert engine.renewing
        links[1].let.set_result(None)
        await second
        assert (engine.connected, engine.renewing, engine._link) == (True, False, links[1])
        # one that completes in the moment in which it is given up does not take the later one's place
        engine.parameters()
        third = asyncio.create_task(engine.connect(NOWHERE))
        await asyncio.sleep(0)

        async def complete() -> None:
            links[2].let.set_result(None)

        links[2].close = complete  # type: ignore[method-assign]  # its handshake has ended just before
        engine.parameters()
        fourth = asyncio.create_task(engine.connect(NOWHERE))
        await third
        assert engine._link is links[1]
        links[3].let.set_result(None)
        await fourth
        assert engine._link is links[3]
        assert lost == []
        # the last one fails: that is told
        engine.parameters()
        fifth = asyncio.create_task(engine.connect(NOWHERE))
        await asyncio.sleep(0)
        links[4].let.set_exception(TransportError("no answer"))
        with pytest.raises(TransportError, match="no answer"):
            await fifth
        assert engine._link is links[3]
    finally:
        await engine.close()


async def test_an_engine_that_closes_ends_its_attempt() -> None:
    links: list[Slow] = []

    def link() -> Slow:
        links.append(Slow(Forwarder()))
        return links[-1]

    engine = MediaEngine(crypto=TestCrypto(1), source=None, link=link)
    engine.parameters()
    connecting = asyncio.create_task(engine.connect(NOWHERE))
    await asyncio.sleep(0)
    await engine.close()
    await asyncio.gather(connecting, return_exceptions=True)
    assert links[0].let.exception() is not None
    assert not engine.renewing


async def test_a_transport_that_is_closed_does_not_wait_for_its_handshake() -> None:
    transport = MediaTransport()
    server = IceLiteServer(transport.parameters(), deaf=True)
    try:
        connecting = asyncio.create_task(transport.connect(server.transport(), timeout=3600.0))
        await until(lambda: bool(server.datagrams))
        await transport.close()
        with pytest.raises(TransportError, match="closed here"):
            await connecting
    finally:
        server.close()
