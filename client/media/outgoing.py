"""The sending half of the engine: source, encoder, seal, packets, at an even pace.

`_send` is the only way from an encoder to the link, and it seals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from client.media.codec import (
    FRAME_SECONDS,
    VIDEO_RATE,
    OpusEncoder,
    Sound,
    SoundEncoder,
    Vp8Encoder,
    is_key_frame,
)
from client.media.receiving import FrameCrypto
from client.media.rtp import Cname, Nack, Pli, build_rtcp
from client.media.sending import KeyGate, Pace, Sender
from client.media.sources import Source, blank, silence
from client.media.stats import OwnStats
from client.media.transport import Link
from server.wire.messages import MediaKind

_PREFETCH: Final = 5  # frames of sound that are fetched from the source at a time, and ahead


class _Own:
    """An own stream: its core and its counters."""

    def __init__(self, sender: Sender, pace: Pace) -> None:
        self.sender = sender
        self.pace = pace
        self.sealed = self.withheld = self.starved = self.key_frames = 0


class Outgoing:
    """All own streams. `link` tells the link of the moment, `muted` holds what is muted at the moment.

    `size`: width and height of the source's pictures.
    """

    def __init__(
        self,
        *,
        crypto: FrameCrypto,
        source: Source,
        ssrcs: dict[MediaKind, int],
        link: Callable[[], Link | None],
        muted: Set[MediaKind],
        size: tuple[int, int],
        rng: Callable[[int], bytes],
        sound_encoder: Callable[[], SoundEncoder] = OpusEncoder,
        on_failed: Callable[[str], None] | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        periods: dict[MediaKind, float] = {"audio": FRAME_SECONDS, "video": 1 / VIDEO_RATE}
        self._crypto = crypto
        self._source = source
        self._link = link
        self._muted = muted
        self._size = size
        self._sound_encoder = sound_encoder
        self._on_failed = on_failed
        self._own = {
            kind: _Own(Sender(ssrc, kind, rng, started=started), Pace(started, periods[kind]))
            for kind, ssrc in ssrcs.items()
        }
        self._key_gate = KeyGate()
        # a clock must be sent, but it need not be anybody's clock
        self._clock_offset = float(int.from_bytes(rng(3), "big"))
        self._thread = ThreadPoolExecutor(1, "snug-source")
        jobs = {"audio": self._send_audio, "video": self._send_video}
        self._tasks = [loop.create_task(jobs[kind](own)) for kind, own in self._own.items()]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def ask_key(self) -> None:
        """Make the next picture a key frame."""
        self._key_gate.ask()

    def feedback(self, packet: Pli | Nack, now: float) -> None:
        """What a receiver asks for; of streams that aren't mine it is ignored."""
        link = self._link()
        for own in self._own.values():
            if own.sender.ssrc != packet.media:
                continue
            if isinstance(packet, Pli):
                self._key_gate.ask()
            elif link is not None:
                for again in own.sender.resend(packet.sequences, now):
                    link.send_rtp(again)

    def report(self, now: float) -> None:
        """A sender report of each stream that has begun."""
        for own in self._own.values():
            if own.sender.packets:
                self._report(own, now)

    def stats(self) -> list[OwnStats]:
        return [
            OwnStats(
                ssrc=own.sender.ssrc,
                kind=kind,
                sealed=own.sealed,
                withheld=own.withheld,
                skipped=own.pace.skipped,
                starved=own.starved,
                key_frames=own.key_frames,
                packets=own.sender.packets,
                octets=own.sender.octets,
                resent=own.sender.resent,
            )
            for kind, own in self._own.items()
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=True, cancel_futures=True)

    # -- inside ------------------------------------------------------------------------------

    def _ended(self, task: asyncio.Task[None]) -> None:
        # a task ends by being cancelled, or by an error that must not pass unseen
        error = None if task.cancelled() else task.exception()
        if error is not None and self._on_failed is not None:
            self._on_failed(f"sending stopped: {error}")

    def _fetch(self, first: int) -> list[Sound]:
        return [self._source.audio(first + i) for i in range(_PREFETCH)]

    async def _send_audio(self, own: _Own) -> None:
        loop = asyncio.get_running_loop()
        encoder = self._sound_encoder()
        sounds: dict[int, Sound] = {}
        fetching: asyncio.Future[list[Sound]] | None = None
        first = 0
        fetched_to = 0
        while True:
            now = loop.time()
            index, wait = own.pace.next(now)
            due = now + wait
            if fetching is None and fetched_to < index + _PREFETCH:
                first, fetched_to = max(fetched_to, index), max(fetched_to, index) + _PREFETCH
                fetching = loop.run_in_executor(self._thread, self._fetch, first)
            if fetching is not None and index >= first:
                # not there when it is due: a little patience, or the source would be late for ever
                await asyncio.wait([fetching], timeout=wait + FRAME_SECONDS)
            if fetching is not None and fetching.done():
                sounds.update(enumerate(fetching.result(), first))
                fetching = None
            sound = sounds.pop(index, None)
            for old in [i for i in sounds if i < index]:
                del sounds[old]
            if sound is None:
                own.starved += 1
                sound = silence()
            # encoded ahead: how long that takes depends on the sound, and if a packet left as soon as it is
            # encoded, the moment of its leaving would tell who is muted
            connected = self._link() is not None
            packet = encoder.encode(silence() if "audio" in self._muted else sound) if connected else b""
            await asyncio.sleep(max(0.0, due - loop.time()))
            if packet:
                self._send(own, packet, index * FRAME_SECONDS)

    async def _send_video(self, own: _Own) -> None:
        loop = asyncio.get_running_loop()
        encoder = Vp8Encoder(*self._size)
        while True:
            index, wait = own.pace.next(loop.time())
            await asyncio.sleep(wait)
            if self._link() is None:
                continue
            at = index / VIDEO_RATE
            wanted = self._key_gate.take(loop.time())
            frame = await loop.run_in_executor(
                self._thread, self._picture, encoder, at, "video" in self._muted, wanted
            )
            if frame is not None and self._send(own, frame, at):
                own.key_frames += is_key_frame(frame)
            elif frame is not None or wanted:
                # the next one would refer to a picture that nobody has
                self._key_gate.ask()

    def _picture(self, encoder: Vp8Encoder, at: float, muted: bool, key: bool) -> bytes | None:
        picture = self._source.video(at)
        return encoder.encode(blank(*self._size) if muted else picture, round(at * 90_000), key=key)

    def _send(self, own: _Own, frame: bytes, at: float) -> bool:
        """Seal, cut, send; False if it may not be sent now."""
        sealed = self._crypto.seal(own.sender.kind, frame)
        link = self._link()
        if sealed is None or link is None:
            own.withheld += 1
            return False
        own.sealed += 1
        if not own.sender.packets:
            # ahead of the first frame: receivers know from the start how sound and pictures belong together
            self._report(own, asyncio.get_running_loop().time())
        for packet in own.sender.packetize(sealed, at):
            link.send_rtp(packet)
        return True

    def _report(self, own: _Own, now: float) -> None:
        link = self._link()
        if link is not None:
            report = own.sender.report(now, self._clock_offset)
            link.send_rtcp(build_rtcp(report, Cname(own.sender.ssrc)))
