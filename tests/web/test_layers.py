"""Simulcast in Chromium: the layers that leave it, how they are sealed, and changes of the layer."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final

import pytest

from snugroom.crypto.media.keys import layer_stream
from snugroom.wire import rtp
from snugroom.wire.limits import RTX_PAYLOAD_TYPE, VIDEO_PAYLOAD_TYPE
from tests.patience import PATIENCE
from tests.web.browsers import Browser, Tab, source, until
from tests.web.media_server import MediaServer, Packet, has_payload, keys, open_all

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEIGHTS: Final = (135, 270, 540)
LARGE: Final = source("#c00", 440, size=(960, 540))
#: The layers that a tile can show, one after the other.
LAYERS: Final = (0, 2, 1, 0, 2)
#: Seconds without a new frame: a failed change is mended after a second of requests at the earliest,
#: and a busy machine may pause by itself.
FREEZE: Final = 2.5
#: Seconds: a browser that has no time to encode all sizes leaves the largest out, until it has.
COMING: Final = 3 * PATIENCE


async def sender(
    browser: Browser, sfu_server: MediaServer, leaf: int = 2, layers: int = 3
) -> tuple[Tab, dict[str, Any]]:
    """A sender of that many layers, and its published video stream."""
    tab = await sfu_server.tab(browser, LARGE)
    await tab.js(f"(test.layers = {layers}, 1)")
    await sfu_server.join(tab, leaf)
    return tab, (await tab.js("test.published.streams"))[1]


async def come(
    sfu_server: MediaServer, ssrcs: list[int], least: int = 20, *, with_payload: bool = False
) -> None:
    """Wait until so many packets of each have come."""

    def count(ssrc: int) -> int:
        return sum(has_payload(packet.data) or not with_payload for packet in sfu_server.of(ssrc))

    async with asyncio.timeout(COMING):
        while any(count(ssrc) < least for ssrc in ssrcs):  # noqa: ASYNC110 - packets tell nobody
            await asyncio.sleep(0.05)


def extensions(packet: bytes) -> dict[int, int]:
    """Header extensions of a packet: by id, their lengths."""
    found: dict[int, int] = {}
    if not packet[0] & 0x10:
        return found
    assert packet[12:14] == b"\xbe\xde"
    at, end = 16, 16 + 4 * int.from_bytes(packet[14:16], "big")
    while at < end:
        if packet[at]:
            found[packet[at] >> 4] = (packet[at] & 15) + 1
            at += (packet[at] & 15) + 1
        at += 1
    return found


async def test_three_sizes_leave_each_sealed_as_its_own(chromium: Browser, sfu_server: MediaServer) -> None:
    _, video = await sender(chromium, sfu_server)
    ssrcs = [video["ssrc"], *video["layers"]]
    assert len(ssrcs) == len(video["rtx"]) == 3
    await come(sfu_server, ssrcs)
    assert {p.ssrc for p in sfu_server.sfu.packets if p.payload_type != 111} <= {*ssrcs, *video["rtx"]}
    assert {p.ssrc for p in sfu_server.fresh() if p.payload_type != 111} == set(ssrcs)
    for layer, ssrc in enumerate(ssrcs):
        packets = [packet.data for packet in sfu_server.of(ssrc)]
        assert {packet[1] & 0x7F for packet in packets} == {VIDEO_PAYLOAD_TYPE}
        assert all(extensions(packet) == {3: 3, 5: 2} for packet in packets)
        assert all(rtp.check(packet, "video") is None for packet in packets)
        opened = open_all("video", sfu_server.frames(ssrc, "video"), keys())
        assert {(frame.leaf, frame.stream) for frame in opened} == {(2, layer_stream(1, layer))}
        assert opened[0].counter == 0, "a frame before the first"
        counters = [frame.counter for frame in opened]
        assert counters == sorted(set(counters))
        assert counters[-1] - len(opened) < 3, "a busy machine loses a packet now and then"
        # width and height of a key frame, RFC 6386 9.1: it is larger from layer to layer
        assert int.from_bytes(opened[0].frame[8:10], "little") & 0x3FFF == HEIGHTS[layer]


async def test_retransmitted_packets_were_sealed_before(chromium: Browser, sfu_server: MediaServer) -> None:
    """RTX, asked for or to measure the path, carries packets as they were and nothing else."""
    _, video = await sender(chromium, sfu_server)
    dropped: set[bytes] = set()

    def lose(packet: Packet) -> bytes | None:
        """Drop one packet of twenty, the first time."""
        number = packet.data[2:4]
        if packet.ssrc != video["ssrc"] or number in dropped or number[1] % 20:
            return packet.data
        dropped.add(number)
        return None

    sfu_server.sfu.change = lose
    await come(sfu_server, [video["ssrc"]], 200)
    await come(sfu_server, video["rtx"][:1], 1, with_payload=True)
    again = sfu_server.of(*video["rtx"])
    assert {packet.payload_type for packet in again} == {RTX_PAYLOAD_TYPE}
    assert all(extensions(packet.data) == {3: 3, 5: 2} for packet in again)
    # all of it is a copy
    assert {packet.ssrc for packet in sfu_server.fresh()}.isdisjoint(video["rtx"])


async def test_a_small_machine_sends_two_sizes(chromium: Browser, sfu_server: MediaServer) -> None:
    _, video = await sender(chromium, sfu_server, layers=2)
    assert len(video["layers"]) == 1
    await come(sfu_server, [video["ssrc"], *video["layers"]])
    for layer, height in enumerate(HEIGHTS[1:]):
        [first, *_] = open_all(
            "video", sfu_server.frames([video["ssrc"], *video["layers"]][layer], "video"), keys()
        )
        assert int.from_bytes(first.frame[8:10], "little") & 0x3FFF == height


async def test_firefox_sends_one_size(firefox: Browser, sfu_server: MediaServer) -> None:
    tab = await sfu_server.tab(firefox, LARGE)
    await tab.js("(test.layers = 3, 1)")
    await sfu_server.join(tab, 2)
    video = (await tab.js("test.published.streams"))[1]
    assert (video["layers"], len(video["rtx"])) == ([], 1)
    await come(sfu_server, [video["ssrc"]])
    opened = open_all("video", sfu_server.frames(video["ssrc"], "video"), keys())
    assert {frame.stream for frame in opened} == {1}


async def test_frames_of_unpublished_layers_do_not_leave(chromium: Browser, sfu_server: MediaServer) -> None:
    """The worker knows of the smallest layer alone: no other leaves, not even under its number."""
    tab = await sfu_server.tab(chromium, LARGE)
    await tab.js("(test.layers = 3, test.hidden = 2, 1)")
    await sfu_server.join(tab, 2)
    video = (await tab.js("test.published.streams"))[1]
    await come(sfu_server, [video["ssrc"]], 60)
    assert {p.ssrc for p in sfu_server.fresh() if p.payload_type != 111} == {video["ssrc"]}
    opened = open_all("video", sfu_server.frames(video["ssrc"], "video"), keys())
    assert {frame.stream for frame in opened} == {1}


async def counted(tab: Tab, ssrc: int, what: str) -> int:
    """One of the browser's counts of a stream that it receives."""
    report = f"(s) => s.type === 'inbound-rtp' && s.ssrc === {ssrc}"
    return int(await tab.js(f"test.stats().then((all) => all.find({report})?.{what} ?? 0)"))


async def tall(tab: Tab, ssrc: int, height: int) -> None:
    """Wait until the video is that tall."""
    await until(tab, f"test.see({ssrc})?.[1] === {height}", 60)


async def test_another_size_comes_without_a_glitch(
    shown: Browser, chromium: Browser, sfu_server: MediaServer
) -> None:
    _, video = await sender(chromium, sfu_server)
    await come(sfu_server, [video["ssrc"], *video["layers"]])
    tab = await sfu_server.tab(shown, source("#0a0", 880))
    await sfu_server.join(tab, 3)
    await tab.js("test.remote()")
    ssrc = video["ssrc"]
    await tall(tab, ssrc, HEIGHTS[2])
    await tab.js(f"test.watch({ssrc})")
    before = await counted(tab, ssrc, "pliCount")
    for layer in LAYERS:
        await sfu_server.subscribe(tab, ssrc, layer)
        await tall(tab, ssrc, HEIGHTS[layer])
        assert await tab.js(
            f"test.see({ssrc}).slice(2).every((part, i) => Math.abs(part - [204, 0, 0][i]) < 40)"
        )
    watched: list[tuple[float, int]] = await tab.js("test.watched")
    assert {height for _, height in watched} == set(HEIGHTS)
    gaps = [later - before for (before, _), (later, _) in itertools.pairwise(watched)]
    assert max(gaps) < FREEZE * 1000, f"no picture for {max(gaps):.0f} ms"
    [streams] = [s for s in (await tab.js("test.counts()"))["streams"] if s["ssrc"] == ssrc]
    assert (streams["failed"], streams["stream"], streams["layer"]) == (0, 1, 2)
    # all that has opened is decoded, whatever size it is of; some is on its way, and the browser counts late
    async with asyncio.timeout(PATIENCE):
        while await counted(tab, ssrc, "framesDecoded") < streams["opened"] - 8:  # noqa: ASYNC110 - a counter
            await asyncio.sleep(0.1)
    asked = await counted(tab, ssrc, "pliCount") - before
    assert asked < len(LAYERS), "a change needs no key frame asked for by who watches"
