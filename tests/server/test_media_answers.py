"""Media answers that come later: their order among other messages, and connections that get none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from snugroom.server.rooms.effects import MediaLeave
from snugroom.server.sfu.limits import MediaError
from snugroom.wire.messages import (
    Arrived,
    Left,
    Media,
    Refused,
    Relay,
    Relayed,
    Stream,
    Streams,
    Subscribe,
    Transport,
)
from tests.server.people import NUMBER, Table, blob, media
from tests.server.wire_clients import Calls, Guest, Place, eventually, quiet, serving


class Later(Calls):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[asyncio.Future[Transport]] = []

    def join(self, room: bytes, handle: bytes, media: Media) -> asyncio.Future[Transport]:  # type: ignore[override]
        self.calls.append(("join", room, handle, media))
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]

    def answer(self, number: int = -1, port: int = 9) -> None:
        self.asked[number].set_result(Transport("serverufrag", "p" * 24, bytes(32), "127.0.0.1", port))

    def refuse(self, number: int = -1) -> None:
        self.asked[number].set_exception(MediaError("full", "no place"))


@asynccontextmanager
async def two(**settings: object) -> AsyncIterator[tuple[Place, Later, Guest, Guest]]:
    calls = Later()
    async with serving(quiet(**settings), calls) as place:
        ada, bob = await (await place.guest()).member(), await (await place.guest()).member()
        await ada.expect(Arrived)
        yield place, calls, ada, bob


async def test_lists_of_streams_wait_for_the_answer_and_nothing_else_does() -> None:
    async with two() as (_, calls, ada, bob):
        await ada.say(media(1))
        await eventually(lambda: len(calls.asked) == 1)
        await bob.say(media(2))
        await eventually(lambda: len(calls.asked) == 2)
        calls.answer(1)
        await bob.expect(Transport)
        assert [s.ssrc for s in (await bob.expect(Streams)).streams] == [1]
        await bob.say(Relay(blob("while it waits")))
        assert (await ada.expect(Relayed)).blob == blob("while it waits")
        calls.answer(0)
        await ada.expect(Transport)
        # two lists have come up meanwhile, each of them whole: the last is told
        assert [s.ssrc for s in (await ada.expect(Streams)).streams] == [2]


async def test_each_media_has_one_answer_in_order() -> None:
    async with two() as (_, calls, ada, _):
        for ssrc in (1, 2, 3):
            await ada.say(media(ssrc))
        await eventually(lambda: len(calls.asked) == 3)
        calls.answer(0, port=11)
        calls.refuse(1)
        calls.answer(2, port=13)
        assert (await ada.expect(Transport)).port == 11
        refused = await ada.expect(Refused)
        assert (refused.code, refused.about) == ("media", "media")
        # what was sent after the refused one counts
        assert (await ada.expect(Transport)).port == 13
        await ada.expect(Streams)
        assert not any(call[0] == "leave" for call in calls.calls)


async def test_the_last_one_refused_is_no_media() -> None:
    async with two() as (_, calls, ada, bob):
        await bob.say(media(2))
        await eventually(lambda: len(calls.asked) == 1)
        calls.answer()
        await bob.expect(Transport)
        await bob.expect(Streams)
        await ada.say(media(1))
        await bob.expect(Streams)
        await eventually(lambda: len(calls.asked) == 2)
        calls.refuse()
        assert (await ada.expect(Refused)).code == "media"
        assert (await bob.expect(Streams)).streams == []
        assert calls.calls[-1] == ("leave", NUMBER, ada.handle)
        await ada.say(Relay(blob("next")))
        await ada.expect(Relayed)  # and no list


async def test_a_connection_that_left_gets_no_answer_and_leaves_nothing_behind() -> None:
    async with two() as (place, calls, ada, bob):
        await ada.say(media(1))
        await eventually(lambda: len(calls.asked) == 1)
        await ada.ws.close()
        await bob.expect(Left)
        assert calls.calls[-1] == ("leave", NUMBER, ada.handle)
        calls.answer()
        await asyncio.sleep(0)
        assert place.server.signaling._pending_media == {}


async def test_a_connection_whose_media_lapsed_gets_no_answer() -> None:
    async with two() as (place, calls, ada, _):
        await ada.say(media(1))
        await eventually(lambda: len(calls.asked) == 1)
        place.server.signaling.perform([MediaLeave(NUMBER, ada.handle)])
        calls.answer()
        await ada.say(Relay(blob("next")))
        await ada.expect(Relayed)


async def test_a_lost_media_server_is_no_error_of_the_members() -> None:
    """However often: who is refused for faults of their own is closed after `errors_max`."""
    async with two(errors_max=2, media_change_burst=100.0) as (place, calls, ada, bob):
        for turn in range(5):
            for who in (ada, bob):
                await who.say(media(10 + turn if who is ada else 20 + turn))
                await eventually(lambda: not calls.asked[-1].done() if calls.asked else False)
                calls.answer()
                await who.until(Transport)
            place.server.signaling.media_lost(NUMBER, [ada.handle, bob.handle])
            for who in (ada, bob):
                assert (await who.until(Refused)).code == "lost"
        assert place.server.signaling.refusals == {"lost": 10}


def test_members_whose_media_is_lost_are_told_and_the_others_see_their_streams_end() -> None:
    table = Table().opened(b"ada", b"bob", b"cem")
    for number, who in enumerate((b"ada", b"bob", b"cem")):
        table.says(who, media(number + 1))
    table.inbox.clear()
    table._note(table.room.media.lost([b"ada", b"cem", b"nobody"]))
    for who in (b"ada", b"cem"):
        [refused] = table.heard(who)
        assert isinstance(refused, Refused)
        assert (refused.code, refused.about, refused.fatal) == ("lost", "media", False)
    [listed] = table.heard(b"bob")
    assert isinstance(listed, Streams)
    assert listed.streams == []
    # who has none can't want any, and may send it again, the same too
    assert isinstance(table.says(b"ada", Subscribe(None))[0], Refused)
    assert isinstance(
        table.says(b"ada", Media("abcd", "p" * 24, bytes(32), [Stream(1, "audio")]))[0], Streams
    )
    assert table.room.media.lost([b"nobody"]) == []
