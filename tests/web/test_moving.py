"""A meeting at the real page outlives its server: page and headless participant go on at the next one."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Final

import pytest

from snugroom.client.media.sources import colour_of_identity
from snugroom.crypto.proof import evidence
from tests.cli.processes import free_port, running
from tests.web.browsers import Browser
from tests.web.test_meeting import wait
from tests.web.visitor import Visitor, meeting_server, rgb_of, until

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
    ports = free_port(), free_port()
    first, second = (f"http://127.0.0.1:{port}" for port in ports)
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    with (
        meeting_server(folders[0], ports[0], settings=f'peers = ["{second}"]\n') as (killed, url),
        meeting_server(folders[1], ports[1], settings=f'peers = ["{first}"]\n'),
    ):
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
                await ada.reads(
                    "The next of these is the mirror of this meeting: all programs report there too."
                )
                assert await ada.tab.js("probe.violations") == []
                bo.send({"leave": True})
                assert await asyncio.to_thread(bo.status) == 0


async def test_a_host_at_the_page_saves_what_all_members_have_signed(
    chromium: Browser, bundle: Path, tmp_path: Path
) -> None:
    ports = free_port(), free_port()
    first, second = (f"http://127.0.0.1:{port}" for port in ports)
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    peers = [f'peers = ["{each}"]\n' for each in (second, first)]
    with (
        meeting_server(folders[0], ports[0], "--hostile", "end", settings=peers[0]) as (operator, url),
        meeting_server(folders[1], ports[1], settings=peers[1]),
    ):
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
                await ada.tab.js("document.querySelector('.alarm[data-kind=evidence] .button').click()")
                await ada.reads("The file has all these signatures.")
                await until(lambda: ada.tab.js(f"kept.length > {before}"), "nothing was saved")
                text = await ada.tab.js("kept.at(-1).text()")
                (loss,) = evidence.verify_evidence(evidence.decode_evidence(text.encode())).losses
                assert len(loss.keys) == 2
                assert loss.probed is not None
                bo.send({"leave": True})
                assert await asyncio.to_thread(bo.status) == 0
