"""One sent stream, from sealed frames to RTP packets: a pure core, and the pace of sending.

Times are seconds on one monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from client.media.rtp import (
    CLOCK_RATE,
    PAYLOAD_TYPE,
    RtpPacket,
    SenderReport,
    build_rtp,
    packetize_vp8,
    stamped,
    with_extensions,
)
from server.wire import limits
from server.wire.messages import MediaKind

#: Packets kept to be sent again: four seconds of sound, about ten of pictures.
CACHE: Final[dict[MediaKind, int]] = {"audio": 200, "video": 1_024}
#: Packets sent again in one second at most, of one stream.
RESENDS: Final = 500
#: Seconds between two forced key frames at least.
KEY_SPACING: Final = 0.3


def random_ssrc(rng: Callable[[int], bytes]) -> int:
    """32 random bits, never zero."""
    while not (ssrc := int.from_bytes(rng(4), "big")):
        pass
    return ssrc


class Sender:
    """The sending end of one SSRC.

    `frames` and `packets` and `octets` (payload bytes) count what was sent once, `resent` packets sent again:
    under the SSRC `rtx` where there is one (RFC 4588), else the very same bytes. Streams of one `timestamp`
    have one clock. `numbered`: packets carry extensions that say when they leave and which number they have
    among all of the connection, and are complete when they have passed `leave`.
    """

    def __init__(
        self,
        ssrc: int,
        kind: MediaKind,
        rng: Callable[[int], bytes],
        *,
        started: float,
        rtx: int | None = None,
        timestamp: int | None = None,
        numbered: bool = False,
    ) -> None:
        self.ssrc = ssrc
        self.kind = kind
        self.rtx = rtx
        self.numbered = numbered
        self.frames = self.packets = self.octets = self.resent = 0
        # below 2^15: nobody then guesses the rollover counter wrongly (RFC 3711 3.3.1)
        self._sequence = int.from_bytes(rng(2), "big") >> 1
        self._rtx_sequence = int.from_bytes(rng(2), "big") >> 1
        self._picture_id = int.from_bytes(rng(2), "big") >> 1
        self._timestamp = int.from_bytes(rng(4), "big") if timestamp is None else timestamp
        self._started = started
        self._cache: dict[int, bytes] = {}
        self._resend_window = started
        self._resend_count = 0
        self._resent_at: deque[tuple[float, int]] = deque()

    def resent_rate(self, now: float) -> float:
        """Bits a second sent again, in the last second."""
        while self._resent_at and self._resent_at[0][0] < now - 1.0:
            self._resent_at.popleft()
        return 8.0 * sum(size for _, size in self._resent_at)

    def timestamp(self, media_time: float) -> int:
        """The RTP timestamp of a moment, in seconds since the stream started."""
        return (self._timestamp + round(media_time * CLOCK_RATE[self.kind])) & 0xFFFFFFFF

    def packetize(self, sealed: bytes, media_time: float) -> list[bytes]:
        """The packets of one sealed frame, each to be sent once, in order."""
        if self.kind == "audio":
            payloads = [sealed]
        else:
            payloads = packetize_vp8(sealed, self._picture_id)
            self._picture_id = (self._picture_id + 1) & 0x7FFF
        out = []
        for number, payload in enumerate(payloads, 1):
            # RFC 7587 4.1: the marker of Opus begins a talkspurt, and without DTX there is only one
            marker = self.kind == "video" and number == len(payloads)
            packet = build_rtp(
                RtpPacket(
                    PAYLOAD_TYPE[self.kind],
                    marker,
                    self._sequence,
                    self.timestamp(media_time),
                    self.ssrc,
                    payload,
                )
            )
            out.append(with_extensions(packet) if self.numbered else packet)
            self._sequence = (self._sequence + 1) & 0xFFFF
            self.packets += 1
            self.octets += len(payload)
            if not self.numbered:
                self._keep(packet)
        self.frames += 1
        return out

    def leave(self, packet: bytes, number: int, now: float) -> bytes:
        """A packet of `packetize` or `resend` as it leaves now, under this number.

        Once for each packet: SRTP must not seal two forms of one.
        """
        packet = stamped(packet, number, now)
        if packet[8:12] == self.ssrc.to_bytes(4, "big"):
            self._keep(packet)
        return packet

    def resend(self, sequences: Iterable[int], now: float) -> list[bytes]:
        """The packets asked for that are still here; bounded by RESENDS. Those as RTX have yet to `leave`."""
        if now - self._resend_window >= 1.0:
            self._resend_window, self._resend_count = now, 0
        out: list[bytes] = []
        for sequence in sequences:
            packet = self._cache.get(sequence)
            if packet is not None and self._resend_count < RESENDS:
                self._resend_count += 1
                out.append(packet if self.rtx is None else self._again(packet, self.rtx))
                self._resent_at.append((now, len(packet)))
        self.resent += len(out)
        return out

    def _keep(self, packet: bytes) -> None:
        """For a while, to be sent again."""
        self._cache[packet[2] << 8 | packet[3]] = packet
        while len(self._cache) > CACHE[self.kind]:
            del self._cache[next(iter(self._cache))]

    def _again(self, packet: bytes, rtx: int) -> bytes:
        """RFC 4588 4: under another SSRC, payload type and number, the old number in front of the payload."""
        header = 24 if self.numbered else 12
        again = build_rtp(
            RtpPacket(
                limits.RTX_PAYLOAD_TYPE,
                bool(packet[1] & 0x80),
                self._rtx_sequence,
                int.from_bytes(packet[4:8], "big"),
                rtx,
                packet[2:4] + packet[header:],
            )
        )
        self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        return with_extensions(again) if self.numbered else again

    def report(self, now: float, clock_offset: float) -> SenderReport:
        """RFC 3550 6.4.1. The clock sent is `now + clock_offset`: any will do that all streams share."""
        seconds = now + clock_offset
        ntp = int(seconds) << 32 | int(seconds % 1.0 * (1 << 32))
        return SenderReport(self.ssrc, ntp, self.timestamp(now - self._started), self.packets, self.octets)


class KeyGate:
    """When to force a key frame: as soon as asked, but not twice within KEY_SPACING."""

    def __init__(self) -> None:
        self._asked = True
        self._last = float("-inf")

    def ask(self) -> None:
        self._asked = True

    def take(self, now: float) -> bool:
        """Whether the frame to be encoded now is to be a key frame."""
        if not self._asked or now - self._last < KEY_SPACING:
            return False
        self._asked = False
        self._last = now
        return True


class Pace:
    """Ticks at `started + n * period`, without drift; those overdue by `patience` are skipped and counted."""

    def __init__(self, started: float, period: float, patience: float = 0.2) -> None:
        self._started = started
        self._period = period
        self._patience = patience
        self._index = 0
        self.skipped = 0

    def next(self, now: float) -> tuple[int, float]:
        """(n of the next tick, seconds to wait until it)."""
        index = self._index
        late = now - self._started - index * self._period
        if late > self._patience:
            missed = int(late / self._period)
            self.skipped += missed
            index += missed
        self._index = index + 1
        return index, max(0.0, self._started + index * self._period - now)
