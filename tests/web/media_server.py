"""A media server for tests in browsers: the real SFU, whose operator reads and may change every packet.

Beside it the test's own page around `MediaLink` (tests/web/pages/media.ts), and a little HTTP in place of the
WebSocket. Pages share one base key, so that tests can open what arrives.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from snugroom.client.web.node import ensure_installed, run
from snugroom.crypto.errors import SnugError
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import EpochKeys, MediaKeys, OpenedFrame, open_frame
from snugroom.server.rooms.relays import Relays
from snugroom.server.sfu.io import srtp
from snugroom.server.sfu.link import Link
from snugroom.server.sfu.sfu import Sfu
from snugroom.server.turn import TurnServer
from snugroom.wire import rtp, vp8
from snugroom.wire.messages import Media, MediaKind, Stream
from snugroom.wire.rtp import RtpPacket
from tests.web.browsers import Browser, Tab

PAGES: Final = Path(__file__).parent / "pages"
ROOM: Final = b"r" * 16
BASE: Final = bytes(range(16))
TAGS: Final = bytes(range(32))
LEAVES: Final = 8
_HTML: Final = (
    '<!doctype html><meta charset="utf-8"><title>media</title><script type="module" src="/media.js"></script>'
)


def address() -> str:
    """An address of this machine's that isn't loopback, if it has one: Firefox reaches no other.

    Nothing is sent, and nothing leaves the machine when two of its own programs talk through it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(asked.getsockname()[0])


@dataclass
class Packet:
    """A packet from a peer, after SRTP. `known`: the peer had announced its SSRC as a stream's."""

    handle: bytes
    ssrc: int
    data: bytes
    known: bool

    @property
    def payload_type(self) -> int:
        return self.data[1] & 0x7F


class TapSfu(Sfu):
    """Records every RTP packet of every peer, from the first on; `change` may replace a packet.

    It also records packets of an SSRC that nobody announced: the SFU forwards none of them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.packets: list[Packet] = []
        self.change: Callable[[Packet], bytes | None] = lambda packet: packet.data

    def _rtp(self, data: Any, view: memoryview, size: int, source: Any) -> None:
        link: Link | None = self._by_address.get(source)
        if link is None or link.inbound is None:
            return
        ssrc = int.from_bytes(view[8:12], "big")
        track = self._core.subscriptions.find(link, ssrc)
        self._length[0] = size
        if srtp.unprotect(link.inbound.pointer, data, self._length):
            return
        packet = Packet(link.key[1], ssrc, view[: self._length[0]].tobytes(), track is not None)
        self.packets.append(packet)
        # feedback also covers retransmissions and probes
        by_rtx = self._core.subscriptions.find_rtx(link, ssrc) if track is None else None
        of = track or by_rtx
        if of is None:
            return
        if of.kind == "video" and (number := rtp.twcc_number(packet.data)) is not None:
            link.arrivals.record(number, self._now)
            self._arrived[link] = None
        if by_rtx is not None:
            before = rtp.unwrap_rtx(packet.data, by_rtx.ssrc)
            if before is None:
                return
            packet, track = Packet(packet.handle, by_rtx.ssrc, before, True), by_rtx
        assert track is not None
        assert rtp.check(packet.data, track.kind) is None, (
            rtp.check(packet.data, track.kind),
            packet.data[:40],
        )
        forwarded = self.change(packet)
        if forwarded is None:
            return
        fanouts, effects = self._core.on_rtp(track, forwarded, self._now)
        for fanout in fanouts:
            assert self._egress.packet_io is not None
            out = rtp.with_twcc(forwarded, self._egress.stamp) if fanout.twcc else forwarded
            self._egress.packet_io.fan_out(out, fanout)
        self._egress.perform(effects)


@dataclass
class MediaServer:
    """`url` is the page's."""

    sfu: TapSfu
    url: str
    relays: Relays
    published: dict[bytes, list[Stream]] = field(default_factory=dict)
    tabs: list[Tab] = field(default_factory=list)

    async def tab(self, browser: Browser, *scripts: str) -> Tab:
        """A tab at the page, the scripts before its own."""
        tab = await browser.tab()
        self.tabs.append(tab)
        for script in scripts:
            await tab.before(script)
        await tab.goto(self.url)
        return tab

    async def join(self, tab: Tab, leaf: int, kinds: str = "undefined", *, keys: bool = True) -> list[int]:
        """Let a tab join; returns its SSRCs of sound and video."""
        place = json.dumps({"leaf": leaf, "base": BASE.hex(), "tags": TAGS.hex(), "keys": keys})
        ssrcs: list[int] = await tab.js(f"test.join({place}, {kinds})")
        return ssrcs

    async def subscribe(self, tab: Tab, ssrc: int, top: int) -> None:
        """Subscribe the tab to that stream, up to that layer."""
        self.sfu.subscribe(ROOM, bytes.fromhex(await tab.js("test.handle()")), [ssrc], [top])

    def of(self, *ssrcs: int) -> list[Packet]:
        """The packets that arrived with these SSRCs."""
        return [packet for packet in self.sfu.packets if packet.ssrc in ssrcs]

    def fresh(self, since: int = 0) -> list[Packet]:
        """The packets from that number on, without padding, and without RTX copies of packets that also came
        under the stream's own SSRC: such a copy is the same, byte for byte, so it is sealed if that was."""
        streams = [stream for theirs in self.published.values() for stream in theirs]
        of = {rtx: ssrc for s in streams for rtx, ssrc in zip(s.rtx, (s.ssrc, *s.layers), strict=False)}
        sent = {(p.ssrc, p.data[2:4], payload(p.data)) for p in self.of(*of.values())}

        def is_copy(packet: Packet) -> bool:
            before = rtp.unwrap_rtx(packet.data, of[packet.ssrc]) if packet.ssrc in of else None
            return before is not None and (of[packet.ssrc], before[2:4], payload(before)) in sent

        return [p for p in self.sfu.packets[since:] if payload(p.data) and not is_copy(p)]

    def frames(self, ssrc: int, kind: MediaKind) -> list[bytes]:
        """Whole frames as they were sent, reassembled from packets."""
        packets: dict[int, RtpPacket] = {}
        last = 0
        for taken in self.of(ssrc):
            packet = rtp.parse(taken.data)
            step = (packet.sequence - last + 0x8000) % 0x10000 - 0x8000 if packets else packet.sequence
            last += step
            if has_payload(taken.data):
                packets.setdefault(last, packet)
        frames, pieces, begun = [], b"", kind == "audio"
        for _, packet in sorted(packets.items()):
            if kind == "audio":
                frames.append(packet.payload)
                continue
            found = vp8.read_descriptor(packet.payload, 0, len(packet.payload))
            assert found is not None
            pieces, begun = (b"", True) if found.start else (pieces, begun)
            pieces += packet.payload[found.payload :]
            if packet.marker and begun:
                frames.append(pieces)
                begun = False
        return frames


def payload(packet: bytes) -> bytes:
    """The payload of a packet, without padding."""
    start = 12 + (4 + 4 * int.from_bytes(packet[14:16], "big") if packet[0] & 0x10 else 0)
    padding = packet[-1] if packet[0] & 0x20 else 0
    return packet[start : len(packet) - padding]


def has_payload(packet: bytes) -> bool:
    """Whether a packet has more than padding: a sender probes the path with pure padding."""
    return bool(payload(packet))


def keys(epoch: int = 1) -> MediaKeys:
    """The pages' media keys, as leaf 7 has them."""
    held = MediaKeys()
    made = EpochKeys.derive(epoch=epoch, base_key=BASE, tags=TAGS, leaf_count=LEAVES)
    held.install(made, own_leaf=7, removed=frozenset(), is_removal=True, now=0)
    return held


def open_all(kind: Kind, frames: list[bytes], held: MediaKeys) -> list[OpenedFrame]:
    """Open all frames; AssertionError names the first that is not a member's."""
    out = []
    for i, frame in enumerate(frames):
        try:
            out.append(open_frame(held, kind, frame, 0))
        except SnugError as error:
            raise AssertionError(f"frame {i} of {kind}, {frame[:24].hex()}...: {error}") from None
    return out


def build(out: Path) -> None:
    """The test's pages, built into a folder. Raises SetupError."""
    node = ensure_installed()
    run(node, [node.node, str(PAGES / "build.mjs"), str(out)])


def _routes(server: MediaServer, folder: Path) -> list[web.AbstractRouteDef]:
    """The page, and the messages of the WebSocket as HTTP requests."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=_HTML, content_type="text/html")

    async def join(_request: web.Request) -> web.Response:
        return web.json_response({"handle": os.urandom(8).hex()})

    async def media(request: web.Request) -> web.Response:
        return web.json_response(_transport(server, await request.json()))

    async def streams(request: web.Request) -> web.Response:
        own = bytes.fromhex((await request.json())["handle"])
        listed = [
            {
                "handle": "",
                "ssrc": s.ssrc,
                "kind": s.kind,
                "layers": len(s.layers),
                "rtx": next(iter(s.rtx), None),
            }
            for handle, theirs in server.published.items()
            for s in theirs
            if handle != own
        ]
        return web.json_response({"streams": listed})

    return [
        web.get("/", page),
        web.post("/join", join),
        web.post("/media", media),
        web.post("/streams", streams),
        web.static("/", folder),
    ]


def _transport(server: MediaServer, body: dict[str, Any]) -> dict[str, Any]:
    """Let a peer join; the server's answer."""
    streams = [Stream(s["ssrc"], s["kind"], s["layers"], s["rtx"]) for s in body["streams"]]
    handle = bytes.fromhex(body["handle"])
    server.published[handle] = streams
    told = server.sfu.join(
        ROOM,
        handle,
        Media(
            ufrag=body["ufrag"],
            password=body["password"],
            fingerprint=base64.b64decode(body["fingerprint"]),
            streams=streams,
            feedback=body["feedback"],
            rtx=body["takesRtx"],
        ),
    )
    return {
        "type": "transport",
        "ufrag": told.ufrag,
        "password": told.password,
        "fingerprint": base64.b64encode(told.fingerprint).decode(),
        "address": told.address,
        "port": told.port,
        "others": told.others,
        "tcp": told.tcp,
        "turn": msgspec.to_builtins(server.relays.told(None, handle)),
    }


@contextlib.asynccontextmanager
async def start(
    folder: Path, *, turn: Sequence[TurnServer] = (), **options: Any
) -> AsyncIterator[MediaServer]:
    """A media server that serves the pages built in `folder`; `options` are the SFU's."""
    sfu = TapSfu(**{"address": address(), **options})
    await sfu.start()
    server = MediaServer(sfu, "", Relays(turn, 3600.0))
    app = web.Application()
    app.add_routes(_routes(server, folder))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield server
    finally:
        sfu.close()
        await runner.cleanup()
