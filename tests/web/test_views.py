"""The views around the room, used with only a keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.storybook import PHONE, WIDE, Book, focused, see_focus

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asked(page: Page) -> list[list[Any]]:
    """The commands that the model got."""
    told: list[list[Any]] = await page.evaluate("window.asked")
    return told


async def tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        await page.keyboard.press("Tab")
        if name in await focused(page):
            return
    raise AssertionError(f"the focus doesn't come to {name}")


async def test_a_room_is_opened_from_the_keyboard(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "start")
        await tab_to(page, "Open a room")
        await page.keyboard.press("Enter")
        assert await asked(page) == [["openRoom"]]


async def test_a_pasted_link_is_followed_without_the_spaces_around_it(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "start")
        field = page.get_by_label("The link you were given")
        assert await page.get_by_role("button", name="Go").is_disabled()
        await field.fill("  https://meet.example/#1abc \n")
        await field.press("Enter")
        assert await asked(page) == [["follow", "https://meet.example/#1abc"]]
        assert page.url.startswith("http://127.0.0.1:")


async def test_an_error_in_a_link_is_read_out_and_shown_by_the_field(book: Book) -> None:
    async with book.page(PHONE, "dark") as page:
        await book.show(page, "start-wrong-link")
        field = page.get_by_label("The link you were given")
        assert await field.get_attribute("aria-invalid") == "true"
        described = await field.get_attribute("aria-describedby")
        text = await page.locator(f"[id='{described}'][role=alert]").inner_text()
        assert text == "The link is cut off behind the '#': please copy all of it."


async def test_the_scanner_closes_with_escape_and_gives_the_focus_back(book: Book) -> None:
    async with book.page(PHONE, "dark") as page:
        await book.show(page, "start")
        await tab_to(page, "Scan a QR code")
        await page.keyboard.press("Enter")
        await page.locator("dialog[open]").wait_for()
        await page.keyboard.press("Escape")
        await page.locator("dialog").wait_for(state="detached")
        await see_focus(page, "Scan a QR code")


async def test_nobody_goes_in_without_a_name(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "prejoin-guest")
        name = page.get_by_label("Your name")
        await name.fill("   ")
        await page.get_by_role("button", name="Knock").click()
        assert await asked(page) == []
        await name.and_(page.locator(":focus")).wait_for()
        assert await page.get_by_text("Type your name first.").is_visible()
        await name.fill("Bo")
        await name.press("Enter")
        assert await asked(page) == [["enter"]]
        assert await page.evaluate("window.model.name.value") == "Bo"


async def test_a_name_that_members_may_not_carry_goes_no_further(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "prejoin-wrong-name")
        await page.get_by_role("button", name="Knock").click()
        assert await asked(page) == []
        assert await page.get_by_label("Your name").get_attribute("aria-invalid") == "true"


async def test_one_knock_is_enough(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "prejoin-opening")
        await page.get_by_label("Your name").press("Enter")
        await page.get_by_role("button", name="Opening the room").click(force=True)
        assert await asked(page) == []


async def test_a_host_says_who_comes_in_and_what_it_is_called(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "prejoin-host")
        await page.get_by_label("Name of the meeting").fill("Choir")
        await page.get_by_label("Everybody who has a link").check()
        assert await page.evaluate("window.model.title.value") == "Choir"
        assert await page.evaluate("window.model.admission.value") == "all"
        await page.get_by_role("button", name="Turn the camera off").click()
        await page.get_by_role("button", name="Mute").click()
        await page.get_by_label("Microphone", exact=True).select_option("Headset")
        assert await asked(page) == [["toggleCamera"], ["toggleMic"], ["chooseMicrophone", "m2"]]


async def test_the_own_video_is_mirrored_and_silent(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "prejoin-host")
        video = page.locator("video")
        assert await video.evaluate("it => getComputedStyle(it).transform") == "matrix(-1, 0, 0, 1, 0, 0)"
        assert await video.evaluate("it => it.muted && it.srcObject === window.model.preview.value")
        await page.evaluate("window.model.camera.value = false")
        assert not await video.is_visible()
        assert await page.get_by_text("Your camera is off.").is_visible()


async def test_the_focus_goes_to_the_heading_of_a_view_that_replaces_another(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "start")
        assert await page.evaluate("document.activeElement === document.body"), "nothing was replaced yet"
        await page.evaluate(
            """() => {
              window.model.ended.value = {
                reason: "removed",
                text: {key: "verbatim", args: {text: "Ada removed you."}},
                canSaveEvidence: false,
              };
              window.model.place.value = "ended";
            }"""
        )
        await page.get_by_role("heading", level=1, name="You were removed").wait_for()
        await see_focus(page, "You were removed")
        await page.keyboard.press("Tab")
        await see_focus(page, "To the start")
        await page.keyboard.press("Enter")
        assert await asked(page) == [["again"]]


async def test_evidence_is_saved_with_names_only_if_that_is_wanted(book: Book) -> None:
    async with book.page(PHONE, "light") as page:
        await book.show(page, "ended-dropped")
        await page.get_by_role("button", name="Save the evidence").click()
        await page.get_by_label("With everybody's names in it").check()
        await page.get_by_role("button", name="Save the evidence").click()
        assert await asked(page) == [["saveEvidence", False], ["saveEvidence", True]]


async def test_waiting_tells_how_long_and_can_be_given_up(book: Book) -> None:
    async with book.page(PHONE, "light") as page:
        await book.show(page, "waiting-knocking")
        assert await page.get_by_text("For 1 minute.").is_visible()
        await page.evaluate("window.model.now.value += 60")
        assert await page.get_by_text("For 2 minutes.").is_visible()
        assert await page.get_by_role("status").get_by_text("Nobody sees or hears you").is_visible()
        await page.get_by_role("button", name="Give up").click()
        assert await asked(page) == [["giveUp"]]


async def test_the_language_changes_where_one_stands(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "prejoin-guest")
        await page.get_by_label("Language").select_option("Deutsch")
        await page.get_by_role("heading", level=1, name="Bevor du anklopfst").wait_for()
        assert await page.evaluate("document.documentElement.lang") == "de"
        assert await page.get_by_label("Dein Name").input_value() == "Bo"
        await page.get_by_label("Sprache").select_option("繁體中文")
        await page.get_by_role("heading", level=1, name="敲門之前").wait_for()
        assert await page.evaluate("document.documentElement.lang") == "zh-Hant"
        await page.get_by_label("語言").select_option("English")
        await page.get_by_role("heading", level=1, name="Before you knock").wait_for()


async def test_the_theme_is_the_systems_until_one_is_chosen(book: Book) -> None:
    back = "getComputedStyle(document.documentElement).backgroundColor"
    async with book.page(WIDE, "dark") as page:
        await book.show(page, "start")
        dark = await page.evaluate(back)

        async def choose(theme: str) -> None:
            await page.get_by_label("Light or dark").select_option(theme)
            await page.locator(f"html[data-theme={theme.lower()}]").wait_for(state="attached")

        await choose("Light")
        light = await page.evaluate(back)
        await page.emulate_media(color_scheme="light")
        assert await page.evaluate(back) == light != dark
        await choose("Dark")
        assert await page.evaluate(back) == dark
        await choose("System")
        assert await page.evaluate(back) == light


async def test_where_the_page_comes_from_opens_from_the_keyboard(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "start")
        await tab_to(page, "This page comes from meet.example. Its operator could change it.")
        await page.keyboard.press("Enter")
        assert await page.get_by_text("5f2b9d0c").is_visible()
        await page.get_by_role("button", name="Copy snug verify-page https://meet.example").click()
        assert await asked(page) == [["copy", "snug verify-page https://meet.example"]]


async def test_code_art_turns_when_the_code_becomes_another_and_stands_still_for_who_wants_no_motion(
    book: Book,
) -> None:
    async with book.page(WIDE, "light") as page:
        await book.show(page, "code-art-one")
        name = "getComputedStyle(document.querySelector('.code-art')).animationName"
        assert await page.evaluate(name) == "none"
        await page.emulate_media(reduced_motion="no-preference")
        first = page.get_by_role("img")
        before = await first.get_attribute("aria-label")
        await page.evaluate("window.shown = document.querySelector('.code-art')")
        await page.evaluate("window.model.code.value = {...window.model.code.value, digits: '7'.repeat(40)}")
        assert await page.evaluate("window.shown !== document.querySelector('.code-art')"), "it comes in anew"
        assert await page.evaluate(name) == "code-art-turn"
        assert await first.get_attribute("aria-label") != before


@pytest.mark.parametrize("screen", [PHONE, WIDE], ids=["phone", "wide"])
async def test_whatever_can_be_pressed_is_large_enough(book: Book, screen: Any) -> None:
    """WCAG 2.2 asks for 24 px; ours have 36 and more, but for choices whose whole row can be pressed."""
    async with book.page(screen, "light") as page:
        for name in await book.names():
            if not name.startswith(("start", "prejoin", "waiting", "ended", "unable")):
                continue
            await book.turn(page, name)
            small = await page.evaluate(
                """() => Array.from(document.querySelectorAll("button, select, summary, input, a"))
                  .filter((it) => it.checkVisibility() && !it.closest(".choice"))
                  .map((it) => [it.outerHTML.slice(0, 80), it.getBoundingClientRect().height])
                  .filter(([, height]) => height < 36)"""
            )
            assert small == [], name
