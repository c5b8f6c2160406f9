"""A word of the class in both memories: the ordinary meeting beside the lecture's, and limits of searches."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio

from snugroom.lab.demo import live as module
from snugroom.lab.demo.beside import NAMES, Beside
from snugroom.lab.demo.live import Live
from snugroom.lab.demo.projector import RefusedError
from snugroom.server.memory_search import Form, Wanted
from tests.patience import PATIENCE
from tests.web.children import alive

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORD: Final = "Knusperfrosch Zwei"
NEVER: Final = "Blumentopfzebra"


def request(*texts: str) -> bytes:
    """A search for texts, under a mask: this process has them, and the server must not get them by it."""
    mask = os.urandom(32)
    forms = [Form(bytes(byte ^ mask[i % 32] for i, byte in enumerate(text.encode())), 1) for text in texts]
    return msgspec.json.encode(Wanted(mask, forms))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def beside() -> AsyncIterator[Beside]:
    pytest.importorskip("aiortc")
    made = Beside()
    assert made.view() is None
    assert await made.find(request(WORD)) is None
    await made.say(WORD)  # nobody is there to say it
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def test_a_word_that_was_written_is_in_the_ordinary_servers_memory(beside: Beside) -> None:
    view = beside.view()
    assert view is not None
    assert view["names"] == list(NAMES)
    before = await beside.find(request(WORD, NEVER, view["number"]))
    assert [hit["elsewhere"] > 0 for hit in before["hits"]] == [False, False, True]
    await beside.say(WORD)
    after = await beside.find(request(WORD, NEVER, view["number"]))
    assert [hit["elsewhere"] > 0 for hit in after["hits"]] == [True, False, True]
    assert any(WORD in each for each in after["hits"][0]["around"])
    assert (after["processes"], after["silent"]) == (1, 0)
    with pytest.raises(RefusedError, match="busy"):
        await beside.start()


async def test_both_processes_end_with_the_meeting() -> None:
    pytest.importorskip("aiortc")
    made = Beside()
    await made.start()
    assert made._server is not None
    assert made._members is not None
    processes = [made._server.pid, made._members.pid]
    assert all(map(alive, processes))
    await made.close()
    assert made.view() is None
    assert not any(map(alive, processes))
    await made.close()


# -- the running lecture -----------------------------------------------------------------------


class Meeting:
    """A meeting without robots, for tests of the rules of `Live`."""

    window = "http://127.0.0.1:1/#token"

    def __init__(self) -> None:
        self.said: list[str] = []

    def view(self) -> dict[str, Any]:
        return {}

    def say(self, text: str) -> None:
        self.said.append(text)

    async def nothing(self, *_: Any) -> None:
        raise RefusedError("gone")

    let_in = remove = kill = act = contrast = nothing

    def dismiss(self) -> None:
        pass


async def test_a_server_is_searched_once_in_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(Meeting())
    try:
        assert await live.find("snug", b"") is None, "no server is there"
        with pytest.raises(RefusedError, match="often"):
            await live.find("snug", b"")
        assert await live.find("ordinary", b"") is None, "the other one is not concerned"
        monkeypatch.setattr(module, "SEARCH_EVERY", -math.inf)
        live._free_at.clear()
        assert await live.find("snug", b"") is None
        assert await live.find("snug", b"") is None
    finally:
        await live.close()


async def test_one_search_of_a_server_runs_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    live, ended = Live(Meeting()), asyncio.Event()

    async def slow(_: bytes) -> Any:
        await ended.wait()
        return {}

    monkeypatch.setattr(module, "SEARCH_EVERY", -math.inf)
    monkeypatch.setattr(live._beside, "find", slow)
    first = asyncio.ensure_future(live.find("ordinary", b""))
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RefusedError, match="often"):
            await live.find("ordinary", b"")
    ended.set()
    assert await first == {}
    assert await live.find("ordinary", b"") == {}
    await live.close()


@pytest.mark.parametrize("text", ["", "ab", "  ab  ", "x" * 61, "two\nlines", "bell\a bell", "\u202eabc"])
async def test_a_word_that_is_none_is_written_nowhere(text: str) -> None:
    meeting = Meeting()
    live = Live(meeting)
    with pytest.raises(RefusedError, match="word"):
        await live.do("word", {"text": text})
    assert meeting.said == []
    assert await live.do("word", {"text": f" {WORD} "}) == {}
    assert meeting.said == [WORD]
    for told in ({}, {"text": 5}):
        with pytest.raises(ValueError, match="text"):
            await live.do("word", json.loads(json.dumps(told)))
    await live.close()
