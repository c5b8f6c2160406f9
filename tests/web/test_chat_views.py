"""The chat's photos, links and new messages.

In Chromium, on stories whose model the tests change.
"""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import FilePayload, Page

from tests.patience import PATIENCE
from tests.web.storybook import Book, settled

pytestmark = pytest.mark.asyncio(loop_scope="session")


class TestPhotos:
    async def test_a_photo_of_any_size_is_sent(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat-empty")
        photo: FilePayload = {
            "name": "photo.jpg",
            "mimeType": "image/jpeg",
            "buffer": b"\0" * (8 * 2**20 + 1),
        }
        await page.set_input_files("input[type=file]", files=[photo])
        assert await page.evaluate("window.asked.at(-1)[1].map(file => file.name)") == ["photo.jpg"]
        assert await page.inner_text(".composer [role=alert]") == ""

    async def test_the_original_is_offered_as_a_file(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat-offers")
        offers = page.locator("[role=status].offers")
        assert "IMG_0042.HEIC can't be shown as an image here" in await offers.inner_text()
        await offers.get_by_text("Send the original as a file").click()
        await offers.get_by_role("button", name="No").last.click()
        answers = "window.asked.filter(([what]) => what === 'answerOffer')"
        told = f"{answers}.map(([, {{ file }}, send]) => [file.name, send])"
        assert await page.evaluate(told) == [["IMG_20260901_180230.jpg", True], ["IMG_0042.HEIC", False]]


class TestLinks:
    async def test_a_link_leads_nowhere_before_the_person_says_so(self, book: Book, page: Page) -> None:
        connected = asyncio.Event()

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.set()
            writer.close()

        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        host = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with listening:
            await book.show(page, "room-chat")
            await page.evaluate(
                f"""() => {{
                  const line = {{ kind: "text", at: 1790000000, leaf: 1, name: "Bo", self: false }};
                  model.chat.value = [{{ ...line, id: "x", text: "see https://{host}/seminar." }}];
                  const open = window.open;
                  window.open = (...given) => {{
                    window.given = given.map(String);
                    return (window.back = open(...given));
                  }};
                }}"""
            )
            link = page.get_by_role("link", name=f"https://{host}/seminar", exact=True)
            await link.hover()
            await link.click(button="middle")
            await link.click(modifiers=["Control"])
            await page.wait_for_selector(f"dialog:modal >> text=Open a page at {host}?")
            await page.keyboard.press("Enter")  # the harmless button has the focus
            await page.wait_for_selector("dialog", state="detached")
            await link.focus()
            await page.keyboard.press("Enter")
            assert await page.inner_text("dialog:modal .link-address") == f"https://{host}/seminar"
            assert await page.locator("dialog:modal .wrong").count() == 0
            assert await page.locator("a[href^=https], link[href^=https]").count() == 0
            assert len(page.context.pages) == 1
            assert not connected.is_set()
            async with page.context.expect_page() as opened:
                await page.click("[data-yes]")
            await asyncio.wait_for(connected.wait(), PATIENCE)
            features = "noopener,noreferrer"
            assert await page.evaluate("[given, back]") == [
                [f"https://{host}/seminar", "_blank", features],
                None,
            ]
            await (await opened.value).close()

    async def test_an_answered_question_does_not_close_the_next_one(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat")
        shown = await page.evaluate(
            """async () => {
              const line = { kind: "text", at: 1790000000, leaf: 1, name: "Bo", self: false };
              model.chat.value = [{ ...line, id: "x", text: "see https://a.example/" }];
              const turn = () => new Promise((resume) => queueMicrotask(() => queueMicrotask(resume)));
              const find = async (selector) => {
                for (let at = 0; at < 100; at += 1) {
                  const found = document.querySelector(selector);
                  if (found !== null) return found;
                  await turn();
                }
                throw new Error(`${selector} did not come within the same frame`);
              };
              (await find(".chat-link")).click();
              (await find("dialog button")).click();
              for (let at = 0; at < 100; at += 1) await turn();
              const between = document.querySelectorAll("dialog").length;
              (await find(".chat-link")).click();
              await find("dialog");
              const frame = () => new Promise(requestAnimationFrame);
              for (let at = 0; at < 3; at += 1) await frame();
              return [between, document.querySelectorAll("dialog:modal").length];
            }"""
        )
        assert shown == [0, 1]

    async def test_a_host_in_other_letters_is_named_in_those_that_count(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat")
        await page.evaluate(
            """() => {
              const line = { kind: "text", at: 1790000000, leaf: 1, name: "Bo", self: false };
              const text = "our bank: https://b\u0430nk.example/login";
              model.chat.value = [{ ...line, id: "x", text }];
            }"""
        )
        await page.get_by_role("link").click()
        question = await page.inner_text("dialog:modal")
        assert "Open a page at xn--bnk-6cd.example?" in question
        assert "The message writes it differently: b\u0430nk.example" in question


class TestBubble:
    async def test_a_new_message_appears_shortly_beside_the_closed_chat(self, book: Book, page: Page) -> None:
        await book.show(page, "room-chat-unread")
        assert await page.locator(".bubble").count() == 0, "what was there before is no news"
        add = """([id, self, text]) => {
          const line = { kind: "text", at: 1790000000, leaf: 1, name: "Bo", self };
          model.chat.value = [...model.chat.value, { ...line, id, text }];
        }"""
        said = page.locator("[role=status].unseen")
        await page.evaluate(add, ["u", False, "Are you there?"])
        await page.wait_for_selector(".bubble:has-text('Bo Are you there?')")
        await said.get_by_text("Bo: Are you there?").wait_for(state="attached")
        # screen readers hear it once, and the button keeps its name
        assert await page.locator(".bubble[aria-hidden=true]").count() == 1
        assert await page.get_by_role("button", name="Are you there?").count() == 0
        await page.wait_for_selector(".bubble", state="detached")
        await page.evaluate(add, ["v", True, "Yes"])
        await settled(page)
        assert await page.locator(".bubble").count() == 0, "of oneself"
        await page.evaluate(add, ["w", False, "Good"])
        await page.click(".bubble")
        await page.wait_for_selector(".panel[data-panel=chat]")
        await page.wait_for_selector(".bubble", state="detached")
        await page.evaluate("model.panel.value = 'none'")
        await page.evaluate("model.attention.on.value = new Set()")
        await page.evaluate(add, ["x", False, "Again"])
        await settled(page)
        assert await page.locator(".bubble").count() == 0, "switched off"
