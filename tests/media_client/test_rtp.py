"""The codecs of RTP and the VP8 payload: exact bytes, round trips, and no surprise on any input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.client.media.rtp import (
    PAYLOAD_MAX,
    RtpError,
    RtpPacket,
    build_rtp,
    packetize_vp8,
    parse_rtp,
    parse_vp8,
    unwrap_rtx,
)
from snugroom.server.wire.rtcp import is_rtcp

u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
PLAIN = build_rtp(RtpPacket(96, True, 7, 8, 9, b"payload"))


@given(
    st.builds(RtpPacket, st.integers(0, 127), st.booleans(), u16, u32, u32, st.binary(max_size=PAYLOAD_MAX))
)
def test_rtp_comes_back_as_it_was(packet: RtpPacket) -> None:
    assert parse_rtp(build_rtp(packet)) == packet


def test_rtp_byte_by_byte() -> None:
    packet = RtpPacket(111, True, 0x1234, 0x56789ABC, 0xDEF01234, b"\xaa")
    assert build_rtp(packet).hex() == "80ef1234" + "56789abc" + "def01234" + "aa"
    assert not is_rtcp(build_rtp(packet))


def test_extensions_csrcs_and_padding_are_taken_off() -> None:
    wire = bytearray(build_rtp(RtpPacket(96, True, 7, 8, 9, b"")))
    wire[0] |= 0x10 | 0x20 | 2
    wire += bytes(8) + b"\xbe\xde\x00\x01" + b"\x32abc" + b"payload" + b"\x00\x00\x03"
    assert parse_rtp(bytes(wire)).payload == b"payload"


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        PLAIN[:11],
        b"\x40" + PLAIN[1:],
        bytes([0x8F]) + PLAIN[1:],  # fifteen CSRCs that aren't there
        bytes([0x90]) + PLAIN[1:14],  # half an extension header
        bytes([0x90]) + PLAIN[1:12] + b"\xbe\xde\xff\xff" + bytes(20),
        bytes([0xA0]) + PLAIN[1:] + b"\x00",  # no padding, though the bit is set
        bytes([0xA0]) + PLAIN[1:] + b"\xff",
    ],
)
def test_malformed_rtp_is_refused(wire: bytes) -> None:
    with pytest.raises(RtpError):
        parse_rtp(wire)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for prefix in (b"", b"\x80", b"\xb0", b"\x81\xc9", b"\x81\xcd", b"\x8f\xce"):
        for parse in (parse_rtp, parse_vp8):
            try:
                parse(prefix + data)
            except RtpError:
                continue


@pytest.mark.parametrize(
    ("block", "number"),
    [
        ("bede0002" "32aabbcc" "51123400", 0x1234),  # as video senders put it
        ("bede0001" "51123400", 0x1234),
        ("bede0002" "00005112" "34000000", 0x1234),  # padding between elements
        ("bede0002" "32aabbcc" "00000000", None),
        ("bede0001" "52123456", None),  # of a wrong length
        ("bede0001" "00000051", None),  # cut short
        ("10000001" "05021234", None),  # the two-byte form is nobody's
    ],
)  # fmt: skip
def test_the_transport_wide_number_is_read_wherever_it_stands(block: str, number: int | None) -> None:
    wire = bytes([0x90]) + PLAIN[1:12] + bytes.fromhex(block) + b"payload"
    packet = parse_rtp(wire)
    assert packet.transport == number
    assert packet.payload == b"payload"


def test_what_was_sent_again_is_taken_out_of_rtx() -> None:
    original = RtpPacket(96, True, 0xABCD, 6_000, 77, b"\x90\x80\x01x")
    again = RtpPacket(97, True, 3, 6_000, 78, b"\xab\xcd" + original.payload, transport=9)
    assert unwrap_rtx(again, 77) == original
    assert unwrap_rtx(RtpPacket(97, False, 3, 6_000, 78, b""), 77) is None
    assert unwrap_rtx(RtpPacket(97, False, 3, 6_000, 78, b"\xab\xcd"), 77) is None
    with pytest.raises(RtpError):
        unwrap_rtx(original, 77)


@given(st.binary(min_size=1, max_size=20_000), st.integers(0, 0x7FFF))
def test_vp8_payloads_join_to_the_frame(frame: bytes, picture_id: int) -> None:
    payloads = [parse_vp8(p) for p in packetize_vp8(frame, picture_id)]
    assert b"".join(p.data for p in payloads) == frame
    assert [p.start for p in payloads] == [True] + [False] * (len(payloads) - 1)
    assert {p.picture_id for p in payloads} == {picture_id}
    assert all(len(p.data) <= PAYLOAD_MAX for p in payloads)


@pytest.mark.parametrize(
    ("wire", "start", "picture_id"),
    [
        ("10aa", True, None),  # no extension at all
        ("00aa", False, None),
        ("11aa", False, None),  # the start of partition 1 is not the start of a frame
        ("908005aa", True, 5),  # a short PictureID
        ("90808005aa", True, 5),
        ("90f080050102aa", True, 5),  # with TL0PICIDX, TID and KEYIDX
        ("9060" + "0102aa", True, None),
    ],
)
def test_every_form_of_the_vp8_descriptor(wire: str, start: bool, picture_id: int | None) -> None:
    parsed = parse_vp8(bytes.fromhex(wire))
    assert (parsed.start, parsed.picture_id, parsed.data) == (start, picture_id, b"\xaa")


@pytest.mark.parametrize("wire", ["", "10", "90", "9080", "908080", "90f08005", "90f0800501"])
def test_a_vp8_descriptor_cut_short_is_refused(wire: str) -> None:
    with pytest.raises(RtpError):
        parse_vp8(bytes.fromhex(wire))


def test_an_empty_frame_is_not_sent() -> None:
    with pytest.raises(RtpError):
        packetize_vp8(b"", 1)
