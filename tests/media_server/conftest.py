from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from snugroom.server.sfu.sfu import MediaLimits, Sfu
from tests.media_server.peer import Peer
from tests.patience import PATIENCE

ROOM = b"r" * 16


class Rig:
    """An SFU and its peers. Peers are told apart by one byte."""

    def __init__(self, sfu: Sfu) -> None:
        self.sfu = sfu
        self.peers: list[Peer] = []

    def peer(self, *streams: tuple[int, str], **options: Any) -> Peer:
        peer = Peer(*streams, **options)
        self.peers.append(peer)
        return peer

    def handle(self, peer: Peer) -> bytes:
        return self.peers.index(peer).to_bytes(8, "big")

    async def join(self, *streams: tuple[int, str], room: bytes = ROOM, **options: Any) -> Peer:
        peer = self.peer(*streams, **options)
        await peer.connect(self.sfu.join(room, self.handle(peer), peer.media))
        return peer

    def totals(self, name: str) -> int:
        return self.sfu.totals().get(name, 0)


StartRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A UDP socket on a port of its own, as the server's is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        yield made


@pytest.fixture
async def start_rig() -> AsyncIterator[StartRig]:
    """Make a rig with other limits or another clock."""
    rigs: list[Rig] = []

    async def start(limits: MediaLimits | None = None, **options: Any) -> Rig:
        sfu = Sfu(address="127.0.0.1", limits=limits or MediaLimits(), **options)
        await sfu.start()
        rigs.append(Rig(sfu))
        return rigs[-1]

    yield start
    for rig in rigs:
        for peer in rig.peers:
            peer.close()
        errors = rig.totals("errors")
        rig.sfu.close()
        # whatever a test sends: nothing may have raised behind its back
        assert errors == 0


@pytest.fixture
async def rig(start_rig: StartRig) -> Rig:
    return await start_rig()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def until(condition: Any, seconds: float = PATIENCE) -> None:
    """Wait until something at the server is so; polled, since the server has no events for tests."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
