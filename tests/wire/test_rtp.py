"""RTP for both ends: exact bytes, round trips, and each condition on packets that may pass."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.wire import rtp
from snugroom.wire.rtcp import is_rtcp
from snugroom.wire.rtp import RtpError, RtpPacket
from tests.media_server.peer import rtp as packet_of


def ext(*elements: bytes, profile: int = 0xBEDE, words: int | None = None) -> bytes:
    body = b"".join(elements)
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", profile, len(body) // 4 if words is None else words) + body


SEND_TIME = b"\x32abc"


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        (packet_of(1, 1), "video"),
        (packet_of(1, 1, kind="audio"), "audio"),
        (packet_of(1, 1, extension=ext(SEND_TIME)), "video"),
        (packet_of(1, 1, extension=ext(b"\0", SEND_TIME)), "video"),
        (packet_of(1, 1, extension=ext(SEND_TIME, b"\0" * 4)), "video"),
        (packet_of(1, 1, extension=ext()), "video"),
        (packet_of(1, 1, b"x\1", first=0xA0), "video"),
        (packet_of(1, 1, b"\0\0\0\4", first=0xA0), "video"),
        (packet_of(1, 1, bytes(1344)), "video"),
    ],
)
def test_may_pass(packet: bytes, kind: str) -> None:
    assert rtp.check(packet, kind) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("packet", "kind", "reason"),
    [
        (b"", "video", "short"),
        (packet_of(1, 1, b""), "video", "short"),
        (packet_of(1, 1, b"", extension=ext(SEND_TIME)), "video", "short"),
        (packet_of(1, 1, bytes(1345)), "video", "long"),
        (packet_of(1, 1, first=0x40), "video", "header"),
        (packet_of(1, 1, bytes(8), first=0x81), "video", "header"),
        (packet_of(1, 1, kind="audio"), "video", "payload type"),
        (packet_of(1, 1), "audio", "payload type"),
        # the extension that says who speaks, and the other's one on audio
        (packet_of(1, 1, kind="audio", extension=ext(b"\x10\x80")), "audio", "extension"),
        (packet_of(1, 1, kind="audio", extension=ext(SEND_TIME)), "audio", "extension"),
        # lengths that kill a parser
        (packet_of(1, 1, extension=ext(b"\x31ab")), "video", "extension"),
        (packet_of(1, 1, extension=ext(b"\x33abcd")), "video", "extension"),
        (packet_of(1, 1, extension=ext(b"\x30a")), "video", "extension"),
        (packet_of(1, 1, extension=ext(b"\0\0\0\x32")), "video", "extension"),
        (packet_of(1, 1, extension=ext(SEND_TIME, SEND_TIME)), "video", "extension"),
        (packet_of(1, 1, extension=ext(b"\x12abc")), "video", "extension"),
        (packet_of(1, 1, extension=ext(SEND_TIME, b"\xf0a")), "video", "extension"),
        (packet_of(1, 1, extension=ext(SEND_TIME, b"\2ab")), "video", "extension"),
        (packet_of(1, 1, extension=ext(SEND_TIME, profile=0x1000)), "video", "extension"),
        (packet_of(1, 1, b"xx", extension=ext(SEND_TIME, words=9)), "video", "extension"),
        (packet_of(1, 1, b"\xbe\xde", first=0x90), "video", "extension"),
        (packet_of(1, 1, b"xx\0", first=0xA0), "video", "padding"),
        (packet_of(1, 1, b"xx\4", first=0xA0), "video", "padding"),
        (packet_of(1, 1, b"xx\5", first=0xA0, extension=ext(SEND_TIME)), "video", "padding"),
    ],
)
def test_may_not_pass(packet: bytes, kind: str, reason: str) -> None:
    assert rtp.check(packet, kind) == reason  # type: ignore[arg-type]


@given(st.binary(max_size=1500), st.sampled_from(["audio", "video"]))
def test_any_bytes_get_an_answer(data: bytes, kind: str) -> None:
    rtp.check(data, kind)  # type: ignore[arg-type]


@given(st.binary(max_size=60), st.integers(0, 20))
def test_packets_that_pass_are_understood_by_a_plain_parser(block: bytes, words: int) -> None:
    """An extension block that passes has each of both extensions at most once."""
    packet = packet_of(1, 1, block + b"payload", first=0x90, extension=struct.pack("!HH", 0xBEDE, words))
    if rtp.check(packet, "video") is not None:
        return
    at, end, found = 16, 16 + 4 * words, []
    while at < end:
        identifier, length = packet[at] >> 4, (packet[at] & 15) + 1
        if packet[at] == 0:
            at += 1
            continue
        found.append((identifier, packet[at + 1 : at + 1 + length]))
        at += 1 + length
    assert at == end < len(packet)
    lengths = [(i, len(value)) for i, value in found]
    assert sorted(lengths) in ([], [(3, 3)], [(5, 2)], [(3, 3), (5, 2)])


# -- the client's half -----------------------------------------------------------------------

u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
PLAIN = rtp.build(RtpPacket(96, True, 7, 8, 9, b"payload"))


@given(st.builds(RtpPacket, st.integers(0, 127), st.booleans(), u16, u32, u32, st.binary(max_size=1_200)))
def test_rtp_comes_back_as_it_was(packet: RtpPacket) -> None:
    assert rtp.parse(rtp.build(packet)) == packet


def test_rtp_byte_by_byte() -> None:
    packet = RtpPacket(111, True, 0x1234, 0x56789ABC, 0xDEF01234, b"\xaa")
    assert rtp.build(packet).hex() == "80ef1234" + "56789abc" + "def01234" + "aa"
    assert not is_rtcp(rtp.build(packet))


def test_extensions_and_padding_are_taken_off() -> None:
    wire = bytearray(rtp.build(RtpPacket(96, True, 7, 8, 9, b"")))
    wire[0] |= 0x10 | 0x20
    wire += b"\xbe\xde\x00\x01" + b"\x32abc" + b"payload" + b"\x00\x00\x03"
    assert rtp.parse(bytes(wire)).payload == b"payload"


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        PLAIN[:11],
        b"\x40" + PLAIN[1:],
        b"\x82" + PLAIN[1:12] + bytes(8) + PLAIN[12:],  # CSRCs: nobody mixes
        bytes([0x8F]) + PLAIN[1:],  # fifteen CSRCs that aren't there
        bytes([0x90]) + PLAIN[1:14],  # half an extension header
        bytes([0x90]) + PLAIN[1:12] + b"\xbe\xde\xff\xff" + bytes(20),
        bytes([0xA0]) + PLAIN[1:] + b"\x00",  # no padding, though the bit is set
        bytes([0xA0]) + PLAIN[1:] + b"\xff",
    ],
)
def test_malformed_rtp_is_refused(wire: bytes) -> None:
    with pytest.raises(RtpError):
        rtp.parse(wire)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for prefix in (b"", b"\x80", b"\xb0", b"\x90\x60" + bytes(10) + b"\xbe\xde\0"):
        with contextlib.suppress(RtpError):
            rtp.parse(prefix + data)


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
        ("10000001" "51123400", None),
    ],
)  # fmt: skip
def test_the_transport_wide_number_is_read_wherever_it_stands(block: str, number: int | None) -> None:
    wire = bytes([0x90]) + PLAIN[1:12] + bytes.fromhex(block) + b"payload"
    packet = rtp.parse(wire)
    assert packet.transport == number
    assert packet.payload == b"payload"


def test_the_original_packet_is_taken_out_of_rtx() -> None:
    original = RtpPacket(96, True, 0xABCD, 6_000, 77, b"\x90\x80\x01x")
    again = rtp.build(RtpPacket(97, True, 3, 6_000, 78, b"\xab\xcd" + original.payload))
    assert rtp.unwrap_rtx(again, 77) == rtp.build(original)
    assert rtp.wrap_rtx(rtp.build(original), 78, 3) == again
    numbered = rtp.stamped(rtp.build(original), 9, 1.0)
    assert rtp.unwrap_rtx(rtp.wrap_rtx(numbered, 78, 3), 77) == numbered
    assert rtp.unwrap_rtx(rtp.build(RtpPacket(97, False, 3, 6_000, 78, b"")), 77) is None
    assert rtp.unwrap_rtx(rtp.build(RtpPacket(97, False, 3, 6_000, 78, b"\xab\xcd")), 77) is None
    assert rtp.unwrap_rtx(rtp.build(original), 77) is None


def test_a_stamp_byte_by_byte() -> None:
    plain = rtp.build(RtpPacket(96, True, 7, 8, 9, b"payload"))
    first = rtp.stamped(plain, 0x1234, 1.5)
    assert first.hex() == "90e000070000000800000009bede00023206000051123400" + b"payload".hex()
    assert rtp.stamped(first, 0x1235, 1.5) == rtp.stamped(plain, 0x1235, 1.5)
    assert rtp.check(first, "video") is None
