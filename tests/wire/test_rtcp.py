"""RTCP for both ends: parsing, refusals, and round trips with ours and others' parsers."""

from __future__ import annotations

import contextlib
import struct

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from snugroom.wire import rtcp

SR = struct.pack("!BBHL", 0x80, 200, 6, 77) + bytes(range(20))
REPORT = rtcp.SenderReport(77, 0x0001020304050607, 0x08090A0B, 0x0C0D0E0F, 0x10111213)


def block(ssrc: int, fraction: int) -> bytes:
    return struct.pack("!LLLLLL", ssrc, fraction << 24, 0, 0, 0, 0)


def test_reads_a_compound_packet() -> None:
    data = (
        b"\x81\xc8\x00\x0c"
        + SR[4:]
        + block(5, 30)
        + struct.pack("!BBHLL", 0x81, 206, 2, 1, 6)
        + struct.pack("!BBHLLHH", 0x81, 205, 3, 1, 7, 65535, 0b101)
        + struct.pack("!BBHLLLL", 0x84, 206, 4, 1, 0, 8, 1 << 24)
        + rtcp.remb(1, 123_456, [9, 10])
        + struct.pack("!BBHL", 0x81, 203, 1, 77)
        + struct.pack("!BBHLL", 0x80, 207, 2, 77, 0)
    )
    assert rtcp.parse(data) == [
        REPORT,
        rtcp.ReportBlock(5, 30),
        rtcp.KeyFrameRequest(6),
        rtcp.Nack(7, (65535, 0, 2)),
        rtcp.KeyFrameRequest(8),
        rtcp.Remb(123_456),
    ]
    assert REPORT.middle_ntp == 0x02030405


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc9\0\0",
        SR[:-4],
        SR[:-1],
        SR + b"\x80\xc9\0\1",
        b"\x40" + SR[1:],
        b"\xa0" + SR[1:],  # its last byte says 19, and leaves no report
        b"\xa0\xcb\0\2" + bytes(8),
        b"\xa0\xcb\0\1\0\0\0\1",
        b"\xa0\xcb\0\2" + bytes(7) + b"\1" + SR,  # not the last
        b"\x81" + SR[1:],  # a report block that isn't there
        struct.pack("!BBHL", 0x81, 206, 1, 1),
        struct.pack("!BBHLLL", 0x81, 206, 3, 1, 6, 0),
        struct.pack("!BBHLL", 0x81, 205, 2, 1, 7),
        struct.pack("!BBHLL", 0x84, 206, 2, 1, 0),
        struct.pack("!BBHLLLLL", 0x84, 206, 5, 1, 0, 1, 0, 0),
        struct.pack("!BBHLL", 0x8F, 206, 4, 1, 0) + b"REMB" + b"\2\0\0\0",
        SR * 60,
        struct.pack("!BBHL", 0x80, 201, 1, 1) * 33,
        b"\x81\xce\x00",
        b"\x41\xce\x00\x02" + bytes(8),
        b"\x81\xce\x00\x03" + bytes(8),
        b"\x81\xce\x00\x01" + bytes(4),
        b"\x82\xce\x00\x01" + bytes(4),  # feedback that nobody reads, without the SSRC that it is about
        b"\x81\xc8\x00\x06" + bytes(24),  # a report block that isn't there
        b"\x81\xcd\x00\x02" + bytes(8),  # a NACK of nothing
        b"\xa1\xcd\x00\x04" + bytes(15) + b"\1",  # padded to the middle of a word
        b"\xa1\xce\x00\x02" + bytes(8),  # padding of zero bytes
        b"\xa1\xce\x00\x02" + bytes(7) + b"\x04" + rtcp.key_frame_request(1, 2),  # padding not at the end
        b"\x8f\xce\x00\x04" + bytes(8) + b"REMB" + struct.pack("!BBH", 2, 0, 0) + bytes(4),
        b"\x8f\xcd\x00\x04" + bytes(16),  # transport-wide feedback about nothing
    ],
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(rtcp.RtcpError):
        rtcp.parse(data)


def test_padding_is_taken_off_the_last() -> None:
    data = SR + struct.pack("!BBHLLHHL", 0xA1, 205, 4, 1, 7, 9, 0, 4)
    assert rtcp.parse(data) == [REPORT, rtcp.Nack(7, (9,))]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for prefix in (b"", b"\x80", b"\x81\xc9", b"\x81\xcd", b"\x8f\xce"):
        with contextlib.suppress(rtcp.RtcpError):
            rtcp.parse(prefix + data)


@given(
    st.lists(st.sampled_from([200, 201, 205, 206]), min_size=1, max_size=4),
    st.integers(0, 31),
    st.binary(min_size=16, max_size=96),
)
def test_nearly_right_bytes_are_read_or_refused(kinds: list[int], form: int, body: bytes) -> None:
    body = body[: len(body) // 4 * 4]
    data = b"".join(struct.pack("!BBH", 0x80 | form, kind, len(body) // 4) + body for kind in kinds)
    with contextlib.suppress(rtcp.RtcpError):
        rtcp.parse(data)


def test_a_nack_costs_little_whatever_it_asks_for() -> None:
    data = struct.pack("!BBHLL", 0x81, 205, 2 + 340, 1, 7) + struct.pack("!HH", 0, 0xFFFF) * 340
    (nack,) = rtcp.parse(data)
    assert isinstance(nack, rtcp.Nack)
    assert len(nack.sequences) == 17
    data = struct.pack("!BBHLL", 0x81, 205, 2 + 340, 1, 7) + b"".join(
        struct.pack("!HH", 20 * i, 0xFFFF) for i in range(340)
    )
    (nack,) = rtcp.parse(data)
    assert isinstance(nack, rtcp.Nack)
    # what fits in 256, and the rest of the entry in which they ended
    assert 256 <= len(nack.sequences) < 256 + 17
    # five of them in one compound, distinct or all the same, cost no more than one
    part = struct.pack("!BBHLL", 0x81, 205, 2 + 64, 1, 7) + data[12 : 12 + 4 * 64]
    asked = [item for item in rtcp.parse(b"".join([part] * 5)) if isinstance(item, rtcp.Nack)]
    assert len(asked) == 5
    assert sum(len(item.sequences) for item in asked) < 256 + 17


def test_a_compound_has_so_many_reports_and_requests() -> None:
    entries = b"".join(struct.pack("!LL", ssrc, 0) for ssrc in range(128))
    fir = struct.pack("!BBHLL", 0x84, 206, 2 + 2 * 128, 1, 0)
    assert len(rtcp.parse(fir + entries)) == 128
    with pytest.raises(rtcp.RtcpError, match="items"):
        rtcp.parse(struct.pack("!BBHLL", 0x84, 206, 2 + 2 * 129, 1, 0) + entries + bytes(8))


@given(st.integers(0, 65535), st.lists(st.integers(1, 40), max_size=60))
def test_nacks_say_what_they_should(first: int, steps: list[int]) -> None:
    sequences = [first]
    for step in steps:
        sequences.append((sequences[-1] + step) & 0xFFFF)
    assert rtcp.parse(rtcp.nack(1, 7, sequences)) == [rtcp.Nack(7, tuple(sequences))]
    (theirs,) = aiortc_rtp.RtcpPacket.parse(rtcp.nack(1, 7, sequences))
    assert isinstance(theirs, aiortc_rtp.RtcpRtpfbPacket)
    assert [s & 0xFFFF for s in theirs.lost] == sequences  # aiortc forgets to wrap


def test_aiortc_reads_our_reports() -> None:
    reception = rtcp.ReportBlock(5, 12, -3, 70_000, 8, 0x01020304, 65536)
    data = rtcp.receiver_report(1, [reception]) + rtcp.remb(1, 1_999_999, [5])
    report, description, remb = aiortc_rtp.RtcpPacket.parse(data)
    assert isinstance(report, aiortc_rtp.RtcpRrPacket)
    (got,) = report.reports
    assert (got.ssrc, got.fraction_lost, got.packets_lost, got.highest_sequence) == (5, 12, -3, 70_000)
    assert (got.jitter, got.lsr, got.dlsr) == (8, 0x01020304, 65536)
    assert isinstance(description, aiortc_rtp.RtcpSdesPacket)
    assert [(c.ssrc, c.items) for c in description.chunks] == [(1, [(1, b"snug")])]
    assert isinstance(remb, aiortc_rtp.RtcpPsfbPacket)
    bitrate, ssrcs = aiortc_rtp.unpack_remb_fci(remb.fci)
    assert ssrcs == [5]
    assert 1_999_999 * 0.9999 < bitrate <= 1_999_999


def test_a_sender_report_goes_on_without_what_came_with_it() -> None:
    assert rtcp.sender_report(REPORT) == SR


u32 = st.integers(0, 0xFFFFFFFF)
blocks = st.lists(
    st.builds(
        rtcp.ReportBlock, u32, st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1), u32, u32, u32, u32
    ),
    max_size=31,
)


@given(u32, st.integers(0, (1 << 64) - 1), u32, u32, u32, blocks)
def test_reports_come_back_as_they_were(
    ssrc: int, ntp: int, timestamp: int, packets: int, octets: int, reports: list[rtcp.ReportBlock]
) -> None:
    sent = rtcp.SenderReport(ssrc, ntp, timestamp, packets, octets)
    alone, receiver = rtcp.sender_report(sent), rtcp.receiver_report(ssrc, reports)
    assert rtcp.is_rtcp(alone)
    assert rtcp.is_rtcp(receiver)
    assert rtcp.parse(alone + receiver) == [sent, *reports]
    # others put the blocks into the sender report
    size = 24 * len(reports)
    words = (6 + size // 4).to_bytes(2, "big")
    whole = bytes([0x80 | len(reports), 200]) + words + alone[4:] + receiver[8 : 8 + size]
    assert rtcp.parse(whole) == [sent, *reports]


@given(u32, st.integers(0, (1 << 18) - 1).map(lambda n: n << 4), st.lists(u32, max_size=4))
def test_an_estimate_comes_back_as_it_was(ssrc: int, bitrate: int, ssrcs: list[int]) -> None:
    wire = rtcp.remb(ssrc, bitrate, ssrcs) + rtcp.key_frame_request(ssrc, 9)
    assert len(wire) % 4 == 0
    assert rtcp.parse(wire) == [rtcp.Remb(bitrate), rtcp.KeyFrameRequest(9)]


@given(st.sets(st.integers(0, 0xFFFF), min_size=1, max_size=200), st.integers(0, 0xFFFF))
def test_a_nack_names_the_same_packets_over_the_wrap(sequences: set[int], first: int) -> None:
    ordered = tuple(sorted(sequences, key=lambda s: (s - first) & 0xFFFF))
    assert rtcp.parse(rtcp.nack(1, 2, ordered)) == [rtcp.Nack(2, ordered)]


def test_nack_and_pli_byte_by_byte() -> None:
    assert rtcp.key_frame_request(1, 2).hex() == "81ce0002" + "00000001" + "00000002"
    assert rtcp.nack(1, 2, (10, 11, 26, 27)).hex() == (
        "81cd0004" + "00000001" + "00000002" + "000a8001" + "001b0000"
    )


def test_the_cname_says_nothing_and_is_skipped() -> None:
    report = rtcp.SenderReport(5, 1 << 32, 2, 3, 4)
    wire = rtcp.sender_report(report) + rtcp.cname(5)
    assert b"\x01\x04snug\x00" in wire
    assert rtcp.parse(wire) == [report]


def test_a_report_has_so_many_blocks() -> None:
    with pytest.raises(rtcp.RtcpError):
        rtcp.receiver_report(1, [rtcp.ReportBlock(5, 0)] * 32)
