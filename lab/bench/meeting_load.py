"""Rooms of a measured meeting at one server, and the measurement of what reaches their members."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from snugroom.lab import machine
from snugroom.lab.bench.cameras import (
    MEMBERS_MAX,
    Camera,
    Columns,
    Microphone,
    NarrowPath,
    Receiver,
    audio_ssrc,
    obey,
    rtx_ssrc,
    sending_times,
    video_ssrc,
)
from snugroom.lab.bench.house import BenchServer
from snugroom.lab.bench.light import Crowd, LightError, LightPeer, LightRoom
from snugroom.wire.messages import Stream

#: A step is carried if the audio's p99 and the share of packets that did not come are below these.
P99_MAX: Final = 0.010
LOSS_MAX: Final = 0.005
#: Seconds between two reads of a receiver's socket.
_READ: Final = 0.01
#: Seconds in which the last packets arrive.
_SETTLE: Final = 0.1
#: Bits a second of the narrow path.
_NARROW: Final = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of room. `layers`: packets of a frame in each size of a camera, smallest first.

    `visible`: videos that each member sees. `rooms`: how many there are in each step. Without layers, there
    are microphones alone. `parts`: parts of 20 ms in a packet of sound. `audible`: all members receive the
    same microphones, so many of them; None: all.
    """

    members: int
    layers: tuple[int, ...]
    visible: int
    rooms: tuple[int, ...]
    parts: int = 1
    audible: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement. Latencies are in milliseconds, `us` is the server's CPU for each forwarded packet.

    `rate`: forwarded packets a second. `audio_loss` and `video_loss`: shares that did not come, None for
    cameras with several sizes, or without cameras. `unread`: packets that found the server's socket full.
    `shed`: packets that the server dropped because it was late. `server`, `generator` and `waited` are shares
    of one core: the server wanted its core for the time `waited`, while others had it.
    """

    members: int
    rooms: int
    scale: float
    rate: int
    us: float
    audio_p50: float
    audio_p99: float
    video_p50: float
    video_p99: float
    audio_loss: float
    video_loss: float | None
    unread: int
    shed: int
    server: float
    generator: float
    waited: float

    @property
    def carried(self) -> bool:
        """Whether the server kept up."""
        return (
            self.audio_p99 < 1e3 * P99_MAX
            and self.audio_loss < LOSS_MAX
            and (self.video_loss or 0.0) < LOSS_MAX
            and not self.shed
        )


def _streams(kind: Kind, member: int) -> list[Stream]:
    audio, sizes = Stream(audio_ssrc(member), "audio"), range(len(kind.layers))
    if not sizes:
        return [audio]
    layers = [video_ssrc(member, layer) for layer in sizes[1:]]
    rtx = [rtx_ssrc(member, layer) for layer in sizes]
    return [audio, Stream(video_ssrc(member), "video", layers=layers, rtx=rtx)]


class Room:
    """One room of light members, numbered from `first` on."""

    def __init__(self, crowd: Crowd, kind: Kind, first: int, columns: Columns) -> None:
        self._kind = kind
        self._members = range(first, first + kind.members)
        keys, now = LightRoom(), time.perf_counter()
        self.peers = [
            LightPeer(
                crowd,
                keys,
                _streams(kind, member),
                feedback=True,
                rtx=True,
            )
            for member in self._members
        ]
        self.microphones: list[Microphone] = []
        self.cameras: list[Camera] = []
        self.receivers: list[Receiver] = []
        for member, peer in zip(self._members, self.peers, strict=True):
            numbers = itertools.count()
            self.microphones.append(Microphone(peer, member, columns.sent_at, now, kind.parts))
            cameras = [
                Camera(peer, video_ssrc(member, layer), size, numbers, now)
                for layer, size in enumerate(kind.layers)
            ]
            peer.on_rtcp = partial(obey, cameras)
            self.cameras += cameras
            path = NarrowPath(_NARROW) if peer is self.peers[-1] and cameras else None
            self.receivers.append(Receiver(peer, columns, path))

    async def begin(self, crowd: Crowd) -> None:
        """Let everybody join, and ask for the streams. LightError."""
        await crowd.admit(self.peers)
        largest = len(self._kind.layers) - 1
        for place, peer in enumerate(self.peers):
            others = [
                self._members[(place + step) % len(self._members)] for step in range(1, len(self.peers))
            ]
            visible = [video_ssrc(member) for member in others[: self._kind.visible]]
            layers = [largest, *[max(0, largest - 1)] * (len(visible) - 1)] if visible else []
            audible = self._members[: self._kind.audible]
            audio = [audio_ssrc(member) for member in others if member in audible]
            await peer.subscribe([*visible, *audio], [*layers, *[0] * len(audio)])
        for receiver in self.receivers:
            receiver.take_over()


class Load:
    """Rooms of one kind at one server."""

    def __init__(self, server: BenchServer, crowd: Crowd, kind: Kind) -> None:
        self._server = server
        self._crowd = crowd
        self._kind = kind
        self._columns = Columns(sending_times())
        self._rooms: list[Room] = []

    async def grow(self, rooms: int) -> None:
        """Add rooms until there are `rooms`. LightError."""
        while len(self._rooms) < rooms:
            first = len(self._rooms) * self._kind.members
            if first + self._kind.members > MEMBERS_MAX:
                raise LightError(f"At most {MEMBERS_MAX} members.")
            room = Room(self._crowd, self._kind, first, self._columns)
            await room.begin(self._crowd)
            self._rooms.append(room)

    async def step(self, seconds: float, warm: float, scale: float = 1.0) -> Step:
        """Measure `seconds`, with `scale` times the frames of a camera. LightError if nothing comes."""
        receivers = [receiver for room in self._rooms for receiver in room.receivers]
        server = self._server
        flow = asyncio.get_running_loop().create_task(self._flow(scale))
        try:
            await asyncio.sleep(warm)
            before, drops = await server.counts(), self._drops()
            for receiver in receivers:
                receiver.begin()
            sent = self._sent()
            began, cpu, own, waited = time.perf_counter(), server.cpu, time.process_time(), server.waited
            await asyncio.sleep(seconds)
            spent, own = time.perf_counter() - began, time.process_time() - own
            cpu, waited = server.cpu - cpu, server.waited - waited
            after, unread = await server.counts(), self._drops() - drops
        finally:
            flow.cancel()
            await asyncio.gather(flow, return_exceptions=True)
        await asyncio.sleep(_SETTLE)
        for receiver in receivers:
            receiver.read()
        expected = [now - then for now, then in zip(self._sent(), sent, strict=True)]
        forwarded = after["forwarded"] - before["forwarded"]
        audio = np.concatenate([part for r in receivers for part in r.audio_latencies] or [np.zeros(0)])
        video = np.array([latency for r in receivers for latency in r.video_latencies])
        if not len(audio) or (not len(video) and self._kind.layers):
            raise LightError("The receivers got nothing.")
        if refused := sum(r.peer.refused for r in receivers):
            raise LightError(f"{refused} packets could not be opened.")
        others = self._kind.members - 1
        one_size = len(self._kind.layers) == 1
        return Step(
            members=self._kind.members,
            rooms=len(self._rooms),
            scale=round(scale, 2),
            rate=round(forwarded / spent),
            us=round(1e6 * cpu / max(1, forwarded), 2),
            audio_p50=_milliseconds(audio, 50),
            audio_p99=_milliseconds(audio, 99),
            video_p50=_milliseconds(video, 50),
            video_p99=_milliseconds(video, 99),
            audio_loss=_missing(sum(r.audio for r in receivers), expected[0] * others),
            video_loss=None
            if not one_size
            # everybody but the member on the narrow path, who gets what fits
            else _missing(
                sum(r.video for r in receivers if r.path is None),
                expected[1] * (others - 1) + expected[2],
            ),
            unread=unread,
            shed=sum(after.get(name, 0) - before.get(name, 0) for name in ("shed_audio", "shed_video")),
            server=round(cpu / spent, 3),
            generator=round(own / spent, 3),
            waited=round(waited / spent, 3),
        )

    def _sent(self) -> tuple[int, int, int]:
        """Packets sent so far: audible audio, video, and the video of the members on narrow paths."""
        audible = self._kind.audible
        audio = sum(microphone.sent for room in self._rooms for microphone in room.microphones[:audible])
        video = sum(camera.sent for room in self._rooms for camera in room.cameras)
        narrow = sum(c.sent for room in self._rooms for c in room.cameras if c.peer is room.peers[-1])
        return audio, video, narrow

    def _drops(self) -> int:
        peers = [peer for room in self._rooms for peer in room.peers if peer.socket is not None]
        ports = {peer.socket.getpeername()[1] for peer in peers if peer.socket is not None}
        return sum(machine.udp_drops().get(port, 0) for port in ports)

    async def _flow(self, scale: float) -> None:
        """Send, each source at its own times, and read, until it is cancelled."""
        now = time.perf_counter()
        sources: list[Microphone | Camera] = []
        for room in self._rooms:
            sources += [*room.microphones, *room.cameras]
        for source in sources:
            source.resume(now)
        queue: list[tuple[float, int, Microphone | Camera]] = [
            (source.next_at, number, source) for number, source in enumerate(sources)
        ]
        heapq.heapify(queue)
        receivers = [receiver for room in self._rooms for receiver in room.receivers]
        read_at = now
        while True:
            now = time.perf_counter()
            while queue[0][0] <= now:
                _, number, source = queue[0]
                source.send(now, scale)
                heapq.heapreplace(queue, (source.next_at, number, source))
            if now >= read_at:
                read_at = now + _READ
                for receiver in receivers:
                    receiver.read()
            await asyncio.sleep(max(0.0, min(queue[0][0], read_at) - time.perf_counter()))


def _milliseconds(latencies: np.ndarray[Any, Any], percentile: float) -> float:
    return round(1e3 * float(np.percentile(latencies, percentile)), 2) if len(latencies) else 0.0


def _missing(came: int, wanted: int) -> float:
    return round(max(0.0, 1 - came / max(1, wanted)), 5)
