"""Meetings at the real page: a real server process, Chromium, Firefox and a headless participant in a room.

Each person is known by a colour and a pitch of their own; who sees and hears whom is read from what is
played, and for the headless one from what it has recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import pytest_asyncio

from snugroom.client.media import check
from snugroom.client.media.sources import colour_of_identity, pitch_of_identity
from tests.cli.processes import Event, Process, free_port, running
from tests.media_client import recordings
from tests.patience import PATIENCE
from tests.web import browsers
from tests.web.browsers import Browser, Name
from tests.web.visitor import Visitor, distance, meeting_server, rgb_of, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: A colour in CSS, the colour that is seen, and a pitch in Hz.
LOOKS: Final = {
    "Ada": ("#c00000", (192, 0, 0), 500.0),
    "Bo": ("#00a000", (0, 160, 0), 900.0),
}
#: The headless participant's test card follows its leaf: it comes in third.
CEM_LEAF: Final = 2


def look(name: str) -> tuple[str, float]:
    colour, _, pitch = LOOKS[name]
    return colour, pitch


async def wait(
    process: Process, kind: str, matches: Callable[[Event], bool] = lambda e: True, since: int = 0
) -> Event:
    """`Process.wait`, while the browsers go on."""
    return await asyncio.to_thread(process.wait, kind, matches, since)


async def eventually(look: Callable[[], Awaitable[Event]]) -> Event:
    """`Process.wait` gives up sooner than a busy machine's browsers come in."""
    for _ in range(2):
        with contextlib.suppress(AssertionError):
            return await look()
    return await look()


@pytest_asyncio.fixture(loop_scope="session")
async def both(chromium: Browser, firefox: Browser, bundle: Path) -> AsyncIterator[dict[Name, Browser]]:
    """Both browsers, with empty storage."""
    async with chromium.fresh() as one, firefox.fresh() as other:
        yield {"chromium": one, "firefox": other}


async def test_two_browsers_and_a_headless_participant_are_one_meeting(
    both: dict[Name, Browser], tmp_path: Path
) -> None:
    """Every pair sees and hears each other, writes to each other, and has the same code."""
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(both["chromium"], url, "Ada", look("Ada"))
        link = await ada.open_room(title="Plans")
        bo = await Visitor.at(both["firefox"], link, "Bo", look("Bo"))
        await bo.knock()
        await bo.here("Ada")
        with running("join", link, "--name", "Cem", "--json", "--record", str(tmp_path / "cem")) as cem:
            await ada.here("Bo", "Cem")
            await bo.here("Ada", "Cem")
            there = await wait(cem, "roster", lambda e: len(e["members"]) == 3)
            assert {m["name"]: m["leaf"] for m in there["members"]} == {"Ada": 0, "Bo": 1, "Cem": CEM_LEAF}
            assert await ada.tab.js("document.querySelector('h1').innerText") == "Plans"

            card = rgb_of(colour_of_identity(CEM_LEAF))
            for who, other in ((ada, "Bo"), (bo, "Ada")):
                await who.sees(other, LOOKS[other][1])
                await who.hears(LOOKS[other][2])
                await who.sees("Cem", card)
                await who.hears(pitch_of_identity(CEM_LEAF))

            for name in ("Ada", "Bo"):
                for stream in ("audio", "video"):
                    media = await wait(
                        cem,
                        "media",
                        lambda e, name=name, stream=stream: (  # type: ignore[misc]
                            e["from"] == name and e["stream"] == stream and e["decoded"] > 60
                        ),
                    )
                    assert media["failed"] == 0, media

            await ada.say("Is everybody here?")
            await opens_chat(bo)
            await bo.reads("Is everybody here?")
            assert (await wait(cem, "chat"))["text"] == "Is everybody here?"
            await bo.say("Grüezi \u2713")
            cem.send({"chat": "Beep."})
            await ada.reads("Grüezi \u2713")
            assert (await wait(cem, "chat", lambda e: e["from"] == "Bo"))["text"] == "Grüezi \u2713"
            for who in (ada, bo):
                await who.reads("Beep.")

            code = (await wait(cem, "code", lambda e: e["epoch"] == there["epoch"]))["digits"]
            assert len(code) == 40
            assert await ada.digits() == await bo.digits() == code

            assert cem.events("alarm") == []
            cem.send({"leave": True})
            assert await asyncio.to_thread(cem.status) == 0
        await ada.here("Bo")
        for who in (ada, bo):
            await who.clean()
            lines = "[...document.querySelectorAll('.incident')].map((e) => e.textContent)"
            assert await who.tab.js(lines) == []
        await leave(bo, ada)
    recorded(tmp_path / "cem")


async def opens_chat(who: Visitor) -> None:
    await who.panel("chat", "Chat")


async def leave(*people: Visitor) -> None:
    for who in people:
        await who.press("Leave")
        with contextlib.suppress(AssertionError):
            # a host is asked whether the others stay
            await until(lambda who=who: who.tab.js("probe.press('Leave the meeting')"), "", 2.0)  # type: ignore[misc]
        await who.reads("You have left")


def recorded(folder: Path) -> None:
    """The headless participant's recordings hold each one's pitch and colour, and no other's."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) == 2, files
    colours = {"Ada": uv(LOOKS["Ada"][1]), "Bo": uv(LOOKS["Bo"][1])}
    found = {}
    for file in files:
        strongest = recordings.pitch_of(file)[0]
        name = min(LOOKS, key=lambda name: abs(LOOKS[name][2] - strongest[0]))
        assert abs(strongest[0] - LOOKS[name][2]) < 8, recordings.pitch_of(file)
        assert strongest[1] > 0.8, recordings.pitch_of(file)
        pictures = [check.colour_in(picture) for _, picture in recordings.read_video(file)]
        seen = (float(np.median([c.u for c in pictures])), float(np.median([c.v for c in pictures])))
        assert len(pictures) > 30
        assert distance(seen, colours[name]) < 30, (name, seen, colours)
        found[name] = file
    assert set(found) == set(LOOKS)


def uv(colour: tuple[int, int, int]) -> tuple[float, float]:
    """BT.601, limited range."""
    r, g, b = colour
    return 128 - 0.148 * r - 0.291 * g + 0.439 * b, 128 + 0.439 * r - 0.368 * g - 0.071 * b


async def test_a_host_at_the_page_admits_refuses_locks_and_removes(
    both: dict[Name, Browser], tmp_path: Path
) -> None:
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(both["firefox"], url, "Ada", look("Ada"))
        link = await ada.open_room(title="Plans", admission="Ask me each time")
        bo = await Visitor.at(both["chromium"], link, "Bo", look("Bo"))
        await bo.knock("It's me, from the third floor")
        await ada.reads("It's me, from the third floor")
        # before they are let in nothing of theirs goes anywhere
        assert await bo.tab.js("probe.peers.length") == 0
        await bo.reads("Waiting to be let in")
        await until(
            lambda: ada.tab.js("document.title === '(1) Snug'"),
            "the tab tells of nobody, or of the meeting",
        )
        await ada.press("Let in")
        await ada.here("Bo")
        await bo.here("Ada")
        await bo.sees("Ada", LOOKS["Ada"][1])
        with running("join", link, "--name", "Eve", "--json") as eve:
            await ada.reads("Eve")
            await ada.press("Turn away")
            assert (await eventually(lambda: wait(eve, "end")))["reason"] == "refused"
        await ada.panel("people", "People")
        await ada.choose("Lock the room")
        await bo.reads("Locked")
        with running("join", link, "--name", "Dana", "--json") as dana:
            await eventually(
                lambda: wait(dana, "end", lambda e: e["reason"] in ("refused", "failed", "locked"))
            )
        await ada.press("Actions for Bo")
        await ada.press("Remove from the room...")
        await ada.reads("everybody else's link too")
        await ada.press("Remove")
        await bo.reads("You were removed")
        # in the place of the question
        await ada.reads("Give the new one to those who are still to come")
        copied = await ada.tab.js("probe.copied.length")
        dialog = "document.querySelector('dialog:modal .primary').click()"
        await until(lambda: ada.tab.js(f"({dialog}, probe.copied.length > {copied})"), "no new link")
        assert (await ada.tab.js("probe.copied.at(-1)")) not in (link, None)
        await ada.here()
        # what they sent and saw is over: no connection is open any more
        closed = "probe.peers.every((peer) => peer.connectionState === 'closed')"
        await until(lambda: bo.tab.js(closed), "a removed one's connection")
        await ada.clean()
        await bo.clean()


async def test_a_meeting_outlives_its_server(both: dict[Name, Browser], tmp_path: Path) -> None:
    """The server is killed and started anew: chat that was written meanwhile arrives, in the same epoch."""
    port = free_port()
    with meeting_server(tmp_path, port) as (first, url):
        ada = await Visitor.at(both["chromium"], url, "Ada", look("Ada"))
        link = await ada.open_room()
        bo = await Visitor.at(both["firefox"], link, "Bo", look("Bo"))
        await bo.knock()
        await ada.here("Bo")
        await bo.sees("Ada", LOOKS["Ada"][1])
        code = await ada.digits()
        await bo.panel("chat", "Chat")  # the file of the panels comes soon after the room, from this server
        first.signal(signal.SIGKILL)
        await asyncio.to_thread(first._process.wait, 10)
        for who in (ada, bo):
            await who.reads("The connection to the server was lost")
        await bo.say("While it is away")
        with meeting_server(tmp_path, port):
            await opens_chat(ada)
            await ada.reads("While it is away")
            await ada.say("Welcome back")
            await bo.reads("Welcome back")
            for who, other in ((ada, "Bo"), (bo, "Ada")):
                live = "[...document.querySelectorAll('.tile')].every((tile) => tile.dataset.old !== 'true')"
                await until(lambda who=who: who.tab.js(live), "pictures are old")  # type: ignore[misc]
                await who.sees(other, LOOKS[other][1])
                await who.hears(LOOKS[other][2])
            assert await ada.digits() == await bo.digits() == code, "the same epoch as before"
            await leave(bo, ada)


async def test_video_without_a_subscription_stops_and_resumes_with_one(
    chromium: Browser, bundle: Path, tmp_path: Path
) -> None:
    """The server follows the subscription, sound goes on, and nobody takes the video for withheld."""
    got = """Promise.all(probe.peers.map(async (peer) => [...(await peer.getStats()).values()]
        .filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')
        .map(({ ssrc, packetsReceived }) => [ssrc, packetsReceived]))).then((all) => all.flat())"""
    with meeting_server(tmp_path) as (_, url):
        async with chromium.fresh() as made:
            ada = await Visitor.at(made, url, "Ada", look("Ada"))
            link = await ada.open_room()
            with running("join", link, "--name", "Bo", "--json") as bo:
                await ada.here("Bo")
                with running("join", link, "--name", "Cem", "--json") as cem:
                    await ada.here("Bo", "Cem")
                    cards = {name: rgb_of(colour_of_identity(leaf)) for name, leaf in (("Bo", 1), ("Cem", 2))}
                    for name, card in cards.items():
                        await ada.sees(name, card)
                    await ada.press("Actions for Cem's tile")
                    await ada.press("Show large")
                    await ada.press("More")
                    await ada.press("Settings")
                    await ada.choose("Ask only for the video of the speaker")
                    await ada.reads("Not asked for")
                    before = dict(await stopped(ada, got))
                    await ada.sees("Cem", cards["Cem"])
                    await ada.hears(pitch_of_identity(1))
                    after = dict(await stopped(ada, got))
                    still = [ssrc for ssrc in after if after[ssrc] - before[ssrc] <= _STRAYS]
                    assert len(after) == 2
                    assert len(still) == 1, "one goes on, one doesn't come"
                    await ada.choose("Ask only for the video of the speaker")
                    await ada.sees("Bo", cards["Bo"])
                    for who in (bo, cem):
                        assert who.events("alarm") == []
                        who.send({"leave": True})
                        assert await asyncio.to_thread(who.status) == 0
            assert await ada.tab.js("document.querySelectorAll('.incident').length") == 0
            await ada.clean()


#: Packets of a stream that is not subscribed: one in 4,096 comes all the same (decision 82).
_STRAYS = 1
#: Packets of the other stream, after which it is no chance that there were no more of the first.
_ENOUGH = 40


async def stopped(who: Visitor, counters: str) -> list[tuple[int, int]]:
    """Wait until one of two counters stands still while the other rises; both, as they are then."""
    last: list[tuple[int, int]] = []

    async def one_stands() -> bool:
        nonlocal last
        before, risen = dict(await who.tab.js(counters)), [0]
        async with asyncio.timeout(PATIENCE):
            while len(risen) != 2 or risen[1] < _ENOUGH:
                await asyncio.sleep(0.1)
                last = [(int(ssrc), int(count)) for ssrc, count in await who.tab.js(counters)]
                risen = sorted(count - before.get(ssrc, 0) for ssrc, count in last)
        return risen[0] <= _STRAYS

    await until(one_stands, "both come")
    return last


async def test_devices_are_changed_in_the_room_and_a_tile_has_a_window_of_its_own(
    bundle: Path, tmp_path: Path
) -> None:
    # the second of Chromium's made-up cameras measures depth, which nobody can send; the third is one
    devices = "--use-fake-device-for-media-stream=device-count=3"
    with meeting_server(tmp_path) as (_, url):
        async with browsers.chromium(devices) as made:
            ada = await Visitor.at(made, url, "Ada", None)
            link = await ada.open_room()
            with running("join", link, "--name", "Bo", "--json") as bo:
                await ada.here("Bo")
                await wait(bo, "media", lambda e: e["stream"] == "video" and e["decoded"] > 20)
                await ada.press("More")
                await ada.press("Settings")
                await ada.pick("Camera", "fake_device_2")
                await ada.pick("Microphone", "Fake Audio Input 2")
                sent = "probe.peers.flatMap((p) => p.getSenders()).map((s) => s.track?.label ?? '').join()"
                await until(lambda: ada.tab.js(f"{sent}.includes('Input 2,fake_device_2')"), "other devices")
                before = bo.events("media")[-1]["decoded"]
                await wait(bo, "media", lambda e: e["stream"] == "video" and e["decoded"] > before + 40)
                await ada.press("Turn your camera off")
                await ada.reads("Camera off")
                await ada.press("Turn your camera on")
                await wait(bo, "media", lambda e: e["stream"] == "video" and e["decoded"] > before + 80)
                assert {e["failed"] for e in bo.events("media")} == {0}
                await ada.press("Actions for Bo's tile")
                await ada.press("Pop out")
                await until(lambda: ada.tab.js("document.pictureInPictureElement !== null"), "no window")
                assert bo.events("alarm") == []
                await ada.clean()


async def test_without_its_worker_nothing_leaves(fresh: Browser, bundle: Path, tmp_path: Path) -> None:
    """Fail closed: without the worker that seals, nothing leaves, and nothing that arrives is shown."""
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(fresh, url, "Ada", look("Ada"))
        link = await ada.open_room()
        with running("join", link, "--name", "Cem", "--json") as cem:
            await ada.here("Cem")
            await wait(cem, "media", lambda e: e["stream"] == "video" and e["decoded"] > 20)
            await ada.tab.js("void probe.workers.forEach((worker) => worker.terminate())")
            # what was sealed before is still on its way
            await settled(ada)
            sent = await ada.tab.js("probe.sent()")
            since = len(cem.lines)
            await asyncio.sleep(3)
            assert await ada.tab.js("probe.sent()") == sent
            await wait(cem, "media", since=since)
            assert {e["failed"] for e in cem.events("media")} == {0}, "nothing came that was not sealed"
            cem.send({"leave": True})
            assert await asyncio.to_thread(cem.status) == 0


async def test_a_media_server_that_firefox_never_reaches_is_told_with_the_way_out(
    firefox: Browser, bundle: Path, tmp_path: Path
) -> None:
    config = tmp_path / "snug.toml"
    config.write_text("media_beside_loopback = false\n")
    listen = ("--listen", "127.0.0.1:0", "--config", str(config))
    with running(*listen, module="snugroom.server") as server:
        line = server.wait_line(lambda line: line.startswith("listening on "))
        async with firefox.fresh() as made:
            ada = await Visitor.at(made, line.removeprefix("listening on "), "Ada", look("Ada"))
            await ada.open_room()
            await ada.reads(
                "Firefox reaches no such address: use Chromium, or set media_address on the server"
            )


async def settled(who: Visitor) -> None:
    """Wait until two looks at what is sent, a second apart, are the same."""
    before: Any = None

    async def look() -> bool:
        nonlocal before
        await asyncio.sleep(1)
        last, before = before, await who.tab.js("probe.sent()")
        return bool(last == before)

    await until(look, "it goes on sending")


async def test_a_browser_that_cannot_seal_is_told_so_and_connects_to_nobody(
    fresh: Browser, bundle: Path, tmp_path: Path
) -> None:
    with meeting_server(tmp_path) as (_, url):
        script = "delete window.RTCRtpScriptTransform;"
        ada = await Visitor.at(fresh, url, "Ada", look("Ada"), script)
        await ada.reads("This browser can't seal video before it sends it")
        assert await ada.tab.js("[probe.peers.length, probe.workers.length]") == [0, 0]
        await ada.clean()
