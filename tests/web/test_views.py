"""The views around the room, used with only a keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.storybook import PHONE, WIDE, Book, focused, see, see_focus, settled

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
        await field.fill("  https://meet.example/#2abc \n")
        await field.press("Enter")
        assert await asked(page) == [["follow", "https://meet.example/#2abc"]]
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
        await page.get_by_label("Meeting name").fill("Choir")
        await page.get_by_label("Anyone with the link").check()
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
        await see_focus(page, "Home")
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
        await page.get_by_role("button", name="Cancel").click()
        assert await asked(page) == [["giveUp"]]


async def test_a_minute_without_a_host_is_said_and_ends_with_a_sign_of_one(book: Book) -> None:
    async with book.page(PHONE, "light") as page:
        await book.show(page, "waiting-knocking")
        nobody = page.get_by_role("status").get_by_text("Nobody has been here for a minute.")

        async def becomes(kind: str) -> None:
            await page.evaluate(f"model.waiting.value = {{...model.waiting.value, kind: '{kind}'}}")
            await settled(page)

        async def later(seconds: int) -> None:
            await page.evaluate(f"model.now.value += {seconds}")
            await settled(page)

        await becomes("waiting")
        await later(59)
        assert not await nobody.is_visible()
        await later(1)
        assert await nobody.is_visible()
        assert await page.get_by_text("Ask whoever gave you the link.").is_visible()
        await becomes("away")
        assert not await nobody.is_visible(), "without a connection nobody can be seen"
        await becomes("waiting")
        await later(59)
        assert not await nobody.is_visible()
        # a wrong date can be the reason, and both are said
        await book.show(page, "waiting-wrong-date")
        assert await nobody.is_visible()
        assert await page.get_by_text("If that is wrong, set the clock.").is_visible()


async def test_the_focus_goes_to_the_heading_of_the_room_unless_somebody_is_writing(book: Book) -> None:
    async with book.page(WIDE, "light") as page:
        for writes in (False, True):
            await book.show(page, "prejoin-guest")
            if writes:
                await page.evaluate("document.body.append(document.createElement('textarea'))")
                await page.locator("body > textarea").focus()
            await page.evaluate("model.roomTitle.value = 'Choir'; model.place.value = 'room'")
            await page.get_by_role("heading", level=1, name="Choir").wait_for()
            await settled(page)
            await see(page, f"document.activeElement.tagName === '{'TEXTAREA' if writes else 'H1'}'")


async def test_a_page_without_its_server_says_so_and_leads_back_to_what_is_kept(book: Book) -> None:
    async with book.page(PHONE, "dark") as page:
        await book.show(page, "unable-offline-kept")
        assert await page.get_by_role("heading", level=1).inner_text() == "You are offline, or this server is"
        assert await page.get_by_text("Nothing that was said or shown in a meeting is kept.").is_visible()
        assert await page.get_by_text("because meet.example does not answer").is_visible()
        await page.get_by_role("button", name="Come back").click()
        assert await asked(page) == [["comeBack", "1", False]]
        await page.evaluate("window.seen = true")
        await page.get_by_role("button", name="Try again").click()
        await see(page, "window.seen === undefined && document.readyState === 'complete'")


async def test_the_bars_of_an_installed_page_have_the_colour_of_its_theme(book: Book) -> None:
    async with book.page(PHONE, "dark") as page:
        await book.show(page, "start")
        await page.evaluate(
            """() => document.head.append(...["light", "dark"].map((theme) => Object.assign(
              document.createElement("meta"),
              { name: "theme-color", content: theme, media: `(prefers-color-scheme: ${theme})` },
            )))"""
        )
        colours = "[...document.querySelectorAll('meta[name=theme-color]')].map((bar) => bar.content)"
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        both = set()
        for theme in ("Light", "Dark"):
            await page.get_by_label("Light or dark").select_option(theme)
            await settled(page)
            first, second = await page.evaluate(colours)
            assert first == second
            digits = [int(first[at : at + 2], 16) for at in (1, 3, 5)]
            assert await page.evaluate(ground) == f"rgb({', '.join(map(str, digits))})"
            both.add(first)
        await page.get_by_label("Light or dark").select_option("System")
        await settled(page)
        assert set(await page.evaluate(colours)) == both


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
        assert await asked(page) == [["learnHash"], ["copy", "snug verify-page https://meet.example"]]


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


async def test_a_kept_meeting_is_entered_again_or_forgotten(book: Book) -> None:
    async with book.page(PHONE, "dark") as page:
        await book.show(page, "start-kept")
        await page.get_by_role("button", name="Come back").first.click()
        await page.get_by_role("button", name="Forget on this device").last.click()
        assert await asked(page) == [["comeBack", "1", False], ["forget", "2"]]


async def test_who_comes_back_and_gets_no_answer_can_do_something_else(book: Book) -> None:
    async with book.page(PHONE, "light") as page:
        await book.show(page, "returning")
        assert await page.get_by_role("button").filter(has_text="Knock").count() == 0
        await book.show(page, "returning-host-unanswered")
        await page.get_by_role("button", name="Open the meeting again").click()
        await page.get_by_role("button", name="Knock as somebody new").click()
        assert await asked(page) == [["comeBack", "1", True], ["knock"]]
        await book.show(page, "returning-guest-unanswered")
        assert await page.get_by_role("button", name="Open the meeting again").count() == 0
        await book.show(page, "ended-left")
        await page.get_by_role("button", name="Knock again").click()
        assert await asked(page) == [["knock"]]
