from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from snugroom.client.media.engine import MediaEngine
from snugroom.client.media.receiving import Opened
from snugroom.client.media.sources import TestCard
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire.messages import HandleStream, Media, MediaKind, Stream
from tests.interop_media.stock import StockPeer, allow_loopback
from tests.media_server.peer import Peer
from tests.network.proxy import PROXY, SERVER, Fate, Proxy

ROOM = b"r" * 16


class _Clear:
    """An opened frame whose sender is told by its SSRC."""

    def __init__(self, leaf: int, frame: bytes, counter: int) -> None:
        self.leaf = leaf
        self.frame = frame
        self.epoch = 0
        self.counter = counter
        self.stream = 0


class Unsealed:
    """In place of SFrame, which no stock peer has: frames go as the encoder made them."""

    def __init__(self) -> None:
        self._opened = 0

    def seal(self, kind: MediaKind, frame: bytes, layer: int = 0) -> bytes:
        return frame

    def open(self, ssrc: int, kind: MediaKind, data: bytes) -> Opened:
        self._opened += 1
        return _Clear(ssrc & 0x7F, data, self._opened)


class Meeting:
    """One room of an SFU, and who is in it. `proxy` stands between all of them and the server."""

    def __init__(self, sfu: Sfu, proxy: Proxy | None) -> None:
        self.sfu = sfu
        self.proxy = proxy
        self.stock: list[StockPeer] = []
        self.engines: list[MediaEngine] = []
        self.raw: list[Peer] = []

    async def stock_peer(self, identity: int) -> StockPeer:
        peer = StockPeer(self.sfu, ROOM, identity)
        self.stock.append(peer)
        await peer.join()
        return peer

    async def engine(self, identity: int, *streams: Stream) -> MediaEngine:
        """Our own client's media, receiving `streams`."""
        engine = MediaEngine(crypto=Unsealed(), source=TestCard(f"ours {identity}", identity))
        self.engines.append(engine)
        engine.set_remote([HandleStream(handle=b"whoever.", ssrc=s.ssrc, kind=s.kind) for s in streams])
        ufrag, password, fingerprint = engine.parameters()
        media = Media(ufrag=ufrag, password=password, fingerprint=fingerprint, streams=engine.streams)
        await engine.connect(self.sfu.join(ROOM, b"ours" + identity.to_bytes(4, "big"), media))
        return engine

    async def raw_peer(self, *streams: tuple[int, str]) -> Peer:
        """Somebody with an SRTP association and no manners."""
        peer = Peer(*streams)
        self.raw.append(peer)
        await peer.connect(self.sfu.join(ROOM, b"raw....."[:7] + bytes([len(self.raw)]), peer.media))
        return peer

    def total(self, name: str) -> int:
        return self.sfu.totals().get(name, 0)

    async def close(self) -> None:
        for peer in self.stock:
            await peer.leave()
        for engine in self.engines:
            await engine.close()
        for raw in self.raw:
            raw.close()


async def _meeting(sfu: Sfu, proxy: Proxy | None) -> AsyncIterator[Meeting]:
    meeting = Meeting(sfu, proxy)
    try:
        yield meeting
    finally:
        await meeting.close()
        errors = meeting.total("errors")
        sfu.close()
    assert errors == 0


@pytest.fixture
async def meeting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Meeting]:
    allow_loopback(monkeypatch)
    sfu = Sfu(address=SERVER)
    await sfu.start()
    async for made in _meeting(sfu, None):
        yield made


class FirstTimesLost:
    """Every `period`-th RTP packet is lost when it comes for the first time; asked for again, it passes.

    No packet is lost on both its ways: aiortc asks once for what is missing, and then only when the next gap
    shows. `lost` counts, those to the server first.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._seen: set[tuple[bool, bytes]] = set()
        self.active = False
        self.lost = [0, 0]

    def __call__(self, datagram: bytes, up: bool) -> tuple[float, ...]:
        if not self.active or not 127 < datagram[0] < 192 or 191 < datagram[1] < 224:
            return (0.0,)
        # SRTP leaves the header clear; each receiver's copy has a tag of its own
        which = (up, datagram[2:4] + datagram[8:12] + datagram[-8:])
        number = int.from_bytes(datagram[2:4], "big") + (0 if up else self._period // 2)
        if number % self._period or which in self._seen:
            return (0.0,)
        self._seen.add(which)
        self.lost[0 if up else 1] += 1
        return ()


@pytest.fixture
async def lossy_meeting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Meeting]:
    """Through a proxy whose `fate` is a `FirstTimesLost`, to be made active."""
    allow_loopback(monkeypatch)
    fate: Fate = FirstTimesLost(20)
    with Proxy(fate) as proxy:
        sfu = Sfu(address=PROXY, bind=SERVER, port=proxy.port)
        await sfu.start()
        async for made in _meeting(sfu, proxy):
            yield made
