"""A plain WebRTC participant: the test card of Snug's robots, and no keys but those of DTLS.

It encodes with the codecs of Snug's own client, and decodes its own video as every receiver does. VP8
decoders agree in every bit (RFC 6386 section 1): a server that decodes gets the same bytes.
"""

from __future__ import annotations

import asyncio
import fractions
from collections import deque
from typing import Any, Final

import aiohttp
import av
import numpy as np
from aiortc import MediaStreamTrack, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from snugroom.client.media.check import colour_in, identity_of_colour, identity_of_pitch, tones_in
from snugroom.client.media.codec import (
    FRAME_SAMPLES,
    FRAME_SECONDS,
    SAMPLE_RATE,
    VIDEO_RATE,
    OpusEncoder,
    RawFrame,
    Vp8Decoder,
    Vp8Encoder,
)
from snugroom.client.media.sources import TestCard
from snugroom.lab.ordinary.server import LINES, OTHERS_MAX
from snugroom.lab.ordinary.stock import connection
from snugroom.wire.outgoing import http_session

_VIDEO_CLOCK: Final = 90_000
#: Own frames that are kept before `Member.keep_all`: four seconds.
_KEPT: Final = 60
#: Blocks of received sound that are kept, 20 ms each: two seconds.
_HEARD: Final = 100


class _Card(MediaStreamTrack):
    """A test card's audio or video, encoded, at its own pace."""

    def __init__(self, card: TestCard, kind: str, size: tuple[int, int]) -> None:
        super().__init__()
        self.kind = kind
        self.shown: deque[RawFrame] = deque(maxlen=_KEPT)
        self._card = card
        self._sound = OpusEncoder()
        self._video = Vp8Encoder(*size)
        self._own = Vp8Decoder()
        self._index = 0
        self._start = 0.0

    async def recv(self) -> av.Packet[Any]:
        """Return the next packet, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        period = FRAME_SECONDS if self.kind == "audio" else 1 / VIDEO_RATE
        self._start = self._start or loop.time()
        while True:
            await asyncio.sleep(max(0.0, self._start + self._index * period - loop.time()))
            index, self._index = self._index, self._index + 1
            if self.kind == "audio":
                return self._audio(index)
            packet, decoded = await asyncio.to_thread(self._picture, index)
            if decoded is not None:
                self.shown.append(decoded)
            if packet is not None:
                return packet

    def _audio(self, index: int) -> av.Packet[Any]:
        packet = av.Packet(self._sound.encode(self._card.audio(index)))
        packet.pts, packet.time_base = index * FRAME_SAMPLES, fractions.Fraction(1, SAMPLE_RATE)
        return packet

    def _picture(self, index: int) -> tuple[av.Packet[Any] | None, RawFrame | None]:
        """Return a frame, encoded and decoded again; None if the encoder skipped it."""
        at = index * _VIDEO_CLOCK // VIDEO_RATE
        # aiortc does not tell a track that somebody needs a key frame: one a second
        key = index % VIDEO_RATE == 0
        encoded = self._video.encode(self._card.video(index / VIDEO_RATE), at, key=key)
        if encoded is None:
            return None, None
        packet = av.Packet(encoded)
        packet.pts, packet.time_base = at, fractions.Fraction(1, _VIDEO_CLOCK)
        return packet, self._own.decode(encoded)


class _Received:
    """Streams of another member, as they came."""

    def __init__(self) -> None:
        self._frame: av.VideoFrame | None = None
        self._sound: deque[NDArray[np.float64]] = deque(maxlen=_HEARD)

    def take(self, frame: Any) -> None:
        if isinstance(frame, av.VideoFrame):
            self._frame = frame
        else:
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
            self._sound.append(samples.astype(np.float64) / 32_768)

    def identity_seen(self) -> int | None:
        """The identity whose colour the last frame has."""
        if self._frame is None:
            return None
        picture = self._frame.to_ndarray(format="yuv420p").astype(np.uint8, copy=False)
        return identity_of_colour(colour_in(picture))

    def identity_heard(self) -> int | None:
        """The identity whose pitch is the strongest of the last two seconds."""
        tones = tones_in(np.concatenate(self._sound)) if self._sound else []
        return identity_of_pitch(tones[0].hz) if tones else None


class Member:
    """A participant at an ordinary server, from `join` to `close`. `identity`: of its test card."""

    def __init__(self, name: str, identity: int, size: tuple[int, int]) -> None:
        self.name = name
        self.identity = identity
        #: Names of the others, by number of their pair of lines, and the chat with its authors.
        self.others: list[str] = []
        self.chat: list[tuple[str, str]] = []
        card = TestCard(name.split()[0], identity, width=size[0], height=size[1])
        self._cards = [_Card(card, kind, size) for kind in LINES]
        self._received = [_Received() for _ in range(OTHERS_MAX)]
        self._peer = connection()
        self._tasks: list[asyncio.Task[None]] = []
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._answered = asyncio.Event()

    async def join(self, url: str, others: int) -> None:
        """Connect, with room for that many other members."""
        for card in self._cards:
            self._peer.addTransceiver(card, direction="sendonly")
        for _ in range(others):
            for kind in LINES:
                self._peer.addTransceiver(kind, direction="recvonly")
        await self._peer.setLocalDescription(await self._peer.createOffer())
        self._http = http_session()
        self._socket = await self._http.ws_connect(f"{url}meeting")
        self._run(self._read(self._socket))
        offer = self._peer.localDescription.sdp
        await self._socket.send_json({"type": "join", "name": self.name, "offer": offer})
        await self._answered.wait()

    async def say(self, text: str) -> None:
        """Write to everybody."""
        assert self._socket is not None
        await self._socket.send_json({"type": "chat", "text": text})

    async def close(self) -> None:
        """Leave. Harmless before `join`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._peer.close()
        if self._http is not None:
            await self._http.close()

    def keep_all(self) -> None:
        """Keep the last own video frames, and all that follow."""
        for card in self._cards:
            card.shown = deque(card.shown)

    def frames(self) -> list[RawFrame]:
        """Return the own video frames that are kept, as decoders give them."""
        return [frame for card in self._cards for frame in card.shown]

    def received(self) -> dict[str, tuple[int | None, int | None]]:
        """Return, for each other member's name, the identities of the video and of the audio that came."""
        return {
            name: (received.identity_seen(), received.identity_heard())
            for name, received in zip(self.others, self._received, strict=False)
        }

    def _run(self, work: Any) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def _take(self, track: MediaStreamTrack, received: _Received) -> None:
        try:
            while True:
                received.take(await track.recv())
        except MediaStreamError:
            return

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            told = message.json()
            match told["type"]:
                case "answer":
                    await self._peer.setRemoteDescription(RTCSessionDescription(told["answer"], "answer"))
                    for at, line in enumerate(self._peer.getTransceivers()[len(LINES) :]):
                        self._run(self._take(line.receiver.track, self._received[at // len(LINES)]))
                    self._answered.set()
                case "members":
                    self.others = told["names"]
                case "chat":
                    self.chat.append((told["name"], told["text"]))
