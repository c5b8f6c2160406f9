"""Acts of people about trust: a shared comparison, identities on this device, and reports.

In Chromium, on stories whose model the tests change.
"""

from __future__ import annotations

import pytest
from playwright.async_api import FilePayload, Page

from tests.web.storybook import Book, asked, see_focus, settled

pytestmark = pytest.mark.asyncio(loop_scope="session")

SENTENCE = "Bo is comparing codes: read these to each other."
#: Bo has asked for a code, and everybody has it.
COMPARES = """(by = 1, epoch = 7) => {
  const signs = { emoji: ["1", "2", "3", "4"], words: [], indices: [1, 2, 3, 4] };
  const four = { type: "ShortCode", epoch, ...signs, members: [], by };
  const members = model.people.value.map(({ leaf, name }) => ({ leaf, name, same: null, both: false }));
  const answers = { type: "CodeAnswers", epoch, by, members, text: { key: "verbatim", args: { text: "" } } };
  model.code.value = { ...model.code.value, epoch, short: four, answers };
}"""


async def compares(page: Page, *, by: int = 1) -> None:
    await page.evaluate(f"({COMPARES})({by})")
    await settled(page)


class TestComparison:
    async def test_the_code_opens_by_itself_names_who_asked_and_leaves_the_focus(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-people-5")
        await page.focus(".control")
        await compares(page)
        await page.wait_for_selector(".panel .signs")
        assert await page.inner_text(".panel .compare > .label") == SENTENCE
        assert SENTENCE in await page.inner_text(".room > p[role=status]")
        assert await page.evaluate("document.activeElement.matches('.control')")
        await page.keyboard.press("Escape")
        await page.wait_for_selector(".panel", state="detached")
        assert await page.evaluate("document.activeElement.matches('.control')")

    async def test_a_person_who_types_goes_on_typing_and_has_a_line(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat")
        await page.focus(".panel textarea")
        await page.keyboard.type("one")
        await compares(page)
        await page.keyboard.type(" two")
        assert await page.input_value(".panel textarea") == "one two"
        line = page.locator("[data-compares]")
        assert SENTENCE in await line.inner_text()
        assert SENTENCE in await page.inner_text(".room > p[role=status]")
        await line.get_by_role("button", name="Show the code").click()
        await page.wait_for_selector(".panel .signs")
        await see_focus(page, "The room's code")
        assert await line.count() == 0

    async def test_one_member_opens_it_once_a_minute(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-5")
        await compares(page)
        await page.wait_for_selector(".panel .signs")
        await page.keyboard.press("Escape")
        await compares(page)
        assert await page.locator(".panel").count() == 0
        assert await page.locator("[data-compares]").count() == 1
        await compares(page, by=2)
        await page.wait_for_selector(".panel .signs")
        await page.keyboard.press("Escape")
        await page.evaluate("model.now.value += 61")
        await compares(page)
        await page.wait_for_selector(".panel .signs")

    async def test_nothing_opens_for_ones_own_code_or_after_ones_own_answer(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-people-5")
        await compares(page, by=0)
        assert await page.locator(".panel, [data-compares]").count() == 0
        await book.show(page, "room-compares")  # it opened by itself, and was closed
        assert SENTENCE in await page.inner_text("[data-compares]")
        await page.evaluate(
            """(() => {
              const { answers } = model.code.value;
              const members = answers.members.map((one) => ({ ...one, same: one.leaf === 0 ? true : null }));
              model.code.value = { ...model.code.value, answers: { ...answers, members } };
            })()"""
        )
        await settled(page)
        assert await page.locator("[data-compares]").count() == 0

    async def test_everybodys_answer_stands_below_the_code(self, book: Book, page: Page) -> None:
        await book.show(page, "room-code-answers")
        assert await page.inner_text(".panel-part [role=status]") == "2 of 4 say that the code is the same."
        rows = await page.locator(".answers li").all_inner_texts()
        assert [" ".join(row.split()) for row in rows] == [
            "Ada the same", "Bo the same", "Cem a different one", "Dana no answer yet",
        ]  # fmt: skip
        assert await asked(page) == []

    async def test_the_roster_ticks_those_with_whom_one_has_compared(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-panel")
        ticked = page.locator(".person", has_text="Compared with you")
        assert await ticked.locator(".person-name").all_inner_texts() == ["Bo"]


class TestIdentity:
    async def test_one_is_created_or_taken_from_a_file_with_its_passphrase(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-identity-none")
        part = page.locator("[aria-labelledby=id-title]")
        assert "that passphrase does not open the file" in (await part.inner_text()).lower()
        await part.get_by_role("button", name="Create an identity").click()
        opens = part.get_by_role("button", name="Open the file")
        assert await opens.is_disabled(), "there is no file yet"
        chosen: FilePayload = {"name": "book", "mimeType": "", "buffer": b"sealed"}
        await part.get_by_label("Contact book").set_input_files(chosen)
        await part.get_by_label("Passphrase").fill("horse")
        await part.get_by_label("Passphrase").press("Enter")
        assert [(one[0], one[2:]) for one in await asked(page)] == [
            ("identity.create", []),
            ("identity.load", ["horse"]),
        ]
        assert await part.get_by_label("Passphrase").input_value() == "", "it is not left in the page"

    async def test_contacts_are_verified_and_removed_and_all_of_it_is_saved_or_deleted(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-identity-own")
        part = page.locator("[aria-labelledby=id-title]")
        assert "19384 05561 72839" in " ".join((await part.inner_text()).split())
        bo, dana = await part.locator(".contacts li").all()
        assert await bo.get_by_role("button", name="Mark as verified").count() == 0
        await dana.get_by_role("button", name="Mark as verified").click()
        await bo.get_by_role("button", name="Remove Bo").click()
        await part.get_by_label("Passphrase").fill("horse")
        await part.get_by_role("button", name="Save the file").click()
        await part.get_by_role("button", name="Delete for good").click()
        assert await asked(page) == [
            ["identity.verify", "0028374650193840556172839406617283940561"],
            ["identity.forget", "4820193375610284960713582946017358204913"],
            ["identity.save", "horse"],
            ["identity.remove"],
        ]

    async def test_only_a_person_with_an_identity_is_offered_to_show_or_keep_one(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-identity-menu")
        items = page.locator("[role=menu]:popover-open [role=menuitem]")
        assert (await items.all_inner_texts())[:3] == [
            "Show my identity", "Keep this identity", "Mark as verified",
        ]  # fmt: skip
        await items.first.click()
        assert await asked(page) == [["vouch", 1]]
        await book.show(page, "room-person-menu")
        assert "Show my identity" not in await items.all_inner_texts()

    async def test_a_knock_shows_it_only_if_the_person_says_so(self, book: Book, page: Page) -> None:
        await book.show(page, "prejoin-identity")
        box = page.get_by_label("Show my identity to the hosts")
        assert not await box.is_checked()
        await box.check()
        assert await page.evaluate("window.model.identity.show.value") is True
        await book.show(page, "prejoin-guest")
        assert await box.count() == 0

    async def test_it_is_there_before_a_meeting_too(self, book: Book, page: Page) -> None:
        await book.show(page, "start")
        await page.get_by_role("button", name="Identity and contacts").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_selector("dialog[open]")
        assert "Create an identity" in await page.inner_text("dialog[open]")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")
        await see_focus(page, "Identity and contacts")


class TestReports:
    async def test_messages_of_others_are_chosen_and_reported(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat-report")
        save = page.get_by_role("button", name="Save the report")
        assert await save.is_disabled()
        picks = page.get_by_label("In the report")
        assert await picks.count() == 4, "texts and images of others; no files, and nothing of one's own"
        await picks.nth(0).check()
        await picks.nth(1).check()
        await picks.nth(0).uncheck()
        await picks.nth(3).check()
        assert await save.inner_text() == "Save the report (2)"
        await save.click()
        assert await asked(page) == [["report", ["3", "5"]]]
        assert await picks.count() == 0

    async def test_they_are_offered_where_the_meeting_keeps_signatures(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat")
        button = page.get_by_role("button", name="Report messages")
        assert await button.count() == 0
        await page.evaluate("model.reportable.value = true")
        await button.click()
        await page.get_by_role("button", name="Cancel").click()
        assert await page.get_by_label("In the report").count() == 0
        await book.show(page, "room-person-menu")
        await page.evaluate("model.reportable.value = true")
        await settled(page)
        await page.get_by_role("menuitem", name="Report messages").click()
        await page.wait_for_selector(".panel[data-panel=chat]")
        assert await page.get_by_role("button", name="Save the report").count() == 1

    async def test_a_host_decides_it_when_opening_the_room(self, book: Book, page: Page) -> None:
        await book.show(page, "prejoin-host")
        box = page.get_by_label("Members can report messages")
        assert not await box.is_checked()
        await box.check()
        assert await page.evaluate("window.model.reports.value") is True
        await page.get_by_label("16 microphones at a time").check()
        assert await page.evaluate("window.model.sixteen.value") is True
