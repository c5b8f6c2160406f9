"""Media workers: rooms in separate processes, and the cost of a worker that dies.

The workers are real processes, and peers reach them over UDP on the loopback.
"""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from snugroom.server.disclosure import view
from snugroom.server.sfu.limits import MediaError, MediaLimits
from snugroom.server.sfu.workers import pool as workers
from snugroom.server.sfu.workers import slot, spread
from snugroom.server.sfu.workers.pool import Workers
from snugroom.wire.messages import Refused, Subscribe
from tests.media_server.peer import Peer
from tests.patience import PATIENCE
from tests.server.test_window import bundle as bundle  # a window of two files
from tests.server.worker_pools import pid, pool, sentences_of, two_rooms, until, workers_of

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


async def test_a_worker_has_one_thread() -> None:
    async with pool(1) as made:
        assert len(os.listdir(f"/proc/{pid(made.slots[0])}/task")) == 1


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


async def test_a_subscription_reaches_the_rooms_worker() -> None:
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
    """Wait until a stream has so many receivers, and so many packets of it have come."""
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
        assert "did not answer" in "".join(sentences_of(place, held))
        assert (await party.guests[0].until(Refused)).code == "lost"
        await party.guests[1].until(Refused)
        party.new_peers()
        await party.connect()
        other.send()
        await other.peers[1].until(lambda: other.received() == [0])


async def test_a_worker_that_takes_nothing_more_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "BUSY", 200_000)
    monkeypatch.setattr(slot, "STUCK", 300_000)
    async with pool() as made:
        peer = Peer()
        try:
            room = b"r" * 16
            await made.join(room, b"a" * 8, peer.media)
            hit = made.slots[made._spread.pins[room].home]
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


async def test_a_waiting_request_is_answered_by_the_successor() -> None:
    async with pool() as made:
        peer = Peer()
        lost: list[tuple[bytes, list[bytes]]] = []
        made.on_lost = lambda room, handles: lost.append((room, handles))
        try:
            room = b"r" * 16
            await made.join(room, b"h" * 8, peer.media)
            hit = made.slots[made._spread.pins[room].home]
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
            hit = made.slots[0]
            room = b"r" * 16
            made._spread.pins[room] = spread.Pin(number=1, home=0)
            os.kill(pid(hit), signal.SIGSTOP)
            deadly = made.join(room, b"d" * 8, peer.media)
            now = asyncio.get_running_loop().time()
            made._on_exit(hit, now)
            assert [type(m).__name__ for m in hit.queued] == ["Join"]
            assert not deadly.done()
            made._on_exit(hit, now)  # it was never sent again: that counts for nothing
            assert not deadly.done()
            hit.queued.clear()  # sent to the next
            made._on_exit(hit, now)
            with pytest.raises(MediaError, match="has ended"):
                await deadly
            assert hit.pending_joins == {}
        finally:
            peer.close()


async def test_a_room_stays_with_the_successor_and_its_place_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spread, "PIN_TIME", 1.0)
    async with pool() as made:
        peer = Peer()
        try:
            room, still = b"r" * 16, b"s" * 16
            await made.join(room, b"h" * 8, peer.media)
            hit = made.slots[made._spread.pins[room].home]
            await made.join(still, b"h" * 8, peer.media)
            hit.kill()
            await until(lambda: not hit.up)
            # what killed one worker must not go on to the next
            assert (await made.join(room, b"h" * 8, peer.media)).port == hit.port
            hit.kill()
            await until(lambda: room not in made._spread.pins)
            assert made._spread.pins[still].home != hit.number
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
