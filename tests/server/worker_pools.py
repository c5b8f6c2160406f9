"""Pools of media workers, servers with workers, and members that their rooms have."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from snugroom.server.app import Server
from snugroom.server.disclosure import view
from snugroom.server.disclosure.text import sentences
from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.workers.pipe import Setup
from snugroom.server.sfu.workers.pool import MediaView, Workers
from snugroom.server.sfu.workers.slot import WorkerSlot
from snugroom.wire import signed
from snugroom.wire.messages import Entered, Shown, Streams, Transport
from tests.media_server.peer import Peer, rtp
from tests.patience import PATIENCE
from tests.server.people import opening, room_door, show
from tests.server.wire_clients import Guest, Place, quiet, running

LIMITS = MediaLimits()


@asynccontextmanager
async def pool(count: int = 2, port: int = 0, limits: MediaLimits = LIMITS) -> AsyncIterator[Workers]:
    setup = Setup(
        address="127.0.0.1",
        port=port,
        bind="127.0.0.1",
        also=[],
        tcp=False,
        limits=limits,
    )
    made = Workers(count, setup)
    try:
        await made.start()
        yield made
    finally:
        await made.close()
    assert not any(slot.child is not None and slot.child.running for slot in made.slots)
    assert children_of(os.getpid()) == []


@asynccontextmanager
async def server_with_workers(**settings: Any) -> AsyncIterator[Place]:
    """A whole server with two workers."""
    async with running(Server(quiet(page=False, workers=2, **settings))) as place:
        yield place


def workers_of(place: Place) -> Workers:
    made = place.server.signaling.media
    assert isinstance(made, Workers)
    return made


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for is the server's inside
            await asyncio.sleep(0.01)


async def member(place: Place, room: str) -> Guest:
    """Somebody in a room of that name, the pass shown; opens it if nobody has."""
    door, room_admin = (SigningKey(sha256((room + end).encode()).digest()) for end in ("door", "room admin"))
    number = signed.room_number(bytes(door.verify_key), bytes(room_admin.verify_key))
    guest = await place.guest()
    await guest.say(room_door(guest.challenge.origin, guest.challenge.nonce, door, room_admin))
    entered = await guest.expect(Entered)
    guest.handle = entered.handle
    if entered.slot is None:
        await guest.say(opening(key=room_admin, number=number))
    await guest.say(show(0))
    await guest.until(Shown)
    return guest


@asynccontextmanager
async def two_rooms(**settings: Any) -> AsyncIterator[tuple[Place, Party, Party]]:
    async with server_with_workers(**settings) as place:
        parties = Party(place, "a", 1111), Party(place, "b", 2222)
        try:
            for party in parties:
                await party.begin()
            yield place, *parties
        finally:
            for party in parties:
                party.close()


def children_of(parent: int) -> list[int]:
    """Processes whose parent is `parent`, and that run a media worker."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            after = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
            if int(after[1]) == parent and after[0] != "Z" and b"snugroom.server.sfu.workers" in command:
                found.append(int(folder.name))
    return found


def sentences_of(place: Place, media: MediaView) -> list[str]:
    return sentences(view.disclosure(place.server, media=media))


def pid(slot: WorkerSlot) -> int:
    assert slot.child is not None
    return slot.child.pid


class Party:
    """People in one room, with media: the first of them publishes a stream of video under `ssrc`."""

    def __init__(self, place: Place, room: str, ssrc: int) -> None:
        self.place, self.room, self.ssrc = place, room, ssrc
        self.guests: list[Guest] = []
        self.peers: list[Peer] = []
        self.sent = 0

    def new_peers(self) -> None:
        self.close()
        self.peers = [Peer((self.ssrc, "video")), Peer((self.ssrc + 1, "audio"))]

    async def begin(self) -> None:
        self.guests = [await member(self.place, self.room) for _ in range(2)]
        self.new_peers()
        await self.connect()

    async def connect(self) -> None:
        for guest, peer in zip(self.guests, self.peers, strict=True):
            await guest.say(peer.media)
            await peer.connect(await guest.until(Transport))
            await guest.until(Streams)

    @property
    def port(self) -> int:
        return self.peers[0].server[1]

    def send(self) -> None:
        self.peers[0].send_rtp(rtp(self.ssrc, self.sent, b"x" * 500, timestamp=3000 * self.sent))
        self.sent += 1

    def received(self) -> list[int]:
        """Sequence numbers of what has reached the second one."""
        return [int.from_bytes(packet[2:4], "big") for packet in self.peers[1].rtp]

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        self.peers = []
