"""The server's WebSockets over loopback: doors, rooms, lobbies, limits, and clients that misbehave."""

from __future__ import annotations

import aiohttp
import pytest

from snugroom.wire import limits
from snugroom.wire.messages import (
    Arrived,
    CatchUp,
    CaughtUp,
    Commit,
    Committed,
    Left,
    Post,
    Posted,
    Ready,
    Refused,
    Relay,
    Relayed,
    Streams,
    Subscribe,
    Transport,
)
from tests.server.people import (
    NUMBER,
    blob,
    commit,
    media,
    room_door,
    show,
)
from tests.server.wire_clients import Calls, Guest, quiet, serving


async def left(watcher: Guest, who: Guest) -> None:
    """Wait until `watcher` is told that `who` has gone."""
    assert (await watcher.until(Left)).handle == who.handle


# -- the ordinary course -----------------------------------------------------------------------------


async def test_http_says_little() -> None:
    async with serving() as place:
        async with place.http.get(place.url + "/healthz") as response:
            assert (response.status, await response.json()) == (200, {"ok": True})
        async with place.http.get(place.url + "/") as response:
            assert "<title>Snug</title>" in await response.text()
        async with place.http.get(place.url + "/ws") as response:
            assert response.status == 400
        async with place.http.get(place.url + "/rooms") as response:
            assert response.status == 404


async def test_the_challenge_comes_first_and_nonces_differ() -> None:
    async with serving() as place:
        one, two = await place.guest(), await place.guest()
        assert one.challenge.origin == place.url
        assert one.challenge.version == limits.PROTOCOL_VERSION
        assert one.challenge.nonce != two.challenge.nonce
        assert one.challenge.server_key == two.challenge.server_key
        first, second = await one.enter_room(), await two.enter_room()
        assert first.incarnation == second.incarnation
        assert first.handle != second.handle


async def test_a_meeting_with_media() -> None:
    calls = Calls()
    async with serving(calls=calls) as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        assert (await ada.expect(Arrived)).handle == bob.handle
        await ada.say(commit(1))
        taken = await ada.expect(Committed)
        assert await bob.expect(Committed) == taken
        for who in (ada, bob):
            await who.say(show(1))
            await who.next()
        for who in (ada, bob):
            assert await who.expect(Ready) == Ready(1)
        await bob.say(Relay(blob("hello", 1024)))
        assert await ada.expect(Relayed) == Relayed(1, blob("hello", 1024))
        await ada.say(media(11, 12))
        assert (await ada.expect(Transport)).port == 9
        assert (await ada.expect(Streams)).streams == []
        await bob.say(media(13))
        await bob.until(Transport)
        assert [s.ssrc for s in (await bob.expect(Streams)).streams] == [11, 12]
        assert [s.ssrc for s in (await ada.expect(Streams)).streams] == [13]
        await bob.say(Subscribe([11]))
        await bob.say(CatchUp(0, 0))
        await bob.until(CaughtUp)
        await bob.ws.close()
        assert (await ada.expect(Left)).handle == bob.handle
        assert (await ada.expect(Streams)).streams == []
    assert calls.calls == [
        ("join", NUMBER, ada.handle, media(11, 12)),
        ("join", NUMBER, bob.handle, media(13)),
        ("subscribe", NUMBER, bob.handle, [11]),
        ("leave", NUMBER, bob.handle),
        ("leave", NUMBER, ada.handle),
    ]


async def test_a_lobby_over_the_wire() -> None:
    async with serving() as place:
        host, guest = await place.guest(), await place.guest()
        await host.enter_lobby()
        await guest.enter_lobby()
        await guest.say(Post(None, blob("knock")))
        knock = await host.expect(Posted)
        assert knock.blob == blob("knock")
        await host.say(Post([knock.handle], blob("answer", limits.LOBBY_BLOB_MAX)))
        assert (await guest.expect(Posted)).blob == blob("answer", limits.LOBBY_BLOB_MAX)


async def test_the_largest_blobs_pass() -> None:
    async with serving() as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        await ada.say(Relay(blob("big", limits.ROOM_BLOB_MAX)))
        assert (await bob.expect(Relayed)).blob == blob("big", limits.ROOM_BLOB_MAX)
        await ada.say(commit(1, size=limits.ROOM_BLOB_MAX))
        assert len((await bob.expect(Committed)).blob) == limits.ROOM_BLOB_MAX


async def test_media_that_the_sfu_refuses_is_refused_and_shown_to_nobody() -> None:
    calls = Calls()
    async with serving(calls=calls) as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        await ada.say(media(1))
        await ada.until(Streams)
        calls.refuses = True
        await bob.say(media(2))
        assert (await bob.expect(Refused)).code == "media"
        await ada.say(Relay(blob("after")))
        views = []
        while not isinstance(message := await ada.next(), Relayed):
            views.append(message)
        assert isinstance(views[-1], Streams)
        assert views[-1].streams == []


async def test_compression_is_never_negotiated() -> None:
    async with serving() as place:
        ws = await place.raw(compress=15)
        assert ws.compress == 0


# -- doors -------------------------------------------------------------------------------------------


async def test_a_wrong_door_is_refused_and_closed() -> None:
    async with serving() as place:
        guest = await place.guest()
        await guest.say(room_door("http://elsewhere", guest.challenge.nonce))
        await guest.dropped("door")


async def test_anything_before_the_door_is_refused_and_closed() -> None:
    async with serving() as place:
        guest = await place.guest()
        await guest.say(show(0))
        await guest.dropped("state")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("own", 101),
        ("http://friend", 101),
        ("https://b.example", 101),
        ("http://evil", 403),
        ("null", 403),
    ],
)
async def test_browsers_come_from_known_origins_only(origin: str | None, status: int) -> None:
    async with serving(quiet(allowed_origins=["http://friend"], peers=["https://b.example"])) as place:
        headers = {} if origin is None else {"Origin": place.url if origin == "own" else origin}
        if status == 101:
            await (await place.guest(headers=headers)).enter_room()
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as error:
                await place.raw(headers=headers)
            assert error.value.status == status


async def test_a_configured_origin_is_what_is_signed_whatever_the_host_header_says() -> None:
    async with serving(quiet(origin="https://snug.test")) as place:
        guest = await place.guest(headers={"Host": "evil.test"})
        assert guest.challenge.origin == "https://snug.test"
        await guest.enter_room()


# -- one who misbehaves pays alone ---------------------------------------------------------------------


GARBAGE = [
    "",
    "nonsense",
    "[]",
    "{}",
    '{"type": "no such"}',
    '{"type": "show"}',
    '{"type": "show", "room_pass": "AAAA"}',
    '{"type": "show", "room_pass": 7}',
    '{"type": "relay", "blob": "AAAA"}',
    '{"type": "subscribe", "ssrcs": [0]}',
    '{"type": "subscribe", "ssrcs": null, "more": 1}',
    '{"type": "entered", "handle": "AAAAAAAAAAA=", "incarnation": "AAAAAAAAAAA="}',
    '{"x":' + "[" * 5000 + "]" * 5000 + ', "type": "show"}',
    '{"type": "catch_up", "slot": 9007199254740992, "relay": 0}',
]


async def test_garbage_gets_one_clear_error_each_and_harms_nobody() -> None:
    async with serving(quiet(errors_max=100)) as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        for frame in GARBAGE:
            await bob.ws.send_str(frame)
            refused = await bob.expect(Refused)
            assert (refused.code, refused.fatal) == ("message", False)
            assert 0 < len(refused.text) <= 200
        await bob.ws.send_bytes(b"\x00\xff")
        assert (await bob.expect(Refused)).code == "message"
        await bob.say(Commit(1, bytes(513)))
        assert (await bob.expect(Refused)).code == "size"
        await bob.say(Post(None, bytes(512)))
        assert (await bob.expect(Refused)).code == "state"
        # both go on, and the room is where it was
        await bob.say(commit(1))
        assert (await bob.expect(Committed)).slot == 1
        assert (await ada.until(Committed)).slot == 1


async def test_too_many_errors_close() -> None:
    async with serving(quiet(errors_max=3)) as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        for _ in range(4):
            await bob.ws.send_str("nonsense")
        messages = await bob.ended()
        assert [m.code for m in messages if isinstance(m, Refused)] == ["message"] * 3 + ["errors"]
        await left(ada, bob)


@pytest.mark.parametrize(
    "settings",
    [
        {"message_burst": 20.0, "messages_per_second": 1.0},
        {"byte_burst": 20000.0, "bytes_per_second": 1000.0},
    ],
)
async def test_over_the_rate_closes(settings: dict[str, float]) -> None:
    async with serving(quiet(**settings)) as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        for _ in range(40):
            await bob.say(Relay(blob("flood")))
        await bob.dropped("rate")
        await left(ada, bob)
        await ada.say(Relay(blob("undisturbed")))
        await ada.until(Relayed)


async def test_pings_are_answered_and_have_the_same_rate() -> None:
    async with serving(quiet(message_burst=20.0, messages_per_second=1.0)) as place:
        guest = await (await place.guest()).member()
        await guest.ws.ping(b"x")
        await guest.say(Relay(blob("x")))
        await guest.until(Relayed)
        for _ in range(40):
            await guest.ws.ping(b"x")
        await guest.dropped("rate")


async def test_a_frame_too_large_closes() -> None:
    async with serving(quiet(frame_bytes=4096)) as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        await bob.say(Relay(blob("x", 4096)))
        assert (await bob.frame()).type is aiohttp.WSMsgType.CLOSE or bob.ws.closed
        assert bob.ws.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        await left(ada, bob)


async def test_a_slow_reader_is_dropped_and_holds_nobody_up() -> None:
    async with serving(quiet(queue_bytes=2_000_000, byte_burst=1e9, message_burst=1e4)) as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        slow = await (await place.guest()).member()
        await ada.until(Arrived)
        slow.transport().pause_reading()
        gone: set[bytes] = set()
        for n in range(400):
            big = blob(str(n), limits.ROOM_BLOB_MAX)
            await ada.say(Relay(big))
            for who in (ada, bob):
                # the others have each blob before the next is sent: nobody waits for the slow one
                while not (isinstance(message := await who.next(), Relayed) and message.blob == big):
                    if isinstance(message, Left):
                        gone.add(message.handle)
            if gone:
                break
        assert gone == {slow.handle}


async def test_vanished_connections_have_left() -> None:
    async with serving() as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        bob.transport().abort()
        await left(ada, bob)
