"""One sent stream, from sealed frames to RTP packets, and the timing of its frames. A pure core.

Times are seconds on one monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from snugroom.wire import rtp, vp8
from snugroom.wire.messages import MediaKind
from snugroom.wire.rtcp import SenderReport

#: Packets cached for retransmission: four seconds of audio, about ten of video.
CACHE: Final[dict[MediaKind, int]] = {"audio": 200, "video": 1_024}
#: Maximum number of retransmissions of one stream in one second.
RESENDS: Final = 500
#: Minimum number of seconds between two forced key frames.
KEY_SPACING: Final = 0.3


def random_ssrc(rng: Callable[[int], bytes]) -> int:
    """Return 32 random bits, never zero."""
    while not (ssrc := int.from_bytes(rng(4), "big")):
        pass
    return ssrc


class Sender:
    """The sending end of one SSRC.

    `frames`, `packets` and `octets` (payload bytes) count first transmissions, `resent` counts retransmitted
    packets. A stream with an `rtx` SSRC retransmits under that SSRC (RFC 4588); other streams repeat the
    identical bytes. Streams with the same `timestamp` share one clock. With `numbered`, packets carry header
    extensions for their send time and transport-wide number; `leave` completes them.
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
        # below 2^15, so that receivers do not guess a wrong rollover counter (RFC 3711 3.3.1)
        self._sequence = int.from_bytes(rng(2), "big") >> 1
        self._rtx_sequence = int.from_bytes(rng(2), "big") >> 1
        self._picture_id = int.from_bytes(rng(2), "big") >> 1
        self._timestamp = int.from_bytes(rng(4), "big") if timestamp is None else timestamp
        self._started = started
        self._cache: dict[int, bytes] = {}
        self._resend_window = started
        self._resend_count = 0
        self._resent_at: deque[tuple[float, int]] = deque()

    def renumber(self, ssrc: int, rtx: int | None) -> None:
        """Go on under other SSRCs. Packets that were built before are not sent again."""
        self.ssrc, self.rtx = ssrc, rtx
        self._cache.clear()

    def resent_rate(self, now: float) -> float:
        """Return the retransmission rate of the last second, bits a second."""
        while self._resent_at and self._resent_at[0][0] < now - 1.0:
            self._resent_at.popleft()
        return 8.0 * sum(size for _, size in self._resent_at)

    def timestamp(self, media_time: float) -> int:
        """Return the RTP timestamp for a media time in seconds since the stream started."""
        return (self._timestamp + round(media_time * rtp.CLOCK_RATES[self.kind])) & 0xFFFFFFFF

    def packetize(self, sealed: bytes, media_time: float) -> list[bytes]:
        """Return the packets of one sealed frame, in sending order. Each packet may be sent once."""
        if self.kind == "audio":
            payloads = [sealed]
        else:
            payloads = vp8.packetize(sealed, self._picture_id)
            self._picture_id = (self._picture_id + 1) & 0x7FFF
        out = []
        for number, payload in enumerate(payloads, 1):
            # RFC 7587 4.1: the marker begins a talkspurt of Opus; without DTX there is only one talkspurt
            marker = self.kind == "video" and number == len(payloads)
            packet = rtp.build(
                rtp.RtpPacket(
                    rtp.PAYLOAD_TYPES[self.kind],
                    marker,
                    self._sequence,
                    self.timestamp(media_time),
                    self.ssrc,
                    payload,
                )
            )
            out.append(rtp.with_twcc(packet, bytes(3)) if self.numbered else packet)
            self._sequence = (self._sequence + 1) & 0xFFFF
            self.packets += 1
            self.octets += len(payload)
            if not self.numbered:
                self._keep(packet)
        self.frames += 1
        return out

    def leave(self, packet: bytes, number: int, now: float) -> bytes:
        """Return a packet of `packetize` or `resend`, completed with its send time `now` and its `number`.

        Call it once for each packet: SRTP must not seal two versions of one packet.
        """
        packet = rtp.stamped(packet, number, now)
        if packet[8:12] == self.ssrc.to_bytes(4, "big"):
            self._keep(packet)
        return packet

    def resend(self, sequences: Iterable[int], now: float) -> list[bytes]:
        """Return the requested packets that are still cached, at most RESENDS in a second.

        Numbered RTX packets must still pass `leave`.
        """
        if now - self._resend_window >= 1.0:
            self._resend_window, self._resend_count = now, 0
        out: list[bytes] = []
        for sequence in sequences:
            packet = self._cache.get(sequence)
            if packet is not None and self._resend_count < RESENDS:
                self._resend_count += 1
                out.append(packet if self.rtx is None else self._wrap(packet, self.rtx))
                self._resent_at.append((now, len(packet)))
        self.resent += len(out)
        return out

    def _keep(self, packet: bytes) -> None:
        """Cache a packet for retransmission and drop the oldest ones beyond the limit."""
        self._cache[packet[2] << 8 | packet[3]] = packet
        while len(self._cache) > CACHE[self.kind]:
            del self._cache[next(iter(self._cache))]

    def _wrap(self, packet: bytes, rtx: int) -> bytes:
        """Return a packet as RTX, with the next RTX sequence number."""
        again = rtp.wrap_rtx(packet, rtx, self._rtx_sequence)
        self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        return again

    def report(self, now: float, clock_offset: float) -> SenderReport:
        """Return a sender report (RFC 3550 6.4.1).

        Its clock is `now + clock_offset`: any clock is valid that all streams share.
        """
        seconds = now + clock_offset
        ntp = int(seconds) << 32 | int(seconds % 1.0 * (1 << 32))
        return SenderReport(self.ssrc, ntp, self.timestamp(now - self._started), self.packets, self.octets)


class KeyGate:
    """Decides when to force a key frame: at once on request, but at most once in KEY_SPACING seconds."""

    def __init__(self) -> None:
        self._asked = True
        self._last = float("-inf")

    def ask(self) -> None:
        self._asked = True

    def take(self, now: float) -> bool:
        """Return whether the frame that is encoded now must be a key frame."""
        if not self._asked or now - self._last < KEY_SPACING:
            return False
        self._asked = False
        self._last = now
        return True


class Pace:
    """Ticks at `started + n * period`, without drift. Ticks overdue by `patience` are skipped and counted."""

    def __init__(self, started: float, period: float, patience: float = 0.2) -> None:
        self._started = started
        self._period = period
        self._patience = patience
        self._index = 0
        self.skipped = 0

    def next(self, now: float) -> tuple[int, float]:
        """Return (n of the next tick, seconds to wait until it)."""
        index = self._index
        late = now - self._started - index * self._period
        if late > self._patience:
            missed = int(late / self._period)
            self.skipped += missed
            index += missed
        self._index = index + 1
        return index, max(0.0, self._started + index * self._period - now)
