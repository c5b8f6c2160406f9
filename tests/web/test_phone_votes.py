"""The page of a phone in Chromium, with the listener that serves it in a lecture."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Page

from snugroom.client.session.catalogue.sentence import table
from snugroom.lab.demo.lan import Phones
from snugroom.lab.demo.votes import Votes
from snugroom.server import page as pages
from tests.web.browsers import Chromium, ChromiumTab, chromium
from tests.web.storybook import see

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORDS: Final = table("predictions")


@dataclass
class Class:
    """A browser with a phone's page in it, and the votes that count."""

    votes: Votes
    phones: Phones
    address: str
    browser: Chromium
    tab: ChromiumTab

    @property
    def page(self) -> Page:
        return self.tab.page


@pytest_asyncio.fixture(loop_scope="module")
async def group() -> AsyncIterator[Class]:
    if not (pages.PHONE / "manifest.json").exists():
        pytest.skip("the pages have not been built")
    votes = Votes(1)
    phones = Phones(votes, "127.0.0.1", per_address=1)
    address = await phones.start()
    try:
        async with chromium() as browser:
            tab = await browser.tab()
            assert isinstance(tab, ChromiumTab)
            await tab.goto(address)
            yield Class(votes, phones, address, browser, tab)
            assert [line for line in tab.log() if "Content Security" in line] == []
    finally:
        await phones.close()


async def says(page: Page, key: str, language: str = "en") -> None:
    """Wait until the page shows that sentence."""
    await see(page, f"document.body.innerText.includes({WORDS[key][language]!r})")


async def test_a_phone_votes_once_however_often_it_is_loaded(group: Class) -> None:
    page = group.page
    await says(page, "phone_wait")
    group.votes.open("find")
    await says(page, "ask_find")
    await page.click("[data-choice='1']")
    await says(page, "phone_counted")
    await page.reload()
    await page.click("[data-choice='3']")
    await see(page, "document.querySelector('[data-choice=\"3\"]').ariaPressed === 'true'")
    assert (group.votes.view()["voted"], group.votes.view()["phones"]) == (1, 1)
    await page.get_by_role("combobox").select_option("zh-Hant")
    await says(page, "pick_find_3", "zh-Hant")
    assert await page.evaluate("document.documentElement.lang") == "zh-Hant"
    await page.get_by_role("combobox").select_option("en")
    group.votes.close()
    await says(page, "phone_closed")
    assert await page.locator("[data-choice]:enabled").count() == 0
    group.votes.reveal()
    await says(page, "phone_hit")
    assert group.votes.view()["counts"] == [0, 0, 1]
    assert await page.evaluate("document.cookie") == ""


async def test_another_phone_at_the_address_is_told_why_it_does_not_count(group: Class) -> None:
    group.votes.open("find")
    await says(group.page, "ask_find")
    await group.page.click("[data-choice='1']")
    await says(group.page, "phone_counted")
    other = await group.browser.tab()
    assert isinstance(other, ChromiumTab)
    await other.goto(group.address)
    await other.page.click("[data-choice='2']")
    await says(other.page, "phone_refused_address")
    assert group.votes.view()["voted"] == 1


async def test_a_lecture_that_is_gone_is_told(group: Class) -> None:
    await says(group.page, "phone_wait")
    await group.phones.close()
    await says(group.page, "phone_gone")
