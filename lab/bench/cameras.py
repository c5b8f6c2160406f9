"""Members of a measured meeting: cameras and microphones that send, and receivers that measure latencies.

A camera sends a frame in bursts of two packets, as the pacer of a browser does, and has a phase of its own.
Sent packets contain the time at which they were sent. Arrivals are the kernel's (`drain.SO_TIMESTAMPNS`).
The clear header shows the stream and the number of an audio packet, so that each is measured. Numbers of
video are rewritten by the server; a sample of video packets is opened instead.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from snugroom.lab.bench.drain import BATCH, SO_TIMESTAMPNS, Drain
from snugroom.lab.bench.flow import FRAMES, Audio, Video
from snugroom.lab.bench.light import LightPeer
from snugroom.wire import rtcp, rtp

#: The first byte of an SSRC is its kind, the rest its number: for video the member's, and two bits of layer.
_AUDIO, _VIDEO, _RTX = 0x41, 0x56, 0x52
#: The most members of one measurement.
MEMBERS_MAX: Final = 1024
#: Packets of one burst of a camera, and seconds between two bursts of a frame.
_BURST: Final = 2
_BURST_APART: Final = 0.005
_AUDIO_APART: Final = 0.02
#: Numbers of one stream whose sending times are kept.
_KEPT: Final = 1024
_STAMP: Final = struct.Struct("!d")
#: One video packet is opened of the packets of this many reads.
_OPENED: Final = 4
#: A source that is late by more than this goes on without the missed packets (seconds).
_BEHIND: Final = 0.25
#: Seconds of queue at a narrow path, beyond which packets are lost.
_QUEUE: Final = 0.3
#: Bytes of a datagram besides its payload on a narrow path.
_PACKET: Final = 1_100


def audio_ssrc(member: int) -> int:
    """Return the SSRC of a member's microphone."""
    return _AUDIO << 24 | member


def video_ssrc(member: int, layer: int = 0) -> int:
    """Return the SSRC of a layer of a member's camera."""
    return _VIDEO << 24 | member << 2 | layer


def rtx_ssrc(member: int, layer: int = 0) -> int:
    """Return the SSRC of the retransmissions of that layer."""
    return _RTX << 24 | member << 2 | layer


def sending_times() -> NDArray[np.float64]:
    """Return a row for each member, for the sending times of its last audio packets."""
    return np.zeros((MEMBERS_MAX, _KEPT))


class Microphone:
    """50 packets a second, or one for several `parts`. `sent_at` gets when each was sent, Unix time."""

    def __init__(
        self, peer: LightPeer, member: int, sent_at: NDArray[np.float64], now: float, parts: int = 1
    ) -> None:
        self.peer = peer
        self._audio = Audio(audio_ssrc(member), now, parts)
        self._apart = parts * _AUDIO_APART
        self._sent_at = sent_at[member]
        self.next_at = now
        self.sent = 0

    def resume(self, now: float) -> None:
        """Begin again, or for the first time, at a random phase."""
        self.next_at = now + random.random() * self._apart  # noqa: S311 - a phase

    def send(self, now: float, _scale: float) -> None:
        """Send the next packet, and set `next_at`."""
        packet = self._audio.packet()
        self._sent_at[self._audio.sent % _KEPT] = time.time()
        self.sent += self.peer.send_rtp(packet)
        self.next_at += self._apart
        if self.next_at < now - _BEHIND:
            self.next_at = now


class Camera:
    """One layer of a camera: frames of `size` packets, 30 times `scale` a second.

    `numbers`: the member's transport-wide numbers, one count for all layers.
    """

    def __init__(self, peer: LightPeer, ssrc: int, size: int, numbers: Iterator[int], now: float) -> None:
        self.peer = peer
        self.ssrc = ssrc
        self.video = Video(ssrc, size * FRAMES, now, lambda: next(numbers) & 0xFFFF)
        self.next_at = self._frame_at = now
        self._size = size
        self._left = size
        self.sent = 0

    def resume(self, now: float) -> None:
        """Begin again, or for the first time, at a random phase."""
        self.next_at = self._frame_at = now + random.random() / FRAMES  # noqa: S311 - a phase

    def send(self, now: float, scale: float) -> None:
        """Send the next burst, and set `next_at`."""
        count = min(_BURST, self._left)
        for packet in self.video.packets(count, now):
            self.sent += self.peer.send_rtp(packet[: -_STAMP.size] + _STAMP.pack(time.time()))
        self._left -= count
        if self._left:
            self.next_at += _BURST_APART / scale
            return
        self._left = self._size
        self._frame_at += 1 / (FRAMES * scale)
        if self._frame_at < now - _BEHIND:
            self._frame_at = now
        self.next_at = self._frame_at


def obey(cameras: Sequence[Camera], packet: bytes) -> None:
    """Send key frames where the server asks for them."""
    try:
        asked = {item.ssrc for item in rtcp.parse(packet) if isinstance(item, rtcp.KeyFrameRequest)}
    except rtcp.RtcpError:
        return
    for camera in cameras:
        if camera.ssrc in asked:
            camera.video.key_frame()


class NarrowPath:
    """A path of `rate` bits a second with a queue: it delays packets, and loses those that find it full."""

    def __init__(self, rate: float) -> None:
        self._seconds = 8 * _PACKET / rate
        self._free_at = 0.0

    def pass_on(self, numbers: Sequence[int], times: Sequence[float]) -> tuple[list[int], list[float]]:
        """Return the numbers that arrive, and when."""
        came: list[int] = []
        at: list[float] = []
        for number, sent in zip(numbers, times, strict=True):
            if self._free_at - sent > _QUEUE:
                continue
            self._free_at = max(self._free_at, sent) + self._seconds
            came.append(number)
            at.append(self._free_at)
        return came, at


class Columns:
    """A drain with the fields of all of its datagrams that receivers look at.

    `sent_at`: see `sending_times`.
    """

    def __init__(self, sent_at: NDArray[np.float64]) -> None:
        self.sent_at = sent_at
        self.drain = Drain(timestamps=True)
        self.heads: NDArray[Any] = self.drain.column(">u2", 0)
        self.sequences = self.drain.column(">u2", 2)
        self.ssrcs = self.drain.column(">u4", 8)
        self.numbers = self.drain.column(">u2", rtp.TWCC_AT)


class Receiver:
    """One member as a receiver. Latencies are seconds, in arrays of the packets of one read."""

    def __init__(self, peer: LightPeer, columns: Columns, path: NarrowPath | None = None) -> None:
        self.peer = peer
        self.path = path
        self.audio = self.video = 0
        self.audio_latencies: list[NDArray[np.float64]] = []
        self.video_latencies: list[float] = []
        self._columns = columns
        self._turn = random.randrange(_OPENED)  # noqa: S311 - a phase
        self._arrived = 0.0
        peer.on_rtp = self._opened

    def take_over(self) -> None:
        """From now on read the socket here, instead of in the peer."""
        assert self.peer.socket is not None
        self.peer.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        asyncio.get_running_loop().remove_reader(self.peer.socket.fileno())

    def begin(self) -> None:
        """Count and measure from now on."""
        self.audio = self.video = 0
        self.audio_latencies, self.video_latencies = [], []

    def _opened(self, packet: bytes) -> None:
        (sent,) = _STAMP.unpack(packet[-_STAMP.size :])
        self.video_latencies.append(self._arrived - sent)

    def read(self) -> None:
        """Read, count and measure all datagrams that have come."""
        sock, drain = self.peer.socket, self._columns.drain
        assert sock is not None
        while True:
            _, count = drain.receive(sock)
            if count:
                self._measure(count)
            if count < BATCH:
                return

    def _measure(self, count: int) -> None:
        columns = self._columns
        heads, times = columns.heads[:count], columns.drain.times(count)
        second = heads & 0xFF
        media = (heads >= 0x8000) & (heads < 0xC000) & ((second < 192) | (second > 223))
        ssrcs = columns.ssrcs[:count]
        kinds = np.where(media, ssrcs >> 24, 0)
        (audio,) = np.nonzero(kinds == _AUDIO)
        if len(audio):
            members = ssrcs[audio] & 0xFFFFFF
            sent = columns.sent_at[members, columns.sequences[audio] % _KEPT]
            self.audio_latencies.append(times[audio] - sent)
            self.audio += len(audio)
        (numbered,) = np.nonzero((kinds == _VIDEO) | (kinds == _RTX))
        if len(numbered):
            self._measure_video(numbered, kinds, times)
        if not media.all():
            for index in np.nonzero(~media)[0].tolist():
                self.peer.receive(columns.drain.datagram(index))

    def _measure_video(
        self, numbered: NDArray[np.intp], kinds: NDArray[Any], times: NDArray[np.float64]
    ) -> None:
        numbers: list[int] = self._columns.numbers[numbered].tolist()
        at: list[float] = times[numbered].tolist()
        if self.path is not None:
            numbers, at = self.path.pass_on(numbers, at)
        self.peer.arrived(numbers, at)
        (video,) = np.nonzero(kinds == _VIDEO)
        self.video += len(video)
        self._turn += 1
        if len(video) and self.path is None and not self._turn % _OPENED:
            index = int(random.choice(video))  # noqa: S311 - a sample
            self._arrived = float(times[index])
            self.peer.receive(self._columns.drain.datagram(index))
