"""The lecture's projector as stories: its steps by button and by key, its sizes, its words."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.async_api import Page

from snugroom.client.session.catalogue.sentence import LANGUAGES, table
from tests.web.storybook import WIDE, Book, asked, see_focus, settled
from tests.web.test_axe import violations
from tests.web.test_window_views import LETTERS, PROJECTORS, box, largest
from tests.web.test_words_fit import SMALL, cut

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEPS: Final = ("who", "sees", "find", "ordinary", "tree", "joins", "removed", "kill", "acts")
NAMES: Final = [table("projector")[f"name_{step}"]["en"] for step in STEPS]


async def at(page: Page) -> str:
    return await page.inner_text("h1")


async def test_next_and_keys_turn_the_story(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-who")
        seen = [await at(page)]
        assert await page.get_by_role("button", name="Back").is_disabled()
        for key in ("click", "Space", "ArrowRight", "PageDown", "Space", "Space", "Space", "Space"):
            if key == "click":
                await page.click("[data-next]")
            else:
                await page.keyboard.press(key)
            await settled(page)
            seen.append(await at(page))
            # a screen reader reads the step, and space goes on from there
            await see_focus(page, seen[-1])
            assert await page.inner_text(".scene-number") == f"{len(seen)} of {len(STEPS)}"
            for each in (".scene-say", ".scene-look"):
                assert (await page.inner_text(each)).endswith(".")
        assert seen == NAMES
        assert await page.locator("[data-next]").is_disabled()
        await page.keyboard.press("Space")
        assert await at(page) == NAMES[-1]
        for key in ("ArrowLeft", "PageUp"):
            await page.keyboard.press(key)
        await settled(page)
        assert await at(page) == NAMES[-3]


async def test_keys_in_the_field_write(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-find")
        await page.get_by_role("textbox").press_sequentially("Zoe Q")
        await page.keyboard.press("ArrowLeft")
        assert await at(page) == "Find my name"
        await page.keyboard.press("Enter")
        assert await asked(page) == [["find", "Zoe Q"]]


@pytest.mark.parametrize("screen", PROJECTORS, ids=lambda screen: screen.name)
async def test_each_step_is_on_the_screen_in_large_letters(book: Book, screen: Any) -> None:
    async with book.page(screen, "dark") as page:
        for step in STEPS:
            await book.show(page, f"projector-{step}")
            body, turns = await box(page, ".scene-body"), await box(page, ".turns")
            last: float = await page.evaluate(
                "Math.max(...[...document.querySelectorAll('.scene-body *')]"
                ".map((one) => one.getBoundingClientRect().bottom))"
            )
            assert body["x"] >= 0
            assert last <= turns["y"] + 1, step
            assert turns["y"] + turns["height"] <= screen.height + 1
            # 24 pixels are a thirtieth of the height of 720
            sizes = await page.evaluate(LETTERS)
            said = next(size for size, text in sizes if text == table("projector")[f"say_{step}"]["en"])
            assert said >= screen.height / 30
        await book.show(page, "projector-found")
        assert await largest(page) == "Not found"
        letters = sorted((size for size, _ in await page.evaluate(LETTERS)), reverse=True)
        assert letters[0] > 2 * letters[1], "by far"


async def test_the_same_second_stands_side_by_side(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-sees")
        rows = page.locator("table.second tbody tr")
        assert await rows.count() == 5
        for row in await rows.all():
            assert await row.locator("td").count() == 2
        member = " ".join(await page.locator("td[data-side=member]").all_inner_texts())
        server = " ".join(await page.locator("td[data-side=server]").all_inner_texts())
        for word in ("Ada", "Zephyrine Quill", "A lecture", "Good morning", "00161"):
            assert word in member
            assert word not in server
        for word in ("connections from", "sealed blobs", "streams of sealed packets", "unknown"):
            assert word in server
        await book.show(page, "projector-killed")
        assert "no answer" in await page.inner_text("td[data-side=server] >> nth=0")


async def test_buttons_have_things_done(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        for story, button, done in (
            ("ordinary", "[data-contrast]", ["contrast", {}]),
            ("joins", "[data-join]", ["join", {"name": "Dana"}]),
            ("removed", "[data-remove]", ["remove", {}]),
            ("kill", "[data-kill]", ["kill", {}]),
            ("acts", "[data-act=forge]", ["act", {"act": "forge"}]),
            ("attack", "[data-dismiss]", ["dismiss", {}]),
        ):
            await book.show(page, f"projector-{story}")
            await page.click(button)
            assert await asked(page) == [done]
        await book.show(page, "projector-nobody")
        assert await page.locator("[data-remove]").count() == 0


async def test_both_servers_stand_side_by_side(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-ordinary")
        assert await page.locator("table.second").count() == 0
        await book.show(page, "projector-contrast")
        rows = {
            await row.get_attribute("data-row"): await row.locator("td").all_inner_texts()
            for row in await page.locator("table.second tbody tr").all()
        }
        assert rows["frames"] == ["not found", "found, of 3 of 3 members"]
        assert rows["audio"] == ["not searched", "found, of 2 of 3 members"]
        assert list(rows) == ["names", "chat", "frames", "audio"]


async def test_an_act_is_told_with_its_severity_and_sentence(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-attack")
        line = page.locator(".incident.attack")
        assert await line.count() == 1
        text = await line.inner_text()
        assert "Attack: Ada, Bo and Cem" in text
        assert "The server gave you two different messages under one number." in text
        await book.show(page, "projector-act")
        assert await page.locator(".incident.attention").count() == 2
        assert await page.locator("[data-act]:not([disabled])").count() == 0, "one at a time"
        assert await page.get_attribute("[data-act=silence]", "aria-current") == "true"
        assert "13 s more" in await page.inner_text(".act-stand")
        await book.show(page, "projector-nothing")
        assert "nobody was told of anything" in await page.inner_text(".act-stand")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_its_words_fit(book: Book, language: str) -> None:
    for screen in (SMALL, *PROJECTORS):
        async with book.page(screen, "light") as page:
            for step in (*STEPS, "found", "contrast", "act", "attack"):
                await book.show(page, f"projector-{step}", language=language)
                await settled(page)
                # letters of a drawing scale with it
                found = [each for each in await cut(page) if "SVGAnimatedString" not in each]
                assert found == [], (step, screen.name)


async def test_no_step_violates_what_axe_knows(book: Book) -> None:
    async with book.page(PROJECTORS[0], "light") as page:
        for step in (*STEPS, "found", "contrast", "act", "attack"):
            await book.show(page, f"projector-{step}")
            assert await violations(page) == [], step
    async with book.page(PROJECTORS[1], "dark") as page:
        for step in ("sees", "found", "attack"):
            await book.show(page, f"projector-{step}")
            assert await violations(page) == [], step
