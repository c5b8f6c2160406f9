"""The WebSockets of the server: limits, its start and end, and the operator's view."""

from __future__ import annotations

import asyncio
import json
import socket

import aiohttp
import pytest

from snugroom.server import config
from snugroom.server.app import Server, StartError
from snugroom.server.config import ConfigError
from snugroom.server.disclosure import view
from snugroom.server.rooms.effects import Effect
from snugroom.wire.messages import (
    Arrived,
    Closing,
    Committed,
    Entered,
    Left,
    Opened,
    Refused,
    Relay,
    Relayed,
    Streams,
)
from tests.patience import PATIENCE
from tests.server.people import (
    CLIENT_NONCE,
    NUMBER,
    blob,
    commit,
    lobby_door,
    media,
    opening,
    room_door,
    show,
)
from tests.server.test_signaling import left
from tests.server.wire_clients import CLIENT_ADDRESS, Calls, Guest, Place, eventually, quiet, serving

# -- limits of time and number -------------------------------------------------------------------------


async def test_the_door_must_be_opened_in_time_and_pings_do_not_help() -> None:
    async with serving(quiet(handshake_time=0.3)) as place:
        guest = await place.guest()

        async def pinging() -> None:
            while True:
                await guest.ws.ping()
                await asyncio.sleep(0.05)

        task = asyncio.create_task(pinging())
        try:
            async with asyncio.timeout(PATIENCE):
                await guest.dropped("time")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "opening_words", [b"", b"GET /ws HTTP/1.1\r\nHost: x\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
)
async def test_a_connection_that_becomes_no_websocket_is_cut(opening_words: bytes) -> None:
    async with serving(quiet(handshake_time=0.3)) as place:
        host, port = config.host_and_port(place.url.removeprefix("http://"))
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(opening_words)
        try:
            async with asyncio.timeout(PATIENCE):
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def test_a_websocket_outlives_the_handshake_time() -> None:
    async with serving(quiet(handshake_time=0.2)) as place:
        guest = await (await place.guest()).member()
        other = await place.guest()
        await other.dropped("time")
        await guest.say(Relay(blob("x")))
        await guest.until(Relayed)


async def test_an_idle_connection_is_closed_unless_it_answers_pings() -> None:
    async with serving(quiet(idle_time=0.6, heartbeat=0.2)) as place:
        lively = await (await place.guest()).member()
        waiting = asyncio.create_task(lively.until(Left))
        idle = await (await place.guest(autoping=False)).member()

        async def mute() -> None:
            while (await idle.frame()).type is aiohttp.WSMsgType.PING:
                pass

        await mute()
        assert (await waiting).handle == idle.handle
        await lively.say(Relay(blob("x")))
        await lively.until(Relayed)


async def test_idle_time_alone_closes() -> None:
    async with serving(quiet(idle_time=0.3, heartbeat=60.0)) as place:
        guest = await (await place.guest()).member()
        await guest.dropped("idle")


async def test_waiting_in_an_unopened_room_ends() -> None:
    async with serving(quiet(idle_time=0.5, heartbeat=0.1)) as place:
        guest = await place.guest()
        await guest.enter_room()
        await guest.dropped("unopened")


async def test_connections_are_counted() -> None:
    async with serving(quiet(max_connections=2)) as place:
        one, two = await place.guest(), await place.guest()
        await one.enter_room()
        await two.enter_room()
        await one.expect(Arrived)
        await Guest(await place.raw()).dropped("full")
        await two.ws.close()
        await left(one, two)
        third = await place.guest()
        await third.enter_room()


async def test_unfinished_connections_are_bounded_too() -> None:
    async with serving(quiet(max_connections=3, handshake_time=60.0)) as place:
        host, port = config.host_and_port(place.url.removeprefix("http://"))
        streams = [await asyncio.open_connection(host, port) for _ in range(4)]
        refused = await asyncio.wait_for(streams[3][0].read(), PATIENCE)
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert b"Retry-After: " in refused
        assert place.server.signaling.refusals["visits"] == 1
        for _, writer in streams:
            writer.close()


async def test_lobbies_have_a_size() -> None:
    async with serving(quiet(lobby_members=1)) as place:
        one, two = await place.guest(), await place.guest()
        for who in (one, two):
            await who.say(lobby_door(place.url, who.challenge.nonce))
        await one.expect(Entered)
        await two.dropped("full")


async def test_rooms_have_a_size_and_members_take_the_seats_of_others() -> None:
    async with serving(quiet(max_members=1)) as place:
        one, two, three = await place.guest(), await place.guest(), await place.guest()
        await one.enter_room()
        await two.member()
        await one.dropped("pass")
        await three.say(room_door(place.url, three.challenge.nonce))
        await three.dropped("full")


async def test_a_room_lingers_then_forgets() -> None:
    async with serving(quiet(room_linger=0.3)) as place:
        guest, other = await (await place.guest()).member(slot=4), await place.guest()
        await other.enter_room()
        await other.ws.close()
        await guest.until(Left)
        await guest.ws.close()
        again = await place.guest()
        assert (await again.enter_room()).slot == 4
        await again.ws.close()
        await eventually(lambda: not list(place.server.signaling.hub.rooms()))
        assert (await (await place.guest()).enter_room()).slot is None


async def test_a_fault_in_one_tick_does_not_stop_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(quiet(idle_time=0.5, heartbeat=0.1)) as place:
        hub = place.server.signaling.hub
        real, failed = hub.tick, asyncio.Event()

        def fails_once(now: float) -> list[Effect]:
            if failed.is_set():
                return real(now)
            failed.set()
            raise RuntimeError("a fault")

        monkeypatch.setattr(hub, "tick", fails_once)
        guest = await place.guest()
        await guest.enter_room()
        await guest.dropped("unopened")
        assert failed.is_set()


# -- starting, stopping, restarting ----------------------------------------------------------------------


async def test_stopping_tells_everybody() -> None:
    async with serving() as place:
        member = await (await place.guest()).member()
        waiting = await place.guest()
        lobby = await place.guest()
        await lobby.enter_lobby()
        stop = asyncio.create_task(place.server.stop())
        for who in (member, waiting, lobby):
            assert isinstance(await who.dropped("stopping"), Closing)
        async with asyncio.timeout(30):
            await stop


async def test_stopping_does_not_wait_for_those_who_do_not_listen() -> None:
    async with serving() as place:
        deaf = await (await place.guest()).member()
        deaf.transport().pause_reading()
        async with asyncio.timeout(30):
            await place.server.stop()


async def test_a_restarted_server_knows_nothing_and_is_reopened_by_the_room_admin() -> None:
    async with serving() as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        await ada.say(commit(1))
        before = await bob.until(Committed)
    async with serving() as place:
        bob2, ada2 = await place.guest(), await place.guest()
        assert bob2.challenge.server_key != bob.challenge.server_key
        entered = await bob2.enter_room()
        assert (entered.slot, entered.chain) == (None, None)
        await bob2.say(show(1))
        assert (await bob2.expect(Refused)).code == "unopened"
        await ada2.enter_room()
        await ada2.say(opening(1, before.chain))
        opened = await bob2.until(Opened)
        assert (opened.slot, opened.chain) == (1, before.chain)
        for who in (ada2, bob2):
            await who.say(show(1))
        await bob2.say(commit(2))
        assert (await ada2.until(Committed)).slot == 2


async def test_a_taken_port_and_an_unknown_host_are_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"can't listen on 127\.0\.0\.1:{port}: .+ in use"):
            await Server(config.Settings(listen=f"127.0.0.1:{port}"), media=Calls()).start()
    with pytest.raises(StartError, match="can't be resolved"):
        await Server(config.Settings(listen="no-such-host.invalid:0"), media=Calls()).start()
    with pytest.raises(ConfigError, match="origin"):
        await Server(config.Settings(listen="0.0.0.0:0"), media=Calls()).start()


async def test_ipv6_is_an_address_like_another() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = Server(config.Settings(listen="[::1]:0"), media=Calls())
    url = await server.start()
    try:
        assert url.startswith("http://[::1]:")
        async with aiohttp.ClientSession() as http:
            guest = await Place(url, http).guest()
            await guest.enter_room()
            await guest.ws.close()
    finally:
        await server.stop()


# -- the operator's view ---------------------------------------------------------------------------------


async def test_the_disclosure_is_what_is_held_and_names_nobody() -> None:
    async with serving() as place:
        ada = await (await place.guest()).member()
        lobby = await place.guest()
        await lobby.enter_lobby()
        await ada.say(commit(1, size=1024))
        await ada.say(show(1))
        await ada.say(Relay(blob("x", 2048)))
        await ada.say(media(5))
        await ada.until(Streams)
        disclosed = view.disclosure(place.server)
        assert disclosed["connections"] == 2
        assert disclosed["addresses"] == 1
        assert disclosed["lobbies"] == [{"connections": 1}]
        [room] = disclosed["rooms"]
        assert room["slot"] == 1
        assert [(c["slot"], c["bytes"]) for c in room["commits"]] == [(1, 1024)]
        assert room["relays"] == [{"relay": 1, "bytes": 2048}]
        assert room["streams"] == {"audio": 1, "video": 0}
        assert disclosed["blob_bytes"] == 3072
        assert disclosed["files_open_for_writing"] >= 0
        text = await view.line(place.server)
        assert text.startswith("disclosure {")
        assert json.loads(text.removeprefix("disclosure "))["rooms"][0]["connections"] == 1
        for secret in (NUMBER.hex(), ada.handle.hex(), CLIENT_ADDRESS, CLIENT_NONCE.hex()):
            assert secret not in text
        with_identifiers = json.dumps(view.disclosure(place.server, identifiers=True))
        assert NUMBER.hex() in with_identifiers
        assert ada.handle.hex() in with_identifiers


async def test_the_disclosure_counts_files_open_for_writing(tmp_path: object) -> None:
    async with serving() as place:
        before = view.disclosure(place.server)["files_open_for_writing"]
        with open(f"{tmp_path}/log", "w"):  # noqa: ASYNC230  # a file that is held open is the point
            assert view.disclosure(place.server)["files_open_for_writing"] == before + 1
