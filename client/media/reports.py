"""Receiver reports on a stream (RFC 3550 6.4), and the round trip that follows from reports. Pure.

All times are seconds on the caller's monotonic clock.
"""

from __future__ import annotations

from typing import Final

from snugroom.wire.messages import MediaKind
from snugroom.wire.rtcp import ReportBlock
from snugroom.wire.rtp import CLOCK_RATES, RtpPacket

_SHORT: Final = 1 << 16
_WORD: Final = 0xFFFFFFFF
#: A larger step back is a restarted stream (RFC 3550 A.1).
_MISORDER_MAX: Final = 1_000
#: Seconds; a longer round trip means that a clock was set.
_ROUND_TRIP_MAX: Final = 10.0


class Reception:
    """Loss, jitter and rate of one received SSRC. Retransmissions under the same SSRC count as received."""

    def __init__(self, ssrc: int, kind: MediaKind) -> None:
        self.ssrc = ssrc
        #: Payload bits a second, as of the last report.
        self.bitrate = 0
        self._clock = CLOCK_RATES[kind]
        self._base: int | None = None
        self._highest = 0
        self._received = 0
        self._prior = (0, 0)
        self._jitter = 0.0
        self._transit: float | None = None
        self._stamp: int | None = None
        self._octets = 0
        self._reported_at: float | None = None
        self._last_sr = (0, 0.0)

    def receive(self, packet: RtpPacket, now: float) -> None:
        """Take a packet of this SSRC, as it arrived."""
        self._octets += len(packet.payload)
        if self._base is None:
            self._begin(packet.sequence, now)
        sequence = self._highest + ((packet.sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if self._highest - sequence > _MISORDER_MAX:
            self._begin(packet.sequence, now)
            sequence = packet.sequence
        self._received += 1
        if sequence <= self._highest and self._received > 1:
            return  # an overtaken or retransmitted packet says nothing about jitter
        self._highest = sequence
        if packet.timestamp == self._stamp:
            return  # only the first packet of a frame counts
        self._stamp = packet.timestamp
        transit = now * self._clock - packet.timestamp
        if self._transit is not None:
            # timestamps wrap
            change = (transit - self._transit + (1 << 31)) % (1 << 32) - (1 << 31)
            self._jitter += (abs(change) - self._jitter) / 16
        self._transit = transit

    def sender_report(self, ntp: int, now: float) -> None:
        """Take the sender's clock (64 bits, 32.32); the next report returns it."""
        self._last_sr = (ntp >> 16 & _WORD, now)

    def report(self, now: float) -> ReportBlock | None:
        """Return a report for the time since the last one (RFC 3550 A.3); None before the first packet."""
        if self._base is None:
            return None
        if self._reported_at is not None and now > self._reported_at:
            self.bitrate = round(8 * self._octets / (now - self._reported_at))
        self._octets, self._reported_at = 0, now
        expected = self._highest - self._base + 1
        lost = expected - self._received
        new_expected, new_lost = expected - self._prior[0], lost - self._prior[1]
        self._prior = (expected, lost)
        fraction = min(255, max(0, 256 * new_lost // new_expected)) if new_expected > 0 else 0
        last, at = self._last_sr
        return ReportBlock(
            ssrc=self.ssrc,
            fraction=fraction,
            lost=max(-0x800000, min(0x7FFFFF, lost)),
            highest=self._highest & _WORD,
            jitter=min(_WORD, int(self._jitter)),
            last_sr=last,
            since_sr=min(_WORD, int((now - at) * _SHORT)) if last else 0,
        )

    def _begin(self, sequence: int, now: float) -> None:
        self._base = self._highest = sequence
        self._received = 0
        self._prior = (0, 0)
        self._transit = self._stamp = None
        if self._reported_at is None:
            self._reported_at = now


class RoundTrip:
    """The smoothed round trip to the server, seconds; None before the first measurement."""

    def __init__(self) -> None:
        self.seconds: float | None = None

    def measured(self, seconds: float) -> None:
        """Take a round trip measured by a connectivity check or a report."""
        if not 0 <= seconds <= _ROUND_TRIP_MAX:
            return
        self.seconds = seconds if self.seconds is None else 0.75 * self.seconds + 0.25 * seconds

    def reported(self, block: ReportBlock, clock: float) -> None:
        """Take a report on an own stream. `clock`: a sender report's clock now (RFC 3550 6.4.1)."""
        if block.last_sr:
            now = int(clock * _SHORT)
            ticks = (now - block.last_sr - block.since_sr) & _WORD
            self.measured(ticks / _SHORT)
