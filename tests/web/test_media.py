"""Media between browsers, by picture and pitch: the page's own link and transforms, the real SFU between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.web.browsers import NAMES, Browser, Tab, browser, source, until
from tests.web.media_house import House, Packet, has_payload

#: Colours as browsers show them after a codec, and pitches in Hz: one of each a person.
COLOURS: Final = {2: ("#c00000", (192, 0, 0)), 3: ("#00a000", (0, 160, 0)), 4: ("#0000c0", (0, 0, 192))}
PITCHES: Final = {2: 440.0, 3: 880.0, 4: 1320.0}
COLOUR_SLACK: Final = 40
PITCH_SLACK: Final = 15.0


def person(leaf: int) -> str:
    return source(COLOURS[leaf][0], PITCHES[leaf])


def shows(seen: list[int] | None, leaf: int) -> bool:
    wanted = COLOURS[leaf][1]
    return seen is not None and all(abs(a - b) <= COLOUR_SLACK for a, b in zip(seen[2:], wanted, strict=True))


async def sees(tab: Tab, ssrc: int, leaf: int, seconds: float = 20.0) -> None:
    """Until the picture of that stream is that person's."""
    seen: Any = None
    try:
        async with asyncio.timeout(seconds):
            while not shows(seen := await tab.js(f"test.see({ssrc})"), leaf):
                await asyncio.sleep(0.1)
    except TimeoutError:
        counts = await tab.js("test.counts()")
        raise AssertionError(f"leaf {leaf} is not seen, but {seen}; {counts}; {tab.log()[-5:]}") from None


async def hears(tab: Tab, ssrc: int, leaf: int, seconds: float = 20.0) -> None:
    """Until the strongest pitch of that stream is that person's."""
    heard: Any = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                heard = await tab.js(f"test.hear({ssrc})")
                if heard is not None and heard[1] > 60 and abs(heard[0] - PITCHES[leaf]) < PITCH_SLACK:
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        counts = await tab.js("test.counts()")
        raise AssertionError(f"leaf {leaf} is not heard, but {heard}; {counts}") from None


async def count(tab: Tab, ssrc: int) -> dict[str, Any]:
    """What the worker has counted of a stream."""
    streams: list[dict[str, Any]] = (await tab.js("test.counts()"))["streams"]
    return next(s for s in streams if s["ssrc"] == ssrc)


@pytest.fixture
async def both() -> AsyncIterator[dict[str, Browser]]:
    """Both browsers at once."""
    async with contextlib.AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(browser(name)) for name in NAMES}


async def test_everybody_sees_and_hears_everybody(both: dict[str, Browser], house: House) -> None:
    """Two Chromium tabs and a Firefox: each pair, by colour and by pitch."""
    tabs = {2: both["chromium"], 3: both["firefox"], 4: both["chromium"]}
    people = {leaf: await house.tab(made, person(leaf)) for leaf, made in tabs.items()}
    ssrcs = {leaf: await house.join(tab, leaf) for leaf, tab in people.items()}
    for tab in people.values():
        await tab.js("test.remote()")
    for leaf, tab in people.items():
        for other in people:
            if other != leaf:
                await sees(tab, ssrcs[other][1], other)
                await hears(tab, ssrcs[other][0], other)
    for leaf, tab in people.items():
        counts = await tab.js("test.counts()")
        assert {s["leaf"] for s in counts["streams"]} == set(people) - {leaf}
        assert [s["failed"] for s in counts["streams"]] == [0, 0, 0, 0]
        assert await tab.js("test.told") == []


async def pair(shown: Browser, house: House) -> tuple[Tab, Tab, list[int]]:
    """Leaf 2, who sends, leaf 3, who has seen it, and leaf 2's SSRCs."""
    sender, receiver = await house.tab(shown, person(2)), await house.tab(shown, person(3))
    ssrcs = await house.join(sender, 2)
    await house.join(receiver, 3)
    await receiver.js("test.remote()")
    await sees(receiver, ssrcs[1], 2)
    return sender, receiver, ssrcs


async def test_sound_has_one_size_whether_one_speaks_or_is_muted(shown: Browser, house: House) -> None:
    tab = await house.tab(shown, person(2))
    ssrc, _ = await house.join(tab, 2)
    await until(tab, "test.connected()")
    await asyncio.sleep(2)
    begun = len(house.of(ssrc))
    await tab.js("test.mute(true)")
    await asyncio.sleep(1)
    muted = len(house.of(ssrc))
    await tab.js("test.mute(false)")
    await asyncio.sleep(1)
    # the first packets of Firefox still settle: three sizes, whatever is said
    packets = house.of(ssrc)[10:]
    assert len(packets) > 120
    assert muted - begun > 40, "who is muted sends as many packets"
    # the counter within it grows by a byte now and then, and says nothing
    sizes = {len(packet.data) for packet in packets}
    assert max(sizes) - min(sizes) <= 2
    assert {packet.payload_type for packet in packets} == {111}
    assert not any(packet.data[0] & 0x10 for packet in packets), "no header extension with sound"


@pytest.mark.parametrize("which", ["audio", "video"])
async def test_a_changed_frame_is_not_shown(shown: Browser, house: House, which: str) -> None:
    _, receiver, ssrcs = await pair(shown, house)
    await hears(receiver, ssrcs[0], 2)
    ssrc = ssrcs[which == "video"]

    def flip(packet: Packet) -> bytes:
        if packet.ssrc != ssrc or not has_payload(packet.data):
            return packet.data
        return packet.data[:-1] + bytes([packet.data[-1] ^ 1])  # within the tag

    house.sfu.change = flip
    await asyncio.sleep(0.5)
    before = await count(receiver, ssrc)
    await asyncio.sleep(1.5)
    after = await count(receiver, ssrc)
    assert after["failed"] > before["failed"]
    assert after["opened"] == before["opened"]
    house.sfu.change = lambda packet: packet.data
    if which == "video":
        await until(
            receiver,
            f"test.counts().then((c) => c.streams.some((s) => s.ssrc === {ssrc} && s.opened > {after['opened']} + 5))",
        )
    await sees(receiver, ssrcs[1], 2)
    await hears(receiver, ssrcs[0], 2)


#: A page that seals nothing; Chromium lets nothing out without a transform, unless it is made like this.
PLAIN: Final = """
    Object.defineProperty(RTCRtpSender.prototype, "transform", { set() {} });
    const Real = RTCPeerConnection;
    window.RTCPeerConnection = function () { return new Real({ bundlePolicy: "max-bundle" }); };
"""


async def test_plaintext_that_somebody_puts_in_is_not_shown(shown: Browser, house: House) -> None:
    """A stream that was never sealed, under an SSRC that the server lists: not one frame of it is given out."""
    receiver = await house.tab(shown, person(3))
    await house.join(receiver, 3)
    sender = await house.tab(shown, person(2), PLAIN)
    ssrcs = await house.join(sender, 2)
    await receiver.js("test.remote()")
    await asyncio.sleep(3)
    assert len([p for p in house.of(*ssrcs) if has_payload(p.data)]) > 50, "it was sent"
    for ssrc in ssrcs:
        counted = await count(receiver, ssrc)
        assert counted["opened"] == 0
        assert counted["failed"] > 0
    assert await receiver.js(f"test.see({ssrcs[1]})") is None
    assert (await receiver.js(f"test.hear({ssrcs[0]})"))[1] == 0


async def test_frames_wait_for_their_announcement(shown: Browser, house: House) -> None:
    sender, receiver = await house.tab(shown, person(2)), await house.tab(shown, person(3))
    ssrcs = await house.join(sender, 2)
    await house.join(receiver, 3)
    await receiver.js("test.tell({ unknown: true })")
    await receiver.js("test.remote()")
    await asyncio.sleep(2)
    assert (await count(receiver, ssrcs[1]))["opened"] == 0
    assert await receiver.js(f"test.see({ssrcs[1]})") is None
    await receiver.js("test.tell({ unknown: false })")
    await sees(receiver, ssrcs[1], 2)
    await hears(receiver, ssrcs[0], 2)


async def test_silence_of_the_session_lets_nothing_out_and_a_whole_picture_follows(
    shown: Browser, house: House
) -> None:
    sender, receiver, ssrcs = await pair(shown, house)
    await sender.js("test.tell({ silent: true })")
    await asyncio.sleep(0.5)
    before = len([p for p in house.of(*ssrcs) if has_payload(p.data)])
    await asyncio.sleep(1.5)
    assert len([p for p in house.of(*ssrcs) if has_payload(p.data)]) == before
    opened = (await count(receiver, ssrcs[1]))["opened"]
    await sender.js("test.tell({ silent: false })")
    await until(
        receiver,
        f"test.counts().then((c) => c.streams.some((s) => s.ssrc === {ssrcs[1]} && s.opened > {opened} + 5))",
    )
    # nobody had to ask for it: what leaves first can be decoded
    frames = house.frames(ssrcs[1], "video")
    assert sum(frame.startswith(b"\xf0") for frame in frames) >= 2


async def test_a_camera_that_is_off_sends_nothing(shown: Browser, house: House) -> None:
    sender, receiver, ssrcs = await pair(shown, house)
    await sender.js("test.camera(false)")
    await asyncio.sleep(0.5)
    before = len([p for p in house.of(ssrcs[1]) if has_payload(p.data)])
    await asyncio.sleep(1)
    assert len([p for p in house.of(ssrcs[1]) if has_payload(p.data)]) <= before + 1
    opened = (await count(receiver, ssrcs[1]))["opened"]
    await sender.js("test.camera(true)")
    await until(
        receiver,
        f"test.counts().then((c) => c.streams.some((s) => s.ssrc === {ssrcs[1]} && s.opened > {opened} + 5))",
    )


async def test_streams_come_and_go_and_their_places_are_taken_again(shown: Browser, house: House) -> None:
    sender, receiver, ssrcs = await pair(shown, house)
    for turn in range(3):
        fresh = await sender.js("test.link()")
        assert set(fresh).isdisjoint(ssrcs), turn
        ssrcs = fresh
        assert sorted(await receiver.js("test.remote()")) == sorted(ssrcs)
        await sees(receiver, ssrcs[1], 2)
        await hears(receiver, ssrcs[0], 2)
    sections = await receiver.js("test.sections()")
    assert sections == 4, "ended streams' places were taken again"


async def test_a_screen_is_a_stream_more(shown: Browser, house: House) -> None:
    sender, receiver, ssrcs = await pair(shown, house)
    all_of_them = await sender.js(f"test.share({COLOURS[4][0]!r})")
    assert all_of_them[:2] == ssrcs
    assert len(all_of_them) == 3
    assert sorted(await receiver.js("test.remote()")) == sorted(all_of_them)
    await sees(receiver, all_of_them[2], 4)
    await sees(receiver, ssrcs[1], 2)
    assert (await count(receiver, all_of_them[2]))["stream"] == 3


async def test_a_server_that_is_gone_is_told(shown: Browser, house: House) -> None:
    tab = await house.tab(shown, person(2))
    await house.join(tab, 2)
    await until(tab, "test.connected()")
    house.sfu.close()
    await until(tab, "test.events.includes('lost')", 30)
    assert await tab.js("test.lost") == [[{"key": "shell.media_gone"}, True]]
