"""A page reconnects by itself after its media worker is killed, and so does the other end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from snugroom.client.media.sources import colour_of_identity, pitch_of_identity
from snugroom.lab import machine
from tests.cli.processes import Event, running
from tests.web.browsers import Browser
from tests.web.visitor import Visitor, meeting_server, rgb_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

CEM_LEAF = 1
#: A stream with more frames than this began before the kill: seconds of sound or video.
OLD = {"audio": 300, "video": 120}


async def test_the_page_comes_back_when_its_media_worker_is_killed(
    fresh: Browser, bundle: Path, tmp_path: Path
) -> None:
    with meeting_server(tmp_path, 0, "--workers", "2") as (server, url):
        ada = await Visitor.at(fresh, url, "Ada")
        link = await ada.open_room()
        with running("join", link, "--name", "Cem", "--json") as cem:
            await ada.here("Cem")
            card = rgb_of(colour_of_identity(CEM_LEAF))
            await ada.sees("Cem", card)

            def begun(stream: str) -> Callable[[Event], bool]:
                return lambda e: bool(
                    e["from"] == "Ada" and e["stream"] == stream and e["opened"] > OLD[stream]
                )

            def anew(stream: str) -> Callable[[Event], bool]:
                return lambda e: bool(
                    e["from"] == "Ada" and e["stream"] == stream and 10 < e["opened"] < OLD[stream]
                )

            for stream in OLD:
                await asyncio.to_thread(cem.wait, "media", begun(stream))
            for child in machine.children(server.pid):  # one of them has the room
                os.kill(child, signal.SIGKILL)
            lost = await asyncio.to_thread(cem.wait, "alarm", lambda e: e["kind"] == "media_lost")
            assert "stopped answering" in lost["text"]
            # the page sends again, in streams of a new link, which begin at nothing
            since = len(cem.lines)
            for stream in OLD:
                await asyncio.to_thread(cem.wait, "media", anew(stream), since)
            # and shows and plays what comes by it
            await ada.sees("Cem", card)
            await ada.hears(pitch_of_identity(CEM_LEAF))
            assert not [e for e in cem.events("status") if e["kind"] == "away"]
