"""Firefox on one desk: a server with its defaults, and a Firefox that reaches no loopback address."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from snugroom.client.media.sources import colour_of_identity, pitch_of_identity
from tests.cli.processes import Event, running
from tests.network.namespace import UnavailableError, run
from tests.network.namespace_pair import CLIENT, SERVER, Cable
from tests.web import browsers
from tests.web.visitor import Visitor, rgb_of

#: The headless participant's test card follows its leaf: it comes in second.
BO_LEAF = 1


def test_firefox_has_media_from_a_server_on_loopback(bundle: Path) -> None:
    try:
        with Cable() as cable:
            # without one Firefox takes itself for offline, and looks for no path
            cable.there(lambda: run("ip", "route", "add", "default", "via", CLIENT))
            cable.there(lambda: asyncio.run(_meeting()))
    except UnavailableError as why:
        pytest.skip(str(why))


def played(event: Event, stream: str) -> bool:
    return bool(event["stream"] == stream and event["decoded"] > 20)


async def _meeting() -> None:
    with running("--listen", "127.0.0.1:0", module="snugroom.server") as server:
        url = server.wait_line(lambda line: line.startswith("listening on ")).removeprefix("listening on ")
        # as people have it, without the tests' candidates on loopback
        async with browsers.firefox(**{"media.peerconnection.ice.loopback": False}) as firefox:
            ada = await Visitor.at(firefox, url, "Ada")
            link = await ada.open_room()
            with running("join", link, "--name", "Bo", "--json") as bo:
                await ada.here("Bo")
                await ada.sees("Bo", rgb_of(colour_of_identity(BO_LEAF)))
                await ada.hears(pitch_of_identity(BO_LEAF))
                for stream in ("audio", "video"):
                    await asyncio.to_thread(bo.wait, "media", lambda e: played(e, stream))
            used = "probe.peers.map((p) => p.currentRemoteDescription.sdp).join()"
            assert SERVER in await ada.tab.js(used)
            await ada.clean()
