"""The bar above the room: what stands in it, and what opens from it."""

from __future__ import annotations

import pytest

from tests.web.storybook import WIDE, Book

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_private_is_said_only_once_frames_were_counted(book: Book) -> None:
    async with book.page(WIDE, "dark") as page:
        await book.show(page, "room-before-frames")
        chip = page.locator(".chip.private")
        assert await chip.inner_text() == "Nothing has been sent yet"
        await page.evaluate("model.encryption.value = { sealed: 1, opened: 0, silent: null }")
        assert await chip.inner_text() == "Private"
        more = page.locator(".private-more")
        assert not await more.is_visible(), "counters that tick are for those who look"
        await chip.press("Enter")
        assert "1 frames sealed, 0 opened" in await more.inner_text()
        silent = "{ key: 'verbatim', args: { text: 'You have been silent.' } }"
        await page.evaluate(f"model.encryption.value = {{ sealed: 1, opened: 0, silent: {silent} }}")
        assert await chip.inner_text() == "Nothing of yours is sent"
        assert "You have been silent." in await more.inner_text()
        await more.get_by_role("button", name="The room's code").click()
        await page.wait_for_selector(".panel .code")
        assert not await more.is_visible()
        # that one is paused can be decided otherwise; that the page can't seal can't
        assert await page.locator(".banner .button").count() == 0
