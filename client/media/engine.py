"""The shell that ties it together: a link to the server, what goes out, what comes in.

Frames pass through `FrameCrypto` in two places, `Outgoing._send` and `Receiver`; there is no other way out
of an encoder or into a decoder.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from client.media import opus, twcc
from client.media.codec import (
    HEIGHT,
    WIDTH,
    OpusEncoder,
    PictureDecoder,
    SoundDecoder,
    SoundEncoder,
    Vp8Decoder,
)
from client.media.incoming import Disk, Incoming
from client.media.outgoing import Outgoing
from client.media.receiving import FrameCrypto, Opened
from client.media.record import Recorder
from client.media.reports import RoundTrip
from client.media.rtp import (
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    Rtcp,
    RtpError,
    SenderReport,
    TransportFeedback,
    parse_rtcp,
    parse_rtp,
)
from client.media.sending import random_ssrc
from client.media.sources import Source
from client.media.stats import OwnStats, StreamStats
from client.media.transport import Link, MediaTransport, TransportError
from server.wire.messages import HandleStream, MediaKind, Stream, Transport

__all__ = ["EngineError", "FrameCrypto", "MediaEngine", "Opened", "OwnStats", "StreamStats", "TransportError"]

_TICK: Final = 0.010
_REPORT_INTERVAL: Final = 1.0


class EngineError(Exception):
    """The engine was used in the wrong order."""


class MediaEngine:
    """Everything between a participant's source, decoders and files on one side and the server on the other.

    `parameters()` and `streams` go into the `media` message, `connect()` takes the server's answer,
    `set_remote()` every list of streams; `keys_changed()` whenever new epoch keys are there. When the link is
    lost `on_lost(reason)` is called, and the same steps connect again: SSRCs, counters and recordings go on.
    `on_failed(reason)` is called when a source or an encoder breaks; the rest goes on.

    `name_of` names a leaf for its recording. `decode` false saves the decoders' time: frames are
    authenticated and recorded only. `on_opened` is called at the first authenticated frame of each stream.
    `size`: width and height of the source's pictures; `layers`: in how many sizes (1 to 3) they are sent.
    `rtx`: pictures are sent again under SSRCs of their own; `numbered`: their packets carry numbers that the
    server reports on.
    Callbacks run in the event loop.
    """

    def __init__(
        self,
        *,
        crypto: FrameCrypto,
        source: Source | None,
        audio: bool = True,
        video: bool = True,
        recorder: Recorder | None = None,
        name_of: Callable[[int], str] = str,
        decode: bool = True,
        size: tuple[int, int] = (WIDTH, HEIGHT),
        layers: int = 1,
        rtx: bool = True,
        numbered: bool = True,
        rng: Callable[[int], bytes] = os.urandom,
        link: Callable[[], Link] | None = None,
        sound_encoder: Callable[[], SoundEncoder] = OpusEncoder,
        sound_decoder: Callable[[], SoundDecoder] = opus.sound_decoder,
        picture_decoder: Callable[[], PictureDecoder] = Vp8Decoder,
        on_lost: Callable[[str], None] | None = None,
        on_failed: Callable[[str], None] | None = None,
        on_opened: Callable[[StreamStats], None] | None = None,
    ) -> None:
        self._crypto = crypto
        self._source = source
        self._size = size
        self._numbered = numbered
        self._sound_encoder = sound_encoder
        self._rng = rng
        self._make_link = link or partial(MediaTransport, rng)
        self._on_lost = on_lost
        self._on_failed = on_failed
        self._muted: set[MediaKind] = set()
        self._link: Link | None = None
        self._pending: Link | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._outgoing: Outgoing | None = None
        self._disk = Disk(recorder) if recorder is not None else None
        self._incoming = Incoming(
            crypto=crypto,
            send_rtcp=self._send_rtcp,
            feedback_ssrc=random_ssrc(rng),
            disk=self._disk,
            name_of=name_of,
            decode=decode,
            sound_decoder=sound_decoder,
            picture_decoder=picture_decoder,
            on_opened=on_opened,
        )
        self._closed = False
        self._round_trip = RoundTrip()
        #: Packets from the server that are no RTP or RTCP.
        self.malformed = 0
        #: Files written, once closed.
        self.recordings: list[Path] = []
        wanted: dict[MediaKind, bool] = {
            "audio": audio and source is not None,
            "video": video and source is not None and source.has_video,
        }
        self._streams: list[Stream] = []
        if wanted["audio"]:
            self._streams.append(Stream(random_ssrc(rng), "audio"))
        if wanted["video"]:
            ssrc, *larger = (random_ssrc(rng) for _ in range(layers))
            again = [random_ssrc(rng) for _ in range(layers)] if rtx else []
            self._streams.append(Stream(ssrc, "video", larger, again))

    @property
    def streams(self) -> list[Stream]:
        """My own streams, for the `media` message."""
        return list(self._streams)

    @property
    def round_trip(self) -> float | None:
        """Seconds to the server and back, smoothed; None before it was measured."""
        return self._round_trip.seconds

    @property
    def connected(self) -> bool:
        """Whether media can flow now."""
        return self._link is not None

    @property
    def waiting(self) -> bool:
        """Whether parameters were told, and `connect` is to follow."""
        return self._pending is not None

    def parameters(self) -> tuple[str, str, bytes]:
        """(ufrag, password, certificate fingerprint) for the next `connect`; new ones after each connect."""
        if self._closed:
            raise EngineError("the engine is closed")
        if self._pending is None:
            self._pending = self._make_link()
        return self._pending.parameters()

    async def connect(self, transport: Transport, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - a link's own limit
        """Connect the link whose parameters were told last, in place of the one there was.

        TransportError if that fails (the old link, if any, stays); EngineError without `parameters()` before.
        """
        link, self._pending = self._pending, None
        if link is None or self._closed:
            raise EngineError("parameters() come before connect()")
        link.on_rtp = self._on_rtp
        link.on_rtcp = self._on_rtcp
        link.on_lost = lambda reason: self._lost(link, reason)
        await link.connect(transport, timeout)
        if self._is_closed():
            await link.close()
            raise TransportError("the engine was closed meanwhile")
        before, self._link = self._link, link
        if before is not None:
            await before.close()
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())
            if self._source is not None and self._streams:
                self._outgoing = Outgoing(
                    crypto=self._crypto,
                    source=self._source,
                    streams=self._streams,
                    link=lambda: self._link,
                    muted=self._muted,
                    size=self._size,
                    rng=self._rng,
                    sound_encoder=self._sound_encoder,
                    numbered=self._numbered,
                    on_failed=self._on_failed,
                )
        elif self._outgoing is not None:
            self._outgoing.ask_key()

    def set_remote(self, streams: list[HandleStream]) -> None:
        """All streams of the others, as the server lists them."""
        own = {stream.ssrc for stream in self._streams}
        self._incoming.set_remote([s for s in streams if s.ssrc not in own])

    def keys_changed(self) -> None:
        """New keys are installed: frames that came before them are tried again."""
        self._incoming.keys_changed(asyncio.get_running_loop().time())

    def mute(self, kind: MediaKind, muted: bool) -> None:
        """Send silence or black instead: as many packets as before, and those of sound of the same size."""
        (self._muted.add if muted else self._muted.discard)(kind)

    def stats(self) -> list[StreamStats]:
        """All remote streams, those that are gone (the last 256) too."""
        return self._incoming.stats()

    def own_stats(self) -> list[OwnStats]:
        """My own streams; empty before the first connect."""
        return self._outgoing.stats() if self._outgoing is not None else []

    @property
    def recording_errors(self) -> list[str]:
        return self._disk.errors if self._disk is not None else []

    async def close(self) -> list[Path]:
        """Stop, say goodbye, end the recordings (their paths are returned). Closing twice is harmless."""
        if self._closed:
            return self.recordings
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        if self._outgoing is not None:
            await self._outgoing.close()
        for link in (self._link, self._pending):
            if link is not None:
                await link.close()
        self._link = self._pending = None
        await self._incoming.close()
        if self._disk is not None:
            self.recordings = await self._disk.close()
        if self._source is not None:
            self._source.close()
        return self.recordings

    # -- inside ------------------------------------------------------------------------------

    def _is_closed(self) -> bool:
        return self._closed  # it may have changed over an await

    def _send_rtcp(self, packet: bytes) -> None:
        if self._link is not None:
            self._link.send_rtcp(packet)

    def _lost(self, link: Link, reason: str) -> None:
        if link is self._link:
            self._link = None
            if self._on_lost is not None:
                self._on_lost(reason)

    def _on_rtp(self, data: bytes) -> None:
        try:
            packet = parse_rtp(data)
        except RtpError:
            self.malformed += 1
            return
        self._incoming.receive(packet, asyncio.get_running_loop().time())

    def _on_rtcp(self, data: bytes) -> None:
        try:
            packets = parse_rtcp(data)
        except RtpError:
            self.malformed += 1
            return
        now = asyncio.get_running_loop().time()
        for packet in packets:
            if isinstance(packet, SenderReport):
                self._incoming.sender_report(packet, now)
            elif self._outgoing is not None:
                self._hear(self._outgoing, packet, now)

    def _hear(self, outgoing: Outgoing, packet: Rtcp, now: float) -> None:
        """What the server says of our own streams."""
        match packet:
            case Pli() | Nack():
                outgoing.feedback(packet, now)
            case Remb():
                outgoing.remb(packet.bitrate, now)
            case ReceiverReport():
                for block in packet.reports:
                    self._round_trip.reported(block, now + outgoing.clock_offset)
                    outgoing.received(block, now)
            case TransportFeedback():
                try:
                    report = twcc.parse(packet.fci)
                except twcc.TwccError:
                    self.malformed += 1
                    return
                outgoing.acknowledged(report, now, self._round_trip.seconds or 0.0)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        next_report = loop.time() + _REPORT_INTERVAL
        next_feedback = loop.time() + twcc.INTERVAL
        told: float | None = None
        while True:
            await asyncio.sleep(_TICK)
            now = loop.time()
            if self._link is not None and self._link.round_trip not in (None, told):
                told = self._link.round_trip
                self._round_trip.measured(told)
            if self._round_trip.seconds is not None:
                self._incoming.round_trip(self._round_trip.seconds)
            self._incoming.tick(now)
            if now >= next_feedback:
                next_feedback = now + twcc.INTERVAL
                self._incoming.acknowledge()
            if now >= next_report:
                next_report = now + _REPORT_INTERVAL
                self._incoming.report(now)
                if self._outgoing is not None:
                    self._outgoing.report(now)
