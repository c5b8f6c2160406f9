"""No story of the page violates what axe knows of WCAG, light and dark, on a phone and on a wide screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page

from tests.web.mixed import EVERY_WAY
from tests.web.storybook import PHONE, SCREENS, WIDE, Book, Screen, Theme

AXE: Final = (Path(__file__).parents[2] / "client/web/node_modules/axe-core/axe.min.js").read_text()
NARROW: Final = 320
#: WCAG 2.2 A and AA, and axe's own best practices.
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def violations(page: Page, **only: Any) -> list[str]:
    """The violations that axe finds on the page as it is now: by all of its rules, or by `only`."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    found: list[dict[str, Any]] = await page.evaluate(
        "async (runOnly) => (await axe.run({runOnly, resultTypes: ['violations']})).violations",
        only or {"type": "tag", "values": list(TAGS)},
    )
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]} {node['failureSummary'].splitlines()[-1]}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
async def test_no_story_violates_anything(book: Book, screen: Screen) -> None:
    """By all rules; nor is anything wider than a screen of 320 px, which is what WCAG asks for (1.4.10)."""

    async def wrong(page: Page, name: str) -> list[str]:
        found = await violations(page)
        narrow = screen is PHONE and not name.startswith("code-art-")
        return found + await sideways(page, screen) if narrow else found

    await none_is_wrong(book, screen, "light", wrong)


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
async def test_no_story_is_hard_to_read_in_the_dark(book: Book, screen: Screen) -> None:
    """In the dark theme only colours differ."""

    async def wrong(page: Page, name: str) -> list[str]:
        return await violations(page, type="rule", values=["color-contrast"])

    await none_is_wrong(book, screen, "dark", wrong)


async def none_is_wrong(
    book: Book, screen: Screen, theme: Theme, wrong: Callable[[Page, str], Awaitable[list[str]]]
) -> None:
    """Look at each story; usually at every twelfth, to save time."""
    names = (await book.names())[:: 1 if EVERY_WAY else 12]
    assert names
    found: dict[str, list[str]] = {}
    async with book.page(screen, theme) as page:
        for name in names:
            await book.turn(page, name)
            if said := await wrong(page, name):
                found[name] = said
    assert not found, "\n".join(f"{name}\n  " + "\n  ".join(said) for name, said in found.items())


async def sideways(page: Page, screen: Screen) -> list[str]:
    """How wide the page is on a screen of 320 px, if it is wider."""
    await page.set_viewport_size({"width": NARROW, "height": 640})
    width: int = await page.evaluate(
        "new Promise(requestAnimationFrame).then(() => document.documentElement.scrollWidth)"
    )
    await page.set_viewport_size({"width": screen.width, "height": screen.height})
    return [f"{width} px wide on a screen of {NARROW}"] if width > NARROW else []


async def test_violations_are_found(book: Book) -> None:
    """The test above can fail: by a button without a name, by words too pale, by an input without a label."""
    async with book.page(WIDE, "dark") as page:
        await book.show(page, "start")
        await page.evaluate(
            """() => {
              const main = document.querySelector("main");
              main.append(document.createElement("button"), document.createElement("input"));
              const pale = document.createElement("p");
              pale.textContent = "hard to read";
              pale.style.color = "#222";
              main.append(pale);
            }"""
        )
        found = " ".join(await violations(page))
        for rule in ("button-name:", "color-contrast:", "label:"):
            assert rule in found
        # what is too pale in the dark alone is found as well
        await page.evaluate("document.querySelector('main > p:last-child').style.color = '#ddd'")
        assert not await violations(page, type="rule", values=["color-contrast"])
        await page.emulate_media(color_scheme="light")
        assert await violations(page, type="rule", values=["color-contrast"])
        assert not await sideways(page, WIDE)
        await page.evaluate("document.querySelector('main > p:last-child').style.width = '330px'")
        assert await sideways(page, WIDE)
