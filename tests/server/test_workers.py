"""Media workers: rooms on processes of their own, one that dies, and what that costs the others.

The workers are real processes, and peers reach them over UDP on the loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from snugroom.server.app import Server
from snugroom.server.disclosure import view
from snugroom.server.disclosure.text import sentences
from snugroom.server.sfu.limits import MediaError, MediaLimits
from snugroom.server.sfu.workers import pool as workers
from snugroom.server.sfu.workers.pipe import Setup
from snugroom.server.sfu.workers.pool import MediaView, Workers, WorkerSlot
from snugroom.server.wire import signed
from snugroom.server.wire.messages import Entered, Refused, Shown, Streams, Subscribe, Transport
from tests.media_server.peer import Peer, rtp
from tests.patience import PATIENCE
from tests.server.people import opening, room_door, show
from tests.server.test_window import bundle as bundle  # a window of two files
from tests.server.wire_clients import Guest, Place, quiet, visiting

LIMITS = MediaLimits()


@asynccontextmanager
async def pool(count: int = 2, port: int = 0, limits: MediaLimits = LIMITS) -> AsyncIterator[Workers]:
    setup = Setup(
        address="127.0.0.1",
        port=port,
        bind="127.0.0.1",
        also=[],
        tcp=False,
        turn=[],
        turn_time=1.0,
        limits=limits,
    )
    made = Workers(count, setup)
    try:
        await made.start()
        yield made
    finally:
        await made.close()
    assert not any(slot.child is not None and slot.child.running for slot in made.slots)
    assert _children(os.getpid()) == []


@asynccontextmanager
async def house(**settings: Any) -> AsyncIterator[Place]:
    """A whole server with two workers."""
    server = Server(quiet(page=False, workers=2, **settings))
    url = await server.start()
    try:
        async with visiting(url, server) as place:
            yield place
    finally:
        async with asyncio.timeout(PATIENCE):
            await server.stop()


def workers_of(place: Place) -> Workers:
    made = place.server.signaling.media
    assert isinstance(made, Workers)
    return made


def pid(slot: WorkerSlot) -> int:
    assert slot.child is not None
    return slot.child.pid


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for is the server's inside
            await asyncio.sleep(0.01)


async def member(place: Place, room: str) -> Guest:
    """Somebody in a room of that name, the pass shown; opens it if nobody has."""
    door, room_admin = (SigningKey(sha256((room + end).encode()).digest()) for end in ("door", "steward"))
    number = signed.room_number(bytes(door.verify_key), bytes(room_admin.verify_key))
    guest = await place.guest()
    await guest.say(room_door(guest.challenge.origin, guest.challenge.nonce, door, room_admin))
    entered = await guest.expect(Entered)
    guest.handle = entered.handle
    if entered.slot is None:
        await guest.say(opening(guest.challenge.nonce, key=room_admin, number=number))
    await guest.say(show(0))
    await guest.until(Shown)
    return guest


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


@asynccontextmanager
async def two_rooms(**settings: Any) -> AsyncIterator[tuple[Place, Party, Party]]:
    async with house(**settings) as place:
        parties = Party(place, "a", 1111), Party(place, "b", 2222)
        try:
            for party in parties:
                await party.begin()
            yield place, *parties
        finally:
            for party in parties:
                party.close()


def _children(parent: int) -> list[int]:
    """Processes whose parent is `parent`, and that run a media worker."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            after = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
            if int(after[1]) == parent and after[0] != "Z" and b"snugroom.server.sfu.workers" in command:
                found.append(int(folder.name))
    return found


# -- which room is where -----------------------------------------------------------------------------------


async def test_rooms_are_spread_and_each_stays_where_it_is() -> None:
    async with pool(3) as made:
        peer = Peer()
        try:
            ports = {}
            for number in range(6):
                room = bytes([number]) * 16
                answers = [
                    await made.join(room, bytes([n]) * 8, peer.media) for n in range(2 if number < 3 else 1)
                ]
                assert len({answer.port for answer in answers}) == 1
                ports[room] = answers[0].port
            assert sorted(ports.values()) == sorted(slot.port for slot in made.slots for _ in range(2))
            assert [slot.peers for slot in made.slots] == [3, 3, 3]
            # where nobody is any more, the next room goes; and the room itself may come back elsewhere
            first = bytes(16)
            for n in range(2):
                made.leave(first, bytes([n]) * 8)
            assert (await made.join(b"n" * 16, b"handle..", peer.media)).port == ports[first]
            view = await made.inspect(held=True)
            assert (view.totals["peers"], view.workers, view.silent) == (8, 3, 0)
        finally:
            peer.close()


async def test_answers_keep_their_order_and_refusals_come_too() -> None:
    async with pool(2, limits=MediaLimits(peers=1)) as made:
        peer = Peer()
        try:
            room = b"r" * 16
            good, full, again = (made.join(room, h * 8, peer.media) for h in (b"a", b"b", b"a"))
            with pytest.raises(MediaError) as refused:
                await full
            assert refused.value.code == "full"
            assert good.done()
            assert (await again).ufrag == good.result().ufrag
        finally:
            peer.close()


async def test_what_is_asked_for_reaches_the_room() -> None:
    async with two_rooms() as (_, party, other):
        await party.guests[1].say(Subscribe([]))
        made = workers_of(party.place)
        await _eventually(made, 1111, receivers=0, packets=0)
        party.send()
        # a packet can be overtaken by what is said after it: it must have come while nobody wanted it
        await _eventually(made, 1111, receivers=0, packets=1)
        await party.guests[1].say(Subscribe(None))
        await _eventually(made, 1111, receivers=1, packets=1)
        party.send()
        await party.peers[1].until(lambda: party.received() == [1])
        assert party.port != other.port


async def _eventually(made: Workers, ssrc: int, *, receivers: int, packets: int) -> None:
    """Until a stream has so many receivers, and so many packets of it have come."""
    seen: list[tuple[int, int]] = []
    async with asyncio.timeout(PATIENCE):
        while seen != [(receivers, packets)]:
            streams = (await made.inspect(streams=True)).streams
            seen = [(s.receivers, s.packets) for s in streams if s.ssrc == ssrc]


# -- one dies ----------------------------------------------------------------------------------------------


async def test_a_killed_worker_costs_its_rooms_a_rejoin_and_the_others_nothing() -> None:
    async with two_rooms() as (place, party, other):
        made = workers_of(place)
        hit = next(slot for slot in made.slots if slot.port == party.port)
        party.send()
        await party.peers[1].until(lambda: party.received() == [0])
        handles = [guest.handle for guest in party.guests]

        stop = asyncio.Event()

        async def talk() -> None:
            """The other room goes on, a packet every 5 ms."""
            while not stop.is_set():
                other.send()
                await asyncio.sleep(0.005)

        talking = asyncio.create_task(talk())
        await until(lambda: other.sent > 10)
        before = pid(hit)
        os.kill(before, signal.SIGKILL)
        for guest in party.guests:
            refused = await guest.until(Refused)
            assert (refused.code, refused.about, refused.fatal) == ("lost", "media", False)
        # the same people on the same connections, with a new transport
        party.new_peers()
        await party.connect()
        party.send()
        await party.peers[1].until(lambda: party.received() == [1])
        assert [guest.handle for guest in party.guests] == handles
        assert pid(hit) != before
        assert party.port == hit.port

        stop.set()
        await talking
        await other.peers[1].until(lambda: len(other.peers[1].rtp) == other.sent)
        assert other.received() == list(range(other.sent))
        assert other.sent > 20
        assert made.replaced == 1
        # nobody was told of a fault of their own
        assert all(not c.dropped for c in place.server.signaling._connections.values())


async def test_a_worker_that_hangs_is_replaced() -> None:
    async with two_rooms() as (place, party, other):
        made = workers_of(place)
        made.silent = 2.5
        hit = next(slot for slot in made.slots if slot.port == party.port)
        os.kill(pid(hit), signal.SIGSTOP)
        # meanwhile what is held is told of those that answer, and the silent one is counted
        held = await view.media_view(place.server)
        assert (held.workers, held.silent, held.totals["peers"]) == (2, 1, 2)
        assert "did not answer" in "".join(_sentences(place, held))
        assert (await party.guests[0].until(Refused)).code == "lost"
        await party.guests[1].until(Refused)
        party.new_peers()
        await party.connect()
        other.send()
        await other.peers[1].until(lambda: other.received() == [0])


def _sentences(place: Place, media: MediaView) -> list[str]:
    return sentences(view.disclosure(place.server, media=media))


async def test_a_worker_that_takes_nothing_more_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BUSY", 200_000)
    monkeypatch.setattr(workers, "STUCK", 300_000)
    async with pool() as made:
        peer = Peer()
        try:
            room = b"r" * 16
            await made.join(room, b"a" * 8, peer.media)
            hit = made._pins[room].slot
            before = pid(hit)
            os.kill(before, signal.SIGSTOP)
            assert hit.child is not None
            while hit.child.waiting <= 200_000:
                made.subscribe(room, b"a" * 8, list(range(1, 1000)), [])
            with pytest.raises(MediaError) as busy:
                made.join(room, b"b" * 8, peer.media)
            assert busy.value.code == "busy"
            while hit.child.waiting <= 300_000:
                made.subscribe(room, b"a" * 8, list(range(1, 1000)), [])
            await until(lambda: hit.up and pid(hit) != before)
        finally:
            peer.close()


async def test_who_waits_for_an_answer_gets_it_from_the_successor() -> None:
    async with pool() as made:
        peer = Peer()
        lost: list[tuple[bytes, list[bytes]]] = []
        made.on_lost = lambda room, handles: lost.append((room, handles))
        try:
            room = b"r" * 16
            await made.join(room, b"h" * 8, peer.media)
            hit = made._pins[room].slot
            os.kill(pid(hit), signal.SIGSTOP)
            waits, leaves = made.join(room, b"w" * 8, peer.media), made.join(room, b"l" * 8, peer.media)
            made.leave(room, b"l" * 8)
            hit.kill()
            async with asyncio.timeout(PATIENCE):
                answer = await waits
            assert answer.port == hit.port
            assert lost == [(room, [b"h" * 8])]
            assert leaves.cancelled()
            assert (await made.inspect()).totals["peers"] == 1
        finally:
            peer.close()


async def test_the_deadly_is_refused_at_the_second_time() -> None:
    async with pool() as made:
        peer = Peer()
        try:
            slot = made.slots[0]
            room = b"r" * 16
            made._pins[room] = workers._Pin(slot)
            os.kill(pid(slot), signal.SIGSTOP)
            deadly = made.join(room, b"d" * 8, peer.media)
            now = asyncio.get_running_loop().time()
            made._on_exit(slot, now)
            assert [type(m).__name__ for m in slot.queued] == ["Join"]
            assert not deadly.done()
            made._on_exit(slot, now)  # it was never sent again: that counts for nothing
            assert not deadly.done()
            slot.queued.clear()  # sent to the next
            made._on_exit(slot, now)
            with pytest.raises(MediaError, match="has ended"):
                await deadly
            assert slot.pending_joins == {}
        finally:
            peer.close()


async def test_a_room_stays_with_the_successor_and_its_place_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "PIN_TIME", 1.0)
    async with pool() as made:
        peer = Peer()
        try:
            room, still = b"r" * 16, b"s" * 16
            await made.join(room, b"h" * 8, peer.media)
            hit = made._pins[room].slot
            await made.join(still, b"h" * 8, peer.media)
            hit.kill()
            await until(lambda: not hit.up)
            # what killed one worker must not go on to the next
            assert (await made.join(room, b"h" * 8, peer.media)).port == hit.port
            hit.kill()
            await until(lambda: room not in made._pins)
            assert made._pins[still].slot is not hit
            # a new room goes where there is a worker
            if not hit.up:
                assert (await made.join(b"n" * 16, b"h" * 8, peer.media)).port != hit.port
        finally:
            peer.close()


async def test_one_that_ends_again_and_again_is_waited_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BACK_OFF", (0.0, 0.05, 3600.0))
    async with pool() as made:
        hit, other = made.slots
        for _ in range(3):
            await until(lambda: hit.up)
            hit.kill()
            await until(lambda: not hit.up)
        await until(lambda: hit.exits == 3)
        peer = Peer()
        try:
            # it comes back in an hour, and a new room doesn't wait for that
            assert (await made.join(b"n" * 16, b"h" * 8, peer.media)).port == other.port
        finally:
            peer.close()
