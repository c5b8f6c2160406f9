"""Leaving as the only host, and a room without one, as stories."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.web.storybook import WIDE, Book, asked

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_only_host_is_asked_for_a_successor(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "room-successor")
        over = page.get_by_role("button", name="Hand over and leave")
        assert await over.is_disabled()
        await page.get_by_role("radio", name="Cem").check()
        await over.click()
        assert await asked(page) == [["leaveTo", 2]]
        assert await page.locator("dialog[open]").count() == 0
        await book.show(page, "room-successor")
        await page.get_by_role("button", name="Leave without a host").click()
        assert await asked(page) == [["leaveTo", None]]


async def test_when_all_others_leave_meanwhile_there_is_nothing_to_ask(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "room-successor")
        await page.get_by_role("button", name="Hand over and leave").wait_for()
        await page.evaluate("void (model.people.value = model.people.value.slice(0, 1))")
        await page.locator("dialog[open]").wait_for(state="detached")
        assert await asked(page) == [["leaveTo", None]]


@pytest.mark.parametrize(
    "people", ["model.people.value.slice(0, 1)", "model.people.value.map((one) => ({ ...one, host: true }))"]
)
async def test_who_is_alone_or_has_another_host_beside_is_not(book: Book, people: str) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "room-people-3")
        await page.evaluate(f"void (model.people.value = {people})")
        await leaves(page)
        assert await asked(page) == [["leave"]]


async def leaves(page: Page) -> None:
    await page.get_by_role("button", name="Leave", exact=True).click()
    await page.get_by_role("menuitem", name="Leave the meeting").click()


async def test_everybody_reads_that_no_host_is_here(book: Book) -> None:
    async with book.page(WIDE, "dark") as page:
        await book.show(page, "room-no-host")
        text = page.get_by_text("No host is here. Nobody new can come in until a host is back.")
        assert await text.count() == 1
        back = "model.people.value.map((one) => ({ ...one, away: false }))"
        await page.evaluate(f"void (model.people.value = {back})")
        await text.wait_for(state="detached")
