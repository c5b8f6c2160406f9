"""A meeting without a server: engines joined in memory by a forwarder that reads only headers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from snugroom.client.media.twcc_arrivals import INTERVAL, Arrivals
from snugroom.crypto.errors import AuthenticationError, MalformedError, ReplayError
from snugroom.crypto.media.keys import FutureEpochError
from snugroom.wire import rtcp, rtp, twcc
from snugroom.wire.messages import HandleStream, MediaKind, Stream, Transport
from tests.patience import PATIENCE

NOWHERE = Transport(ufrag="none", password="none", fingerprint=bytes(32), address="127.0.0.1", port=9)


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a fact that other tasks bring about; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the facts are counters of the code under test, not events
            await asyncio.sleep(0.005)


@dataclass(frozen=True)
class PlainOpened:
    leaf: int
    frame: bytes
    epoch: int
    counter: int
    stream: int = 0


@dataclass
class TestCrypto:
    """AES-GCM under one key an epoch, sealed by `leaf`: real enough to refuse what is forged."""

    __test__ = False
    leaf: int
    epoch: int = 0
    paused: bool = False
    opening: set[int] = field(default_factory=lambda: {0})
    counter: int = 0
    seen: set[bytes] = field(default_factory=set)
    sizes: dict[str, set[int]] = field(default_factory=lambda: {"audio": set(), "video": set()})

    @staticmethod
    def _key(epoch: int) -> AESGCM:
        return AESGCM(bytes([epoch + 1]) * 16)

    def seal(self, kind: MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
        if self.paused:
            return None
        self.counter += 1
        head = bytes([self.epoch, self.leaf | layer << 4]) + self.counter.to_bytes(6, "big")
        sealed = head + self._key(self.epoch).encrypt(head + bytes(4), frame, kind.encode())
        self.sizes[kind].add(len(sealed))
        # the clear header tells whether a video frame is a key frame
        return sealed if kind == "audio" else bytes([0xF0 | frame[0] & 1]) + sealed

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> PlainOpened:
        if kind == "video":
            data = data[1:]
        if len(data) < 24:
            raise MalformedError("short")
        head, rest = data[:8], data[8:]
        if head[0] not in self.opening:
            raise FutureEpochError("not yet")
        try:
            frame = self._key(head[0]).decrypt(head + bytes(4), rest, kind.encode())
        except InvalidTag:
            raise AuthenticationError("forged") from None
        if head in self.seen:
            raise ReplayError("again")
        self.seen.add(head)
        stream = (1, 4, 5)[head[1] >> 4] if kind == "video" else 0
        return PlainOpened(head[1] & 15, frame, head[0], int.from_bytes(head[2:], "big"), stream)


class MemoryLink:
    """A link that ends in a `Forwarder`."""

    def __init__(self, forwarder: Forwarder, handle: bytes) -> None:
        self.on_rtp: Callable[[bytes], None] = lambda packet: None
        self.on_rtcp: Callable[[bytes], None] = lambda packet: None
        self.on_lost: Callable[[str], None] = lambda reason: None
        self.on_moved: Callable[[bool], None] = lambda address_changed: None
        self.round_trip: float | None = None
        self.forwarder = forwarder
        self.handle = handle
        self.sent_audio: list[bytes] = []

    def parameters(self) -> tuple[str, str, bytes]:
        return "none", "none", bytes(32)

    async def connect(self, transport: Transport, timeout: float = 10.0) -> None:  # noqa: ASYNC109
        self.forwarder.links[self.handle] = self

    def send_rtp(self, packet: bytes) -> None:
        self.forwarder.forward(self, packet)

    def send_rtcp(self, packet: bytes) -> None:
        self.forwarder.feedback(self, packet)

    async def close(self) -> None:
        self.forwarder.links.pop(self.handle, None)


class Forwarder:
    """Sends every packet to everybody else, each copy lost with probability `loss`, up or down."""

    def __init__(self, *, loss: float = 0.0, delay: float = 0.01, seed: int = 1) -> None:
        self.links: dict[bytes, MemoryLink] = {}
        self.owner: dict[int, bytes] = {}
        self.streams: list[HandleStream] = []
        self.loss = loss
        self.delay = delay
        self.random = random.Random(seed)
        self.packets: list[bytes] = []
        self.dropped = 0
        self.asked: list[rtcp.Item] = []
        self.reports: list[rtcp.Item] = []
        self.arrivals: dict[bytes, Arrivals] = {}
        self.reported_at: dict[bytes, float] = {}
        self.tamper: Callable[[bytes], bytes] | None = None

    def publish(self, handle: bytes, streams: list[Stream]) -> None:
        for stream in streams:
            self.owner[stream.ssrc] = handle
            rtx = stream.rtx[0] if stream.rtx else None
            self.streams.append(HandleStream(handle=handle, ssrc=stream.ssrc, kind=stream.kind, rtx=rtx))

    def others(self, handle: bytes) -> list[HandleStream]:
        return [s for s in self.streams if s.handle != handle]

    def forward(self, sender: MemoryLink, packet: bytes) -> None:
        self.packets.append(packet)
        self._acknowledge(sender.handle, packet)
        if self.tamper is not None:
            packet = self.tamper(packet)
        for handle in list(self.links):
            if handle != sender.handle:
                self._carry(handle, packet)

    def _acknowledge(self, handle: bytes, packet: bytes) -> None:
        """Report to the sender which of its numbered packets have come."""
        number = rtp.parse(packet).transport
        if number is None:
            return
        now = asyncio.get_running_loop().time()
        arrivals = self.arrivals.setdefault(handle, Arrivals())
        arrivals.record(number, now)
        if now - self.reported_at.get(handle, 0.0) >= INTERVAL:
            self.reported_at[handle] = now
            for report in arrivals.take(1):
                self._carry(handle, report)

    def feedback(self, sender: MemoryLink, packet: bytes) -> None:
        for item in rtcp.parse(packet):
            match item:
                case rtcp.SenderReport():
                    for handle in list(self.links):
                        if handle != sender.handle:
                            self._carry(handle, rtcp.sender_report(item))
                case twcc.Report() | rtcp.ReportBlock():
                    self.reports.append(item)
                case rtcp.KeyFrameRequest() | rtcp.Nack():
                    self.asked.append(item)
                    if item.ssrc in self.owner:
                        self._carry(self.owner[item.ssrc], self._request(item))

    @staticmethod
    def _request(item: rtcp.KeyFrameRequest | rtcp.Nack) -> bytes:
        if isinstance(item, rtcp.Nack):
            return rtcp.nack(1, item.ssrc, item.sequences)
        return rtcp.key_frame_request(1, item.ssrc)

    def _carry(self, handle: bytes, packet: bytes) -> None:
        if self.random.random() < self.loss:
            self.dropped += 1
            return
        delay = self.delay * self.random.uniform(0.5, 1.5)
        asyncio.get_running_loop().call_later(delay, self._arrive, handle, packet)

    def _arrive(self, handle: bytes, packet: bytes) -> None:
        link = self.links.get(handle)
        if link is not None:
            (link.on_rtcp if rtcp.is_rtcp(packet) else link.on_rtp)(packet)
