"""A hostile server in this process, and participants that speak only the wire protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from snugroom.lab.hostile.acts import ACTS
from snugroom.lab.hostile.runner import Runner
from snugroom.lab.hostile.server import HostileServer
from snugroom.wire.messages import Relay, Relayed, Streams, Transport, WireError
from tests.media_server.peer import Peer, rtp
from tests.patience import PATIENCE
from tests.server.people import blob
from tests.server.wire_clients import Calls, Guest, Place, quiet, visiting


class Stage(Place):
    """The server, its operator's orders and what the console said."""

    hostile: HostileServer
    runner: Runner
    deeds: list[dict[str, Any]]

    def begin(self, act: str, **orders: object) -> None:
        """Order an act to begin; it has to."""
        self.runner.order(json.dumps({"act": act, "begin": orders}))
        assert self.deeds[-1] == {"act": act, "began": True}, self.deeds

    def end(self, act: str) -> dict[str, Any]:
        """Order it to end; the last that it had to say."""
        self.runner.order(json.dumps({"act": act, "end": True}))
        assert self.deeds[-1]["ended"]
        return self.deeds[-1]

    def did(self, act: str) -> list[str]:
        """The deeds that an act has reported."""
        return [str(deed["did"]) for deed in self.deeds if deed["act"] == act and "did" in deed]

    async def member(self) -> Guest:
        """The next person in the room."""
        return await (await self.guest()).member()

    async def members(self, count: int) -> list[Guest]:
        return [await self.member() for _ in range(count)]


@asynccontextmanager
async def playing(*, media: bool = False) -> AsyncIterator[Stage]:
    """Every act there is, none begun; with a real SFU where media is wanted."""
    deeds: list[dict[str, Any]] = []
    runner = Runner(ACTS, lambda line: deeds.append(json.loads(line)))
    server = HostileServer(quiet(), runner, media=None if media else Calls())
    url = await server.start()
    try:
        async with visiting(url, server) as place:
            stage = Stage(place.url, place.http, server)
            stage.hostile, stage.runner, stage.deeds = server, runner, deeds
            yield stage
    finally:
        await server.stop()


async def words(guest: Guest, count: int) -> list[tuple[int, bytes]]:
    """The next relayed messages that reach somebody."""
    return [(got.relay, got.blob) for got in [await guest.until(Relayed) for _ in range(count)]]


async def say(guest: Guest, *names: str) -> None:
    for name in names:
        await guest.say(Relay(blob(name)))


class Speaker:
    """A member with media: a guest at the signaling, a peer at the SFU."""

    def __init__(self, guest: Guest, peer: Peer) -> None:
        self.guest = guest
        self.peer = peer
        self._sequence = 0

    @classmethod
    async def join(cls, stage: Stage, *streams: tuple[int, str], odd: bool = False) -> Speaker:
        """`odd`: the first answer about media has fields that the protocol doesn't have."""
        guest = await stage.member()
        peer = Peer(*streams)
        await guest.say(peer.media)
        if odd:
            with pytest.raises(WireError):
                await guest.until(Transport)
        await peer.connect(await guest.until(Transport))
        return cls(guest, peer)

    def sound(self, ssrc: int, *payloads: bytes) -> None:
        for payload in payloads:
            self._sequence += 1
            self.peer.send_rtp(rtp(ssrc, self._sequence, payload, kind="audio"))

    async def streams(self) -> Streams:
        return await self.guest.until(Streams)

    async def heard(self, count: int) -> list[tuple[int, int, bytes]]:
        """(SSRC, sequence number, payload) of the first packets that came."""
        await self.peer.until(lambda: len(self.peer.rtp) >= count, PATIENCE)
        return [
            (int.from_bytes(p[8:12], "big"), int.from_bytes(p[2:4], "big"), p[12:]) for p in self.peer.rtp
        ]
