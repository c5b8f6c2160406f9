"""How many clicks lead from an address into a meeting, at the first visit and at the second."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.cli.processes import running
from tests.patience import PATIENCE
from tests.web.browsers import PERMISSIONS, Chromium
from tests.web.visitor import meeting_server

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Clicks:
    """A person with a mouse, and a keyboard for text."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    async def on(self, what: Locator) -> None:
        await what.click(timeout=PATIENCE * 1000)
        self.count += 1

    async def press(self, words: str) -> None:
        await self.on(self.page.get_by_role("button", name=words, exact=True))

    async def name(self, text: str) -> None:
        await self.on(self.page.get_by_label("Your name", exact=True))
        await self.page.keyboard.type(text)

    async def inside(self) -> int:
        """Wait for the room; the clicks until then."""
        here = self.page.get_by_role("button", name="Raise your hand", exact=True)
        await expect(here).to_be_visible(timeout=PATIENCE * 1000)
        return self.count


async def host(page: Page, url: str, name: str | None) -> int:
    await page.goto(url)
    ada = Clicks(page)
    await ada.press("Open a room")
    if name is not None:
        await ada.name(name)
    await ada.press("Open the room")
    return await ada.inside()


async def guest(page: Page, link: str, name: str | None) -> int:
    await page.goto("about:blank")  # a link in another tab, and not in this one
    await page.goto(link)
    bo = Clicks(page)
    if name is not None:
        await bo.name(name)
    await bo.press("Knock")
    return await bo.inside()


async def test_a_host_needs_three_clicks_and_two_the_next_time(
    chromium: Chromium, bundle: Path, tmp_path: Path
) -> None:
    with meeting_server(tmp_path) as (_, url):
        async with await chromium.browser.new_context(permissions=PERMISSIONS) as context:
            assert await host(await context.new_page(), url, "Ada") == 3
            assert await host(await context.new_page(), url, None) == 2


async def test_a_guest_needs_two_clicks_and_one_the_next_time(
    chromium: Chromium, bundle: Path, tmp_path: Path
) -> None:
    everybody = ("host", "--admit", "all", "--json", "--server")
    with (
        meeting_server(tmp_path) as (_, url),
        running(*everybody, url) as one,
        running(*everybody, url) as other,
    ):
        links = [(await asyncio.to_thread(each.wait, "invite"))["link"] for each in (one, other)]
        async with await chromium.browser.new_context(permissions=PERMISSIONS) as context:
            assert await guest(await context.new_page(), links[0], "Bo") == 2
            assert await guest(await context.new_page(), links[1], None) == 1
            joined = await asyncio.to_thread(other.wait, "roster", lambda e: len(e["members"]) == 2)
            assert "Bo" in {member["name"] for member in joined["members"]}
