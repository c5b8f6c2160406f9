"""Browsers reach the media server by IPv6, by TCP, through a relay, and after a change of network."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from snugroom.server.turn import TurnServer
from tests.media_server.test_networks import ipv6
from tests.network import coturn
from tests.network.proxy import SERVER, Proxy
from tests.web import media_server
from tests.web.browsers import Browser, Tab
from tests.web.media_server import MediaServer, address
from tests.web.test_media import count, goes_on, hears, person, sees

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Runs before the page's own scripts: only relayed candidates count, as behind a strict firewall.
RELAY = """
(() => {
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = function (configuration) {
    return new Real({ ...configuration, iceTransportPolicy: "relay" });
  };
  window.RTCPeerConnection.prototype = Real.prototype;
})();
"""


@contextlib.asynccontextmanager
async def sfu_server(pages: Path, **options: Any) -> AsyncIterator[MediaServer]:
    async with media_server.start(pages, **options) as made:
        yield made
        for tab in made.tabs:
            await tab.close()


async def meet(place: MediaServer, browser: Browser, *scripts: str) -> tuple[Tab, Tab, list[list[int]]]:
    """Leaves 2 and 3, who see and hear each other, and the SSRCs of each."""
    tabs = [await place.tab(browser, person(leaf), *scripts) for leaf in (2, 3)]
    ssrcs = [await place.join(tab, leaf) for leaf, tab in zip((2, 3), tabs, strict=True)]
    for tab in tabs:
        await tab.js("test.remote()")
    await sees(tabs[0], ssrcs[1][1], 3)
    await sees(tabs[1], ssrcs[0][1], 2)
    await hears(tabs[0], ssrcs[1][0], 3)
    await hears(tabs[1], ssrcs[0][0], 2)
    return tabs[0], tabs[1], ssrcs


def kinds(place: MediaServer) -> list[int]:
    """The kinds of all peers' addresses: 2 IPv4, 4 IPv6, 3 TCP."""
    return [0 if link.address is None else len(link.address) for link in place.sfu._links.values()]


async def test_over_tcp_where_udp_is_dropped(shown: Browser, pages: Path) -> None:
    async with sfu_server(pages, tcp=True) as place:
        assert place.sfu._socket is not None
        asyncio.get_running_loop().remove_reader(place.sfu._socket.fileno())
        await meet(place, shown)
        assert kinds(place) == [3, 3]


async def test_udp_is_taken_where_it_passes(shown: Browser, pages: Path) -> None:
    async with sfu_server(pages, tcp=True) as place:
        await meet(place, shown)
        # On a busy machine a check by UDP can be answered so late that one browser has settled for TCP.
        assert 2 in kinds(place)


@ipv6
async def test_over_ipv6_where_ipv4_is_dead(chromium: Browser, pages: Path) -> None:
    async with sfu_server(pages, address="127.0.0.1", also=["::1"]) as place:
        assert place.sfu._socket is not None
        # A connected socket receives only from its peer, and nothing comes from there. Removing its reader is
        # not enough: the SFU drains both sockets when one is readable.
        place.sfu._socket.connect(("127.0.0.1", 9))
        await meet(place, chromium)
        assert kinds(place) == [4, 4]


# -- from one network into another ---------------------------------------------------------------------


async def test_a_changed_address_is_one_pause_and_no_other_handshake(shown: Browser, pages: Path) -> None:
    """The times of retries are tested on a simulated clock (tests/web/unit/media/reach.test.ts)."""
    here = address()
    with Proxy(front=here) as proxy:
        async with sfu_server(pages, address=here, bind=SERVER, port=proxy.port) as place:
            one, two, ssrcs = await meet(place, shown)
            handshakes = place.sfu.totals()["handshakes"]
            for _ in range(2):
                await asyncio.sleep(4)  # as long as it must be well before another try is due at once
                proxy.cut()
                # what was on its way is not what is waited for
                await asyncio.sleep(0.3)
                opened = [
                    (await count(tab, of[0]))["opened"] for tab, of in ((one, ssrcs[1]), (two, ssrcs[0]))
                ]
                await asyncio.gather(
                    goes_on(one, ssrcs[1][0], opened[0]), goes_on(two, ssrcs[0][0], opened[1])
                )
            assert place.sfu.totals()["handshakes"] == handshakes == 2
            await sees(one, ssrcs[1][1], 3)
            await sees(two, ssrcs[0][1], 2)
            for tab in (one, two):
                connected, *later = await tab.js("test.events")
                assert (connected, {*later}, len(later) >= 2) == ("connected", {"anew"}, True)
                assert await tab.js("test.told") == []


async def test_a_quiet_meeting_is_not_begun_anew(shown: Browser, pages: Path) -> None:
    async with sfu_server(pages) as place:
        tab = await place.tab(shown, person(2))
        await place.join(tab, 2, "{}")  # neither camera nor microphone, and nobody else
        await asyncio.sleep(6)
        assert await tab.js("test.events") == ["connected"]


# -- a relay -------------------------------------------------------------------------------------------


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[TurnServer]:
    """Debian's coturn, where browsers reach it."""
    with coturn.running(tmp_path, address()) as server:
        yield server


async def test_over_a_relay(shown: Browser, pages: Path, relay: TurnServer) -> None:
    async with sfu_server(pages, turn=[relay]) as place:
        await meet(place, shown, RELAY)
        ports = {link.address[1] for link in place.sfu._links.values() if link.address is not None}
        assert len(ports) == 2
        assert all(coturn.FIRST <= port <= coturn.LAST for port in ports)
