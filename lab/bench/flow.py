"""Media of light members: video in the protocol's format with a random payload in paced bursts, and audio."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Final

from snugroom.wire import limits

#: Size of RTP packets in bytes. Other servers were measured with the same size.
SIZE: Final = 1_100
FRAMES: Final = 30
#: Bytes of an Opus packet that sealing adds, and packets a second in a small room.
_SEALED: Final = 20
AUDIO_RATE: Final = 50
#: Packets that are late by more than this (seconds) are dropped: no flood follows a standstill.
_BEHIND: Final = 0.25
_KEY: Final = bytes.fromhex("F0FFFF9D012A10001000")
_DELTA: Final = bytes.fromhex("F1FFFF")
#: Extensions 3 and 5 in one block of two words: abs-send-time and the transport-wide sequence number.
_EXTENSION: Final = struct.Struct("!HHB3sBHx")


class Video:
    """Packets of one stream at `rate` a second. `due` returns the packets that have become due.

    Frames are cut at 30 a second. The first is a key frame, and so is the next one after `key_frame`.
    `numbers`, if given, returns the next transport-wide sequence number, and packets carry extensions.
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
        """Make the next frame a key frame."""
        self._key = True
        self._in_frame = max(1, round(self.rate / FRAMES))

    def go_on(self, rate: float, now: float) -> None:
        """Continue at another rate from `now` on. Sequence numbers continue, as an SRTP session requires."""
        self.rate, self._last, self._credit = rate, now, 0.0

    def due(self, now: float) -> list[bytes]:
        """Return the packets that are due at `now`, as plain RTP."""
        self._credit = min(self._credit + (now - self._last) * self.rate, max(1.0, _BEHIND * self.rate))
        self._last = now
        count, self._credit = int(self._credit), self._credit % 1.0
        return self.packets(count, now)

    def packets(self, count: int, now: float) -> list[bytes]:
        """Return the next `count` packets, as plain RTP, whatever the rate."""
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
    """An audio stream of 50 packets a second, all of one size, or of one for several `parts` of 20 ms."""

    def __init__(self, ssrc: int, now: float, parts: int = 1) -> None:
        self.ssrc = ssrc
        self.sent = 0
        self._began = now
        self._samples = parts * limits.AUDIO_CLOCK // AUDIO_RATE
        self._body = os.urandom(parts * limits.AUDIO_SIZE + _SEALED)

    def go_on(self, now: float) -> None:
        """Begin again at `now` after a pause, with the next packet."""
        self._began = now - self.sent / AUDIO_RATE

    def due(self, now: float) -> list[bytes]:
        """Return the packets that are due at `now`, at most those of the last second."""
        should = int((now - self._began) * AUDIO_RATE)
        packets = []
        while self.sent < should:
            packets.append(self.packet())
        return packets[-AUDIO_RATE:]

    def packet(self) -> bytes:
        """Return the next packet, as plain RTP. Its sequence number is the low half of `sent`."""
        self.sent += 1
        head = struct.pack(
            "!BBHLL",
            0x80,
            limits.AUDIO_PAYLOAD_TYPE,
            self.sent & 0xFFFF,
            self.sent * self._samples & 0xFFFFFFFF,
            self.ssrc,
        )
        return head + self._body
