"""The room's views react to presses, text and time: in Chromium, on stories whose model the tests change."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import FilePayload, Page

from snugroom.client.session.catalogue.content import TEXT_MAX
from snugroom.client.session.catalogue.sentence import LANGUAGES
from tests.web.storybook import PHONE, WIDE, Book, asked, see, see_focus, settled

pytestmark = pytest.mark.asyncio(loop_scope="session")


KNOCK = """{
  type: "Knocked", knock: %d, name: "Dana", greeting: "", invite: 2,
  looksLike: null, silent: false, proof: null, label: "Dana",
  standing: "none", contact: null, fingerprint: null, warnings: [], at: 1790000000
}"""


async def measured(page: Page) -> dict[str, Any]:
    """The sizes of videos that the stage has last told."""
    await settled(page)
    told = await page.evaluate(
        "JSON.parse(JSON.stringify(window.asked.filter((one) => one[0] === 'measured')))"
    )
    return dict(told[-1][1])


class TestPages:
    async def test_keys_turn_pages_and_nobody_else_is_shown(self, book: Book, page: Page) -> None:
        await book.show(page, "room-pages")
        assert await page.locator(".tile").count() == 10, "nine others, and oneself"
        assert await page.inner_text(".pages span") == "Page 1 of 2"
        await page.focus(".pages button:last-child")
        await see_focus(page, "People after these")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Shift+Tab")
        await see_focus(page, "People before these")
        await page.keyboard.press("Space")
        assert await asked(page) == [["turnPage", 1], ["turnPage", -1]]
        await page.evaluate("model.page.value = 1; model.shown.value = new Set([10, 11, 12])")
        await page.wait_for_selector(".pages >> text=Page 2 of 2")
        names = await page.locator(".tile-name bdi").all_inner_texts()
        assert names == ["Ada (you)", "Kofi", "Lea", "Mira"]

    async def test_where_all_are_shown_there_are_none(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-9")
        assert await page.locator(".pages").count() == 0

    async def test_a_speaker_off_the_page_is_not_put_on_it(self, book: Book, page: Page) -> None:
        await book.show(page, "room-pages-speaker")
        await page.evaluate("model.speaker.value = 5")
        await page.evaluate("model.speaker.value = 11")
        await page.wait_for_selector("[data-tile='11 camera'][data-large=true]")
        await page.evaluate("model.speaker.value = 5")
        tiles = await page.eval_on_selector_all(".tile", "all => all.map((e) => e.dataset.tile)")
        assert sorted(tiles) == ["0 camera", "10 camera", "11 camera", "12 camera"]

    async def test_the_stage_tells_how_large_videos_are_and_not_who_speaks(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-people-5")
        each = await measured(page)
        assert each["each"] > 150
        assert (each["large"], each["voice"]) == (None, None)
        await page.evaluate("model.layout.value = 'speaker'")
        await page.wait_for_selector(".large")
        spoken = await measured(page)
        assert spoken["large"] is None
        assert spoken["voice"] > 300 > spoken["each"]
        told = await page.evaluate("window.asked.length")
        for leaf in (1, 3, 2):
            await page.evaluate(f"model.speaker.value = {leaf}")
            await page.wait_for_selector(f"[data-tile='{leaf} camera'][data-large=true]")
        assert await page.evaluate("window.asked.length") == told, "a voice moves tiles, and nothing is told"
        await page.evaluate("model.pinned.value = '4 camera'")
        await page.wait_for_selector("[data-tile='4 camera'][data-large=true]")
        pinned = await measured(page)
        assert pinned["large"]["id"] == "4 camera"
        assert pinned["large"]["height"] == spoken["voice"]
        assert pinned["voice"] is None
        await page.set_viewport_size({"width": 640, "height": 480})
        for _ in range(50):
            if (await measured(page))["large"]["height"] < pinned["large"]["height"]:
                break
            await page.wait_for_timeout(100)
        else:
            pytest.fail("a smaller window shows nothing smaller")
        await page.set_viewport_size({"width": WIDE.width, "height": WIDE.height})


class TestAdmission:
    async def test_enter_does_not_admit_and_space_does(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission")
        await page.focus("[data-testid=admit]")
        await page.keyboard.press("Enter")
        assert await asked(page) == []
        await page.keyboard.press("Space")
        assert await asked(page) == [["admit", 3]]

    async def test_a_card_that_comes_takes_no_focus_from_who_writes(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat")
        await page.keyboard.type("Dear ")
        await page.evaluate(f"window.model.knocks.value = [{KNOCK % 7}]")
        await page.wait_for_selector(".admission")
        await page.keyboard.type("all, yes a\n")
        assert await asked(page) == [["say", "Dear all, yes a"]]

    async def test_only_the_first_half_of_a_double_click_counts(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission")
        # alike, so that the next one's button stands where the last one's was
        await page.evaluate(f"window.model.knocks.value = [{KNOCK % 3}, {KNOCK % 4}, {KNOCK % 5}]")
        await page.wait_for_selector("text=2 more wait")
        await page.evaluate(
            "document.addEventListener('click', () => { model.knocks.value = model.knocks.value.slice(1) })"
        )
        await page.dblclick("[data-testid=admit]")
        assert await asked(page) == [["admit", 3]]

    async def test_a_key_leads_to_it_and_the_next_card_keeps_the_focus(self, book: Book, page: Page) -> None:
        await book.show(page, "room-admission-many")
        assert await page.inner_text(".admission .badge") == "2 more wait"
        await page.keyboard.press("a")
        await see(page, "document.activeElement.id === 'admission'")
        await page.keyboard.press("Tab")
        await see_focus(page, "Turn away")
        await page.evaluate(
            "document.addEventListener('click', () => { model.knocks.value = model.knocks.value.slice(1) })"
        )
        await page.keyboard.press("Space")
        await page.wait_for_selector(".admission >> text=1 more waits")
        assert await asked(page) == [["refuse", 3]]
        await see(page, "document.activeElement.id === 'admission'")

    async def test_both_answers_are_as_large(self, book: Book, page: Page) -> None:
        for story in ("room-admission", "room-admission-many"):
            await book.show(page, story)
            sizes = await page.eval_on_selector_all(
                ".admission .two .button",
                "all => all.map(e => [e.offsetWidth, e.offsetHeight, getComputedStyle(e).backgroundColor])",
            )
            assert sizes[0] == sizes[1]

    async def test_guests_see_none(self, book: Book, page: Page) -> None:
        await book.show(page, "room-guest")
        await page.evaluate(f"window.model.knocks.value = [{KNOCK % 7}]")
        assert await page.locator(".admission").count() == 0

    async def test_it_is_said_politely(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.evaluate(f"window.model.knocks.value = [{KNOCK % 7}]")
        words = "Dana waits to be let in, with the invite for \u201cDana\u201d."
        said = page.locator("[role=status].unseen", has_text=words)
        await said.wait_for(state="attached")  # it is said in the frame after
        assert await said.inner_text() == words


class TestKeys:
    async def test_they_do_what_they_say(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        for key in "mvsh":
            await page.keyboard.press(key)
        assert [one[0] for one in await asked(page)] == [
            "toggleMic",
            "toggleCamera",
            "toggleShare",
            "toggleHand",
        ]
        for key, panel in (
            ("c", "'chat'"),
            ("Escape", "undefined"),
            ("p", "'people'"),
            ("k", "'code'"),
            (",", "'settings'"),
        ):
            await page.keyboard.press(key)
            await see(page, f"document.querySelector('.panel')?.dataset.panel === {panel}")

    async def test_not_while_one_writes_chooses_or_answers(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat")
        await page.focus("textarea")
        await page.keyboard.type("mvshcpk")
        await book.show(page, "room-settings")
        await page.focus("select")
        await page.keyboard.press("m")
        await book.show(page, "room-override")
        await page.keyboard.press("m")
        await book.show(page, "room-people-3")
        await page.keyboard.press("Control+m")
        assert await asked(page) == []

    async def test_they_can_be_turned_off(self, book: Book, page: Page) -> None:
        await book.show(page, "room-settings")
        await page.get_by_label("Keyboard shortcuts").uncheck()
        await page.focus(".control")
        await page.keyboard.press("m")
        assert await asked(page) == []
        await page.get_by_label("Keyboard shortcuts").check()
        await page.focus(".control")
        await page.keyboard.press("m")
        assert await asked(page) == [["toggleMic"]]

    async def test_escape_closes_what_is_open_and_the_focus_goes_back(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.focus("[data-testid=people]")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".panel")
        await see_focus(page, "People")
        # a menu in the panel first, then the panel
        await page.locator(".person .button.round").first.focus()
        await page.keyboard.press("Enter")
        # the menu takes the focus in the frame after
        await page.locator(":popover-open :focus").wait_for()
        await see_focus(page, "Make co-host")
        await page.keyboard.press("ArrowDown")
        await see_focus(page, "Hand the room over...")
        await page.keyboard.press("Escape")
        assert await page.locator(":popover-open").count() == 0
        await see_focus(page, "Actions for Bo")
        assert await page.locator(".panel").count() == 1
        await page.keyboard.press("Escape")
        await page.wait_for_selector(".panel", state="detached")
        await see(page, "document.activeElement.dataset.testid === 'people'")

    async def test_the_list_of_keys_opens_and_closes(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.keyboard.press("?")
        assert "Raise or lower your hand" in await page.inner_text("dialog:modal")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")


class TestQuestions:
    async def test_removing_is_asked_first_and_enter_cancels(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        await page.hover("[data-tile='1 camera']")
        await page.click("[data-tile='1 camera'] .tile-button")
        await page.click(":popover-open >> text=Remove from the room")
        assert "Bo sees and hears nothing from then on" in await page.inner_text("dialog:modal")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("dialog", state="detached")
        assert await asked(page) == []
        await page.click("[data-tile='1 camera'] .tile-button")
        await page.click(":popover-open >> text=Remove from the room")
        await page.click("[data-yes]")
        assert await asked(page) == [["remove", 1]]

    async def test_one_line_says_why_nothing_is_sent_and_has_the_button(self, book: Book, page: Page) -> None:
        await book.show(page, "room-withheld")
        lines = page.locator(".incident, .banner:visible")
        assert await lines.count() == 1
        assert "change 5, which has not arrived here" in await lines.inner_text()
        await lines.locator(".button.small").click()
        await page.click("[data-yes]")
        assert await asked(page) == [["override"]]

    async def test_ending_and_going_on_unconfirmed_are_asked_first(self, book: Book, page: Page) -> None:
        await book.show(page, "room-silent")
        await page.click(".incident[data-kind=stale] .button.small")
        assert await asked(page) == []
        await page.click("[data-yes]")
        await page.click(".control.leave")
        await page.click(":popover-open >> text=End for everybody")
        await page.wait_for_selector("dialog:modal")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")
        await page.click(".control.leave")
        await page.click(":popover-open >> text=End for everybody")
        await page.click("[data-yes]")
        assert await asked(page) == [["override"], ["endMeeting"]]


class TestChat:
    async def test_enter_sends_and_shift_enter_begins_a_line(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat-empty")
        await page.focus("textarea")
        await page.keyboard.type("one")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("two")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")  # nothing is written: nothing is sent
        assert await asked(page) == [["say", "one\ntwo"]]
        assert await page.input_value("textarea") == ""

    async def test_a_too_long_text_or_too_large_file_is_refused_with_a_message(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-chat-empty")
        await page.fill("textarea", "\U0001f436" * TEXT_MAX)
        await page.press("textarea", "Enter")
        assert [one[0] for one in await asked(page)] == ["say"], "characters are counted by code points"
        await page.fill("textarea", "x" * (TEXT_MAX + 2))
        await page.press("textarea", "Enter")
        assert len(await asked(page)) == 1
        assert "too long by 2 characters" in await page.inner_text(".composer [role=alert]")
        await page.fill("textarea", "")
        large: FilePayload = {
            "name": "film.webm",
            "mimeType": "video/webm",
            "buffer": b"\0" * (8 * 2**20 + 1),
        }
        small: FilePayload = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"note"}
        await page.set_input_files("input[type=file]", files=[large, small])
        assert "film.webm is larger than 8 MiB" in await page.inner_text(".composer [role=alert]")
        assert [one[0] for one in await asked(page)] == ["say", "sendFiles"]
        assert await page.evaluate("window.asked.at(-1)[1].map(file => file.name)") == ["note.txt"]

    async def test_pasted_and_dropped_files_are_sent(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat-empty")
        await page.evaluate(
            """() => {
              const data = new DataTransfer();
              data.items.add(new File(["x"], "pasted.png", { type: "image/png" }));
              const box = document.querySelector("textarea");
              const way = { bubbles: true, cancelable: true };
              box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, ...way }));
              const drop = new DataTransfer();
              drop.items.add(new File(["y"], "dropped.txt"));
              const over = (type) => new DragEvent(type, { dataTransfer: drop, ...way });
              document.querySelector(".chat").dispatchEvent(over("dragenter"));
              document.querySelector(".chat").dispatchEvent(over("drop"));
            }"""
        )
        names = "window.asked.filter(one => one[0] === 'sendFiles').map(one => one[1][0].name)"
        assert await page.evaluate(names) == ["pasted.png", "dropped.txt"]
        assert await page.locator(".chat-drop").count() == 0

    async def test_words_stay_words(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat")
        await page.evaluate(
            """() => {
              const line = { kind: "text", at: 1790000000, leaf: 1, name: "<b>Bo</b>", self: false };
              const other = "http://example.org [go](javascript:alert(1)) www.example.org";
              const text = `<img src=x onerror=alert(1)> ${other}`;
              model.chat.value = [{ ...line, id: "x", text }];
            }"""
        )
        assert "<img src=x" in await page.inner_text(".chat-text")
        assert "<b>Bo</b>" in await page.inner_text(".chat-head")
        assert await page.locator(".chat-text > *").count() == 0

    async def test_a_draft_stays_while_the_panel_is_closed(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat-empty")
        await page.fill("textarea", "half a thou")
        await page.press("textarea", "Escape")
        await page.wait_for_selector(".panel", state="detached")
        await page.keyboard.press("c")
        assert await page.input_value("textarea") == "half a thou"

    async def test_the_chat_scrolls_along_only_for_a_reader_at_the_end(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat")
        rest = """() => {
          const list = document.querySelector(".chat-lines");
          return list.scrollHeight - list.scrollTop - list.clientHeight;
        }"""
        add = """(id) => {
          const line = { kind: "text", at: 1790000000, leaf: 1, name: "Bo", self: false };
          model.chat.value = [...model.chat.value, { ...line, id, text: "x\\n".repeat(9) }];
        }"""
        assert await page.evaluate(rest) < 2
        await page.evaluate(add, "p")
        await page.wait_for_selector(".chat-line >> nth=9")
        await settled(page)
        assert await page.evaluate(rest) < 2
        await page.evaluate("document.querySelector('.chat-lines').scrollTop = 0")
        await settled(page)
        await page.evaluate(add, "q")
        await page.wait_for_selector(".chat-below")
        assert await page.evaluate(rest) > 100
        await page.click(".chat-below")
        await settled(page)
        assert await page.evaluate(rest) < 2


class TestWhatIsShown:
    async def test_attacks_come_first_as_alerts_and_stay_until_they_are_read(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-incidents")
        lines = page.locator(".incident")
        shown = [await line.get_attribute("class") for line in await lines.all()]
        assert shown == ["incident attack"] * 2 + ["incident attention", "incident calm"]
        assert await page.locator("[role=alert]:visible").count() == 2
        first = lines.first
        assert "Attack:" in await first.inner_text()
        assert await first.locator("details").get_attribute("open") is not None, "what to do is said at once"
        await first.get_by_role("button", name="Dismiss").click()
        assert await lines.count() == 4, "the store takes them away, nothing else"
        assert await asked(page) == [["dismissIncident", 2]]
        await first.get_by_role("button", name="Compare codes").click()
        await page.wait_for_selector(".panel .code")

    async def test_a_line_is_one_sentence_and_the_rest_is_behind_it(self, book: Book, page: Page) -> None:
        await book.show(page, "room-incident-attention")
        line = page.locator(".incident.attention p:visible")
        assert await line.all_inner_texts() == [
            "The connection to the server was lost (it does not answer); your network may have changed."
        ]
        await page.locator(".incident summary").click()
        assert (await line.all_inner_texts())[1:] == ["Trying again..."]

    async def test_what_is_over_stands_beside_the_code(self, book: Book, page: Page) -> None:
        await book.show(page, "room-incidents-past")
        past = page.locator(".past li")
        assert len(await past.all_inner_texts()) == 1
        assert "The connection to the server was lost" in await past.first.inner_text()

    async def test_frozen_video_is_frosted_and_nothing_is_shown_before_the_first_frame(
        self, book: Book, page: Page
    ) -> None:
        await book.show(page, "room-tile-states")
        words = await page.locator(".tile-state").all_inner_texts()
        for state in (
            "Waiting for the first video",
            "Not decrypting: asking for a key frame",
            "The video has stopped",
            "Camera off",
        ):
            assert state in words
        blurred = "getComputedStyle(document.querySelector('[data-old=true] video')).filter"
        assert "blur" in await page.evaluate(blurred)
        assert await page.locator("[data-tile='1 camera'] video").count() == 0

    async def test_the_video_is_the_stream_itself(self, book: Book, page: Page) -> None:
        await book.show(page, "room-people-3")
        same = """[...document.querySelectorAll('video')].every(
          (video, place) => video.srcObject === model.tiles.value[place].picture && video.muted
        )"""
        assert await page.evaluate(same)
        # a tile that is drawn again must not restart the video
        await page.evaluate("document.querySelector('video').dataset.kept = 1")
        await page.evaluate("model.tiles.value = model.tiles.value.map(tile => ({ ...tile, hand: 1 }))")
        await page.wait_for_selector(".mark.hand")
        assert await page.evaluate("document.querySelector('video').dataset.kept") == "1"

    async def test_the_room_fits_a_phone_and_its_controls_are_of_a_thumbs_size(self, book: Book) -> None:
        async with book.page(PHONE, "light") as phone:
            await book.show(phone, "room-people-5")
            for box in await phone.eval_on_selector_all(
                ".control",
                "all => all.filter(e => e.offsetWidth > 0).map(e => [e.offsetWidth, e.offsetHeight])",
            ):
                assert min(box) >= 44
            assert await phone.evaluate("document.documentElement.scrollHeight <= innerHeight")

    async def test_nothing_moves_for_who_wants_no_motion(self, book: Book, page: Page) -> None:
        await book.show(page, "room-reactions")
        assert (
            await page.evaluate("getComputedStyle(document.querySelector('.reaction')).animationName")
            == "none"
        )
        assert await page.locator(".reaction:visible").count() == 3


class TestCode:
    async def test_the_words_of_the_signs_stand_below_them(self, book: Book, page: Page) -> None:
        await book.show(page, "room-code-short")
        texts = await page.locator(".signs li > span:last-child").all_inner_texts()
        assert texts == ["elephant", "umbrella", "donut", "telescope"]
        await page.click("text=They are the same with everybody")
        await page.click("text=They differ")
        assert await asked(page) == [["compared", True, "short"], ["compared", False, "short"]]

    async def test_every_language_has_a_word_for_each_sign(self, book: Book, page: Page) -> None:
        for language in LANGUAGES:
            await book.show(page, "room-code-short", language=language)
            every = await page.evaluate(
                """async () => {
                  const code = model.code.value, words = [];
                  for (let i = 0; i < 64; i++) {
                    model.code.value = { ...code, short: { ...code.short, emoji: ["x"], indices: [i] } };
                    await new Promise((done) => setTimeout(done));
                    words.push(document.querySelector(".signs li > span:last-child").textContent);
                  }
                  return words;
                }"""
            )
            assert len(set(every)) == 64, language
            assert "" not in every, language


class TestWhatTheDeviceKeeps:
    async def test_it_is_forgotten_or_the_person_reads_that_there_is_nothing(
        self, book: Book, page: Page
    ) -> None:
        forget = page.get_by_role("button", name="Forget me on this device")
        await book.show(page, "room-settings")
        await forget.click()
        assert await asked(page) == [["forget", None]]
        await book.show(page, "room-settings-nothing-kept")
        await page.get_by_text("This browser keeps nothing.").wait_for()
        assert await forget.count() == 0
