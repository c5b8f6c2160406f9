"""Harm that strangers can do with connections, on a running server: quotas of clients, behind a proxy too."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest

from snugroom.wire.messages import Challenge, Refused
from tests.exhaustion.rooms import Innocent
from tests.exhaustion.storms import PROXY, STRANGER, behind_proxy, by_proxy, coming_from, enter, tasks
from tests.patience import PATIENCE
from tests.server.wire_clients import Guest, Place, eventually, quiet, serving


async def test_connections_of_one_client_have_a_quota_that_no_header_of_its_own_evades() -> None:
    async with (
        serving(behind_proxy(connections_per_client=2)) as place,
        coming_from(STRANGER, place) as storm,
        coming_from(PROXY, place) as proxy,
    ):
        innocent = await Innocent.at(place)
        spoofed = [{}, {"X-Forwarded-For": "198.51.100.1"}, {"Forwarded": "for=198.51.100.2"}]
        one, *there = [await storm.guest(headers) for headers in spoofed[:2]]
        for headers in spoofed:
            refused = await Guest(await storm.raw(headers)).dropped("full")
            assert isinstance(refused, Refused)
            assert "your network" in refused.text
        await innocent.talk()
        # through the proxy, each client has a quota of its own
        for client in ("198.51.100.1", "198.51.100.2"):
            there += [await proxy.guest(by_proxy(client)) for _ in range(2)]
            await Guest(await proxy.raw(by_proxy(client))).dropped("full")
        for number in range(8):
            there.append(await proxy.guest(by_proxy(f"2001:db8:1:{number:x}::1")))
        await Guest(await proxy.raw(by_proxy("2001:db8:1:ff::1"))).dropped("full")
        # who can't be told from others is not locked out
        there += [await proxy.guest() for _ in range(5)]
        await one.ws.close()
        await eventually(lambda: place.server.signaling.connections == 2 + 1 + 4 + 8 + 5)
        there.append(await storm.guest())
        assert place.server.signaling.refusals["full"] == 3 + 2 + 1
        assert len(there) == 1 + 4 + 8 + 5 + 1


async def test_arrivals_of_one_client_have_a_rate() -> None:
    settings = behind_proxy(arrival_burst=3.0, arrivals_per_second=0.001)
    async with (
        serving(settings) as place,
        coming_from(STRANGER, place) as storm,
        coming_from(PROXY, place) as proxy,
    ):
        for _ in range(3):
            await storm.guest()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await storm.guest()
        assert refused.value.status == 429
        for _ in range(3):
            await proxy.guest(by_proxy("198.51.100.1"))
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await proxy.guest(by_proxy("198.51.100.1"))
        assert refused.value.status == 429
        assert place.server.signaling.refusals["arrivals"] == 2
        await proxy.guest(by_proxy("198.51.100.2"))


async def test_rooms_of_one_client_one_after_the_other_leave_the_others() -> None:
    settings = behind_proxy(opening_burst=4.0, openings_per_second=0.001, max_rooms=6)
    async with serving(settings) as place, coming_from(STRANGER, place) as storm:
        innocent = await Innocent.at(place)
        for number in range(4):
            guest = await storm.guest()
            assert await enter(guest, f"room {number}")
            await guest.ws.close()
        refused = await storm.guest()
        assert not await enter(refused, "one too many")
        # rooms that only one connection saw do not linger
        await eventually(lambda: place.server.signaling.hub.room_count == 1)
        await innocent.talk()
        assert await enter(await place.guest(), "an honest room")


async def test_when_all_rooms_and_connections_are_in_use_a_newcomer_gets_one() -> None:
    settings = behind_proxy(max_rooms=8, max_connections=16)
    async with (
        serving(settings) as place,
        coming_from(STRANGER, place) as storm,
        coming_from("127.0.7.7", place) as honest,
    ):
        innocent = await Innocent.at(place)
        there = [await storm.guest() for _ in range(14)]
        for number, guest in enumerate(there):
            assert await enter(guest, f"room {number // 2}")
        newcomer = await honest.guest()
        assert await enter(newcomer, "an honest room")
        await innocent.talk()
        assert place.server.signaling.hub.room_count == 8
        # a connection and a room made place, and nobody gains by coming back
        signaling = place.server.signaling
        await eventually(lambda: signaling.connections == 16 - 1 - 1 + 1)
        there += [await storm.guest() for _ in range(16 - signaling.connections)]
        await Guest(await storm.raw()).dropped("full")
        assert signaling.refusals["full"] == 1 + 1 + 1
        await innocent.talk()


async def test_a_storm_of_handshakes_waits_behind_who_comes_seldom() -> None:
    settings = behind_proxy(handshakes_per_second=20.0, handshake_burst=1.0)
    async with (
        serving(settings) as place,
        coming_from(STRANGER, place) as storm,
        coming_from("127.0.7.7", place) as honest,
        tasks() as running,
    ):
        came = 0

        async def come() -> None:
            nonlocal came
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await storm.raw()
                came += 1

        running += [asyncio.create_task(come()) for _ in range(60)]
        queue = place.server.signaling.admission.handshakes
        await eventually(lambda: len(queue) > 40)
        assert await enter(await honest.guest(), "an honest room")
        assert len(queue) > 20, "it did not wait for those who came before"
        assert came < 40


async def _raw(place: Place, data: bytes, address: str = PROXY) -> bytes:
    """Send bytes from `address`, and return what comes until the answer's end or the connection's."""
    host, _, port = place.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(address, 0))
    writer.write(data)
    try:
        async with asyncio.timeout(PATIENCE):
            return await reader.readuntil(b"\r\n\r\n")
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        return error.partial if isinstance(error, asyncio.IncompleteReadError) else b""
    finally:
        writer.close()


async def test_the_proxy_protocol_names_the_client_and_anything_else_is_closed() -> None:
    settings = behind_proxy(proxy_protocol=True, arrival_burst=2.0, arrivals_per_second=0.001)
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with serving(settings) as place:
        v1 = b"PROXY TCP4 %s 192.0.2.9 4711 443\r\n"
        for client in (b"198.51.100.1", b"198.51.100.2"):
            for _ in range(2):
                assert (await _raw(place, v1 % client + get)).startswith(b"HTTP/1.1 200 ")
            assert (await _raw(place, v1 % client + get)).startswith(b"HTTP/1.1 429 ")
        refusals = place.server.signaling.refusals
        assert (refusals["arrivals"], refusals["proxy"]) == (2, 0)
        assert await _raw(place, get) == b""
        assert await _raw(place, b"PROXY TCP4 x y z\r\n" + get) == b""
        assert await _raw(place, v1 % b"198.51.100.3" + get, STRANGER) == b""
        assert refusals["proxy"] == 3
        assert (await _raw(place, b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00" + get)).startswith(
            b"HTTP/1.1 200 "
        )


async def test_a_proxy_header_that_does_not_come_has_an_end() -> None:
    async with serving(quiet(proxy_protocol=True, handshake_time=0.2)) as place:
        assert await _raw(place, b"PROXY ") == b""


async def test_who_has_left_is_forgotten() -> None:
    async with serving(behind_proxy()) as place, coming_from(STRANGER, place) as stranger:
        clients = place.server.signaling.admission.clients
        guest = await stranger.guest()
        assert await enter(guest, "a room")
        client = clients.find(STRANGER, place.server.clock())
        assert bytes(client.prefix) == bytes([127, 0, 6, 6])
        prefix = client.prefix
        await guest.ws.close()
        await eventually(lambda: not client.handles)
        assert not prefix
        assert isinstance(guest.challenge, Challenge)
        place.server.clock = place.server.signaling._clock
        for _ in range(2):
            clients.tick(clients._until)
        assert client not in [*clients._known.values(), *clients._before.values()]
