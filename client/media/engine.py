"""The media engine: joins a link to the server, the sending half and the receiving half.

Frames pass through `FrameCrypto` in two places: `Outgoing._send` seals and `Receiver` opens. No other path
leads out of an encoder or into a decoder.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from snugroom.client.media import codec, opus
from snugroom.client.media.incoming import Disk, Incoming, OnDecoded
from snugroom.client.media.outgoing import Outgoing
from snugroom.client.media.receiving import FrameCrypto, Opened
from snugroom.client.media.record import Recorder
from snugroom.client.media.reports import RoundTrip
from snugroom.client.media.sending import random_ssrc
from snugroom.client.media.sources import Source
from snugroom.client.media.stats import OwnStats, StreamStats
from snugroom.client.media.transport import Link, MediaTransport, TransportError
from snugroom.client.media.twcc_arrivals import INTERVAL
from snugroom.wire import rtcp, rtp, twcc
from snugroom.wire.messages import HandleStream, MediaKind, Stream, Transport

__all__ = ["EngineError", "FrameCrypto", "MediaEngine", "Opened", "OwnStats", "StreamStats", "TransportError"]

_TICK: Final = 0.010
_REPORT_INTERVAL: Final = 1.0


class EngineError(Exception):
    """A method was called in the wrong order."""


class MediaEngine:
    """Connects a participant's source, decoders and files with the server.

    `parameters()` and `streams` go into the `media` message, `connect()` takes the server's answer,
    `set_remote()` takes every list of streams, and `keys_changed()` is due whenever new epoch keys are
    installed. When the link is lost, `on_lost(reason)` is called and the same steps connect again: SSRCs,
    counters and recordings continue. When the link goes on by another path, `on_moved(address_changed)` is
    called; the argument says whether this machine has another address now. When a source or an encoder
    breaks, `on_failed(reason)` is called and the other parts continue.

    `name_of` names a leaf for its recording. Without `decode`, frames are only authenticated and recorded,
    which saves decoding time. `on_opened` is called at the first authenticated frame of each stream, and
    `on_decoded(leaf, kind, decoded)` for each decoded frame; `leaf` is its authenticated sender. `size`:
    width and height of the source's video; `layers`: number of simulcast layers (1 to 3). `rtx`: video is
    retransmitted under separate SSRCs; `numbered`: video packets carry numbers that the server reports on.
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
        size: tuple[int, int] = (codec.WIDTH, codec.HEIGHT),
        layers: int = 1,
        rtx: bool = True,
        numbered: bool = True,
        rng: Callable[[int], bytes] = os.urandom,
        link: Callable[[], Link] | None = None,
        sound_encoder: Callable[[], codec.SoundEncoder] = codec.OpusEncoder,
        video_encoder: codec.MakeVideoEncoder = codec.Vp8Encoder,
        sound_decoder: Callable[[], codec.SoundDecoder] = opus.sound_decoder,
        video_decoder: Callable[[], codec.VideoDecoder] = codec.Vp8Decoder,
        on_lost: Callable[[str], None] | None = None,
        on_moved: Callable[[bool], None] | None = None,
        on_failed: Callable[[str], None] | None = None,
        on_opened: Callable[[StreamStats], None] | None = None,
        on_decoded: OnDecoded | None = None,
    ) -> None:
        self._crypto = crypto
        self._source, self._size = source, size
        self._numbered = numbered
        self._sound_encoder, self._video_encoder = sound_encoder, video_encoder
        self._rng = rng
        self._make_link = link or partial(MediaTransport, rng)
        self._on_lost, self._on_moved, self._on_failed = on_lost, on_moved, on_failed
        self._muted: set[MediaKind] = set()
        self._large = False
        self._link: Link | None = None
        self._pending: Link | None = None
        self._attempt: Link | None = None
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
            video_decoder=video_decoder,
            on_opened=on_opened,
            on_decoded=on_decoded,
        )
        self._closed = False
        self._round_trip = RoundTrip()
        #: Packets from the server that are not valid RTP or RTCP.
        self.malformed = 0
        #: Paths of the recordings, after `close`.
        self.recordings: list[Path] = []
        self._streams = _own_streams(source, audio, video, layers, rtx, rng)

    @property
    def streams(self) -> list[Stream]:
        """Own streams, for the `media` message."""
        return list(self._streams)

    @property
    def round_trip(self) -> float | None:
        """The smoothed round trip to the server, seconds; None before the first measurement."""
        return self._round_trip.seconds

    @property
    def connected(self) -> bool:
        """Whether media can flow now."""
        return self._link is not None

    @property
    def waiting(self) -> bool:
        """Whether `parameters` was called and `connect` must follow."""
        return self._pending is not None

    @property
    def renewing(self) -> bool:
        """Whether another link is about to replace this one."""
        return self._pending is not None or self._attempt is not None

    def parameters(self) -> tuple[str, str, bytes]:
        """Return (ufrag, password, fingerprint) for the next `connect`; new after each connect."""
        if self._closed:
            raise EngineError("the engine is closed")
        if self._pending is None:
            self._pending = self._make_link()
        return self._pending.parameters()

    async def connect(self, transport: Transport, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - a link's own limit
        """Connect the link of the last `parameters()`, and replace the previous link.

        A link that is connecting still is given up. TransportError on failure (the previous link, if any,
        stays), but not for one that was given up; EngineError without `parameters()` before.
        """
        link, self._pending = self._pending, None
        if link is None or self._closed:
            raise EngineError("parameters() come before connect()")
        lost: list[str] = []
        link.on_rtp = self._on_rtp
        link.on_rtcp = self._on_rtcp
        link.on_lost = lost.append
        link.on_moved = lambda address_changed: self._moved(link, address_changed)
        given_up, self._attempt = self._attempt, link
        if given_up is not None:
            await given_up.close()
        try:
            await link.connect(transport, timeout)
        except TransportError:
            if self._attempt is link:
                raise
            return
        finally:
            current = self._attempt is link
            if current:
                self._attempt = None
        if self._is_closed():
            await link.close()
            raise TransportError("the engine was closed meanwhile")
        if not current:
            return
        link.on_lost = lambda reason: self._lost(link, reason)
        before, self._link = self._link, link
        if before is not None:
            await before.close()
        self._start()
        if lost:  # after the handshake, and before we had noted that it is complete
            self._lost(link, lost[0])

    def _start(self) -> None:
        """Start to send on the first link, and with a key frame on each other one."""
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
                    video_encoder=self._video_encoder,
                    numbered=self._numbered,
                    on_failed=self._on_failed,
                )
                self._outgoing.enlarge(self._large)
        elif self._outgoing is not None:
            self._outgoing.ask_key()

    def renumber(self) -> None:
        """Choose other SSRCs for own streams: somebody else's connection holds them. `parameters` follows."""
        self._streams = [_renumbered(stream, self._rng) for stream in self._streams]
        if self._outgoing is not None:
            self._outgoing.renumber(self._streams)

    def set_remote(self, streams: list[HandleStream]) -> None:
        """Take the server's list of all streams. Own streams in it are skipped."""
        own = {stream.ssrc for stream in self._streams}
        self._incoming.set_remote([s for s in streams if s.ssrc not in own])

    def keys_changed(self) -> None:
        """Retry the frames that arrived before their keys. Call it when new keys are installed."""
        self._incoming.keys_changed(asyncio.get_running_loop().time())

    def mute(self, kind: MediaKind, muted: bool) -> None:
        """Mute or unmute. A muted kind sends silence or black frames, with the same number of frames.

        Audio packets also keep their size.
        """
        (self._muted.add if muted else self._muted.discard)(kind)

    def enlarge(self, large: bool) -> None:
        """Send sound as in a large room, in packets of 60 ms, or as in a small one, in packets of 20 ms."""
        self._large = large
        if self._outgoing is not None:
            self._outgoing.enlarge(large)

    def stats(self) -> list[StreamStats]:
        """Return counters of all remote streams, including the last 256 that are gone."""
        return self._incoming.stats()

    def own_stats(self) -> list[OwnStats]:
        """Return counters of own streams; empty before the first connect."""
        return self._outgoing.stats() if self._outgoing is not None else []

    async def close(self) -> list[Path]:
        """Stop sending and receiving, close the link, and return the paths of the finished recordings.

        Closing twice is harmless.
        """
        if self._closed:
            return self.recordings
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        if self._outgoing is not None:
            await self._outgoing.close()
        for link in (self._link, self._pending, self._attempt):
            if link is not None:
                await link.close()
        self._link = self._pending = self._attempt = None
        await self._incoming.close()
        if self._disk is not None:
            self.recordings = await self._disk.close()
        if self._source is not None:
            self._source.close()
        return self.recordings

    # -- inside ------------------------------------------------------------------------------

    def _is_closed(self) -> bool:
        return self._closed  # a method, because type checkers ignore changes across an await

    def _send_rtcp(self, packet: bytes) -> None:
        if self._link is not None:
            self._link.send_rtcp(packet)

    def _lost(self, link: Link, reason: str) -> None:
        if link is self._link and not self._closed:
            self._link = None
            if self._on_lost is not None:
                self._on_lost(reason)

    def _moved(self, link: Link, address_changed: bool) -> None:
        if link is self._link and self._on_moved is not None:
            self._on_moved(address_changed)

    def _on_rtp(self, data: bytes) -> None:
        try:
            self._incoming.receive(data, asyncio.get_running_loop().time())
        except rtp.RtpError:
            self.malformed += 1

    def _on_rtcp(self, data: bytes) -> None:
        try:
            items = rtcp.parse(data)
        except rtcp.RtcpError:
            self.malformed += 1
            return
        now = asyncio.get_running_loop().time()
        for item in items:
            if isinstance(item, rtcp.SenderReport):
                self._incoming.sender_report(item, now)
            elif self._outgoing is not None:
                self._hear(self._outgoing, item, now)

    def _hear(self, outgoing: Outgoing, item: rtcp.Item, now: float) -> None:
        """Pass the server's feedback on own streams to the sending half."""
        match item:
            case rtcp.KeyFrameRequest() | rtcp.Nack():
                outgoing.feedback(item, now)
            case rtcp.Remb():
                outgoing.remb(item.bitrate, now)
            case rtcp.ReportBlock():
                self._round_trip.reported(item, now + outgoing.clock_offset)
                outgoing.received(item, now)
            case twcc.Report():
                outgoing.acknowledged(item, now, self._round_trip.seconds or 0.0)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        next_report = loop.time() + _REPORT_INTERVAL
        next_feedback = loop.time() + INTERVAL
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
                next_feedback = now + INTERVAL
                self._incoming.acknowledge()
            if now >= next_report:
                next_report = now + _REPORT_INTERVAL
                self._incoming.report(now)
                if self._outgoing is not None:
                    self._outgoing.report(now)


def _renumbered(stream: Stream, rng: Callable[[int], bytes]) -> Stream:
    layers, rtx = ([random_ssrc(rng) for _ in ssrcs] for ssrcs in (stream.layers, stream.rtx))
    return Stream(random_ssrc(rng), stream.kind, layers, rtx)


def _own_streams(
    source: Source | None, audio: bool, video: bool, layers: int, rtx: bool, rng: Callable[[int], bytes]
) -> list[Stream]:
    """Return the streams that a source has and that are wanted, with new SSRCs."""
    streams: list[Stream] = []
    if source is not None and audio:
        streams.append(Stream(random_ssrc(rng), "audio"))
    if source is not None and video and source.has_video:
        ssrc, *larger = (random_ssrc(rng) for _ in range(layers))
        again = [random_ssrc(rng) for _ in range(layers)] if rtx else []
        streams.append(Stream(ssrc, "video", larger, again))
    return streams
