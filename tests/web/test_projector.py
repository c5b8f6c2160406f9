"""The lecture's projector in Chromium, from the first step to the last: all of it real.

The servers, the robots and their meeting, a member who has come in by the page, the search of the server's
memory, an act of the server, and its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page

from snugroom.client.session.catalogue.sentence import table
from snugroom.lab.demo import live
from snugroom.lab.demo.lecture import Lan, Lecture
from snugroom.lab.demo.projector import DEEDS
from snugroom.lab.demo.troupe import NAMES, TITLE
from snugroom.server import page as pages
from tests.web.browsers import ChromiumTab, chromium
from tests.web.storybook import see, submit
from tests.web.test_axe import violations
from tests.web.test_window_views import PROJECTORS, largest

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A name that is nowhere else on this machine, and that of the member who comes in by the page.
NAME = "Zephyrine Quill"
MEMBER = "Quillon Zephyr"
#: A word of the class.
WORD = "Knusperfrosch"
#: Milliseconds; two cores run robots, browser and servers.
PATIENCE = 120_000


@dataclass
class Stage:
    lecture: Lecture
    projector: Page
    member: Page
    window: Page
    phone: Page


@pytest.fixture(scope="module", autouse=True)
def searching_at_once() -> Iterator[None]:
    """Any of these tests may search right after another one. tests/demo has the limit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "SEARCH_EVERY", 0.0)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    if not (pages.PROJECTOR / "manifest.json").exists():
        pytest.skip("the pages have not been built")
    async with Lecture(0, lan=Lan("127.0.0.1")) as lecture, chromium() as browser:
        tabs = [await browser.tab() for _ in range(4)]
        projector, member, window, phone = tabs
        assert isinstance(projector, ChromiumTab)
        assert isinstance(member, ChromiumTab)
        assert isinstance(window, ChromiumTab)
        assert isinstance(phone, ChromiumTab)
        await member.goto(lecture.page)
        await member.page.fill("input[autocomplete=name]", MEMBER)
        await member.page.click("button[type=submit].primary")
        await member.page.wait_for_selector(".room", timeout=PATIENCE)
        await projector.page.set_viewport_size({"width": PROJECTORS[0].width, "height": PROJECTORS[0].height})
        await projector.goto(lecture.projector)
        await window.goto(lecture.window)
        await projector.page.wait_for_selector("table.second", timeout=PATIENCE)
        await phone.goto(lecture.phones)
        yield Stage(lecture, projector.page, member.page, window.page, phone.page)
        said = [*projector.log(), *member.log(), *window.log(), *phone.log()]
        assert [line for line in said if "Content Security" in line] == []


async def step(page: Page, name: str) -> None:
    """Turn the story by keys until that step is on the screen."""
    await page.evaluate("document.activeElement.blur()")  # keys in a field write
    for key in (*9 * ["ArrowRight"], *9 * ["PageUp"]):
        if await page.inner_text("h1") == name:
            return
        await page.keyboard.press(key)
    assert await page.inner_text("h1") == name


async def see_text(page: Page, selector: str, text: str, *, there: bool = True) -> None:
    """Wait until one of these elements has that text, or none."""
    some = f"[...document.querySelectorAll({selector!r})].some((one) => one.textContent.includes({text!r}))"
    await see(page, f"{some} === {str(there).lower()}")


async def test_the_story_from_the_first_step_to_the_last(stage: Stage, tmp_path: Path) -> None:
    page, member, window = stage.projector, stage.member, stage.window
    # who we are, and the same second side by side
    await step(page, "Who we are")
    await see_text(page, ".names li", MEMBER)
    assert TITLE in await page.inner_text("[data-row=called]")
    await step(page, "What the server sees of it")
    await see(page, f"document.querySelectorAll('.glasses li').length === {len(NAMES) + 1}")
    told = await page.inner_text("table.second")
    for text in (*NAMES, MEMBER, TITLE, "127.0.0.1", "sealed blobs"):
        assert text in told
    server = " ".join(await page.locator("td[data-side=server]").all_inner_texts())
    assert not any(text in server for text in (*NAMES, MEMBER, TITLE))
    await page.screenshot(path=tmp_path / "sees.png")

    # somebody of the audience comes in, and is in no memory of the server
    await step(page, "Find my name")
    await page.get_by_role("textbox").fill(NAME)
    await submit(page, "[data-find]")
    await page.wait_for_selector(".found[data-found=absent]", timeout=PATIENCE)
    assert await largest(page) == "Not found"
    assert NAME in await page.inner_text(".side")
    assert "The same search found the room's number" in await page.inner_text(".found")
    await see(member, f"document.body.innerText.includes('{NAME}')")
    # the button's colour changes slowly
    await see(page, "!document.getAnimations().some((one) => one instanceof CSSTransition)")
    assert await violations(page) == []
    await page.screenshot(path=tmp_path / "find.png")
    # and what the server does know is found, by its own window
    await window.get_by_role("textbox", name="Find my name").fill("127.0.0.1")
    await submit(window, "[data-find]")
    await window.wait_for_selector(".found[data-found=found]", timeout=PATIENCE)
    await window.get_by_role("textbox", name="Find my name").fill(MEMBER)
    await submit(window, "[data-find]")
    await window.wait_for_selector(".found[data-found=absent]", timeout=PATIENCE)

    # the tree, and how it changes
    await step(page, "The tree of keys")
    await see_text(page, ".tree-name", "Zephyrine")
    await step(page, "Somebody joins")
    await page.click("[data-join]")
    await see_text(page, ".tree-name", "Dana")
    assert await page.locator(".tree-node[data-fresh=true]").count() >= 2
    await step(page, "Somebody is removed")
    await page.click("[data-remove]:has-text('Dana')")
    await see_text(page, ".tree-name", "Dana", there=False)
    await page.screenshot(path=tmp_path / "removed.png")


async def test_a_phone_votes_and_the_lecturer_shows_the_count(stage: Stage, tmp_path: Path) -> None:
    page, phone = stage.projector, stage.phone
    await step(page, "Somebody joins")
    await page.click("[data-predict]")
    question = table("predictions")["ask_joins"]["en"]
    await see_text(page, ".prediction h2", question)
    await see_text(phone, "h1", question)
    await phone.click("[data-choice='1']")
    await see_text(page, ".prediction [role=status]", "1 vote;")
    await phone.click("[data-choice='3']")
    await see_text(phone, "[data-stage=open]", "Your vote counts")
    await phone.reload()
    await phone.wait_for_selector("[data-choice='3'][aria-pressed=true]", timeout=PATIENCE)
    assert await page.locator(".picks meter").count() == 0
    await page.screenshot(path=tmp_path / "predict.png")
    await page.click("[data-predict]")
    await see_text(phone, "[data-stage]", "Voting is closed")
    await page.click("[data-predict]")
    await page.click("[data-reveal]")
    await page.wait_for_selector(".picks meter", timeout=PATIENCE)
    meters = "[...document.querySelectorAll('.picks meter')].map((one) => one.value)"
    assert await page.evaluate(meters) == [0, 0, 1]
    await see_text(phone, "[data-stage=revealed]", "You were right.")
    await page.screenshot(path=tmp_path / "predicted.png")
    await phone.screenshot(path=tmp_path / "phone.png")
    # and the next step ends a vote that is open
    await step(page, "Somebody is removed")
    await page.click("[data-predict]")
    await see_text(phone, "[data-stage]", "Choose one answer")
    await step(page, "The operator pulls the plug")
    await see_text(phone, "[data-stage]", "Voting is closed")


async def test_the_same_meeting_at_an_ordinary_server(stage: Stage, tmp_path: Path) -> None:
    page = stage.projector
    await step(page, "The same meeting at an ordinary server")
    await page.click("[data-contrast]")
    await see_text(page, "[role=status]", "Two meetings are held")
    await page.wait_for_selector("[data-row=audio]", timeout=2 * PATIENCE)
    for row in ("names", "chat", "frames", "audio"):
        snug, ordinary = await page.locator(f"[data-row={row}] td").all_inner_texts()
        assert (snug, ordinary) == ("not found", "found, of 3 of 3 members"), row
    await page.screenshot(path=tmp_path / "ordinary.png")


async def test_a_word_is_in_the_memory_of_one_server(stage: Stage, tmp_path: Path) -> None:
    page, member = stage.projector, stage.member
    await step(page, "Any word, in two memories")
    await page.click("[data-beside]")
    await page.wait_for_selector("[data-side=ordinary] .found", timeout=PATIENCE)
    await page.get_by_role("textbox").fill(WORD)
    await submit(page, "[data-word]")
    await page.wait_for_selector("[data-side=snug] [data-found=absent]", timeout=PATIENCE)
    await page.wait_for_selector("[data-side=ordinary] [data-found=found]", timeout=PATIENCE)
    assert "a number that this server has made up" in await page.inner_text("[data-side=ordinary]")
    await see(member, f"document.body.innerText.includes('{WORD}')")
    await page.screenshot(path=tmp_path / "word.png")


async def test_an_act_in_the_running_meeting_is_on_every_screen(stage: Stage, tmp_path: Path) -> None:
    page, member, window = stage.projector, stage.member, stage.window
    await step(page, "The server turns hostile")
    await page.click("[data-act=forge]")
    line = page.locator(".incident.attack .incident-line")
    await line.wait_for(timeout=PATIENCE)
    told = await line.inner_text()
    # the member who has come in by the page reads the same, in the same colour
    here = member.locator(".incident.attack p").first
    await here.wait_for(timeout=PATIENCE)
    assert await here.inner_text() == told
    # the server says so itself, and ends it by itself
    assert "started for a lecture" in await window.inner_text("[data-hostile]")
    await see(page, "document.querySelector('.act-stand').innerText.includes('the meeting goes on')")
    await see(window, "!document.querySelector('[data-hostile]').innerText.includes('Now:')")
    assert await violations(page) == []
    await page.screenshot(path=tmp_path / "act.png")
    await page.click("[data-dismiss]")
    await line.wait_for(state="detached", timeout=PATIENCE)
    # a reload shows the same step
    await page.reload()
    await page.wait_for_selector("[data-act]", timeout=PATIENCE)
    assert await page.inner_text("h1") == "The server turns hostile"


async def test_only_the_page_with_the_token_is_answered(stage: Stage) -> None:
    url, _, token = stage.lecture.projector.partition("/#")
    token = token.partition(".")[0]
    async with aiohttp.ClientSession() as http:
        for shown in ("", "x", token[:-1]):
            headers = {"X-Snug-Token": shown}
            async with http.get(f"{url}/state", headers=headers) as answer:
                assert answer.status == 403
            for path in (*DEEDS, "find", "find_ordinary"):
                async with http.post(f"{url}/{path}", json={"act": "forge"}, headers=headers) as answer:
                    assert answer.status == 403, path
        assert stage.lecture.server.running
        headers = {"X-Snug-Token": token}
        async with http.get(f"{url}/state", headers={**headers, "Host": "evil.example"}) as answer:
            assert answer.status == 403
        for path, body, status in (
            ("act", {"act": "end"}, 409),
            ("act", {"act": 5}, 400),
            ("act", {}, 400),
            ("word", {"text": "ab"}, 409),
            ("join", [], 400),
            ("join", {"name": "a:b"}, 409),
            ("vote", {"do": "open", "question": "no such"}, 400),
            ("vote", {"do": "stuff"}, 400),
        ):
            async with http.post(f"{url}/{path}", json=body, headers=headers) as answer:
                assert answer.status == status, (path, body)
        async with http.post(f"{url}/find", json={"mask": "", "forms": []}, headers=headers) as answer:
            assert answer.status == 502
