"""People at the real page who reload or close it, and come back: as the same member, in the same role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cli.processes import Process, running
from tests.web.browsers import Browser, Firefox, Name
from tests.web.visitor import Visitor, meeting_server, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session", params=["chromium", "firefox"])
async def browser(
    request: pytest.FixtureRequest, chromium: Browser, firefox: Browser, bundle: Path
) -> AsyncIterator[Browser]:
    """Each of the two, with empty storage."""
    name: Name = request.param
    async with (chromium if name == "chromium" else firefox).fresh() as fresh:
        yield fresh


async def goes(who: Visitor, how: str) -> None:
    """Use the browser's buttons, and wait until the room is there again."""
    await who.tab.js("void (window.seen = true)")
    await who.tab.js(f"void setTimeout(() => {how})")

    async def back() -> bool:
        try:
            return bool(await who.tab.js("!window.seen && document.querySelector('.tile.camera') !== null"))
        except Exception:
            return False

    await until(back, f"{who.name} is not back")


#: Alarms that a busy machine alone can cause; tests/session/test_comeback.py has none in simulated time.
SLOW = {"silent", "stale"}


def alarms(who: Process) -> list[str]:
    return [event["kind"] for event in who.events("alarm") if event["kind"] not in SLOW]


async def test_a_guest_and_the_host_reload_and_are_back(browser: Browser, tmp_path: Path) -> None:
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(browser, url, "Ada")
        link = await ada.open_room(admission="Ask me each time")
        with running("join", link, "--name", "Cem", "--json") as cem:
            await ada.press("Let in")
            await ada.here("Cem")
            await goes(ada, "location.reload()")
            await ada.here("Cem")
            assert await asyncio.to_thread(cem.wait, "roster", lambda e: e["rejoined"])
            bo = await Visitor.at(browser, link, "Bo")
            await bo.knock()
            await ada.press("Let in")
            await bo.here("Ada", "Cem")
            await goes(bo, "location.reload()")
            await bo.here("Ada", "Cem")
            await bo.say("here again")
            assert (await asyncio.to_thread(cem.wait, "chat"))["text"] == "here again"
            assert alarms(cem) == []
            cem.send({"leave": True})
            assert await asyncio.to_thread(cem.status) == 0
        for who in (ada, bo):
            await who.clean()


async def test_a_guest_closes_the_page_goes_back_and_leaves_by_mistake(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        meeting_server(tmp_path) as (_, url),
        running("host", "--server", url, "--name", "Ada", "--json") as ada,
    ):
        link = (await asyncio.to_thread(ada.wait, "invite"))["link"]
        bo = await Visitor.at(browser, link, "Bo")
        await bo.knock()
        ada.send({"admit": (await asyncio.to_thread(ada.wait, "knock"))["id"]})
        await bo.here("Ada")
        # before, a page can't say anything yet
        await asyncio.to_thread(ada.wait, "state", lambda e: e["name"] == "Bo")
        await bo.tab.close()
        if not isinstance(browser, Firefox):  # its page can't always say that it is closed
            await asyncio.to_thread(ada.wait, "state", lambda e: e["away"])
        bo = await Visitor.at(browser, link, "Bo")
        await bo.here("Ada")
        await bo.tab.goto("about:blank")
        await goes(bo, "history.back()")
        await bo.here("Ada")
        assert len(ada.events("knock")) == 1
        assert alarms(ada) == []
        left = len(ada.lines)
        await bo.press("Leave")
        # nobody can be let in under the name of one who is still in the room
        await asyncio.to_thread(ada.wait, "roster", lambda e: len(e["members"]) == 1, left)
        await bo.press("Knock again")
        await bo.press("Knock")
        again = await asyncio.to_thread(ada.wait, "knock", lambda e: e["id"] != 1)
        assert again["name"] == "Bo"
        ada.send({"admit": again["id"]})
        await bo.here("Ada")
        await bo.clean()
        ada.send({"leave": True})
        assert await asyncio.to_thread(ada.status) == 0


async def test_a_host_alone_is_back_under_the_same_link_until_it_is_forgotten(
    browser: Browser, tmp_path: Path
) -> None:
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(browser, url, "Ada")
        link = await ada.open_room(title="Plans")
        await goes(ada, "location.reload()")
        assert await ada.tab.js("document.querySelector('h1').innerText") == "Plans"
        with running("join", link, "--name", "Cem", "--json") as cem:
            await ada.here("Cem")
            await ada.press("More")
            await ada.press("Settings")
            await ada.press("Forget me on this device")
            await ada.reads("Forgotten")
            await ada.tab.close()
            if not isinstance(browser, Firefox):
                await asyncio.to_thread(cem.wait, "roster", lambda e: len(e["members"]) == 1)
            ada = await Visitor.at(browser, url, "Ada")
            await ada.reads("Open a room")
            assert await ada.tab.js("probe.says('You can come back')") is False
            cem.send({"leave": True})
            assert await asyncio.to_thread(cem.status) == 0
        await ada.clean()
