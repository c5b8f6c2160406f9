"""Texts fit their places in every language: nothing is cut, and nothing sticks out of its box."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.async_api import Page

from snugroom.client.session.catalogue.sentence import LANGUAGES
from tests.web.storybook import Book, Screen

#: A small phone, upright and on its side: where there is the least place.
SMALL: Final = Screen("small", 360, 640)
LOW: Final = Screen("low", 640, 360)
STORIES: Final = (
    "start",
    "prejoin-host",
    "ended-dropped",
    "unable-no-transform",
    "room-incidents",
    "room-code-short",
    "room-code-differ",
    "room-admission-many",
    "room-admission-hundred",
    "room-people-panel",
    "room-person-menu",
    "room-spared",
    "room-pages",
    "room-tile-states",
    "room-people-2",
    "room-volume",
    "room-muted-hint",
    "room-refused",
    "room-quality",
    "room-private",
    "room-invites",
    "unable-offline",
    "waiting-no-host",
    "room-code-answers",
    "room-compares",
    "room-identity-own",
    "room-identity-none",
    "room-chat-report",
    "prejoin-identity",
)

#: Texts that are wider than their boxes or the screen, or that stick out of their button.
CUT: Final = """() => {
  const wide = document.documentElement.clientWidth;
  const found = [];
  for (const element of document.querySelectorAll("#app *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    const box = element.getBoundingClientRect();
    if (text.length === 0 || box.width < 2 || box.height < 2) continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const drawn = range.getBoundingClientRect();
    const button = (element.closest("button, a") ?? element).getBoundingClientRect();
    const inline = getComputedStyle(element).display === "inline";
    const cut = !inline && element.scrollWidth > element.clientWidth + 1;
    const out = drawn.right > Math.min(wide, button.right) + 1 || drawn.left < Math.max(0, button.left) - 1;
    if (cut || out) found.push(`${element.className}: ${element.textContent}`);
  }
  return found;
}"""

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def cut(page: Page) -> list[str]:
    found: list[str] = await page.evaluate(CUT)
    # a meeting's title is anybody's, and may be longer than any screen
    return [one for one in found if "Thursday seminar" not in one]


@pytest.mark.parametrize("screen", [SMALL, LOW], ids=lambda screen: screen.name)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_nothing_is_cut_on_a_small_phone(book: Book, language: str, screen: Screen) -> None:
    found: dict[str, list[str]] = {}
    async with book.page(screen, "light") as page:
        for story in STORIES:
            await book.turn(page, story, language=language)
            if wrong := await cut(page):
                found[story] = wrong
    assert not found, found


async def test_what_is_cut_is_found(book: Book) -> None:
    """The test above can fail: by a word on a tile, in a button and on the page that is too long."""
    async with book.page(SMALL, "light") as page:
        await book.show(page, "room-tile-states", language="de")
        await page.evaluate("document.querySelector('.tile-sound').firstChild.data = 'x'.repeat(60)")
        assert await cut(page)
        await book.show(page, "start", language="de")
        await page.evaluate("document.querySelector('main .button').lastChild.data = 'x'.repeat(60)")
        assert await cut(page)
