"""An invite's link goes to another app by the system's share sheet, where there is one."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.storybook import PHONE, Book, asked

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINK = "https://meet.example/#2/8Qx0hQ2Yc0Jb4lJmQvTt3w7oH0mXyq2s9Zr1u5bNfKg"


async def opened(page: Page, book: Book, outcome: str) -> Any:
    """Open the invites, with a share sheet that ends like that; return its button for the open invite."""
    await book.show(page, "room-people-3")
    await page.evaluate(
        f"""() => {{
          const share = async (given) => {{ window.shared = given; {outcome} }};
          Object.defineProperty(navigator, "share", {{ value: share, configurable: true }});
          model.panel.value = "people";
        }}"""
    )
    return page.get_by_role("button", name="Share the link: Shared link")


async def copied(page: Page) -> list[Any]:
    return [one for one in await asked(page) if one[0] == "copy"]


async def test_the_sheet_gets_the_link_and_a_warning_that_it_admits_people(book: Book) -> None:
    async with book.page(PHONE, "light") as page:
        await (await opened(page, book, "")).click()
        shared = await page.evaluate("window.shared")
        assert shared["url"] == LINK
        assert shared["title"] == "Thursday seminar"
        assert "Anybody who has it can knock" in shared["text"]
        assert await page.get_by_text("The app that you share it with can read the link.").is_visible()
        assert await copied(page) == []


async def test_a_closed_sheet_is_nothing_and_a_refused_one_copies(book: Book) -> None:
    async with book.page(PHONE, "dark") as page:
        await (await opened(page, book, "throw new DOMException('', 'AbortError');")).click()
        assert await copied(page) == []
        await (await opened(page, book, "throw new DOMException('', 'NotAllowedError');")).click()
        assert await copied(page) == [["copy", LINK]]


async def test_without_a_sheet_there_is_no_button(book: Book) -> None:
    async with book.page(PHONE, "light") as page:
        await book.show(page, "room-people-3")
        await page.evaluate("Reflect.deleteProperty(navigator, 'share'); model.panel.value = 'people'")
        await page.get_by_role("button", name="Copy link: Shared link").wait_for()
        assert await page.get_by_role("button", name="Share the link").count() == 0
