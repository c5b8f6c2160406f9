"""RTP and RTCP as this protocol uses them: RFC 3550, 4585 (PLI, generic NACK), 4588 (RTX), 7741 (VP8).

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
#: The same CNAME for all participants, so that it reveals nothing; RFC 3550 6.5.1 requires one.
CNAME: Final = b"snug"

_VERSION: Final = 2
_SR, _RR, _SDES, _RTPFB, _PSFB = 200, 201, 202, 205, 206
_REPORT_SIZE: Final = 24
#: FCI entries that fit in one datagram.
_NACK_MAX: Final = 300
#: Maximum number of report blocks in one report: their count has five bits.
BLOCKS_MAX: Final = 31


class RtpError(ValueError):
    """The bytes are not an RTP or RTCP packet of this protocol; the text says why."""


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


def is_rtcp(data: bytes) -> bool:
    """Return whether a packet is RTCP, by the second byte: RTP shares the socket (RFC 5761 section 4)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


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


# -- RTCP ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """Reception of one stream (RFC 3550 6.4.1). `lost` counts packets, `fraction` is in 1/256."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_sr: int = 0
    since_sr: int = 0


@dataclass(frozen=True, slots=True)
class SenderReport:
    """RFC 3550 6.4.1. `ntp` is 64 bits, 32.32 fixed point seconds; `timestamp` is the same instant in RTP."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RFC 3550 6.4.2."""

    ssrc: int
    reports: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class Pli:
    """Picture loss indication: a request for a key frame of `media` (RFC 4585 6.3.1)."""

    sender: int
    media: int


@dataclass(frozen=True, slots=True)
class Nack:
    """A request for missing packets of `media` (RFC 4585 6.2.1)."""

    sender: int
    media: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Remb:
    """The receiver's estimate of the bit rate, bits a second (draft-alvestrand-rmcat-remb)."""

    sender: int
    bitrate: int
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """The packets of a connection that arrived, and their arrival times (`client.media.twcc` codes `fci`)."""

    sender: int
    media: int
    fci: bytes


@dataclass(frozen=True, slots=True)
class Cname:
    """A source description with only a CNAME (RFC 3550 6.5)."""

    ssrc: int
    cname: bytes = CNAME


Rtcp = SenderReport | ReceiverReport | Pli | Nack | Remb | TransportFeedback | Cname


def _report_blocks(body: bytes, count: int, at: int) -> tuple[ReportBlock, ...]:
    if len(body) < at + count * _REPORT_SIZE:
        raise RtpError("report blocks cut short")
    blocks = []
    for i in range(count):
        ssrc, loss, highest, jitter, lsr, dlsr = struct.unpack_from("!LLLLLL", body, at + i * _REPORT_SIZE)
        lost = loss & 0xFFFFFF
        blocks.append(ReportBlock(ssrc, loss >> 24, lost - (lost >> 23 << 24), highest, jitter, lsr, dlsr))
    return tuple(blocks)


def _parse_one(kind: int, count: int, body: bytes) -> Rtcp | None:
    if kind == _SR:
        if len(body) < 24:
            raise RtpError("sender report cut short")
        ssrc, ntp, timestamp, packets, octets = struct.unpack_from("!LQLLL", body)
        return SenderReport(ssrc, ntp, timestamp, packets, octets, _report_blocks(body, count, 24))
    if kind == _RR:
        if len(body) < 4:
            raise RtpError("receiver report cut short")
        return ReceiverReport(int.from_bytes(body[:4], "big"), _report_blocks(body, count, 4))
    if kind not in (_RTPFB, _PSFB):
        return None
    if len(body) < 8:
        raise RtpError("feedback cut short")
    sender, media = struct.unpack_from("!LL", body)
    if kind == _PSFB and count == 1:
        return Pli(sender, media)
    if kind == _RTPFB and count == 1:
        entries = (len(body) - 8) // 4
        if not 1 <= entries <= _NACK_MAX:
            raise RtpError("NACK without entries, or with too many")
        sequences: list[int] = []
        for i in range(entries):
            first, mask = struct.unpack_from("!HH", body, 8 + 4 * i)
            sequences.append(first)
            sequences += [(first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1]
        return Nack(sender, media, tuple(sequences))
    if kind == _RTPFB and count == 15:
        return TransportFeedback(sender, media, body[8:])
    if kind == _PSFB and count == 15 and body[8:12] == b"REMB":
        if len(body) < 16 or len(body) < 16 + 4 * body[12]:
            raise RtpError("REMB cut short")
        rate = (int.from_bytes(body[13:16], "big") & 0x3FFFF) << (body[13] >> 2)
        return Remb(sender, rate, struct.unpack_from(f"!{body[12]}L", body, 16))
    return None


def parse_rtcp(data: bytes) -> list[Rtcp]:
    """Read a compound (or reduced-size, RFC 5506) RTCP packet.

    Packet types that the client does not use are skipped; RtpError if any part is malformed.
    """
    if not data:
        raise RtpError("empty RTCP packet")
    out: list[Rtcp] = []
    at = 0
    while at < len(data):
        if len(data) < at + 4:
            raise RtpError("RTCP header cut short")
        first, kind, words = struct.unpack_from("!BBH", data, at)
        if first >> 6 != _VERSION:
            raise RtpError("not RTCP version 2")
        end = at + 4 + 4 * words
        if end > len(data):
            raise RtpError("RTCP packet cut short")
        body = data[at + 4 : end]
        if first & 0x20:
            # only the last of a compound packet may be padded (RFC 3550 6.4.1)
            if end != len(data) or not body or not 1 <= body[-1] <= len(body) or body[-1] % 4:
                raise RtpError("RTCP padding is wrong")
            body = body[: -body[-1]]
        parsed = _parse_one(kind, first & 0x1F, body)
        if parsed is not None:
            out.append(parsed)
        at = end
    return out


def _pack(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", _VERSION << 6 | count, kind, len(body) // 4) + body


def _pack_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    if len(blocks) > BLOCKS_MAX:
        raise RtpError("at most 31 report blocks go in one packet")
    return b"".join(
        struct.pack(
            "!LLLLLL",
            b.ssrc,
            b.fraction << 24 | b.lost & 0xFFFFFF,
            b.highest,
            b.jitter,
            b.last_sr,
            b.since_sr,
        )
        for b in blocks
    )


def _nack_entries(sequences: tuple[int, ...]) -> bytes:
    entries: list[tuple[int, int]] = []
    for sequence in sequences:
        if entries and 1 <= (distance := (sequence - entries[-1][0]) & 0xFFFF) <= 16:
            entries[-1] = (entries[-1][0], entries[-1][1] | 1 << (distance - 1))
        else:
            entries.append((sequence & 0xFFFF, 0))
    if not 1 <= len(entries) <= _NACK_MAX:
        raise RtpError("a NACK names at least one packet, in at most 300 entries")
    return b"".join(struct.pack("!HH", *entry) for entry in entries)


def build_rtcp(*packets: Rtcp) -> bytes:
    """Return the wire form of one compound packet, in the order given."""
    out = b""
    for p in packets:
        match p:
            case SenderReport():
                head = struct.pack(
                    "!LQLLL",
                    p.ssrc,
                    p.ntp,
                    p.timestamp & 0xFFFFFFFF,
                    p.packets & 0xFFFFFFFF,
                    p.octets & 0xFFFFFFFF,
                )
                out += _pack(_SR, len(p.reports), head + _pack_blocks(p.reports))
            case ReceiverReport():
                out += _pack(_RR, len(p.reports), p.ssrc.to_bytes(4, "big") + _pack_blocks(p.reports))
            case Pli():
                out += _pack(_PSFB, 1, struct.pack("!LL", p.sender, p.media))
            case Nack():
                out += _pack(_RTPFB, 1, struct.pack("!LL", p.sender, p.media) + _nack_entries(p.sequences))
            case TransportFeedback():
                out += _pack(_RTPFB, 15, struct.pack("!LL", p.sender, p.media) + p.fci)
            case Remb():
                exponent = max(0, p.bitrate.bit_length() - 18)
                mantissa = p.bitrate >> exponent
                body = struct.pack("!LL", p.sender, 0) + b"REMB" + bytes([len(p.ssrcs)])
                body += (exponent << 18 | mantissa).to_bytes(3, "big")
                out += _pack(_PSFB, 15, body + struct.pack(f"!{len(p.ssrcs)}L", *p.ssrcs))
            case Cname():
                chunk = p.ssrc.to_bytes(4, "big") + bytes([1, len(p.cname)]) + p.cname
                # a chunk ends with at least one zero byte, on a 32-bit boundary
                out += _pack(_SDES, 1, chunk + bytes(4 - len(chunk) % 4))
    return out
