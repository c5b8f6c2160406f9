"""Media between browsers through the real SFU, recognised by colour and pitch."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pytest

from snugroom.client.media import opus
from snugroom.client.media.codec import AUDIO_BITRATE, FRAME_SAMPLES, LONG_SAMPLES, OpusDecoder, opus_samples
from snugroom.wire import rtcp
from snugroom.wire.limits import AUDIO_PARTS, AUDIO_SIZE
from tests.patience import PATIENCE
from tests.web.browsers import Browser, Tab, source, until
from tests.web.media_server import MediaServer, Packet, has_payload, keys, open_all

pytestmark = pytest.mark.asyncio(loop_scope="session")

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


async def sees(tab: Tab, ssrc: int, leaf: int, seconds: float = PATIENCE) -> None:
    """Wait until the video of that stream shows that person's colour."""
    seen: Any = None
    try:
        async with asyncio.timeout(seconds):
            while not shows(seen := await tab.js(f"test.see({ssrc})"), leaf):  # noqa: ASYNC110 - in the browser
                await asyncio.sleep(0.1)
    except TimeoutError:
        counts = await tab.js("test.counts()")
        raise AssertionError(f"leaf {leaf} is not seen, but {seen}; {counts}; {tab.log()[-5:]}") from None


async def hears(tab: Tab, ssrc: int, leaf: int, seconds: float = PATIENCE) -> None:
    """Wait until the strongest pitch of that stream is that person's."""
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
    """The worker's counts of a stream."""
    streams: list[dict[str, Any]] = (await tab.js("test.counts()"))["streams"]
    return next(s for s in streams if s["ssrc"] == ssrc)


async def goes_on(tab: Tab, ssrc: int, opened: int) -> None:
    """Wait until some more frames of a stream than that have opened."""
    enough = f"({{ ssrc, opened }}) => ssrc === {ssrc} && opened > {opened + 5}"
    await until(tab, f"test.counts().then(({{ streams }}) => streams.some({enough}))")


async def at_rest(sender: Tab, server: MediaServer, ssrcs: Sequence[int]) -> tuple[int, int]:
    """Wait until a second has brought nothing new; return the frames sealed, and the packets that came."""
    last = (-1, -1)
    async with asyncio.timeout(PATIENCE):
        while True:
            sealed = (await sender.js("test.counts()"))["sealed"]
            now = (sealed, len([p for p in server.of(*ssrcs) if has_payload(p.data)]))
            if now == last:
                return now
            last = now
            await asyncio.sleep(1)


async def test_everybody_sees_and_hears_everybody(
    chromium: Browser, firefox: Browser, sfu_server: MediaServer
) -> None:
    """Two Chromium tabs and a Firefox: each sees and hears the others, by colour and pitch."""
    tabs = {2: chromium, 3: firefox, 4: chromium}
    people = {leaf: await sfu_server.tab(made, person(leaf)) for leaf, made in tabs.items()}
    ssrcs = {leaf: await sfu_server.join(tab, leaf) for leaf, tab in people.items()}
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


async def pair(shown: Browser, sfu_server: MediaServer) -> tuple[Tab, Tab, list[int]]:
    """Leaf 2, who sends, leaf 3, who has seen it, and leaf 2's SSRCs."""
    sender, receiver = await sfu_server.tab(shown, person(2)), await sfu_server.tab(shown, person(3))
    ssrcs = await sfu_server.join(sender, 2)
    await sfu_server.join(receiver, 3)
    await receiver.js("test.remote()")
    await sees(receiver, ssrcs[1], 2)
    return sender, receiver, ssrcs


def pitch(packets: list[bytes]) -> float:
    """Of the sound in Opus packets, by this project's own decoder."""
    decoder = OpusDecoder()
    sound = np.concatenate([decoder.decode(packet) for packet in packets]).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum)) * 48_000 / len(sound)


async def test_sound_has_one_size_whether_one_speaks_or_is_muted(
    shown: Browser, sfu_server: MediaServer
) -> None:
    """Opus packets have the headless client's size in both browsers, and its decoder reads them."""
    tab = await sfu_server.tab(shown, person(2))
    ssrc, _ = await sfu_server.join(tab, 2)
    await until(tab, "test.connected()")
    await until(tab, "test.counts().then(({ sealed }) => sealed[0] > 100)")
    for mute in ("true", "false"):  # who is muted sends on, and as large packets
        await tab.js(f"test.mute({mute})")
        begun, ends = len(sfu_server.of(ssrc)), asyncio.get_running_loop().time() + PATIENCE
        while len(sfu_server.of(ssrc)) < begun + 50:
            assert asyncio.get_running_loop().time() < ends
            await asyncio.sleep(0.05)
    packets = sfu_server.of(ssrc)
    assert {packet.payload_type for packet in packets} == {111}
    assert not any(packet.data[0] & 0x10 for packet in packets), "no header extension with sound"
    opened = open_all("audio", sfu_server.frames(ssrc, "audio"), keys())
    assert {len(frame.frame) for frame in opened} == {AUDIO_BITRATE // 8 // 50}
    # the counter grows by a byte now and then, independent of the sound
    assert len({len(packet.data) for packet in packets}) <= 3
    assert abs(pitch([frame.frame for frame in opened[40:90]]) - PITCHES[2]) < PITCH_SLACK


async def test_in_a_large_room_sound_comes_in_packets_of_60_ms_and_one_size(
    shown: Browser, sfu_server: MediaServer
) -> None:
    """The size is the headless client's, whether one speaks or is muted, and the way back works as well."""
    tab = await sfu_server.tab(shown, person(2))
    ssrc, _ = await sfu_server.join(tab, 2)
    await until(tab, "test.connected()")

    async def opened(least: int, samples: int) -> list[bytes]:
        """Wait for packets of that length, then for `least` more; return these."""
        ends, seen = asyncio.get_running_loop().time() + PATIENCE, 0
        while True:
            frames = [f.frame for f in open_all("audio", sfu_server.frames(ssrc, "audio"), keys())]
            lengths = [opus_samples(frame) for frame in frames]
            if samples in lengths:
                seen = next(i for i in range(len(lengths), 0, -1) if lengths[i - 1] != samples or i == 1)
                if len(frames) - seen >= least:
                    return frames[seen:]
            assert asyncio.get_running_loop().time() < ends, set(lengths)
            await asyncio.sleep(0.1)

    await opened(30, FRAME_SAMPLES)
    await tab.js("test.remote(true)")
    await opened(5, LONG_SAMPLES)
    for mute in ("true", "false"):
        await tab.js(f"test.mute({mute})")
        await opened(20 + len(await opened(0, LONG_SAMPLES)), LONG_SAMPLES)
    frames = await opened(40, LONG_SAMPLES)
    assert {len(frame) for frame in frames} == {AUDIO_PARTS * AUDIO_SIZE}
    assert abs(pitch(frames[-15:]) - PITCHES[2]) < PITCH_SLACK
    await tab.js("test.remote(false)")
    assert {len(frame) for frame in await opened(30, FRAME_SAMPLES)} == {AUDIO_SIZE}


async def test_sound_has_one_size_with_what_was_lost_in_it_too(
    shown: Browser, sfu_server: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After loss reports, browsers repeat the previous sound in each packet, and pad in another way. A silent
    or muted member still sends as many packets, as large, as one who speaks."""
    lossless = rtcp.receiver_report

    def lossy(sender: int, blocks: Sequence[rtcp.ReportBlock]) -> bytes:
        return lossless(sender, [dataclasses.replace(block, fraction=26) for block in blocks])

    monkeypatch.setattr(rtcp, "receiver_report", lossy)
    library = opus.load()
    assert library is not None
    tab = await sfu_server.tab(shown, person(2))
    ssrc, _ = await sfu_server.join(tab, 2, "{ audio: true }")

    def sound() -> list[bytes]:
        return [frame.frame for frame in open_all("audio", sfu_server.frames(ssrc, "audio"), keys())]

    async with asyncio.timeout(PATIENCE):
        while not any(library.opus_packet_has_lbrr(packet, len(packet)) for packet in sound()[-100:]):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    await tab.js("test.mute(true)")
    before = len(sound())
    async with asyncio.timeout(PATIENCE):
        while len(sound()) < before + 150:  # noqa: ASYNC110 - who is muted sends on, and as large packets
            await asyncio.sleep(0.2)
    assert {len(packet) for packet in sound()} == {AUDIO_BITRATE // 8 // 50}
    assert len({len(packet.data) for packet in sfu_server.of(ssrc)}) <= 3


@pytest.mark.parametrize("which", ["audio", "video"])
async def test_a_changed_frame_is_not_shown(shown: Browser, sfu_server: MediaServer, which: str) -> None:
    _, receiver, ssrcs = await pair(shown, sfu_server)
    await hears(receiver, ssrcs[0], 2)
    ssrc = ssrcs[which == "video"]

    def flip(packet: Packet) -> bytes:
        if packet.ssrc != ssrc or not has_payload(packet.data):
            return packet.data
        return packet.data[:-1] + bytes([packet.data[-1] ^ 1])  # within the tag

    sfu_server.sfu.change = flip
    await asyncio.sleep(0.5)
    before = await count(receiver, ssrc)
    await asyncio.sleep(1.5)
    after = await count(receiver, ssrc)
    assert after["failed"] > before["failed"]
    assert after["opened"] == before["opened"]
    sfu_server.sfu.change = lambda packet: packet.data
    if which == "video":
        await goes_on(receiver, ssrc, after["opened"])
    await sees(receiver, ssrcs[1], 2)
    await hears(receiver, ssrcs[0], 2)


#: A page that seals nothing; Chromium lets nothing out without a transform, unless it is made like this.
PLAIN: Final = """
    Object.defineProperty(RTCRtpSender.prototype, "transform", { set() {} });
    const Real = RTCPeerConnection;
    window.RTCPeerConnection = function () { return new Real({ bundlePolicy: "max-bundle" }); };
"""


async def test_plaintext_that_somebody_puts_in_is_not_shown(shown: Browser, sfu_server: MediaServer) -> None:
    """The page shows no frame of an unsealed stream, even under an SSRC that the server lists."""
    receiver = await sfu_server.tab(shown, person(3))
    await sfu_server.join(receiver, 3)
    sender = await sfu_server.tab(shown, person(2), PLAIN)
    ssrcs = await sfu_server.join(sender, 2)
    await receiver.js("test.remote()")
    await asyncio.sleep(3)
    assert len([p for p in sfu_server.of(*ssrcs) if has_payload(p.data)]) > 50, "it was sent"
    for ssrc in ssrcs:
        assert (await count(receiver, ssrc))["opened"] == 0
    assert await receiver.js(f"test.see({ssrcs[1]})") is None
    assert (await receiver.js(f"test.hear({ssrcs[0]})"))[1] == 0


async def test_frames_wait_for_their_announcement(shown: Browser, sfu_server: MediaServer) -> None:
    sender, receiver = await sfu_server.tab(shown, person(2)), await sfu_server.tab(shown, person(3))
    ssrcs = await sfu_server.join(sender, 2)
    await sfu_server.join(receiver, 3)
    await receiver.js("test.tell({ unknown: true })")
    await receiver.js("test.remote()")
    await asyncio.sleep(2)
    assert (await count(receiver, ssrcs[1]))["opened"] == 0
    assert await receiver.js(f"test.see({ssrcs[1]})") is None
    await receiver.js("test.tell({ unknown: false })")
    await sees(receiver, ssrcs[1], 2)
    await hears(receiver, ssrcs[0], 2)


async def test_a_silent_session_lets_nothing_out_and_a_key_frame_follows(
    shown: Browser, sfu_server: MediaServer
) -> None:
    sender, receiver, ssrcs = await pair(shown, sfu_server)
    await sender.js("test.tell({ silent: true })")
    sealed, before = await at_rest(sender, sfu_server, ssrcs)
    await asyncio.sleep(1.5)
    assert (await sender.js("test.counts()"))["sealed"] == sealed
    after = len([p for p in sfu_server.of(*ssrcs) if has_payload(p.data)])
    assert after == before
    opened = (await count(receiver, ssrcs[1]))["opened"]
    await sender.js("test.tell({ silent: false })")
    await goes_on(receiver, ssrcs[1], opened)
    # without a request: the first frame that leaves is a key frame
    frames = sfu_server.frames(ssrcs[1], "video")
    assert sum(frame.startswith(b"\xf0") for frame in frames) >= 2


async def test_a_camera_that_is_off_sends_nothing(shown: Browser, sfu_server: MediaServer) -> None:
    sender, receiver, ssrcs = await pair(shown, sfu_server)
    await sender.js("test.camera(false)")
    await asyncio.sleep(0.5)
    before = len([p for p in sfu_server.of(ssrcs[1]) if has_payload(p.data)])
    await asyncio.sleep(1)
    assert len([p for p in sfu_server.of(ssrcs[1]) if has_payload(p.data)]) <= before + 1
    opened = (await count(receiver, ssrcs[1]))["opened"]
    await sender.js("test.camera(true)")
    await goes_on(receiver, ssrcs[1], opened)


async def test_streams_come_and_go_and_their_places_are_taken_again(
    shown: Browser, sfu_server: MediaServer
) -> None:
    sender, receiver, ssrcs = await pair(shown, sfu_server)
    for turn in range(3):
        fresh = await sender.js("test.link()")
        assert set(fresh).isdisjoint(ssrcs), turn
        ssrcs = fresh
        assert sorted(await receiver.js("test.remote()")) == sorted(ssrcs)
        await sees(receiver, ssrcs[1], 2)
        await hears(receiver, ssrcs[0], 2)
    sections = await receiver.js("test.sections()")
    assert sections == 4, "ended streams' places were taken again"


async def test_a_screen_is_a_stream_more(shown: Browser, sfu_server: MediaServer) -> None:
    """The sharer also receives others' streams: theirs keep their places."""
    sender, sharer, ssrcs = await pair(shown, sfu_server)
    all_of_them = await sharer.js(f"test.share({COLOURS[4][0]!r})")
    assert len(all_of_them) == 3
    assert sorted(await sender.js("test.remote()")) == sorted(all_of_them)
    await sees(sender, all_of_them[2], 4)
    await sees(sender, all_of_them[1], 3)
    assert (await count(sender, all_of_them[2]))["stream"] == 3
    await sees(sharer, ssrcs[1], 2)
    await hears(sharer, ssrcs[0], 2)
    assert await sharer.js("test.lost") == []


async def test_a_screen_is_shared_by_one_whose_camera_is_off(shown: Browser, sfu_server: MediaServer) -> None:
    tab, other = await sfu_server.tab(shown, person(2)), await sfu_server.tab(shown, person(3))
    ssrcs = await sfu_server.join(tab, 2, "{ audio: true }")
    await sfu_server.join(other, 3)
    await tab.js("test.remote()")
    all_of_them = await tab.js(f"test.share({COLOURS[4][0]!r})")
    assert all_of_them[:2] == ssrcs
    await other.js("test.remote()")
    await sees(other, all_of_them[2], 4)
    assert not [p for p in sfu_server.of(ssrcs[1]) if has_payload(p.data)]


async def test_a_server_that_is_gone_is_told(shown: Browser, sfu_server: MediaServer) -> None:
    tab = await sfu_server.tab(shown, person(2))
    await sfu_server.join(tab, 2)
    await until(tab, "test.connected()")
    sfu_server.sfu.close()
    await until(tab, "test.events.includes('lost')", 30)
    assert await tab.js("test.lost") == [[{"key": "shell.media_gone"}, True]]
