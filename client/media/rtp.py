"""RTP as this protocol uses it: RFC 3550, 4588 (RTX), 7741 (VP8).

The codecs are strict and small. A malformed packet raises `RtpError`; no input raises anything else. Sequence
numbers have 16 bits and timestamps 32, as on the wire.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from snugroom.server.wire import limits
from snugroom.server.wire.messages import MediaKind

#: The protocol fixes the payload types for all participants: nothing is negotiated.
PAYLOAD_TYPE: Final[dict[MediaKind, int]] = {
    "audio": limits.AUDIO_PAYLOAD_TYPE,
    "video": limits.VIDEO_PAYLOAD_TYPE,
}
CLOCK_RATE: Final[dict[MediaKind, int]] = {"audio": 48_000, "video": 90_000}
#: Bytes of a frame in one packet, without the VP8 descriptor. With SRTP, UDP and IPv6 it stays below 1,200.
PAYLOAD_MAX: Final = 1_100

_VERSION: Final = 2


class RtpError(ValueError):
    """The bytes are not an RTP packet of this protocol; the text says why."""


# -- RTP -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet (RFC 3550 5.1), without padding and header extension.

    `transport` is its transport-wide number (extension 5), or None.
    """

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    transport: int | None = None


def parse_rtp(data: bytes) -> RtpPacket:
    """Read one RTP packet. All extensions except number 5 are skipped; RtpError if malformed."""
    if len(data) < 12:
        raise RtpError("shorter than an RTP header")
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHLL", data)
    if first >> 6 != _VERSION:
        raise RtpError("not RTP version 2")
    start = 12 + 4 * (first & 0x0F)
    transport = None
    if first & 0x10:
        if len(data) < start + 4:
            raise RtpError("header extension cut short")
        extensions = start
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        transport = _transport_number(data[extensions:start])
    end = len(data)
    if start > end:
        raise RtpError("header longer than the packet")
    if first & 0x20:
        padding = data[-1]
        if not 1 <= padding <= end - start:
            raise RtpError("padding longer than the payload")
        end -= padding
    payload = data[start:end]
    return RtpPacket(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, payload, transport)


def _transport_number(block: bytes) -> int | None:
    """Return extension 5 of a block in one-byte form (RFC 8285 4.2); None if absent or cut short."""
    if block[:2] != b"\xbe\xde":
        return None
    at = 4
    while at < len(block):
        head = block[at]
        at += 1
        if head >> 4 == limits.FEEDBACK_EXTENSION and head & 15 == 1 and at + 2 <= len(block):
            return block[at] << 8 | block[at + 1]
        if head:  # zero is padding between elements
            at += (head & 15) + 1
    return None


def unwrap_rtx(packet: RtpPacket, ssrc: int) -> RtpPacket | None:
    """Return the packet of video stream `ssrc` that this RTX packet carries (RFC 4588 4); None for padding.

    RtpError if the packet is not RTX.
    """
    if packet.payload_type != limits.RTX_PAYLOAD_TYPE:
        raise RtpError("not the payload type of RTX")
    if len(packet.payload) <= 2:
        return None  # empty, or the original number without a payload: a probe of the path
    return RtpPacket(
        PAYLOAD_TYPE["video"],
        packet.marker,
        packet.payload[0] << 8 | packet.payload[1],
        packet.timestamp,
        ssrc,
        packet.payload[2:],
    )


def build_rtp(packet: RtpPacket) -> bytes:
    """Return the wire form, without padding, extensions or CSRC."""
    return (
        struct.pack(
            "!BBHLL",
            _VERSION << 6,
            packet.payload_type | packet.marker << 7,
            packet.sequence & 0xFFFF,
            packet.timestamp & 0xFFFFFFFF,
            packet.ssrc,
        )
        + packet.payload
    )


#: Empty abs-send-time and transport-wide number: RFC 8285 4.2, one-byte form, two words.
_EXTENSIONS: Final = bytes(
    [
        0xBE,
        0xDE,
        0,
        2,
        limits.SEND_TIME_EXTENSION << 4 | 2,
        0,
        0,
        0,
        limits.FEEDBACK_EXTENSION << 4 | 1,
        0,
        0,
        0,
    ]
)


def with_extensions(packet: bytes) -> bytes:
    """Return a packet of `build_rtp` with empty extensions, which `stamped` fills in at sending time."""
    return bytes([packet[0] | 0x10]) + packet[1:12] + _EXTENSIONS + packet[12:]


def stamped(packet: bytes, number: int, now: float) -> bytes:
    """Return a packet of `with_extensions` with its send time `now` and its transport-wide number."""
    moment = int(now * (1 << 18)) & 0xFFFFFF  # 6.18 fixed point seconds, which wrap after 64
    return b"".join(
        (
            packet[:17],
            moment.to_bytes(3, "big"),
            packet[20:21],
            (number & 0xFFFF).to_bytes(2, "big"),
            packet[23:],
        )
    )


# -- VP8 payload -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Vp8Payload:
    """The content of a VP8 payload (RFC 7741 4.2): `start` is the S bit of partition 0."""

    start: bool
    picture_id: int | None
    data: bytes


def parse_vp8(payload: bytes) -> Vp8Payload:
    """Remove the payload descriptor; RtpError if it is cut short or carries nothing."""
    try:
        first = payload[0]
        position = 1
        picture_id: int | None = None
        if first & 0x80:
            extension = payload[1]
            position = 2
            if extension & 0x80:
                picture_id = payload[position]
                position += 1
                if picture_id & 0x80:
                    picture_id = (picture_id & 0x7F) << 8 | payload[position]
                    position += 1
            position += bool(extension & 0x40) + bool(extension & 0x30)
    except IndexError:
        raise RtpError("VP8 descriptor cut short") from None
    if position >= len(payload):
        raise RtpError("VP8 payload is empty")
    return Vp8Payload(bool(first & 0x10) and not first & 0x07, picture_id, payload[position:])


def packetize_vp8(frame: bytes, picture_id: int) -> list[bytes]:
    """Cut a frame into payloads of at most PAYLOAD_MAX bytes, each with a 15-bit PictureID.

    A sealed frame has no visible partitions, so all of it is partition 0. The pieces have about equal size,
    so that the last one reveals less about the size of the frame.
    """
    if not frame:
        raise RtpError("an empty frame has no packets")
    count = -(-len(frame) // PAYLOAD_MAX)
    size = -(-len(frame) // count)
    tail = b"\x80" + struct.pack("!H", 0x8000 | picture_id & 0x7FFF)
    return [
        (b"\x90" if start == 0 else b"\x80") + tail + frame[start : start + size]
        for start in range(0, len(frame), size)
    ]
