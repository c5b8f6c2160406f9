"""The lecture's projector as stories: its steps by button and by key, its sizes, its words."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.async_api import Page

from snugroom.client.session.catalogue.sentence import LANGUAGES, table
from tests.web.storybook import WIDE, Book, asked, see_focus, settled, submit
from tests.web.test_axe import violations
from tests.web.test_window_views import LETTERS, PROJECTORS, box, largest
from tests.web.test_words_fit import SMALL, cut

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEPS: Final = ("who", "sees", "find", "ordinary", "word", "tree", "joins", "removed", "kill", "acts")
NAMES: Final = [table("projector")[f"name_{step}"]["en"] for step in STEPS]


async def at(page: Page) -> str:
    return await page.inner_text("h1")


async def test_next_and_keys_turn_the_story(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-who")
        seen = [await at(page)]
        assert await page.get_by_role("button", name="Back").is_disabled()
        for key in ("click", "Space", "ArrowRight", "PageDown", "Space", "Space", "Space", "Space", "Space"):
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
        for story, part in (
            ("predict", ".prediction"),
            ("predicted", ".prediction"),
            ("words", ".two-sides"),
        ):
            await book.show(page, f"projector-{story}")
            body, turns = await box(page, part), await box(page, ".turns")
            assert body["y"] + body["height"] <= turns["y"] + 1, story
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
            ("word", "[data-beside]", ["beside", {}]),
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
            for step in (*STEPS, "found", "contrast", "words", "predict", "predicted", "act", "attack"):
                await book.show(page, f"projector-{step}", language=language)
                await settled(page)
                # letters of a drawing scale with it
                found = [each for each in await cut(page) if "SVGAnimatedString" not in each]
                assert found == [], (step, screen.name)


async def test_a_word_is_sought_in_two_memories(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-word")
        field, button = page.get_by_role("textbox"), page.locator("[data-word]")
        await field.fill("ab")
        assert await button.is_disabled()
        await field.fill("  Knusperfrosch ")
        await button.click()
        assert await asked(page) == [["word", "Knusperfrosch"]]
        await book.show(page, "projector-words")
        assert await page.get_attribute("[data-side=snug] .found", "data-found") == "absent"
        assert await page.get_attribute("[data-side=ordinary] .found", "data-found") == "found"
        assert await page.locator("[data-beside]").count() == 0
        await book.show(page, "projector-forbidden")
        told = await page.inner_text("[data-side=snug]")
        assert "does not let the server search its own memory (Operation not permitted)" in told


async def test_a_recording_offers_what_it_has(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-played")
        assert "a recording" in await page.inner_text(".scene-number")
        assert await page.get_by_role("textbox").get_attribute("readonly") is not None
        await submit(page, "[data-word]")
        assert await asked(page) == [["word", "Knusperfrosch"]]
        await book.show(page, "projector-played-acts")
        enabled = page.locator("[data-act]:enabled")
        assert [await each.get_attribute("data-act") for each in await enabled.all()] == ["forge"]
        await book.show(page, "projector-acts")
        assert await enabled.count() == 6
        assert "a recording" not in await page.inner_text(".scene-number")


async def test_a_question_hides_its_counts_until_they_are_shown(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "projector-predict")
        assert await page.inner_text(".prediction h2") == table("predictions")["ask_find"]["en"]
        assert await page.locator(".picks li").count() == 3
        assert await page.locator(".scene-say, .scene-look").count() == 0
        assert await page.locator(".picks meter").count() == 0
        assert await page.locator("[data-right=true]").count() == 0
        assert await page.locator(".way-in .qr").is_visible()
        assert "192.168.1.5" in await page.inner_text(".way-in .address")
        assert "23 votes" in await page.inner_text(".prediction [role=status]")
        await page.click("[data-reveal]")
        await page.click("[data-predict]")
        assert await asked(page) == [["vote", {"do": "reveal"}], ["vote", {"do": "close"}]]
        assert await page.locator(".prediction").count() == 0
        await page.click("[data-predict]")
        assert (await asked(page))[2:] == [["vote", {"do": "open", "question": "find"}]]
        await book.show(page, "projector-predicted")
        meters = "[...document.querySelectorAll('.picks meter')].map((one) => [one.value, one.max])"
        assert await page.evaluate(meters) == [[4, 23], [17, 23], [2, 23]]
        assert await page.get_attribute("[data-right=true]", "data-pick") == "2"
        await page.get_by_label("Question").select_option("act_forge")
        assert await asked(page) == [["vote", {"do": "open", "question": "act_forge"}]]
        # a lecture without phones asks nothing
        await book.show(page, "projector-find")
        assert await page.locator("[data-predict]").count() == 0


#: The words of a phone in each of its stories.
PHONE_SAYS: Final = {
    "waiting": "phone_wait",
    "open": "phone_choose",
    "counted": "phone_counted",
    "refused": "phone_refused_address",
    "closed": "phone_closed",
    "right": "phone_hit",
    "wrong": "phone_miss",
    "gone": "phone_gone",
}


async def test_a_phone_shows_the_question_and_sends_a_choice(book: Book) -> None:
    async with book.page(SMALL, "light") as page:
        await book.show(page, "votes-open")
        await page.click("[data-choice='2']")
        assert await asked(page) == [["choose", "act_forge", 2]]
        for story in PHONE_SAYS:
            await book.show(page, f"votes-{story}")
            assert await violations(page) == [], story
            enabled = await page.locator("[data-choice]:enabled").count()
            assert enabled == (3 if story in ("open", "counted", "refused") else 0), story


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_phones_words_fit(book: Book, language: str) -> None:
    async with book.page(SMALL, "light") as page:
        for story, said in PHONE_SAYS.items():
            await book.show(page, f"votes-{story}", language=language)
            assert table("predictions")[said][language] in await page.inner_text("main"), story
            assert await cut(page) == [], story


async def test_no_step_violates_what_axe_knows(book: Book) -> None:
    async with book.page(PROJECTORS[0], "light") as page:
        for step in (*STEPS, "found", "contrast", "words", "predict", "predicted", "act", "attack"):
            await book.show(page, f"projector-{step}")
            assert await violations(page) == [], step
    async with book.page(PROJECTORS[1], "dark") as page:
        for step in ("sees", "found", "attack"):
            await book.show(page, f"projector-{step}")
            assert await violations(page) == [], step
