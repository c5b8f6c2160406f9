"""`snug demo --lecture`, in Chromium: robots, a member's page that plays scenes, the landlord's window.

Real, all of it: the room's server, its robots, the window that reads its memory, and a scene of the lab.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page

from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.demo.lecture import Lecture
from snugroom.lab.demo.troupe import NAMES, TITLE
from snugroom.server import page as pages
from tests.web.browsers import ChromiumTab, chromium
from tests.web.children import appear
from tests.web.storybook import THEMES, see
from tests.web.test_axe import violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
#: The name of who comes in by the page: it is nowhere else on this machine.
NAME = "Zephyrine Quill"
#: Milliseconds; two cores run robots, browser and scene.
PATIENCE = 120_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_lecture() -> AsyncIterator[Lecture]:
    if not (pages.WINDOW / "manifest.json").exists():
        pytest.skip("the pages have not been built")
    async with Lecture(0) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tabs(open_lecture: Lecture) -> AsyncIterator[tuple[Page, Page]]:
    """The member's page, come in; and the window."""
    async with chromium() as browser:
        member, window = await browser.tab(), await browser.tab()
        assert isinstance(member, ChromiumTab)
        assert isinstance(window, ChromiumTab)
        await window.goto(open_lecture.window)
        await window.page.wait_for_selector(".pane", timeout=PATIENCE)
        await member.goto(open_lecture.page)
        await member.page.fill("input[autocomplete=name]", NAME)
        await member.page.click("button[type=submit].primary")
        await member.page.wait_for_selector(".room", timeout=PATIENCE)
        yield member.page, window.page
        complaints = [line for line in [*member.log(), *window.log()] if "Content Security" in line]
        assert complaints == []


async def test_the_window_shows_one_shape_a_connection(
    open_lecture: Lecture, tabs: tuple[Page, Page], tmp_path: Path
) -> None:
    _, window = tabs
    in_room = "document.querySelectorAll('section[aria-labelledby^=room-] .pane').length"
    await see(window, f"{in_room} === {len(NAMES) + 1}")
    # as the process says it, by another way
    view = await open_lecture.server.disclosure()
    assert view["rooms"][0]["connections"] == len(NAMES) + 1
    counted = await window.inner_text(".counts")
    assert str(view["connections"]) in counted
    # packets pass, and are drawn
    await see(window, "[...document.querySelectorAll('.rate .line')].length >= 3")
    for theme in THEMES:
        # colours change at once, rather than within 120 ms
        await window.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert await violations(window) == []
        await window.screenshot(path=tmp_path / f"window-{theme}.png", full_page=True)


async def test_no_name_and_no_secret_is_in_the_window(open_lecture: Lecture, tabs: tuple[Page, Page]) -> None:
    _, window = tabs
    url, _, token = open_lecture.window.partition("/#")
    headers = {"X-Snug-Token": token}
    async with aiohttp.ClientSession() as http, http.get(url + "/now", headers=headers) as answer:
        told = await answer.text()
    shown = str(await window.evaluate("document.documentElement.outerHTML + document.body.innerText"))
    link = open_lecture.link.partition("#")[2]
    assert len(link) > 60
    for text in (told, shown):
        for secret in (*NAMES, NAME, "Zephyrine", TITLE, link, link[4:40]):
            # a word of its own: "Bo" is in "Body"
            assert re.search(rf"\b{re.escape(secret)}\b", text) is None, secret
    # the search can find: what is known is there
    assert "127.0.0.1" in told
    assert json.loads(told)["disclosure"]["rooms"][0]["number"] in shown
    assert "Nothing is asked of them." in shown


async def test_a_relayed_frame_is_noise_to_a_decoder(tabs: tuple[Page, Page]) -> None:
    _, window = tabs
    options: list[list[str]] = await window.evaluate(
        "[...document.querySelector('[aria-label=\"Of which stream\"]').options].map(o => [o.value, o.text])"
    )
    for kind in ("a picture", "sound"):
        ssrc = next(value for value, text in options if text.startswith(kind))
        await window.select_option("[aria-label='Of which stream']", ssrc)
        await see(window, f"document.querySelector('[aria-label=\"Of which stream\"]').value === '{ssrc}'")
        for _ in range(10):
            await window.click("[data-take]")
            with contextlib.suppress(Exception):
                await see(
                    window,
                    "(document.querySelector('.seen')?.innerText ?? '').includes("
                    f"'SSRC {int(ssrc):x}')"
                    " && !!document.querySelector('.seen h3 + p, .seen h3 + svg, .seen h3 + canvas')",
                    3,
                )
                break
        text = await window.inner_text(".seen")
        bits, noise = map(float, re.findall(r"(\d\.\d\d)", re.search(r".* bits a byte.*", text)[0]))  # type: ignore[index]
        # seven standard deviations of noise of this length
        assert abs(bits - noise) < 0.5, text
        if kind == "sound":
            assert "Opus makes a sound of almost any bytes" in text or "It refuses" in text
        else:
            assert "It refuses" in text or "that nobody ever took" in text or "Nothing: it says" in text
            assert "f0ffff9d012a10001000" in text or "f1ffff" in text


async def how_it_works(member: Page) -> None:
    """Open the panel with the tree and the scenes, if it is not open."""
    if not await member.locator(".tree-node").count():
        await member.click(".controls [aria-label=More]")
        await member.click("text=How it works")
        await member.wait_for_selector(".tree-node", timeout=PATIENCE)


async def test_members_see_the_tree(tabs: tuple[Page, Page]) -> None:
    member, _ = tabs
    await how_it_works(member)
    names = set(await member.locator(".tree-name").all_text_contents())
    assert {*NAMES, "you"} <= names
    # four leaves, and the root is held by all of them
    assert await member.locator(".tree-node").count() == 7
    held = await member.locator(".tree-node[data-held=true]").count()
    assert held >= 2
    await member.locator(".tree-node[data-held=true]").first.click()
    assert "is held by" in await member.inner_text(".panel .notice")


async def test_a_scene_is_guessed_played_and_told(tabs: tuple[Page, Page], tmp_path: Path) -> None:
    member, _ = tabs
    await how_it_works(member)
    await member.wait_for_selector(".scene", timeout=PATIENCE)
    assert await member.locator("[data-scene]").count() == len(SCENES)
    await member.locator("details.scenes:has([data-scene=bad_commit])").evaluate("at => (at.open = true)")
    await member.click("[data-scene=bad_commit]")
    # the answer isn't given away before it was guessed
    assert "void" not in await member.inner_text(".act")
    await member.click("[data-guess=detected]")
    await member.wait_for_selector(".playing, [data-verdict]", timeout=4 * PATIENCE)
    verdict = member.locator("[data-verdict]")
    await verdict.wait_for(timeout=4 * PATIENCE)
    text = await verdict.inner_text()
    assert await verdict.get_attribute("data-verdict") == "impossible", text
    assert "You had said" in text
    assert "because it was not valid" in text
    assert await violations(member) == []
    await member.screenshot(path=tmp_path / "scene.png")


# -- without a browser -----------------------------------------------------------------------------------


async def test_scenes_are_played_only_for_who_has_the_token(open_lecture: Lecture) -> None:
    named, _, rest = open_lecture.page.partition("/?lecture=")
    token = rest.partition("#")[0]
    host = named.removeprefix("http://")
    # the system's resolver does not know the name, and no browser fills in what browsers say
    address = f"http://127.0.0.1:{host.partition(':')[2]}"
    own = {"Host": host, "Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession() as http:
        for shown in ("", "x", token[:-1]):
            headers = {**own, "X-Snug-Token": shown}
            async with http.get(address + "/lecture/scenes", headers=headers) as answer:
                assert answer.status == 403
            async with http.post(
                address + "/lecture/play", json={"scene": "kicked"}, headers=headers
            ) as answer:
                assert answer.status == 403
            async with http.post(address + "/lecture/kill", headers=headers) as answer:
                assert answer.status == 403
                assert open_lecture.server.running
        headers = {**own, "X-Snug-Token": token}
        async with http.get(address + "/lecture/scenes", headers=headers) as answer:
            assert [one["scene"] for one in await answer.json()] == [scene.id for scene in SCENES]
        for wrong, status in (({"scene": "--help"}, 404), ({"scene": ["kicked"]}, 404), ({}, 400), ([], 400)):
            async with http.post(address + "/lecture/play", json=wrong, headers=headers) as answer:
                assert answer.status == status
        # one at a time; and who goes away stops it
        first = await http.post(address + "/lecture/play", json={"scene": "kicked"}, headers=headers)
        assert json.loads(await first.content.readline()) == {"began": "kicked"}
        async with http.post(address + "/lecture/play", json={"scene": "kicked"}, headers=headers) as second:
            assert second.status == 409
        await appear(os.getpid(), "lab", 1)
        first.close()
        await appear(os.getpid(), "lab", 0)
