"""A lecture is recorded, and its recording is shown in Chromium, without a server and robots."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from snugroom.lab.demo.lecture import Lecture
from snugroom.lab.demo.troupe import NAMES, TITLE
from snugroom.server import page as pages
from tests.patience import PATIENCE
from tests.web.browsers import ChromiumTab, chromium
from tests.web.children import children
from tests.web.storybook import see

ROOT = Path(__file__).parents[2]
#: Milliseconds.
LONG = 120_000


class Page:
    """Asks the lecture for what its page asks for."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        self._url, _, token = address.partition("#")
        self._http, self._headers = http, {"X-Snug-Token": token}

    async def do(self, deed: str, **told: str) -> None:
        async with self._http.post(f"{self._url}{deed}", json=told, headers=self._headers) as answer:
            assert answer.status == 200, (deed, await answer.text())

    async def until(self, seen: Any) -> dict[str, Any]:
        async with asyncio.timeout(3 * PATIENCE):
            while True:
                async with self._http.get(f"{self._url}state", headers=self._headers) as answer:
                    state: dict[str, Any] = await answer.json()
                if seen(state):
                    return state
                await asyncio.sleep(0.2)


async def recorded(file: Path) -> None:
    """A lecture in which Dana joins, and the server forges a change."""
    async with Lecture(0, record=file) as lecture, aiohttp.ClientSession() as http:
        page = Page(lecture.projector, http)
        await page.do("turn", step="sees")
        await page.until(lambda state: state["server"] is not None)
        await page.do("turn", step="joins")
        await page.do("join", name="Dana")
        await page.until(lambda state: state["guests"] == ["Dana"])
        await page.do("turn", step="acts")
        await page.do("act", act="forge")
        await page.until(lambda state: state["incidents"] and state["act"]["left"] <= -2)


async def test_a_lecture_that_was_recorded_is_shown_without_servers(tmp_path: Path) -> None:
    if not (pages.PROJECTOR / "manifest.json").exists():
        pytest.skip("the pages have not been built")
    file = tmp_path / "lecture.snug"
    await recorded(file)
    assert file.stat().st_size < 200_000
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "snugroom.command", "demo", "--lecture", "--play", str(file),
        "--no-open", "--lang", "en", cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        found = re.fullmatch(r"The projector: (http://127\.0\.0\.1:\d+/#[\w-]{22})\n", line)
        assert found is not None
        assert children(process.pid, "snugroom.server") + children(process.pid, "snugroom.lab.hostile") == []
        async with chromium() as browser:
            tab = await browser.tab()
            assert isinstance(tab, ChromiumTab)
            await tab.goto(found[1])
            await look(tab)
            assert [each for each in tab.log() if "Content Security" in each] == []
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def look(tab: ChromiumTab) -> None:
    """See both views, have Dana come in, and the act played, as in the lecture."""
    page = tab.page
    await page.wait_for_selector(".scene-number:has-text('a recording')", timeout=LONG)
    await page.click("[data-next]")
    await page.wait_for_selector("table.second td[data-side=server]", timeout=LONG)
    text = await page.inner_text("table.second")
    assert all(each in text for each in (*NAMES, TITLE, "sealed blobs"))
    for _ in range(5):
        await page.click("[data-next]")
    assert await page.inner_text("h1") == "Somebody joins"
    # no key of the tree is Dana's until the lecturer lets Dana in
    await page.wait_for_selector("[data-join]:enabled", timeout=LONG)
    names = "[...document.querySelectorAll('.tree-name')].some((one) => one.textContent.includes('Dana'))"
    assert await page.evaluate(names) is False
    await page.click("[data-join]")
    await see(page, names)
    for _ in range(3):
        await page.click("[data-next]")
    assert await page.inner_text("h1") == "The server turns hostile"
    await page.wait_for_selector("[data-act=forge]:enabled", timeout=LONG)
    assert await page.locator("[data-act]:enabled").count() == 1
    assert await page.locator(".incident").count() == 0
    await page.click("[data-act=forge]")
    await page.wait_for_selector(".incident.attack", timeout=LONG)
    await see(page, "document.querySelector('.act-stand').innerText.includes('the meeting goes on')")
