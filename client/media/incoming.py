"""The receiving half of the engine: receivers, decoders, the recorder.

`Receiver` authenticates every frame before a decoder or the disk gets it. One thread decodes video and
another one writes files. The queues to both are bounded; frames that don't fit are dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, ParamSpec

from snugroom.client.media.codec import FRAME_SAMPLES, CodecError, RawFrame, Sound, SoundDecoder, VideoDecoder
from snugroom.client.media.receiving import AskKey, Conceal, Deliver, FrameCrypto, ReceiveEffect, Receiver
from snugroom.client.media.record import Recorder, Taken
from snugroom.client.media.reorder import Ask
from snugroom.client.media.reports import Reception
from snugroom.client.media.stats import StreamStats
from snugroom.client.media.twcc_arrivals import Arrivals
from snugroom.wire import rtcp, rtp
from snugroom.wire.messages import HandleStream, MediaKind

_DECODE_QUEUE: Final = 30
_DISK_QUEUE: Final = 4_000
_DEPARTED_MAX: Final = 256
#: Maximum number of frames to conceal in one hole: after them the audio has faded out.
_CONCEAL_MAX: Final = 10

_P = ParamSpec("_P")
#: Receives what was decoded of an authenticated frame, and the leaf that sealed it.
OnDecoded = Callable[[int, MediaKind, "Sound | RawFrame"], None]


class Disk:
    """A recorder in its own thread. `dropped`: jobs refused because the queue was full."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._thread = ThreadPoolExecutor(1, "snug-disk")
        self._waiting = 0
        self.dropped = 0

    def write(self, leaf: int, name: str, kinds: frozenset[MediaKind], taken: Taken) -> None:
        self._submit(self._recorder.write, leaf, name, kinds, taken)

    def report(self, leaf: int, name: str, ssrc: int, ntp: float, timestamp: int) -> None:
        self._submit(self._recorder.report, leaf, name, ssrc, ntp, timestamp)

    async def close(self) -> list[Path]:
        """Write the queued frames, finish all files, and return their paths."""
        paths = await asyncio.get_running_loop().run_in_executor(self._thread, self._recorder.close)
        self._thread.shutdown(wait=True)
        return paths

    def _submit(self, job: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        if self._waiting >= _DISK_QUEUE:
            self.dropped += 1
            return
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._thread, lambda: job(*args, **kwargs))
        future.add_done_callback(self._finished)

    def _finished(self, future: asyncio.Future[None]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.result()


class _Remote:
    """A remote stream: its core, its decoder, and the frames that wait for the decoder."""

    def __init__(self, stream: HandleStream, receiver: Receiver) -> None:
        self.stream = stream
        self.receiver = receiver
        self.reception = Reception(stream.ssrc, stream.kind)
        #: Packets that arrived as RTX.
        self.again = 0
        self.sound_decoder: SoundDecoder | None = None
        self.video_decoder: VideoDecoder | None = None
        self.queue: deque[Deliver] = deque()
        self.worker: asyncio.Task[None] | None = None
        self.report: rtcp.SenderReport | None = None
        self.told = False
        self.decoded = self.concealed = self.recovered = self.dropped = self.undecodable = 0
        #: Audio frames missing after `heard`, the RTP timestamp of the last decoded frame.
        self.hole = 0
        self.heard: int | None = None
        #: Samples of that frame.
        self.samples = FRAME_SAMPLES
        self.gone = False

    def stats(self) -> StreamStats:
        core = self.receiver
        return StreamStats(
            leaf=core.leaf,
            handle=self.stream.handle,
            ssrc=core.ssrc,
            kind=core.kind,
            opened=core.opened,
            decoded=self.decoded,
            failed=core.failed,
            unkeyed=core.unkeyed,
            lost=core.lost,
            # the packet after a hole may contain a copy of the hole's last frame
            concealed=self.concealed + max(0, self.hole - 1),
            key_frames=core.key_frames,
            first_opened_at=core.first_opened,
            skipped=core.skipped,
            dropped=self.dropped,
            undecodable=self.undecodable,
            gone=self.gone,
            recovered=self.recovered,
            asked=core.reorder.asked,
            again=self.again,
            bitrate=self.reception.bitrate,
            layer=core.layer,
            frozen=core.frozen,
        )


class Incoming:
    """All remote streams. `send_rtcp` sends a packet. Without `decode`, frames are not decoded."""

    def __init__(
        self,
        *,
        crypto: FrameCrypto,
        send_rtcp: Callable[[bytes], None],
        feedback_ssrc: int,
        disk: Disk | None,
        name_of: Callable[[int], str],
        decode: bool,
        sound_decoder: Callable[[], SoundDecoder],
        video_decoder: Callable[[], VideoDecoder],
        on_opened: Callable[[StreamStats], None] | None,
        on_decoded: OnDecoded | None = None,
    ) -> None:
        self._crypto = crypto
        self._send_rtcp = send_rtcp
        self._feedback_ssrc = feedback_ssrc
        self._disk = disk
        self._name_of = name_of
        self._decode = decode
        self._make_sound_decoder = sound_decoder
        self._make_video_decoder = video_decoder
        self._on_opened = on_opened
        self._on_decoded = on_decoded
        self._remote: dict[int, _Remote] = {}
        self._again: dict[int, _Remote] = {}  # by the SSRC of RTX
        self._arrivals = Arrivals()
        self._round_trip: float | None = None
        # departed streams keep counters only: a stream's decoder and windows take a megabyte
        self._departed: deque[StreamStats] = deque(maxlen=_DEPARTED_MAX)
        self._departing: list[_Remote] = []  # departed, with video frames that wait for the decoder
        self._thread = ThreadPoolExecutor(1, "snug-decode")
        #: Packets of streams that nobody announced.
        self.unknown = 0

    def set_remote(self, streams: list[HandleStream]) -> None:
        """Take the list of all streams. Streams with another handle or kind start anew."""
        wanted = {s.ssrc: s for s in streams}
        for ssrc, remote in list(self._remote.items()):
            new = wanted.get(ssrc)
            if new is None or (new.handle, new.kind) != (remote.stream.handle, remote.stream.kind):
                self._depart(self._remote.pop(ssrc))
        for ssrc, stream in wanted.items():
            if ssrc not in self._remote:
                self._remote[ssrc] = _Remote(stream, Receiver(ssrc, stream.kind, self._crypto.open))
                self._remote[ssrc].receiver.reorder.round_trip = self._round_trip
            self._remote[ssrc].stream = stream
        video = [r for r in self._remote.values() if r.stream.kind == "video"]
        self._again = {r.stream.rtx: r for r in video if r.stream.rtx is not None}

    def _depart(self, remote: _Remote) -> None:
        remote.gone = True
        if remote.worker is None or remote.worker.done():
            self._departed.append(remote.stats())
            return

        def finished(worker: asyncio.Task[None]) -> None:
            self._departing.remove(remote)
            self._departed.append(remote.stats())

        self._departing.append(remote)
        remote.worker.add_done_callback(finished)

    def receive(self, data: bytes, now: float) -> None:
        """Take an RTP packet as it arrived; RtpError if malformed."""
        packet = rtp.parse(data)
        if packet.transport is not None:
            self._arrivals.record(packet.transport, now)
        remote = self._remote.get(packet.ssrc)
        if remote is not None:
            remote.reception.receive(packet, now)
        elif (remote := self._again.get(packet.ssrc)) is None:
            self.unknown += 1
            return
        elif (original := rtp.unwrap_rtx(data, remote.stream.ssrc)) is None:
            return
        else:
            remote.again += 1
            packet = rtp.parse(original)
        self._perform(remote, remote.receiver.receive(packet, now))

    def sender_report(self, report: rtcp.SenderReport, now: float) -> None:
        remote = self._remote.get(report.ssrc)
        if remote is not None:
            remote.report = report
            remote.reception.sender_report(report.ntp, now)
            self._tell_report(remote)

    def round_trip(self, seconds: float) -> None:
        """Take the current round trip to the server, seconds."""
        self._round_trip = seconds
        for remote in self._remote.values():
            remote.receiver.reorder.round_trip = seconds

    def acknowledge(self) -> None:
        """Report the numbered packets that have arrived. Call it every `twcc_arrivals.INTERVAL` seconds."""
        for report in self._arrivals.take(self._feedback_ssrc):
            self._send_rtcp(report)

    def report(self, now: float) -> None:
        """Send a receiver report on all streams that have begun (RFC 3550 6.4.2)."""
        blocks = [b for r in self._remote.values() if (b := r.reception.report(now)) is not None]
        for at in range(0, len(blocks), rtcp.BLOCKS_MAX):
            self._send_rtcp(rtcp.receiver_report(self._feedback_ssrc, blocks[at : at + rtcp.BLOCKS_MAX]))

    def tick(self, now: float) -> None:
        for remote in list(self._remote.values()):
            if remote.receiver.waiting:
                self._perform(remote, remote.receiver.tick(now))

    def keys_changed(self, now: float) -> None:
        for remote in list(self._remote.values()):
            self._perform(remote, remote.receiver.keys_changed(now))

    def stats(self) -> list[StreamStats]:
        present = (*self._departing, *self._remote.values())
        return [*self._departed, *(remote.stats() for remote in present)]

    async def close(self) -> None:
        """Decode the queued frames, then stop. The counters stay."""
        workers = [r.worker for r in (*self._departing, *self._remote.values()) if r.worker is not None]
        await asyncio.gather(*workers, return_exceptions=True)
        self._thread.shutdown(wait=True)

    # -- inside ------------------------------------------------------------------------------

    def _perform(self, remote: _Remote, effects: list[ReceiveEffect]) -> None:
        ssrc = remote.stream.ssrc
        for effect in effects:
            match effect:
                case Deliver():
                    self._deliver(remote, effect)
                case Conceal():
                    remote.hole += effect.frames
                case Ask():
                    self._send_rtcp(rtcp.nack(self._feedback_ssrc, ssrc, effect.sequences))
                case AskKey():
                    self._send_rtcp(rtcp.key_frame_request(self._feedback_ssrc, ssrc))

    def _deliver(self, remote: _Remote, frame: Deliver) -> None:
        if not remote.told:
            remote.told = True
            if self._on_opened is not None:
                self._on_opened(remote.stats())
        if not self._decode:
            remote.concealed, remote.hole = remote.concealed + remote.hole, 0
            self._record(remote, frame)
        elif remote.stream.kind == "audio":
            # decoding takes 20 us, less than handing the frame to a thread
            self._decode_sound(remote, frame)
        elif len(remote.queue) >= _DECODE_QUEUE:
            remote.dropped += 1 + len(remote.queue)
            remote.queue.clear()
            now = asyncio.get_running_loop().time()
            self._perform(remote, remote.receiver.demand_key(now))
        else:
            remote.queue.append(frame)
            if remote.worker is None or remote.worker.done():
                remote.worker = asyncio.get_running_loop().create_task(self._decode_video(remote))

    def _decode_sound(self, remote: _Remote, frame: Deliver) -> None:
        if remote.sound_decoder is None:
            remote.sound_decoder = self._make_sound_decoder()
        self._fill(remote, remote.sound_decoder, frame)
        try:
            sound = remote.sound_decoder.decode(frame.frame)
        except CodecError:
            remote.undecodable += 1
            return
        remote.decoded += 1
        remote.heard, remote.samples = frame.timestamp, len(sound)
        if self._on_decoded is not None:
            for at in range(0, len(sound), FRAME_SAMPLES):
                self._on_decoded(frame.leaf, "audio", sound[at : at + FRAME_SAMPLES])
        self._record(remote, frame)

    @staticmethod
    def _fill(remote: _Remote, decoder: SoundDecoder, frame: Deliver) -> None:
        """Conceal the hole before this frame; recover its last frame if this one carries a copy of it."""
        hole, remote.hole = remote.hole, 0
        if not hole:
            return
        for _ in range(min(hole - 1, _CONCEAL_MAX)):
            decoder.conceal()
        # frames that wait for keys arrive late, so this frame may not be the one right after the hole
        follows = remote.heard is not None and (
            (frame.timestamp - remote.heard) & 0xFFFFFFFF == (hole + 1) * remote.samples
        )
        if follows and decoder.recover(frame.frame) is not None:
            remote.recovered += 1
            hole -= 1
        else:
            decoder.conceal()
        remote.concealed += hole

    async def _decode_video(self, remote: _Remote) -> None:
        loop = asyncio.get_running_loop()
        if remote.video_decoder is None:
            remote.video_decoder = self._make_video_decoder()
        while remote.queue:
            frame = remote.queue.popleft()
            try:
                shown = await loop.run_in_executor(self._thread, remote.video_decoder.decode, frame.frame)
            except CodecError:
                remote.undecodable += 1
                remote.queue.clear()
                self._perform(remote, remote.receiver.demand_key(loop.time()))
                continue
            remote.decoded += 1
            if self._on_decoded is not None and shown is not None:
                self._on_decoded(frame.leaf, "video", shown)
            self._record(remote, frame)

    def _record(self, remote: _Remote, frame: Deliver) -> None:
        if self._disk is None:
            return
        handle, kind = remote.stream.handle, remote.stream.kind
        kinds = frozenset(r.stream.kind for r in self._remote.values() if r.stream.handle == handle) | {kind}
        taken = Taken(remote.stream.ssrc, kind, frame.frame, frame.timestamp, frame.arrived)
        self._disk.write(frame.leaf, self._name_of(frame.leaf), kinds, taken)
        self._tell_report(remote)

    def _tell_report(self, remote: _Remote) -> None:
        leaf, report = remote.receiver.leaf, remote.report
        if self._disk is None or leaf is None or report is None:
            return
        remote.report = None
        ntp = report.ntp / (1 << 32)
        self._disk.report(leaf, self._name_of(leaf), report.ssrc, ntp, report.timestamp)
