"""The sending half of the engine: source, encoder, sealing, packets and pacing.

`_send` seals every frame on the only path from an encoder to the link. Audio leaves when it is due; video
waits for its turn (`pacing`). Its layers and bitrates follow the capacity of the path to the server (`rate`,
`layers`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from snugroom.client.media import codec
from snugroom.client.media.framing import Framer
from snugroom.client.media.layers import Layer, layers_of, share
from snugroom.client.media.pacing import Pacer
from snugroom.client.media.rate import Estimate
from snugroom.client.media.receiving import FrameCrypto
from snugroom.client.media.sending import KeyGate, Pace, Sender
from snugroom.client.media.sources import Source, blank, silence
from snugroom.client.media.stats import OwnStats
from snugroom.client.media.transport import Link
from snugroom.wire import rtcp, twcc
from snugroom.wire.messages import Stream

_PREFETCH: Final = 5  # audio frames fetched from the source at once, and ahead of time


class _Own:
    """An own stream, or one simulcast layer of it: its core and its counters."""

    def __init__(self, sender: Sender, number: int) -> None:
        self.sender = sender
        self.layer = number
        self.sealed = self.withheld = self.starved = self.key_frames = 0
        self.skipped = 0
        self.bitrate = 0
        self.gate = KeyGate()


class _LayerEncoder:
    """The encoder of one layer, created on first use."""

    def __init__(self, layer: Layer, own: _Own) -> None:
        self.layer = layer
        self.own = own
        self.encoder: codec.VideoEncoder | None = None


class Outgoing:
    """All own streams. `link` returns the current link, `muted` holds the kinds that are muted now.

    `size`: width and height of the source's video. `numbered`: video packets carry transport-wide numbers.
    """

    def __init__(
        self,
        *,
        crypto: FrameCrypto,
        source: Source,
        streams: Sequence[Stream],
        link: Callable[[], Link | None],
        muted: Set[str],
        size: tuple[int, int],
        rng: Callable[[int], bytes],
        sound_encoder: Callable[[], codec.SoundEncoder] = codec.OpusEncoder,
        video_encoder: codec.MakeVideoEncoder = codec.Vp8Encoder,
        numbered: bool = True,
        on_failed: Callable[[str], None] | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._crypto = crypto
        self._source = source
        self._link = link
        self._muted = muted
        self._sound_encoder = sound_encoder
        self._video_encoder = video_encoder
        self._on_failed = on_failed
        self._own: list[_Own] = []
        self._layer_encoders: list[_LayerEncoder] = []
        self._framer = Framer()
        self._pacer: Pacer[tuple[Sender, bytes]] = Pacer()
        self._pacing = asyncio.Event()
        self._number = 0
        self._thread = ThreadPoolExecutor(1, "snug-source")
        # sender reports need a clock, but any common one is valid: a random offset hides the real clock
        self._clock_offset = float(int.from_bytes(rng(3), "big"))
        jobs = []
        for stream in streams:
            if stream.kind == "audio":
                own = _Own(Sender(stream.ssrc, "audio", rng, started=started), 0)
                self._own.append(own)
                jobs.append(self._send_audio(own, Pace(started, codec.FRAME_SECONDS)))
                continue
            ssrcs = [stream.ssrc, *stream.layers]
            layers = layers_of(*size, len(ssrcs))
            clock = int.from_bytes(rng(4), "big")
            for number, (ssrc, layer) in enumerate(zip(ssrcs, layers, strict=True)):
                rtx = stream.rtx[number] if stream.rtx else None
                sender = Sender(
                    ssrc, "video", rng, started=started, rtx=rtx, timestamp=clock, numbered=numbered
                )
                own = _Own(sender, number)
                self._own.append(own)
                self._layer_encoders.append(_LayerEncoder(layer, own))
            jobs += [self._send_video(Pace(started, 1 / codec.VIDEO_RATE)), self._leave_in_turn()]
        # headers and retransmissions come on top of the encoders' output
        ceiling = round(1.2 * sum(layer_encoder.layer.most for layer_encoder in self._layer_encoders))
        self._estimate = Estimate(ceiling, started)
        self._tasks = [loop.create_task(job) for job in jobs]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    @property
    def clock_offset(self) -> float:
        """Seconds by which the clock of own sender reports is ahead of the event loop's clock."""
        return self._clock_offset

    def enlarge(self, large: bool) -> None:
        """Send sound in packets of a large room, or of a small one, from the next multiple of 60 ms on."""
        self._framer.large = large

    def ask_key(self) -> None:
        """Make the next video frame of each layer a key frame."""
        for layer_encoder in self._layer_encoders:
            layer_encoder.own.gate.ask()

    def renumber(self, streams: Sequence[Stream]) -> None:
        """Send these streams, the same ones under other SSRCs, from now on."""
        ssrcs = [
            (ssrc, stream.rtx[number] if stream.rtx else None)
            for stream in streams
            for number, ssrc in enumerate((stream.ssrc, *stream.layers))
        ]
        for own, (ssrc, rtx) in zip(self._own, ssrcs, strict=True):
            own.sender.renumber(ssrc, rtx)
        self.ask_key()

    def feedback(self, request: rtcp.KeyFrameRequest | rtcp.Nack, now: float) -> None:
        """Answer a receiver's request; requests for foreign streams are ignored."""
        link = self._link()
        for own in self._own:
            if own.sender.ssrc != request.ssrc:
                continue
            if isinstance(request, rtcp.KeyFrameRequest):
                own.gate.ask()
            elif link is not None:
                for again in own.sender.resend(request.sequences, now):
                    if own.sender.rtx is not None and own.sender.numbered:
                        self._pacer.push(len(again), (own.sender, again), urgent=True)
                        self._pacing.set()
                    else:
                        link.send_rtp(again)

    def remb(self, bitrate: int, now: float) -> None:
        """Take the server's limit for the video that receivers can take, bits a second."""
        self._estimate.remb(bitrate, now)

    def received(self, block: rtcp.ReportBlock, now: float) -> None:
        """Take a receiver report on one of the own streams."""
        if any(layer_encoder.own.sender.ssrc == block.ssrc for layer_encoder in self._layer_encoders):
            self._estimate.lost(block.fraction / 256, now)

    def acknowledged(self, report: twcc.Report, now: float, round_trip: float) -> None:
        """Take the server's report on numbered packets: which arrived, and when."""
        self._estimate.reported(report, now, round_trip)

    def report(self, now: float) -> None:
        """Send a sender report for each stream that has begun."""
        for own in self._own:
            if own.sender.packets:
                self._report(own, now)

    def stats(self) -> list[OwnStats]:
        now = asyncio.get_running_loop().time()
        return [
            OwnStats(
                ssrc=own.sender.ssrc,
                kind=own.sender.kind,
                sealed=own.sealed,
                withheld=own.withheld,
                skipped=own.skipped,
                starved=own.starved,
                key_frames=own.key_frames,
                packets=own.sender.packets,
                octets=own.sender.octets,
                resent=own.sender.resent,
                layer=own.layer if own.sender.kind == "video" else None,
                bitrate=own.bitrate,
                target=self._estimate.target(now) if own.sender.kind == "video" else 0,
                loss=self._estimate.loss if own.sender.kind == "video" else 0.0,
            )
            for own in self._own
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=True, cancel_futures=True)

    # -- inside ------------------------------------------------------------------------------

    def _ended(self, task: asyncio.Task[None]) -> None:
        # a task ends by cancellation, or by an error that must be reported
        error = None if task.cancelled() else task.exception()
        if error is not None and self._on_failed is not None:
            self._on_failed(f"sending stopped: {error}")

    def _fetch(self, first: int) -> list[codec.Sound]:
        return [self._source.audio(first + i) for i in range(_PREFETCH)]

    async def _send_audio(self, own: _Own, pace: Pace) -> None:
        loop = asyncio.get_running_loop()
        encoder = self._sound_encoder()
        sounds: dict[int, codec.Sound] = {}
        fetching: asyncio.Future[list[codec.Sound]] | None = None
        first = 0
        fetched_to = 0
        while True:
            now = loop.time()
            index, wait = pace.next(now)
            own.skipped = pace.skipped
            due = now + wait
            if fetching is None and fetched_to < index + _PREFETCH:
                first, fetched_to = max(fetched_to, index), max(fetched_to, index) + _PREFETCH
                fetching = loop.run_in_executor(self._thread, self._fetch, first)
            if fetching is not None and index >= first:
                # wait a little past the due time, or the source would stay late for ever
                await asyncio.wait([fetching], timeout=wait + codec.FRAME_SECONDS)
            if fetching is not None and fetching.done():
                sounds.update(enumerate(fetching.result(), first))
                fetching = None
            sound = sounds.pop(index, None)
            for old in [i for i in sounds if i < index]:
                del sounds[old]
            if sound is None:
                own.starved += 1
                sound = silence()
            # encode ahead of time: the duration depends on the audio, and if a packet left as soon as it is
            # encoded, its send time would reveal muting
            framed = self._framer.add(index, silence() if "audio" in self._muted else sound)
            packet = encoder.encode(framed[1]) if framed is not None and self._link() is not None else b""
            await asyncio.sleep(max(0.0, due - loop.time()))
            if framed is not None and packet:
                self._send(own, packet, framed[0] * codec.FRAME_SECONDS)

    async def _send_video(self, pace: Pace) -> None:
        loop = asyncio.get_running_loop()
        rates = [0] * len(self._layer_encoders)
        while True:
            index, wait = pace.next(loop.time())
            await asyncio.sleep(wait)
            for layer_encoder in self._layer_encoders:
                layer_encoder.own.skipped = pace.skipped
            if self._link() is None:
                continue
            at, now = index / codec.VIDEO_RATE, loop.time()
            target = self._estimate.target(now)
            # retransmissions are part of the target: on top of it they would be lost as well
            again = sum(layer_encoder.own.sender.resent_rate(now) for layer_encoder in self._layer_encoders)
            target = round(max(target / 2, target - again))
            rates = share(target, [p.layer for p in self._layer_encoders], rates)
            wanted = []
            for layer_encoder, rate in zip(self._layer_encoders, rates, strict=True):
                own = layer_encoder.own
                if not rate:
                    own.gate.ask()  # the layer must return with a key frame
                own.bitrate = rate
                if rate and index % layer_encoder.layer.every(rate) == 0:
                    wanted.append((layer_encoder, rate, own.gate.take(now)))
            if not wanted:
                continue
            frames = await loop.run_in_executor(
                self._thread, self._encode, wanted, at, "video" in self._muted
            )
            for (layer_encoder, _, key), frame in zip(wanted, frames, strict=True):
                own = layer_encoder.own
                if frame is not None and self._send(own, frame, at):
                    own.key_frames += codec.is_key_frame(frame)
                elif frame is not None or key:
                    # the next frame would refer to a frame that nobody has
                    own.gate.ask()
            self._pacer.aim(sum(rates))

    def _encode(
        self, wanted: list[tuple[_LayerEncoder, int, bool]], at: float, muted: bool
    ) -> list[bytes | None]:
        """Return one frame of each of these layers, all of the same moment."""
        whole: codec.RawFrame = self._source.video(at)
        out = []
        for layer_encoder, rate, key in wanted:
            layer = layer_encoder.layer
            if layer_encoder.encoder is None:
                layer_encoder.encoder = self._video_encoder(layer.width, layer.height, bitrate=layer.most)
            shown = (
                blank(layer.width, layer.height) if muted else codec.scaled(whole, layer.width, layer.height)
            )
            out.append(layer_encoder.encoder.encode(shown, round(at * 90_000), key=key, bitrate=rate))
        return out

    async def _leave_in_turn(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wait = self._pacer.wait(loop.time())
            if wait is None:
                self._pacing.clear()
                await self._pacing.wait()
                continue
            if wait:
                await asyncio.sleep(wait)
            link, now = self._link(), loop.time()
            for sender, packet in self._pacer.take(now):
                data = packet
                if sender.numbered:
                    data = sender.leave(packet, self._number, now)
                    self._estimate.sent(self._number, len(data), now)
                    self._number = (self._number + 1) & 0xFFFF
                if link is not None:
                    link.send_rtp(data)

    def _send(self, own: _Own, frame: bytes, at: float) -> bool:
        """Seal, packetize and send a frame; return False if it may not be sent now."""
        sealed = self._crypto.seal(own.sender.kind, frame, own.layer)
        link = self._link()
        if sealed is None or link is None:
            own.withheld += 1
            return False
        own.sealed += 1
        if not own.sender.packets:
            # before the first frame, so that receivers can synchronise audio and video from the start
            self._report(own, asyncio.get_running_loop().time())
        for packet in own.sender.packetize(sealed, at):
            if own.sender.kind == "audio":
                link.send_rtp(packet)
            else:
                self._pacer.push(len(packet), (own.sender, packet))
                self._pacing.set()
        return True

    def _report(self, own: _Own, now: float) -> None:
        link = self._link()
        if link is not None:
            report = own.sender.report(now, self._clock_offset)
            link.send_rtcp(rtcp.sender_report(report) + rtcp.cname(own.sender.ssrc))
