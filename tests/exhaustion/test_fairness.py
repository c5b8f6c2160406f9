"""Harm that one room can do to the others: floods within every limit of a connection, and memory."""

from __future__ import annotations

import asyncio
import contextlib

from snugroom.server.config import Settings
from snugroom.server.rooms.turns import PATIENCE as TURN_PATIENCE
from snugroom.wire import limits
from snugroom.wire.messages import Broadcast, Broadcasted, Refused, Relay, Relayed
from tests.exhaustion.rooms import Innocent, member
from tests.exhaustion.storms import enter, tasks
from tests.patience import PATIENCE
from tests.server.people import blob
from tests.server.wire_clients import Guest, eventually, quiet, serving

#: Limits of one connection do not matter here: the room's budget does.
LOOSE: dict[str, object] = {"messages_per_second": 1e6, "message_burst": 1e6, "byte_burst": 1e9}


async def drain(guest: Guest) -> None:
    """Read for ever."""
    while True:
        await guest.next()


async def test_a_room_over_its_budget_delays_only_itself_and_loses_nothing() -> None:
    settings = quiet(room_deliveries_per_second=200.0, room_delivery_burst=50.0, **LOOSE)
    async with serving(settings) as place, tasks() as running:
        innocent = await Innocent.at(place)
        flood = [await member(place, "flood") for _ in range(10)]
        running += [asyncio.create_task(drain(guest)) for guest in flood[1:]]
        turns = place.server.signaling.pump.turns
        for number in range(40):
            await flood[1 + number % 8].say(Broadcast(blob(f"flood {number}")))
        await eventually(lambda: turns.waiting > 3)
        for _ in range(5):
            await innocent.talk()
        assert turns.waiting > 0, "the flood is still waiting"
        came = [await flood[0].until(Broadcasted) for _ in range(40)]
        assert {message.blob for message in came} == {blob(f"flood {number}") for number in range(40)}
        for number in range(8):
            mine = [m.blob for m in came if int(m.blob.split(b".")[0].split()[1]) % 8 == number]
            assert mine == [blob(f"flood {n}") for n in range(number, 40, 8)], "in order"
        assert turns.delayed > 0


async def test_a_sender_that_the_room_has_no_budget_for_is_read_no_further_and_refused_in_the_end() -> None:
    settings = quiet(room_egress_per_second=1e5, room_egress_burst=1e5, **LOOSE)
    async with serving(settings) as place, tasks() as running:
        innocent = await Innocent.at(place)
        one, other, heavy = [await member(place, "flood") for _ in range(3)]
        signaling = place.server.signaling
        running += [asyncio.create_task(drain(one)), asyncio.create_task(drain(other))]

        async def flood() -> None:
            for number in range(400):
                await heavy.say(Broadcast(blob(str(number), limits.BUCKETS[-3])))

        running.append(asyncio.create_task(flood()))
        await eventually(lambda: signaling.hub.ledger.inbox > 500_000)
        for _ in range(80):
            await innocent.talk()
        assert signaling.hub.ledger.inbox < 1_500_000
        place.server.signaling._clock = lambda: place.server.clock() + TURN_PATIENCE
        async with asyncio.timeout(PATIENCE):
            messages = await heavy.ended()
        assert isinstance(messages[-1], Refused)
        assert messages[-1].code == "rate"
        assert "room's messages wait" in messages[-1].text
        await innocent.talk()
        assert not one.ws.closed


async def test_the_largest_rooms_give_memory_first_and_the_others_go_on() -> None:
    budget = 6_000_000
    settings: Settings = quiet(memory_bytes=budget, ring_bytes=3_000_000, **LOOSE)
    async with serving(settings) as place:
        signaling = place.server.signaling
        innocent = await Innocent.at(place)
        await innocent.talk()
        ours = signaling.hub.ledger.blobs
        most = 0
        hoards = [await member(place, f"hoard {number}") for number in range(6)]
        for number in range(12):
            for guest in hoards:
                await guest.say(Relay(blob(str(number), limits.ROOM_BLOB_MAX)))
                await guest.until(Relayed)
            most = max(most, signaling.memory)
            # what has just come is relieved a moment later, on a busy machine a later moment
            await eventually(lambda: signaling.memory <= budget)
            await innocent.talk()
        await eventually(lambda: signaling.memory <= budget)
        assert signaling.relieved["relays"] > 0
        assert signaling.relieved["rooms"] == signaling.relieved["readers"] == 0
        # one round above it; without the budget it would be three times as much
        assert most < 2.5 * budget
        assert signaling.hub.ledger.blobs > 1_000_000
        assert all(not guest.ws.closed for guest in hoards)
        sizes = sorted(holding.relays for holding in signaling.hub.holdings(lambda _: 0))
        assert sizes[0] > ours, "nothing was taken from who holds little"
        assert signaling.ready() == []


async def test_above_its_memory_the_server_is_not_ready_and_takes_nobody() -> None:
    async with serving(quiet(memory_bytes=200_000, **LOOSE)) as place:
        signaling = place.server.signaling
        guest = await member(place, "a room")
        assert signaling.ready() == []
        signaling.hub.ledger.blobs += 200_000
        assert signaling.ready() == ["memory"]
        refused = await Guest(await place.raw()).dropped("full")
        assert isinstance(refused, Refused)
        assert "memory" in refused.text
        assert not guest.ws.closed
        signaling.hub.ledger.blobs -= 200_000
        assert await place.guest()


async def test_messages_that_arrive_in_part_count_and_before_the_door_they_are_few() -> None:
    async with serving(quiet(handshake_time=60.0)) as place:
        ledger = place.server.signaling.hub.ledger
        guest, door = await member(place, "a room"), await place.guest()
        half = b"\x81\xff" + (300_000).to_bytes(8, "big") + bytes(4) + bytes(200_000)
        guest.transport().write(half)
        await eventually(lambda: ledger.inbox >= 200_000)
        [holding] = place.server.signaling.hub.holdings(place.server.signaling._memory_of)
        assert holding.total >= 200_000
        guest.transport().abort()
        await eventually(lambda: ledger.inbox == 0)
        door.transport().write(half[:40_000])
        with contextlib.suppress(EOFError, ConnectionError):
            await door.ended()
        assert place.server.signaling.refusals["pieces"] == 1
        await eventually(lambda: ledger.inbox == 0)


async def test_a_room_pays_for_who_comes_and_goes() -> None:
    settings = quiet(
        room_deliveries_per_second=5.0, room_delivery_burst=40.0, handshake_burst=1000.0, **LOOSE
    )
    async with serving(settings) as place, tasks() as running:
        innocent = await Innocent.at(place)
        there = [await member(place, "flood") for _ in range(4)]
        turns = place.server.signaling.pump.turns

        async def come_and_go() -> None:
            while True:
                guest = await place.guest()
                assert await enter(guest, "flood")
                await guest.ws.close()

        running += [asyncio.create_task(drain(guest)) for guest in there]
        running += [asyncio.create_task(come_and_go()) for _ in range(5)]
        await eventually(lambda: turns.waiting > 3)
        sent = place.server.signaling.sent
        for _ in range(3):
            await innocent.talk()
        assert await member(place, "another room")
        assert turns.waiting > 3, "newcomers of the flooded room are still waiting"
        # three for each word, some for those who come, and not as many as without a budget
        assert place.server.signaling.sent - sent < 100
