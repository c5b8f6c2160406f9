"""A call at the real page: what one device decides, and a headless participant does not notice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from snugroom.client.media.sources import colour_of_identity, pitch_of_identity
from tests.cli.processes import Process, running
from tests.web.browsers import Browser
from tests.web.visitor import PITCH_SLACK, Visitor, meeting_server, rgb_of, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Notes every copy of a track that the page makes, and every lock on the screen's sleep.
WATCH: Final = """(() => {
  window.copies = [];
  const copy = MediaStreamTrack.prototype.clone;
  MediaStreamTrack.prototype.clone = function () {
    const made = copy.call(this);
    window.copies.push(made);
    return made;
  };
  window.locks = [];
  const request = window.WakeLock?.prototype.request;
  if (request !== undefined) WakeLock.prototype.request = async function (...given) {
    const lock = await request.apply(this, given);
    window.locks.push(lock);
    return lock;
  };
})()"""
#: How many copies of a microphone's track are open.
OPEN: Final = "copies.filter(({ kind, readyState }) => kind === 'audio' && readyState === 'live').length"
#: The tracks that the page's connections send of a microphone, by whether they are on.
SENDS: Final = """probe.peers.filter((peer) => peer.connectionState === 'connected')
    .flatMap((peer) => peer.getSenders()).map(({ track }) => track)
    .filter((track) => track?.kind === 'audio')"""
#: The notes of the test sound, in Hz.
NOTES: Final = (523.25, 783.99)


async def more_of(process: Process) -> None:
    """Wait until the headless participant has decoded two seconds more of the page's video."""
    before = [e["decoded"] for e in process.events("media") if e["stream"] == "video"]
    enough = (before[-1] if before else 0) + 40
    await asyncio.to_thread(
        process.wait, "media", lambda e: e["stream"] == "video" and e["decoded"] > enough, 0
    )


async def test_what_a_device_decides_is_nobody_elses_matter(
    fresh: Browser, bundle: Path, tmp_path: Path
) -> None:
    with meeting_server(tmp_path) as (_, url):
        ada = await Visitor.at(fresh, url, "Ada", ("#c00000", 500.0), WATCH)
        link = await ada.open_room()
        with running("join", link, "--name", "Bo", "--json") as bo:
            await ada.here("Bo")
            await ada.sees("Bo", rgb_of(colour_of_identity(1)))
            await ada.hears(pitch_of_identity(1))
            assert await ada.tab.js("document.querySelector('.pair > [data-tile=\"1 camera\"]') !== null")

            await muted_for_one_device(ada)
            await hidden_and_still_sent(ada, bo)
            await told_that_one_is_muted(ada)
            await tried_speaker(ada)
            await measured(ada)
            await kept_awake(ada)

            assert bo.events("alarm") == []
            assert {e["failed"] for e in bo.events("media")} == {0}
            await ada.clean()


async def muted_for_one_device(ada: Visitor) -> None:
    """Bo is silent here, and heard again."""
    await ada.press("Actions for Bo's tile")
    await ada.press("Mute for me")
    await until(lambda: ada.tab.js("probe.hears().length === 0"), "Bo is still heard")
    assert await ada.tab.js("document.querySelectorAll('.mark[title=\"Muted for you\"]').length") == 1
    await ada.press("Actions for Bo's tile")
    await ada.press("Hear again")
    await ada.hears(pitch_of_identity(1))


async def hidden_and_still_sent(ada: Visitor, bo: Process) -> None:
    """Nobody is cut off by not looking at oneself."""
    await ada.press("More")
    await ada.press("Hide my own view")
    await until(lambda: ada.tab.js("document.querySelector('[data-tile=\"0 camera\"]') === null"), "there")
    await more_of(bo)
    await ada.press("More")
    await ada.press("Show my own view")
    await ada.here("Bo")


async def told_that_one_is_muted(ada: Visitor) -> None:
    """A copy of the microphone's track is listened to while that is wanted, and is sent to nobody."""
    assert await ada.tab.js("copies.length") == 0, "nothing is listened to while the microphone is on"
    await ada.press("Turn your mic off")
    await ada.reads("You're muted.")
    assert await ada.tab.js(OPEN) == 1
    assert await ada.tab.js(f"{SENDS}.map(({{ enabled }}) => enabled)") == [False]
    assert await ada.tab.js(f"{SENDS}.some((track) => copies.includes(track))") is False
    await ada.press("Turn your mic on")
    await until(lambda: ada.tab.js(f"{OPEN} === 0"), "it listens on")
    await ada.press("Turn your mic off")
    await ada.reads("You're muted.")
    await ada.press("Don't tell me")
    await until(lambda: ada.tab.js(f"{OPEN} === 0"), "it listens on")
    await ada.press("Turn your mic on")
    kept: Any = await ada.tab.js("localStorage.getItem('snug-call')")
    assert kept == '{"mutedHint":false}'


async def tried_speaker(ada: Visitor) -> None:
    """The test sound is played, and is heard as such."""
    await ada.press("More")
    await ada.press("Settings")

    async def tried() -> bool:
        await ada.press("Play a test sound")
        for _ in range(20):
            heard = await ada.tab.js("probe.hears()")
            if any(abs(hz - note) < PITCH_SLACK for hz, _ in heard for note in NOTES):
                return True
        return False

    await until(tried, "no test sound")


async def measured(ada: Visitor) -> None:
    """The panel has numbers of both tiles."""
    await ada.press("More")
    await ada.press("Quality")
    rates = """[...document.querySelectorAll('.qualities li')].map((row) =>
        Number(/([0-9,]+) kbit/.exec(row.textContent)?.[1].replace(',', '') ?? 0))"""
    await until(lambda: ada.tab.js(f"{rates}.length === 2 && Math.min(...{rates}) > 20"), "no rates")
    await ada.reads("Sent as sharp as it is here.")


async def kept_awake(ada: Visitor) -> None:
    """The screen stays on in the room, and may sleep after it."""
    supported = await ada.tab.js("'wakeLock' in navigator")
    held = "locks.filter(({ released }) => !released).length"
    if supported:
        assert await ada.tab.js(held) == 1
    await ada.press("Leave")
    await ada.press("Leave the meeting")
    await ada.press("Leave without a host")
    await ada.reads("You have left")
    if supported:
        await until(lambda: ada.tab.js(f"{held} === 0"), "it stays awake")
