"""The lecture's button that kills the server: the page and the robots go on at the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from snugroom.lab.demo.lecture import Lecture
from snugroom.lab.demo.troupe import NAMES
from snugroom.server import page as pages
from tests.web.browsers import ChromiumTab, chromium
from tests.web.storybook import see
from tests.web.test_axe import violations
from tests.web.visitor import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Milliseconds; two cores run robots, browser and servers.
PATIENCE = 120_000


async def test_the_meeting_goes_on_when_the_lecturer_kills_its_server(tmp_path: Path) -> None:
    if not (pages.WINDOW / "manifest.json").exists():
        pytest.skip("the pages have not been built")
    async with Lecture(0) as lecture, chromium() as browser:
        tab = await browser.tab()
        assert isinstance(tab, ChromiumTab)
        member = tab.page
        await tab.goto(lecture.page)
        await member.fill("input[autocomplete=name]", "Zoe")
        await member.click("button[type=submit].primary")
        await member.wait_for_selector(".room", timeout=PATIENCE)
        await member.click(".controls [aria-label=More]")
        await member.click("text=How it works")
        await member.click("text=Kill the server", timeout=PATIENCE)
        await member.wait_for_selector("text=The next server's window", timeout=PATIENCE)
        assert not lecture.server.running
        assert not lecture.over
        window = await member.get_attribute("a:has-text('The next server')", "href")
        assert window == lecture.next_server.window

        async def everybody_is_there() -> bool:
            view = await lecture.next_server.disclosure()
            return [room["connections"] for room in view["rooms"]] == [len(NAMES) + 1]

        await until(everybody_is_there, "not everybody has come to the next server", 60)
        # sound and picture wait for no connection any more; one calm line says where the meeting is
        loud = "document.querySelector('.incident.attention, .incident.attack, .banner')"
        await see(member, f"{loud} === null", 30)
        calm = await member.locator(".incident").all_inner_texts()
        assert ["The meeting goes on at" in text for text in calm] == [True], calm
        assert await violations(member) == []
        await member.screenshot(path=tmp_path / "killed.png")
