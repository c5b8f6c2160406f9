"""The landlord's window on a projector: what the server does not know, the search for a name, the scale."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.async_api import Page

from snugroom.client.session.catalogue.sentence import LANGUAGES
from tests.web.storybook import WIDE, Book, Screen, settled
from tests.web.test_axe import violations
from tests.web.test_words_fit import SMALL, cut

PROJECTORS: Final = (Screen("hd", 1280, 720), Screen("full-hd", 1920, 1080))

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: JavaScript: (size of its letters in pixels, text) of each text on the page.
LETTERS: Final = """[...document.querySelectorAll("#app *")]
  .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
  .map((one) => [parseFloat(getComputedStyle(one).fontSize), one.textContent])"""


async def largest(page: Page) -> str:
    """The text with the largest letters."""
    found: list[tuple[float, str]] = await page.evaluate(LETTERS)
    return max(found)[1]


async def box(page: Page, selector: str) -> dict[str, float]:
    """Where an element is, in the window of the browser."""
    found: Any = await page.locator(selector).bounding_box()
    assert found is not None, selector
    return dict(found)


@pytest.mark.parametrize("screen", PROJECTORS, ids=lambda screen: screen.name)
async def test_the_answer_is_the_largest_text_and_all_of_it_above_the_fold(
    book: Book, screen: Screen
) -> None:
    async with book.page(screen, "light") as page:
        for story in ("window-absent", "window-hostile"):
            await book.show(page, story)
            for section in (".find", "section[aria-labelledby=unknown-title]"):
                found = await box(page, section)
                assert found["y"] >= 0
                assert found["y"] + found["height"] <= screen.height, (story, section)
        await book.show(page, "window-absent")
        assert await largest(page) == "Not found"
        unknown = await page.locator("section[aria-labelledby=unknown-title] dt").all_inner_texts()
        assert len(unknown) == 8


async def test_a_name_is_searched_for_and_the_answer_is_told(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "window-room")
        assert await largest(page) == "?"
        button = page.get_by_role("button", name="Search its memory")
        field = page.get_by_role("textbox", name="Find my name")
        await field.fill("Bo")
        assert await button.is_disabled(), "two letters are part of many words"
        await field.fill("  Zoe\u0301 ")
        assert await button.is_enabled()
        for story, state, words in (
            ("absent", "absent", ("Not found", "143.2 MB, all memory of 2 processes", "the room's number")),
            ("found", "found", ("Found", "31 times in its memory", "2 times in files", "peer 127.0.0.1")),
            ("blank", "blank", ("No answer", "did not even find what the server must know")),
            ("failed", "failed", ("No answer", "Operation not permitted")),
        ):
            await book.show(page, f"window-{story}")
            status = page.locator(".found")
            assert await status.get_attribute("role") == "status"
            assert await status.get_attribute("data-found") == state
            text = await status.inner_text()
            assert all(each in text for each in words), text
            assert await largest(page) == words[0]


async def test_a_guess_is_a_meter_from_a_coin_toss_to_certain(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "window-guesses")
        meters = page.get_by_role("meter")
        assert await meters.count() == 6
        again = page.get_by_role("meter", name="Is that the one who left before?")
        for attribute, value in (
            ("aria-valuemin", "0.5"),
            ("aria-valuemax", "1"),
            ("aria-valuenow", "0.89"),
            ("aria-valuetext", "Often right: AUC 0.89"),
        ):
            assert await again.get_attribute(attribute) == value
        speaks = page.get_by_role("meter", name="Who speaks?")
        assert await speaks.get_attribute("aria-valuetext") == "No better than a coin toss: AUC 0.48"
        assert await speaks.get_attribute("aria-valuenow") == "0.5"
        # the mark stands where the value is
        track, mark = [await again.locator(part).bounding_box() for part in ("rect >> nth=0", "circle")]
        assert track is not None
        assert mark is not None
        at = (mark["x"] + mark["width"] / 2 - track["x"]) / track["width"]
        assert abs(at - 0.78) < 0.02


async def test_a_server_of_a_lecture_says_so(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "window-room")
        assert await page.locator("[data-hostile]").count() == 0
        await book.show(page, "window-hostile")
        told = await page.inner_text("[data-hostile]")
        assert "started for a lecture" in told
        assert "Now: silence, for 32 s more." in told
        assert await violations(page) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_its_words_fit(book: Book, language: str) -> None:
    for screen in (SMALL, PROJECTORS[0]):
        async with book.page(screen, "light") as page:
            for story in ("window-absent", "window-found", "window-guesses", "window-hostile"):
                await book.show(page, story, language=language)
                await settled(page)
                # the JSON scrolls inside its box
                found = [each for each in await cut(page) if '"uptime"' not in each]
                assert found == [], (story, screen.name)
