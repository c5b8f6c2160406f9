"""Harm that one WebSocket can do to the others: floods of empty frames, and readers that don't read."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os

import pytest

from snugroom.server.rooms import backpressure
from snugroom.wire import limits
from snugroom.wire.messages import CatchUp, Relay, Relayed, encode
from tests.exhaustion.rooms import Innocent, member
from tests.server.people import blob
from tests.server.wire_clients import Place, eventually, quiet, serving

#: The smallest frames of a client there are (RFC 6455 5.2): masked, and empty.
PIECE, TEXT, PING, PONG = (bytes([first]) + b"\x80mask" for first in (0x00, 0x81, 0x89, 0x8A))
BEGIN = b"\x01\x80mask"


async def raw(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket, and no library that would mind what goes over it."""
    host, _, port = place.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def end(reader: asyncio.StreamReader) -> None:
    """Wait until the server has closed, or cut, the connection."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65_536):
            pass


@pytest.mark.parametrize(
    ("flood", "why"),
    [(PIECE, "pieces"), (TEXT, "errors"), (PING, "rate"), (PONG, "rate")],
    ids=["pieces", "texts", "pings", "pongs"],
)
async def test_a_flood_of_empty_frames_is_cut_off(
    flood: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    portions: list[int] = []
    received = backpressure.ByteLimiter.data_received

    def note(self: backpressure.ByteLimiter, data: bytes) -> None:
        portions.append(len(data))
        received(self, data)

    monkeypatch.setattr(backpressure.ByteLimiter, "data_received", note)
    async with serving(quiet(handshake_time=60.0)) as place:
        innocent = await Innocent.at(place)
        reader, writer = await raw(place)
        writer.write(BEGIN if flood is PIECE else b"")
        refusals = place.server.signaling.refusals
        # bounded: 9 MB, and it is over long before
        for _ in range(100):
            if writer.transport.is_closing() or refusals[why]:
                break
            writer.write(flood * 15_000)
            await innocent.talk()
        assert refusals[why] == 1
        await asyncio.wait_for(end(reader), 10)
        writer.close()
        await innocent.talk()
        assert place.server.signaling.connections == 2
        # nobody's turn is longer than that, whatever one socket sends
        assert max(portions) <= backpressure.READ_MAX
        assert len(place.server.signaling.byte_limiters) == 2


async def test_honest_messages_in_pieces_are_never_too_much() -> None:
    settings = quiet(bytes_per_second=1e9, byte_burst=1e9, message_burst=1e4, ring_relays=1)
    async with serving(settings) as place:
        ada = await member(place, "ours")
        big = blob("big", limits.ROOM_BLOB_MAX)
        transport = ada.transport()
        for number in range(8):  # far more than `watch` allows without a claim
            data = encode(Relay(big))
            parts = [data[at : at + 30_000] for at in range(0, len(data), 30_000)]
            for i, part in enumerate(parts):
                first = (0x80 if i == len(parts) - 1 else 0) | (1 if i == 0 else 0)
                mask = bytes(4)
                transport.write(bytes([first, 0x80 | 126]) + len(part).to_bytes(2, "big") + mask + part)
            assert (await ada.until(Relayed)).relay == number + 1


async def test_the_slowest_reader_is_closed_when_all_queues_are_too_large_together() -> None:
    settings = quiet(
        memory_bytes=10_000_000, byte_burst=1e9, message_burst=1e4, catch_up_burst=1000.0, errors_max=100
    )
    async with serving(settings) as place:
        innocent = await Innocent.at(place)
        ada = await member(place, "ours")
        for n in range(12):
            await ada.say(Relay(blob(str(n), limits.ROOM_BLOB_MAX)))
            await ada.until(Relayed)
        slow = [await member(place, "ours") for _ in range(3)]
        for who in slow:
            who.transport().pause_reading()
        signaling = place.server.signaling
        most = 0
        for _ in range(200):
            if signaling.relieved["readers"]:
                break
            # no more than it takes: the server may be slow to notice
            asking = slow if signaling.memory <= settings.memory_bytes else []
            for who in asking:
                if not who.ws.closed:
                    with contextlib.suppress(ConnectionError):
                        await who.say(CatchUp(0, 0))
            await innocent.talk()
            most = max(most, signaling.queued_bytes())
        # none of them had more than one connection may have, but all together
        assert most < settings.queue_bytes
        await eventually(lambda: signaling.memory <= settings.memory_bytes and signaling.connections < 6)
        assert signaling.relieved["relays"] > 0
        assert signaling.relieved["rooms"] == 0
        # who reads stays
        await ada.say(Relay(blob("still here")))
        assert (await ada.until(Relayed)).blob == blob("still here")
        await innocent.talk()
