"""The handles of the page for other projects' tests: those that are documented, and enough for a meeting."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.cli.processes import Event, names, running, server
from tests.docs.test_docs import ROOT, chapter, page
from tests.patience import PATIENCE
from tests.web.browsers import PERMISSIONS, Chromium

APP: Final = ROOT / "client" / "web" / "src" / "app"
CLIPBOARD: Final = ("clipboard-read", "clipboard-write")


def test_the_documented_handles_are_those_of_the_page() -> None:
    told = chapter(page("docs/how-to/test-with-snug.md"), "## In the page")
    rows = re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \|", told, re.MULTILINE)
    documented = [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]
    source = "\n".join(path.read_text(encoding="utf-8") for path in APP.rglob("*.tsx"))
    found = re.findall(r'\b(?:data-testid|handle)="([\w-]+)"', source)
    controls = (APP / "views" / "room" / "controls.tsx").read_text(encoding="utf-8")
    assert "data-testid={act}" in controls
    found += re.findall(r'^ +act="(\w+)"', controls, re.MULTILINE)
    assert sorted(documented) == sorted({"data-testid", *found})
    assert len(set(documented)) == len(documented)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_meeting_is_held_by_handles_alone(chromium: Chromium, bundle: Path) -> None:
    with server() as (_, url):
        async with await chromium.browser.new_context(permissions=[*PERMISSIONS, *CLIPBOARD]) as context:
            context.set_default_timeout(1000 * PATIENCE)
            tab = await context.new_page()
            find = tab.get_by_test_id
            await tab.goto(url)
            await find("open").click()
            await find("name").fill("Ada")
            await find("enter").click()
            await find("people").click()
            await find("copy-link").click()
            link = await tab.evaluate("navigator.clipboard.readText()")
            with running("join", link, "--name", "Bo", "--no-media", "--json") as bo:

                async def wait(kind: str, matches: Callable[[Event], bool]) -> Event:
                    return await asyncio.to_thread(bo.wait, kind, matches)

                await find("admit").click()
                await wait("roster", lambda e: names(e) == ["Ada", "Bo"])
                await find("person").nth(1).wait_for()
                await find("mic").click()
                await wait("state", lambda e: e["name"] == "Ada" and not e["mic"])
                assert await find("mic").get_attribute("data-state") == "off"
                bo.send({"chat": "good morning"})
                await find("chat").click()
                await find("message").filter(has_text="good morning").wait_for()
                await find("write").fill("hello")
                await find("send").click()
                assert (await wait("chat", lambda e: e["text"] == "hello"))["from"] == "Ada"
                await find("leave").click()
                await tab.get_by_role("menuitem", name="End").click()
