"""Views of a host: the queue, removals, invites, a new host, and what draws attention.

In Chromium, on stories whose model the tests change.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.web.storybook import Book, asked, see, see_focus, settled
from tests.web.test_room_views import KNOCK

pytestmark = pytest.mark.asyncio(loop_scope="session")


class TestQueue:
    async def test_any_of_those_who_wait_is_answered_alone(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission-many")
        waiting = page.locator(".admission .queue .item")
        assert await waiting.locator("bdi").all_inner_texts() == ["Dana", "Eve"]
        await waiting.nth(1).focus()
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".admission h2 >> text=Eve")
        await see(page, "document.activeElement.id === 'admission'")
        assert await waiting.locator("bdi").all_inner_texts() == ["\u0412o", "Dana"]
        assert "Bo is in the room" in await waiting.first.inner_text(), "the doubt is said in the list too"
        assert await asked(page) == [], "to look at somebody is no answer"
        await page.click("[data-testid=admit]")
        assert await asked(page) == [["admit", 5]]

    async def test_all_who_are_named_are_let_in_and_nobody_who_came_later(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-admission-many")
        await page.click("text=Let all 2 in...")
        named = page.locator("dialog:modal .queue > li")
        assert await named.locator("> bdi").all_inner_texts() == ["Dana", "Eve"], "a member's name is taken"
        await page.keyboard.press("Enter")  # the harmless button has the focus
        await page.wait_for_selector("dialog", state="detached")
        assert await asked(page) == []
        await page.click("text=Let all 2 in...")
        # another host answers the first; the second's number is somebody else's; one more comes
        await page.evaluate(
            f"""() => {{
              const [, , eve] = model.knocks.value;
              model.knocks.value = [{KNOCK % 4}, eve, {KNOCK % 6}];
            }}"""
        )
        await page.wait_for_selector(".admission >> text=2 more wait")
        await page.click("[data-yes]")
        assert await asked(page) == [["admit", 5]]

    async def test_the_first_card_alone_offers_to_notify(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission-many")
        await page.click("text=Notify me while I am elsewhere")
        assert await asked(page) == [["turn", "notify", True]]
        await page.evaluate("model.knocks.value = model.knocks.value.slice(1)")
        await page.wait_for_selector(".admission h2 >> text=Dana")
        assert await page.locator("text=Notify me while I am elsewhere").count() == 0
        await book.show(page, "room-admission-many")
        await page.evaluate("model.attention.permission.value = 'denied'")
        await page.wait_for_selector("text=Notify me while I am elsewhere", state="detached")


ROWS = ".waiting-list .queue > li"


class TestHundred:
    async def test_some_are_found_chosen_and_let_in(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission-hundred")
        assert await page.locator(ROWS).count() == 100, "the person on the card is in the list too"
        await page.fill("input[type=search]", "guest 4")
        await page.wait_for_selector(".waiting-list [role=status] >> text=11 of 100 shown")
        assert await page.locator(ROWS).count() == 11
        await page.get_by_label("Choose all 11").check()
        await page.get_by_label("Choose Guest 42").uncheck()
        await page.fill("input[type=search]", "")
        await page.click("text=Let 10 in...")
        named = page.locator("dialog:modal .queue > li > bdi")
        chosen = [f"Guest {n}" for n in (4, 40, 41, 43, 44, 45, 46, 47, 48, 49)]
        assert await named.all_inner_texts() == chosen
        await page.click("[data-yes]")
        assert await asked(page) == [["admit", 9 + int(name.split()[1])] for name in chosen]

    async def test_how_many_are_in_is_said(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission-hundred")
        await page.click("text=Let all 99 in...")
        await page.click("[data-yes]")
        assert len(await asked(page)) == 99
        await page.evaluate("model.knocks.value = []")
        progress = page.locator(".admission [role=status]")
        await progress.get_by_text("0 of 99 are in").wait_for()
        come = """(n) => {
          const [one] = model.people.value;
          const guests = Array.from({ length: n }, (_, at) => (
            { ...one, self: false, leaf: 50 + at, name: `Guest ${at + 1}` }));
          model.people.value = [...model.people.value.filter(({ leaf }) => leaf < 50), ...guests];
        }"""
        await page.evaluate(come, 37)
        await progress.get_by_text("37 of 99 are in").wait_for()
        await page.evaluate(come, 36)
        await page.evaluate(come, 100)
        await progress.get_by_text("99 of 99 are in").wait_for()
        await page.wait_for_selector(".admission", state="detached")

    async def test_all_are_refused_after_a_question(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission-hundred")
        await page.click("text=Turn all 100 away...")
        assert "Their link stays valid" in await page.inner_text("dialog:modal")
        await see(page, "document.activeElement.closest('dialog') !== null")
        await page.keyboard.press("Enter")  # the list has the focus, so that keys scroll through the names
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")
        assert await asked(page) == []
        await page.click("text=Turn all 100 away...")
        await page.click("[data-yes]")
        assert await asked(page) == [["refuse", n] for n in range(10, 110)]
        assert await page.locator(".admission progress").count() == 0

    async def test_the_list_is_used_by_keyboard_alone(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission-hundred")
        await page.get_by_label("Find somebody who waits").focus()
        await page.keyboard.type("Guest 100")
        await page.keyboard.press("Tab")
        await see_focus(page, "Turn all 100 away...")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await see(page, "document.activeElement.matches('.choice input')")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.get_by_text("Let 1 in...").wait_for()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".admission h2 >> text=Guest 100")
        assert await asked(page) == []

    async def test_what_was_chosen_outlives_an_answer_about_another(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission-hundred")
        await page.get_by_label("Choose Guest 5", exact=True).check()
        await page.evaluate("model.knocks.value = model.knocks.value.slice(1)")
        await page.wait_for_selector(".admission h2 >> text=Guest 2")
        await page.wait_for_selector("text=Turn 1 away...")


class TestRemoval:
    async def test_removing_says_what_becomes_of_the_link_and_offers_the_new_one(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-remove")
        dialog = page.locator("dialog:modal")
        assert "everybody else's link too" in await dialog.inner_text()
        await page.click("[data-yes]")
        await dialog.get_by_text("Cem is being removed...").wait_for()
        await see_focus(page, "Close")
        assert await dialog.locator(".link-address").count() == 0
        await page.evaluate("model.people.value = model.people.value.filter(({ leaf }) => leaf !== 2)")
        await dialog.get_by_text("Cem is out").wait_for()
        assert "Make a new invite" in await dialog.inner_text(), "until there is one"
        new = "https://meet.example/#2/new"
        await page.evaluate(
            f"""() => {{
              const invite = {{ link: "{new}", index: 9, label: "", once: false }};
              model.invites.value = [...model.invites.value.slice(1), invite];
            }}"""
        )
        await dialog.get_by_text(new).wait_for()
        await page.click("text=Copy link")
        assert await asked(page) == [["remove", 2], ["copy", new]]

    async def test_removing_one_with_an_invite_of_their_own_spares_the_others(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-people-3")
        await page.hover("[data-tile='1 camera']")
        await page.click("[data-tile='1 camera'] .tile-button")
        await page.click(":popover-open >> text=Remove from the room")
        assert "All other links go on working" in await page.inner_text("dialog:modal")
        # the answer of the session may change that: another list has come
        await page.evaluate("model.inviteRows.value = []")
        await page.wait_for_selector("dialog:modal >> text=The invite that brought Bo in")
        await page.click("[data-yes]")
        await page.wait_for_selector("dialog", state="detached")


class TestInvites:
    async def test_a_link_goes_into_a_calendars_file(self, book: Book, page: Page) -> None:
        await book.show(page, "room-invites")
        await page.click("summary[aria-label='For a calendar: Shared link']")
        form = page.locator(".calendar[open] form")
        await form.get_by_text("Save the calendar file").click()
        assert await asked(page) == [], "no beginning is chosen"
        await form.get_by_label("Beginning").fill("2026-12-01T17:30")
        await form.get_by_label("Minutes").fill("45")
        await form.get_by_text("Save the calendar file").click()
        [[what, text]] = await asked(page)
        assert what == "saveCalendar"
        assert "DTSTART:20261201T173000Z\r\nDTEND:20261201T181500Z\r\nSUMMARY:Thursday seminar\r\n" in text
        assert "URL:https://meet.example/#2/8Qx0hQ2Yc0Jb" in text


class TestNewHost:
    async def test_a_new_host_is_told_what_has_changed(self, book: Book, page: Page) -> None:
        await book.show(page, "room-now-host")
        assert "You are a host now." in await page.inner_text(".now-host")
        assert await page.locator("[role=status].now-host .banner").count() == 1
        await page.click("text=People and invites")
        await page.wait_for_selector(".panel[data-panel=people]")
        assert await page.locator(".now-host .banner").count() == 0
        host = "model.people.value = model.people.value.map((one) => ({ ...one, host: one.self && %s }))"
        await page.evaluate(host % "false")
        await settled(page)
        await page.evaluate(host % "true")
        await page.wait_for_selector(".now-host .banner")
        await page.evaluate(host % "false")
        await page.wait_for_selector(".now-host .banner", state="detached")

    async def test_a_host_from_the_beginning_is_told_nothing(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        people = await page.evaluate("window.model.people.value")
        await page.evaluate("model.people.value = []")
        await settled(page)
        await page.evaluate("(people) => { model.people.value = people; }", people)
        await settled(page)
        assert await page.locator(".now-host .banner").count() == 0


class TestNotices:
    async def test_each_is_turned_on_and_off(self, book: Book, page: Page) -> None:
        await book.show(page, "room-settings")
        for words, turned in (
            ("A sound when somebody knocks", ["turn", "knock", False]),
            ("A quiet sound when somebody comes in", ["turn", "came", True]),
            ("Notify me of knocks", ["turn", "notify", True]),
        ):
            await page.get_by_label(words).click()
            assert (await asked(page))[-1] == turned
        # the browser has not answered yet: the switch is as it was
        assert not await page.get_by_label("Notify me of knocks").is_checked()
        await page.evaluate("model.attention.permission.value = 'denied'")
        await page.wait_for_selector("text=The browser does not let this page notify you")
        await page.evaluate("model.attention.permission.value = null")
        await page.get_by_label("Notify me of knocks").wait_for(state="detached")
