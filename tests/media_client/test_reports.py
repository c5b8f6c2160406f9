"""Receiver reports, and the round-trip time computed from them."""

from __future__ import annotations

import pytest

from snugroom.client.media.reports import Reception, RoundTrip
from snugroom.wire.rtcp import ReportBlock
from snugroom.wire.rtp import RtpPacket


def packet(sequence: int, timestamp: int, size: int = 100) -> RtpPacket:
    return RtpPacket(96, True, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 5, bytes(size))


def test_loss_is_counted_for_the_time_since_the_last_report() -> None:
    reception = Reception(5, "video")
    assert reception.report(0.0) is None
    first = 65_500
    for n in range(100):
        if n % 10:
            reception.receive(packet(first + n, n * 6_000), n / 15)
    block = reception.report(7.0)
    assert block is not None
    assert (block.ssrc, block.lost, block.highest) == (5, 9, first + 99)  # the first one came as number 1
    assert block.fraction == 256 * 9 // 99
    for n in range(100, 150):
        reception.receive(packet(first + n, n * 6_000), n / 15)
    block = reception.report(10.0)
    assert block is not None
    assert (block.fraction, block.lost) == (0, 9)


def test_a_retransmission_makes_good_a_loss() -> None:
    reception = Reception(5, "video")
    for n in (0, 1, 3, 4, 2):
        reception.receive(packet(n, n * 6_000), n / 15)
    block = reception.report(1.0)
    assert block is not None
    assert (block.lost, block.fraction) == (0, 0)


def test_jitter_is_that_of_rfc_3550_and_wraps_with_the_clock() -> None:
    steady, shaken = Reception(5, "video"), Reception(5, "video")
    for n in range(200):
        stamp = (1 << 32) - 300_000 + n * 6_000
        steady.receive(packet(n, stamp), 1.0 + n / 15)
        shaken.receive(packet(n, stamp), 1.0 + n / 15 + (0.010 if n % 2 else 0.0))
    quiet, loud = steady.report(20.0), shaken.report(20.0)
    assert quiet is not None
    assert loud is not None
    assert quiet.jitter <= 1
    assert loud.jitter == pytest.approx(900, rel=0.02)  # every packet is 10 ms, 900 ticks, nearer or farther


def test_the_rate_is_that_of_the_last_second() -> None:
    reception = Reception(5, "video")
    for n in range(10):
        reception.receive(packet(n, n, 1_000), 10.0 + n / 10)
    reception.report(11.0)
    assert reception.bitrate == 80_000
    reception.report(12.0)
    assert reception.bitrate == 0


def test_a_report_gives_the_senders_clock_back() -> None:
    reception = Reception(5, "audio")
    reception.receive(packet(1, 1), 10.0)
    reception.sender_report(0x0000_1234_5678_0000, 10.5)
    block = reception.report(10.75)
    assert block is not None
    assert (block.last_sr, block.since_sr) == (0x1234_5678, 0x4000)


def test_the_round_trip_is_what_is_left() -> None:
    trip = RoundTrip()
    trip.reported(ReportBlock(5, 0, 0, 0, 0, 0, 0), 100.0)
    assert trip.seconds is None  # nobody has heard a report of ours
    # sent at 1,000.0 on our clock, held for half a second, back at 1,000.6
    middle = int(1_000.0 * 65_536) & 0xFFFFFFFF
    trip.reported(ReportBlock(5, 0, 0, 0, 0, middle, 32_768), 1_000.6)
    assert trip.seconds == pytest.approx(0.1, abs=0.001)
    trip.measured(0.2)
    assert trip.seconds == pytest.approx(0.125, abs=0.001)
    trip.measured(-1.0)
    trip.reported(ReportBlock(5, 0, 0, 0, 0, middle, 32_768), 1_000.3)  # back before it was sent
    trip.reported(ReportBlock(5, 0, 0, 0, 0, middle, 0), 1_100.0)
    assert trip.seconds == pytest.approx(0.125, abs=0.001)
