"""What a light member sends: video in the form of the protocol, its payload random, in paced bursts."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Final

from server.wire import limits

#: RTP packets of this many bytes, as the other servers were measured with.
SIZE: Final = 1_100
FRAMES: Final = 30
#: Bytes of one Opus packet, sealed: constant.
AUDIO_SIZE: Final = 140
AUDIO_RATE: Final = 50
#: What is later than this (seconds) is left out: a standstill is not followed by a flood.
_BEHIND: Final = 0.25
_KEY: Final = bytes.fromhex("F0FFFF9D012A10001000")
_DELTA: Final = bytes.fromhex("F1FFFF")
#: Extensions 3 and 5 in one block of two words: abs-send-time, transport-wide number.
_EXTENSION: Final = struct.Struct("!HHB3sBHx")


class Video:
    """Packets of one stream at `rate` a second. `due` gives those that time has brought.

    Frames are cut at 30 a second; the first is a key frame, and so is the next one after `key_frame`.
    `numbers`, where given, gives the next transport-wide sequence number, and packets carry extensions.
    """

    def __init__(
        self, ssrc: int, rate: float, now: float, numbers: Callable[[], int] | None = None, size: int = SIZE
    ) -> None:
        self.ssrc = ssrc
        self.rate = rate
        self.sent = 0
        self.size = size
        self._began = self._last = now
        self._credit = 0.0
        self._numbers = numbers
        self._frame = 0
        self._in_frame = 0
        self._sequence = int.from_bytes(os.urandom(2), "big") >> 1
        self._key = True
        self._body = os.urandom(size)

    def key_frame(self) -> None:
        """The next frame is a key frame."""
        self._key = True
        self._in_frame = max(1, round(self.rate / FRAMES))

    def go_on(self, rate: float, now: float) -> None:
        """At another rate, from `now` on. Numbers go on, as a sealing session must have it."""
        self.rate, self._last, self._credit = rate, now, 0.0

    def due(self, now: float) -> list[bytes]:
        """The packets that are due at `now`, RTP in the clear."""
        self._credit = min(self._credit + (now - self._last) * self.rate, max(1.0, _BEHIND * self.rate))
        self._last = now
        count, self._credit = int(self._credit), self._credit % 1.0
        self.sent += count
        return [self._packet(now) for _ in range(count)]

    def _packet(self, now: float) -> bytes:
        of_frame = max(1, round(self.rate / FRAMES))
        if self._in_frame >= of_frame:
            self._frame, self._in_frame = self._frame + 1, 0
        first, last = self._in_frame == 0, self._in_frame == of_frame - 1
        self._in_frame += 1
        self._sequence = (self._sequence + 1) & 0xFFFF
        packet = struct.pack(
            "!BBHLL",
            0x80 if self._numbers is None else 0x90,
            limits.VIDEO_PAYLOAD_TYPE | (0x80 if last else 0),
            self._sequence,
            int(self._frame * 90_000 / FRAMES) & 0xFFFFFFFF,
            self.ssrc,
        )
        if self._numbers is not None:
            sent_at = (int(now * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")
            packet += _EXTENSION.pack(0xBEDE, 2, 0x32, sent_at, 0x51, self._numbers())
        packet += struct.pack("!BBH", 0x90 if first else 0x80, 0x80, 0x8000 | self._frame & 0x7FFF)
        if first:
            packet += _KEY if self._key else _DELTA
            self._key = False
        return packet + self._body[len(packet) :]


class Audio:
    """50 packets a second of one size."""

    def __init__(self, ssrc: int, now: float) -> None:
        self.ssrc = ssrc
        self.sent = 0
        self._began = now
        self._body = os.urandom(AUDIO_SIZE)

    def due(self, now: float) -> list[bytes]:
        """The packets that are due at `now`."""
        should = int((now - self._began) * AUDIO_RATE)
        packets = []
        while self.sent < should:
            self.sent += 1
            head = struct.pack(
                "!BBHLL",
                0x80,
                limits.AUDIO_PAYLOAD_TYPE,
                self.sent & 0xFFFF,
                self.sent * 960 & 0xFFFFFFFF,
                self.ssrc,
            )
            packets.append(head + self._body)
        return packets[-AUDIO_RATE:]
