"""A participant on a stock WebRTC stack, aiortc's RTCPeerConnection, who writes its own descriptions.

The server tells transport parameters and SSRCs and never SDP: whoever joins composes the offer that a server
would have made (ICE-lite, `actpass`, the protocol's payload types, one way a line), and answers it.

Only this file uses private names of aiortc and aioice: the list of host addresses (both leave
out 127.0.0.1) and the sender's SSRC.
"""

from __future__ import annotations

import asyncio
import fractions
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aioice.ice
import av
import numpy as np
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from snugroom.client.media.check import colour_in, identity_of_colour, identity_of_pitch, tones_in
from snugroom.client.media.sources import TestCard
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire.messages import Media, MediaKind, Stream, Transport
from tests.media_client.recordings import counter_in
from tests.patience import PATIENCE

RATE = 15
_VIDEO_CLOCK = 90_000


def allow_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let aioice gather 127.0.0.1, and nothing else."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


def ssrc_of(sender: RTCRtpSender) -> int:
    ssrc: int = sender._ssrc
    return ssrc


# -- what is sent -----------------------------------------------------------------------------------------


class CardTrack(MediaStreamTrack):
    """The test card of one identity, at its own pace."""

    def __init__(self, card: TestCard, kind: MediaKind) -> None:
        super().__init__()
        self.kind = kind
        self._card = card
        self._index = 0
        self._start = 0.0

    async def recv(self) -> av.AudioFrame | av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        period = 0.02 if self.kind == "audio" else 1 / RATE
        self._start = self._start or loop.time()
        await asyncio.sleep(max(0.0, self._start + self._index * period - loop.time()))
        index, self._index = self._index, self._index + 1
        frame: av.AudioFrame | av.VideoFrame
        if self.kind == "audio":
            sound = self._card.audio(index)
            frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = 48_000
            frame.pts, frame.time_base = index * 960, fractions.Fraction(1, 48_000)
        else:
            frame = av.VideoFrame.from_ndarray(self._card.video(index / RATE), format="yuv420p")
            frame.pts, frame.time_base = index * _VIDEO_CLOCK // RATE, fractions.Fraction(1, _VIDEO_CLOCK)
        return frame


# -- what comes -------------------------------------------------------------------------------------------


class Arrivals:
    """Frames of one remote stream, decoded by aiortc: how many, and of whom."""

    def __init__(self, receiver: RTCRtpReceiver) -> None:
        self.receiver = receiver
        self.frames = 0
        #: The numbers on the test cards that were seen.
        self.counters: list[int] = []
        self.identities: set[int | None] = set()
        self._sound: list[NDArray[np.float64]] = []
        self._task = asyncio.get_running_loop().create_task(self._consume())

    async def _consume(self) -> None:
        try:
            while True:
                self._look(await self.receiver.track.recv())
        except MediaStreamError:
            return

    def _look(self, frame: Any) -> None:
        self.frames += 1
        if isinstance(frame, av.AudioFrame):
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
            self._sound = [*self._sound[-200:], samples.astype(np.float64) / 32_768]
            return
        picture = frame.to_ndarray(format="yuv420p").astype(np.uint8, copy=False)
        counter = counter_in(picture)
        if counter is not None:
            self.counters.append(counter)
            self.identities.add(identity_of_colour(colour_in(picture)))

    def heard(self) -> int | None:
        """The identity whose pitch is the strongest of the last four seconds."""
        tones = tones_in(np.concatenate(self._sound)) if self._sound else []
        return identity_of_pitch(tones[0].hz) if tones else None

    async def more(self, frames: int, seconds: float = PATIENCE) -> None:
        """Wait until so many further frames have come; TimeoutError otherwise."""
        wanted = self.frames + frames
        await until(lambda: self.frames >= wanted, seconds)

    def stop(self) -> None:
        self._task.cancel()


async def until(condition: Callable[[], object | Awaitable[object]], seconds: float = PATIENCE) -> Any:
    """Wait until `condition` gives a true value, and return it; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)  # counters of the code under test: there is no event to wait for


# -- the participant --------------------------------------------------------------------------------------


class StockPeer:
    """One member of a room of `sfu`: sends a test card, receives whatever streams `remote` names."""

    def __init__(self, sfu: Sfu, room: bytes, identity: int) -> None:
        self._sfu = sfu
        self._room = room
        self._handle = b"stock" + identity.to_bytes(3, "big")
        self.identity = identity
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        card = TestCard(f"stock {identity}", identity)
        kinds: tuple[MediaKind, ...] = ("audio", "video")
        self.senders = {kind: self.connection.addTrack(CardTrack(card, kind)) for kind in kinds}
        self.arrivals: dict[int, Arrivals] = {}
        self._remote: list[Stream] = []
        self.transport: Transport | None = None

    @property
    def streams(self) -> list[Stream]:
        return [Stream(ssrc=ssrc_of(sender), kind=kind) for kind, sender in self.senders.items()]

    @property
    def alive(self) -> bool:
        return bool(self.connection.connectionState == "connected")

    def audio_of(self, streams: Sequence[Stream]) -> Arrivals:
        return next(self.arrivals[s.ssrc] for s in streams if s.kind == "audio")

    def video_of(self, streams: Sequence[Stream]) -> Arrivals:
        return next(self.arrivals[s.ssrc] for s in streams if s.kind == "video")

    async def join(self) -> None:
        """Into the room, until media may flow."""
        # all lines share the first one's transport
        dtls = self.senders["audio"].transport
        ice = dtls.transport.iceGatherer.getLocalParameters()
        fingerprint = next(f for f in dtls.getLocalParameters().fingerprints if f.algorithm == "sha-256")
        assert ice.usernameFragment is not None
        assert ice.password is not None
        self.transport = self._sfu.join(
            self._room,
            self._handle,
            Media(
                ufrag=ice.usernameFragment,
                password=ice.password,
                fingerprint=bytes.fromhex(fingerprint.value.replace(":", "")),
                streams=self.streams,
            ),
        )
        await self._negotiate()
        await until(lambda: self.alive)

    async def receive(self, *streams: Stream) -> None:
        """Streams of others that came: a line more for each."""
        self._remote += streams
        await self._negotiate()
        for transceiver in self.connection.getTransceivers():
            ssrc = self._ssrc_of_line(transceiver.mid)
            if ssrc is not None and ssrc not in self.arrivals:
                self.arrivals[ssrc] = Arrivals(transceiver.receiver)

    async def leave(self) -> None:
        for arrivals in self.arrivals.values():
            arrivals.stop()
        await self.connection.close()
        self._sfu.leave(self._room, self._handle)

    def _ssrc_of_line(self, mid: str | None) -> int | None:
        """The first two lines are my own streams."""
        line = int(mid or 0) - 2
        return self._remote[line].ssrc if line >= 0 else None

    async def _negotiate(self) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(self.offer(), "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())

    def offer(self) -> str:
        """The offer that a server would make, from the parameters that it told."""
        transport = self.transport
        assert transport is not None
        fingerprint = transport.fingerprint.hex(":").upper()
        lines: list[tuple[MediaKind, int | None]] = [("audio", None), ("video", None)]
        lines += [(stream.kind, stream.ssrc) for stream in self._remote]
        sdp = [
            "v=0",
            "o=- 1 1 IN IP4 0.0.0.0",
            "s=-",
            "t=0 0",
            "a=ice-lite",
            "a=group:BUNDLE " + " ".join(str(mid) for mid in range(len(lines))),
        ]
        for mid, (kind, ssrc) in enumerate(lines):
            payload_type, codec = (111, "opus/48000/2") if kind == "audio" else (96, "VP8/90000")
            sdp += [
                f"m={kind} {transport.port} UDP/TLS/RTP/SAVPF {payload_type}",
                f"c=IN IP4 {transport.address}",
                f"a=mid:{mid}",
                "a=recvonly" if ssrc is None else "a=sendonly",
                f"a=rtpmap:{payload_type} {codec}",
                "a=rtcp-mux",
            ]
            if kind == "video":
                sdp += [
                    "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
                    f"a=rtcp-fb:{payload_type} nack",
                    f"a=rtcp-fb:{payload_type} nack pli",
                    f"a=rtcp-fb:{payload_type} goog-remb",
                ]
            if ssrc is not None:
                sdp.append(f"a=ssrc:{ssrc} cname:snug")
            sdp += [
                f"a=candidate:1 1 udp 2130706431 {transport.address} {transport.port} typ host",
                "a=end-of-candidates",
                f"a=ice-ufrag:{transport.ufrag}",
                f"a=ice-pwd:{transport.password}",
                f"a=fingerprint:sha-256 {fingerprint}",
                "a=setup:actpass",
            ]
        return "\r\n".join(sdp) + "\r\n"

    # -- RTCP ---------------------------------------------------------------------------------------------

    async def has_sent(self, kind: MediaKind, packets: int) -> bool:
        stats = await self.senders[kind].getStats()
        return any(s.type == "outbound-rtp" and s.packetsSent >= packets for s in stats.values())

    async def report(self, kind: MediaKind) -> Any | None:
        """The last receiver report on my own stream; None before the first."""
        stats = await self.senders[kind].getStats()
        return next((s for s in stats.values() if s.type == "remote-inbound-rtp"), None)

    async def sender_report(self, ssrc: int) -> Any | None:
        """The last sender report of a stream that I receive; None before the first."""
        stats = await self.arrivals[ssrc].receiver.getStats()
        return next((s for s in stats.values() if s.type == "remote-outbound-rtp"), None)

    async def received_ssrcs(self) -> set[int]:
        """The streams of which anything has come."""
        stats = [await arrivals.receiver.getStats() for arrivals in self.arrivals.values()]
        return {s.ssrc for report in stats for s in report.values() if s.type == "inbound-rtp"}

    async def reception(self, ssrc: int) -> Any:
        """aiortc's own count of what came of a stream: `packetsReceived`, `packetsLost`."""
        stats = await self.arrivals[ssrc].receiver.getStats()
        return next(s for s in stats.values() if s.type == "inbound-rtp" and s.ssrc == ssrc)
