"""A meeting at the real page outlives its server: page and headless participant go on at the next one."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Final

import pytest

from snugroom.client.media.sources import colour_of_identity
from snugroom.crypto.proof import evidence
from snugroom.server import page
from tests.cli.processes import running
from tests.web.browsers import Browser, ChromiumTab
from tests.web.test_meeting import wait
from tests.web.visitor import HOSTING, Visitor, rgb_of, two_servers, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Keeps the files that the page lets the browser save.
KEEP_FILES: Final = """
window.kept = [];
const make = URL.createObjectURL.bind(URL);
URL.createObjectURL = (blob) => { kept.push(blob); return make(blob); };
"""


async def test_a_page_goes_on_when_its_server_is_killed(
    chromium: Browser, bundle: Path, tmp_path: Path
) -> None:
    with two_servers(tmp_path) as (killed, url, second):
        async with chromium.fresh() as browser:
            ada = await Visitor.at(browser, url, "Ada", ("#c00000", 500.0))
            await ada.press("Open a room")
            await ada.reads(f"This server suggests {second}.")
            await ada.press(f"Add {second}")
            await ada.choose("Use the first of them as a mirror")
            await ada.press("Back")
            link = await ada.open_room()
            with running("join", link, "--name", "Bo", "--json") as bo:
                await ada.here("Bo")
                await ada.sees("Bo", rgb_of(colour_of_identity(1)))
                await wait(bo, "media", lambda e: e["opened"] > 0)
                killed.signal(signal.SIGKILL)
                await asyncio.to_thread(killed.status)
                await ada.say("still here?")
                await wait(bo, "chat", lambda e: e["text"] == "still here?")
                bo.send({"chat": "at another server"})
                await ada.reads("at another server")
                await ada.reads(f"The meeting goes on at {second}.")
                since = len(bo.lines)
                opened = bo.events("media")[-1]["opened"]
                await wait(bo, "media", lambda e: e["opened"] > opened + 100, since)
                await ada.sees("Bo", rgb_of(colour_of_identity(1)))
                await ada.press("More")
                await ada.press("Settings")
                await ada.reads("Where this meeting can continue")
                await ada.reads(f"Now at {second}.")
                assert await ada.tab.js("probe.violations") == []
                bo.send({"leave": True})
                assert await asyncio.to_thread(bo.status) == 0


async def loaded(tab: ChromiumTab) -> bool:
    """Whether the page and its worker have all that a meeting can need later, and the page all its files."""
    asked = "performance.getEntriesByType('resource').map(({ name }) => name.split('/').at(-1))"
    [worker] = tab.page.workers
    own, others = set(await tab.js(asked)), set(await worker.evaluate(asked))
    parts = {name.split("-")[0] for name in others}
    # blur is what a meeting does without
    wanted = {name for name in page.load().files if name != "index.html" and not name.startswith("blur.")}
    return wanted <= own and {"later", "confusables"} <= parts


async def test_all_that_a_page_can_need_is_there_without_its_server(
    chromium: Browser, bundle: Path, tmp_path: Path
) -> None:
    """Panels and languages that nobody has opened yet, and what makes a host of a guest."""
    with (
        two_servers(tmp_path) as (killed, first, second),
        running(*HOSTING, "--server", first, "--server", second) as host,
    ):
        link = (await wait(host, "invite"))["link"]
        async with chromium.fresh() as browser:
            ada = await Visitor.at(browser, link, "Ada")
            assert isinstance(ada.tab, ChromiumTab)
            tab = ada.tab
            # one part comes later than somebody wants it
            await tab.page.route("**/later-*.js", lambda route: route.abort())
            await ada.knock()
            await ada.here("Cem")
            await ada.press("People")
            await ada.reads("This part of the page has not been loaded")
            await tab.page.unroute("**/later-*.js")
            await ada.reads("Here since")
            await ada.press("Close")
            await until(lambda: loaded(tab), "not all has been loaded")
            killed.signal(signal.SIGKILL)
            await asyncio.to_thread(killed.status)
            await ada.panel("chat", "Chat")
            await ada.reads(f"The meeting goes on at {second}.")
            assert len(await ada.digits()) == 40
            await ada.press("More")
            await ada.press("Settings")
            await ada.pick("Language", "Deutsch")
            await ada.reads("Einstellungen")
            await ada.pick("Sprache", "English")
            await ada.panel("people", "People")
            host.send({"deputy": 1})
            await ada.reads("Invites")
            await ada.press("New invite")
            assert await tab.js("probe.violations") == []


async def test_a_host_at_the_page_saves_what_all_members_have_signed(
    chromium: Browser, bundle: Path, tmp_path: Path
) -> None:
    with two_servers(tmp_path, "end") as (operator, url, second):
        async with chromium.fresh() as browser:
            ada = await Visitor.at(browser, url, "Ada", ("#c00000", 500.0), KEEP_FILES)
            await ada.press("Open a room")
            await ada.press(f"Add {second}")
            await ada.press("Back")
            link = await ada.open_room()
            with running("join", link, "--name", "Bo", "--json") as bo:
                await ada.here("Bo")
                await wait(bo, "media", lambda e: e["opened"] > 0)
                operator.send({"act": "end", "begin": {}})
                await ada.reads(f"2 of 2 members signed that they lost the meeting at {url}")
                before = await ada.tab.js("kept.length")
                await ada.tab.js("document.querySelector('.incident[data-kind=evidence] .button').click()")
                await ada.reads("The file has all these signatures.")
                await until(lambda: ada.tab.js(f"kept.length > {before}"), "nothing was saved")
                text = await ada.tab.js("kept.at(-1).text()")
                (loss,) = evidence.verify_evidence(evidence.decode_evidence(text.encode())).losses
                assert len(loss.keys) == 2
                assert loss.probed is not None
                bo.send({"leave": True})
                assert await asyncio.to_thread(bo.status) == 0
