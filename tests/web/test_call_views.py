"""A call's views on this device: a conversation of two, volumes, hints, full screen and quality.

In Chromium, on stories whose model the tests change.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.web.storybook import PHONE, SCREENS, Book, Screen, asked, see, settled
from tests.web.test_room_views import measured

pytestmark = pytest.mark.asyncio(loop_scope="session")


class TestTwo:
    """A conversation of two: the other fills the stage, and the own video floats."""

    FLOAT = (
        "(() => { const at = (e) => document.querySelector(e).getBoundingClientRect();"
        " const [a, b] = [at('.float'), at('.stage-place')];"
        " return `${a.y + a.height / 2 < b.y + b.height / 2 ? 'top' : 'bottom'}"
        "-${a.x + a.width / 2 < b.x + b.width / 2 ? 'left' : 'right'}`; })()"
    )

    @pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
    async def test_the_other_fills_the_stage(self, book: Book, screen: Screen) -> None:
        async with book.page(screen, "light") as page:
            await book.show(page, "room-people-2")
            stage, other, own = [
                await page.locator(name).bounding_box()
                for name in (".stage-place", "[data-tile='1 camera']", "[data-tile='0 camera']")
            ]
            assert stage is not None
            assert other is not None
            assert own is not None
            for side in ("x", "y", "width", "height"):
                assert abs(stage[side] - other[side]) <= 1
            assert own["width"] * own["height"] < stage["width"] * stage["height"] / 5
            told = await measured(page)
            dots = await page.evaluate("devicePixelRatio")
            assert told == {"each": round(other["height"] * dots), "large": None, "voice": None}
            for box in await page.eval_on_selector_all(
                ".float .tile-button, .float-move", "all => all.map(e => [e.offsetWidth, e.offsetHeight])"
            ):
                assert min(box) >= (44 if screen is PHONE else 32)

    async def test_the_own_video_is_moved_by_keys_by_presses_and_by_dragging(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-people-2")
        assert await page.evaluate(self.FLOAT) == "bottom-right"
        await page.focus(".float-move")
        for key, corner in (
            ("ArrowUp", "top-right"),
            ("ArrowLeft", "top-left"),
            ("ArrowDown", "bottom-left"),
            ("ArrowRight", "bottom-right"),
            ("Enter", "bottom-left"),
        ):
            await page.keyboard.press(key)
            await see(page, f"{self.FLOAT} === '{corner}'")
        await page.locator(".float").hover()
        await page.mouse.down()
        await page.mouse.move(1200, 200, steps=4)
        await page.mouse.up()
        await see(page, f"{self.FLOAT} === 'top-right'")

    async def test_in_no_corner_it_covers_the_others_name_or_menu(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-2")
        await page.focus(".float-move")
        apart = """(name) => {
          const at = (e) => document.querySelector(e).getBoundingClientRect();
          const [a, b] = [at(".float"), at(`[data-tile='1 camera'] ${name}`)];
          return a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
        }"""
        for _ in range(4):
            await page.keyboard.press("Enter")
            await settled(page)
            for name in (".tile-name", ".tile-button"):
                assert await page.evaluate(apart, name), await page.evaluate(self.FLOAT)

    async def test_a_screen_or_a_third_person_ends_it(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-2")
        assert await page.locator(".pair").count() == 1
        await page.evaluate(
            "model.tiles.value = [{...model.tiles.value[1], id: '1 screen', kind: 'screen'}, "
            "...model.tiles.value]"
        )
        await page.wait_for_selector("[data-tile='1 screen'][data-large=true]")
        assert await page.locator(".pair").count() == 0

    async def test_the_own_view_is_hidden_and_shown_again(self, book: Book, page: Page) -> None:
        for story, others in (("room-people-2", 1), ("room-people-5", 4)):
            await book.show(page, story)
            await page.click("[data-tile='0 camera'] .tile-button", force=True)
            await page.click(":popover-open >> text=Hide my own view")
            await page.wait_for_selector("[data-tile='0 camera']", state="detached")
            assert await page.locator(".tile").count() == others
            await page.click(".controls [aria-label=More]")
            await page.click(":popover-open >> text=Show my own view")
            await page.wait_for_selector("[data-tile='0 camera']")
            assert await asked(page) == [], "the camera goes on as before"

    async def test_a_video_of_quite_another_shape_is_shown_whole(self, book: Book, page: Page) -> None:
        fit = "getComputedStyle(document.querySelector(\"[data-tile='1 camera'] video\")).objectFit"
        await book.show(page, "room-two-upright")
        await see(page, f"{fit} === 'contain'")
        await book.show(page, "room-people-2")
        await see(page, f"{fit} === 'cover'")


class TestVolume:
    async def test_a_person_is_made_quieter_and_muted_on_this_device(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.click("[data-tile='1 camera'] .tile-button", force=True)
        await page.click(":popover-open >> text=Mute for me")
        await page.click("[data-tile='1 camera'] .tile-button", force=True)
        await page.click(":popover-open >> text=Volume...")
        slider = page.get_by_label("Volume of Bo").and_(page.get_by_role("slider"))
        assert await slider.get_attribute("aria-valuetext") == "100 %"
        await slider.press("ArrowLeft")
        await page.get_by_label("Mute for me").check()
        assert await asked(page) == [["muteForMe", 1, True], ["setVolume", 1, 0.95], ["muteForMe", 1, True]]
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")

    async def test_a_muted_person_is_marked_and_can_be_heard_again(self, book: Book, page: Page) -> None:
        await book.show(page, "room-muted-for-me")
        assert await page.locator("[data-tile='1 camera'] .mark >> text=Muted for you").count() == 1
        assert await page.locator("text=Muted for you").count() == 1, "nobody else is"
        await page.click("[data-tile='1 camera'] .tile-button", force=True)
        await page.click(":popover-open >> text=Hear again")
        assert await asked(page) == [["muteForMe", 1, False]]

    async def test_guests_have_the_menu_too(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-panel-guest")
        await page.get_by_role("button", name="Actions for Dana", exact=True).first.click()
        assert await page.locator(":popover-open >> text=Mute for me").count() == 1


class TestMuted:
    async def test_who_speaks_while_muted_reads_which_key_to_press(self, book: Book, page: Page) -> None:
        await book.show(page, "room-muted-hint")
        assert await page.inner_text(".muted-hint span") == "You're muted. Press M to be heard."
        await page.evaluate("model.mic.value = true")
        await page.wait_for_selector(".muted-hint .toast", state="detached")

    async def test_it_is_said_no_more_to_who_does_not_want_it(self, book: Book, page: Page) -> None:
        await book.show(page, "room-muted-hint")
        await page.click("text=Don't tell me")
        await page.wait_for_selector(".muted-hint .toast", state="detached")
        await page.keyboard.press(",")
        switch = page.get_by_role("switch", name="Tell me when I speak while muted")
        assert not await switch.is_checked()
        assert "sends nothing of it" in await page.inner_text(".panel")
        await switch.check()
        await page.wait_for_selector(".muted-hint .toast")


class TestPushToTalk:
    """The store stands still in a story, so each command is a change of `mic` that the test makes."""

    FOLLOW = (
        "window.asked.push = function (one) {"
        " if (one[0] === 'toggleMic') model.mic.value = !model.mic.value;"
        " return Array.prototype.push.call(this, one); }; 0"
    )

    async def begin(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.evaluate(self.FOLLOW)

    async def choose(self, page: Page) -> None:
        await page.evaluate("model.call.pushToTalk.value = true")
        await see(page, "!model.mic.value")

    async def test_the_microphone_is_on_while_space_is_held(self, book: Book, page: Page) -> None:
        await self.begin(book, page)
        await page.keyboard.press("Space")
        assert await asked(page) == [], "nobody has chosen it"
        await self.choose(page)
        await page.keyboard.down("Space")
        await page.keyboard.down("Space")  # the key repeats
        assert await page.evaluate("model.mic.value")
        await page.keyboard.up("Space")
        assert not await page.evaluate("model.mic.value")
        assert len(await asked(page)) == 3

    async def test_fields_and_buttons_keep_their_space(self, book: Book, page: Page) -> None:
        await self.begin(book, page)
        await self.choose(page)
        await page.evaluate("model.panel.value = 'chat'")
        await page.fill("textarea", "a")
        await page.press("textarea", "Space")
        assert await page.input_value("textarea") == "a "
        await page.focus("[data-testid=hand]")
        await page.keyboard.press("Space")
        assert [one[0] for one in await asked(page)] == ["toggleMic", "toggleHand"], "muted, and no more"

    async def test_a_window_without_the_focus_is_silent(self, book: Book, page: Page) -> None:
        await self.begin(book, page)
        await self.choose(page)
        await page.keyboard.down("Space")
        assert await page.evaluate("model.mic.value")
        await page.evaluate("window.dispatchEvent(new Event('blur'))")
        assert not await page.evaluate("model.mic.value")
        await page.keyboard.up("Space")
        assert not await page.evaluate("model.mic.value")

    async def test_it_is_off_until_chosen_and_stands_among_the_keys(self, book: Book, page: Page) -> None:
        await book.show(page, "room-settings")
        switch = page.get_by_role("switch", name="Push to talk")
        assert not await switch.is_checked()
        await switch.check()
        await page.focus(".control")
        await page.keyboard.press("?")
        assert "Push to talk" in await page.inner_text("dialog:modal")


class TestFlip:
    async def test_one_tap_changes_the_camera_and_what_it_sees_is_not_mirrored(self, book: Book) -> None:
        async with book.page(PHONE, "light") as page:
            await book.show(page, "room-two-flip")
            assert not await page.locator("[data-tile='0 camera'] video.mirrored").count()
            flip = page.get_by_role("button", name="Switch to the other camera")
            box = await flip.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44
            await flip.tap()
            assert await asked(page) == [["flipCamera"]]
            await page.evaluate("model.devices.value = {...model.devices.value, facing: 'user'}")
            await page.wait_for_selector("[data-tile='0 camera'] video.mirrored")

    async def test_before_the_room_it_is_there_as_well(self, book: Book) -> None:
        async with book.page(PHONE, "light") as page:
            await book.show(page, "prejoin-flip")
            await page.get_by_role("button", name="Switch to the other camera").tap()
            assert await asked(page) == [["flipCamera"]]

    async def test_on_a_desk_there_is_none(self, book: Book) -> None:
        async with book.page(PHONE, "light") as page:
            for story in ("room-people-2", "prejoin-guest"):
                await book.show(page, story)
                assert not await page.get_by_role("button", name="Switch to the other camera").count()


async def test_the_room_fills_the_screen_by_key_and_by_menu(book: Book, page: Page) -> None:
    await book.show(page, "room-people-3")
    await page.keyboard.press("f")
    await see(page, "document.fullscreenElement !== null")
    await page.click(".controls [aria-label=More]")
    await page.click(":popover-open >> text=Leave full screen")
    await see(page, "document.fullscreenElement === null")
    await page.click(".controls [aria-label=More]")
    await page.click(":popover-open >> text=Full screen")
    await see(page, "document.fullscreenElement !== null")
    # who leaves the room leaves full screen with it
    await page.evaluate("window.turn('ended-left', 'en')")
    await see(page, "document.fullscreenElement === null")


async def test_the_speaker_is_tested_before_the_room_and_in_it(book: Book, page: Page) -> None:
    for story in ("prejoin-guest", "room-settings"):
        await book.show(page, story)
        await page.get_by_role("button", name="Play a test sound").click()
        assert await asked(page) == [["testSpeaker"]]


class TestRefused:
    """A device that the browser does not give: the press says why, and what helps."""

    SAYS = "text=The browser was told not to give this page the"

    async def test_a_press_says_the_reason_until_the_device_works(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.evaluate(
            "model.devices.value = "
            "{...model.devices.value, microphoneTrouble: 'refused', cameraTrouble: 'in_use'}"
        )
        await settled(page)
        assert await page.locator(self.SAYS).count() == 0, "nobody has asked"
        await page.keyboard.press("m")
        assert "Allow it in the address bar" in await page.inner_text(".banner")
        assert await page.locator(".banner").count() == 1, "of the pressed one alone"
        await page.click(".banner >> text=Try again")
        assert await asked(page) == [["toggleMic"], ["toggleMic"]], "the camera is not asked for with it"
        await page.evaluate("model.devices.value = {...model.devices.value, microphoneTrouble: null}")
        await page.wait_for_selector(".banner", state="detached")

    async def test_it_can_be_closed_and_comes_with_the_next_press(self, book: Book, page: Page) -> None:
        await book.show(page, "room-refused")
        await page.click(".banner >> text=Close")
        await page.wait_for_selector(".banner", state="detached")
        await page.click("[data-testid=mic]")
        await page.wait_for_selector(f".banner >> {self.SAYS}")

    async def test_before_the_room_a_press_asks_again(self, book: Book, page: Page) -> None:
        await book.show(page, "prejoin-refused")
        await page.get_by_role("button", name="Turn the camera on").click()
        assert await asked(page) == [["toggleCamera"]]
        assert await page.locator(".notice").count() == 1


class TestQuality:
    async def test_each_tile_has_its_numbers_and_its_reason(self, book: Book, page: Page) -> None:
        await book.show(page, "room-quality")
        await page.wait_for_selector(".qualities")
        rows = [" ".join(text.split()) for text in await page.locator(".qualities > li").all_inner_texts()]
        assert rows[1] == (
            "Bo Rate 452 kbit/s Lost 7.1 % Video 320 \u00d7 180, 24 a second Size 1 of 3 "
            "Less comes than was asked for: your connection, or that of Bo, carries no more now."
        )
        assert rows[0].endswith("Your computer is too busy to send it sharper.")
        assert rows[2].endswith("As sharp as the tile is large.")
        assert rows[3] == "Dana Rate 50 kbit/s Lost 0 %"
        assert rows[4] == "Eve Nothing comes now."

    async def test_data_is_saved_from_there_and_from_the_settings(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.click(".controls [aria-label=More]")
        await page.click(":popover-open >> text=Quality")
        await page.get_by_role("switch", name="Data saver").check()
        assert await page.evaluate("model.call.dataSaver.value")
        await page.keyboard.press("Escape")
        await page.keyboard.press(",")
        assert await page.get_by_role("switch", name="Data saver").is_checked()

    async def test_many_videos_are_a_choice_of_the_settings(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.keyboard.press(",")
        many = page.get_by_role("switch", name="Up to 25 videos at once")
        assert not await many.is_checked()
        await many.check()
        assert await page.evaluate("model.call.manyVideos.value")
