"""RTP for both ends: RFC 3550 5.1, RFC 8285 4.2 (header extensions), RFC 4588 (RTX).

Clients read and write whole packets (`parse`, `build`). The SFU works on bytes. Receivers parse packets from
other members, and some crash on a malformed header extension. So the SFU forwards a packet only if every
header field is as expected (`check`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from snugroom.wire.limits import (
    AUDIO_CLOCK,
    AUDIO_PAYLOAD_TYPE,
    FEEDBACK_EXTENSION,
    RTP_MAX,
    RTX_PAYLOAD_TYPE,
    SEND_TIME_EXTENSION,
    VIDEO_CLOCK,
    VIDEO_PAYLOAD_TYPE,
)
from snugroom.wire.messages import MediaKind

HEADER: Final = 12
_ONE_BYTE_PROFILE: Final = b"\xbe\xde"

#: The protocol fixes the payload types for all participants: nothing is negotiated.
PAYLOAD_TYPES: Final[dict[MediaKind, int]] = {"audio": AUDIO_PAYLOAD_TYPE, "video": VIDEO_PAYLOAD_TYPE}
CLOCK_RATES: Final[dict[MediaKind, int]] = {"audio": AUDIO_CLOCK, "video": VIDEO_CLOCK}

#: Header extensions that may pass: id -> exact length. abs-send-time is 3 bytes, the transport-wide sequence
#: number 2. Audio has none, since an audio level would show the server who speaks.
EXTENSIONS: Final[dict[MediaKind, dict[int, int]]] = {
    "audio": {},
    "video": {SEND_TIME_EXTENSION: 3, FEEDBACK_EXTENSION: 2},
}

#: The extensions that video senders put on every packet, recognised by a comparison of bytes: one
#: abs-send-time and nothing else, or a transport-wide sequence number after it (then a byte of padding).
_SEND_TIME_ONLY: Final = b"\xbe\xde\0\1\x32"
_TWCC: Final = b"\xbe\xde\0\2\x32"
_TWCC_ELEMENT: Final = FEEDBACK_EXTENSION << 4 | 1
#: Offset of the transport-wide number in a packet from `with_twcc`, and of its payload.
TWCC_AT: Final = 21
TWCC_PAYLOAD_AT: Final = 24
#: The most bytes that `with_twcc` adds to a packet: the block of extensions.
TWCC_GROWTH_MAX: Final = 12


class RtpError(ValueError):
    """The bytes are not an RTP packet of this protocol, or a frame is empty; the text says why."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet, without padding and header extension.

    Sequence numbers have 16 bits and timestamps 32. `transport` is its transport-wide number, or None.
    """

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    transport: int | None = None


def parse(data: bytes) -> RtpPacket:
    """Read one RTP packet; RtpError if malformed.

    Extensions other than the transport-wide number are skipped.
    """
    size = len(data)
    if size < HEADER or (data[0] & 0x10 and size < HEADER + 4):
        raise RtpError("RTP header cut short")
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHLL", data)
    if first & 0xCF != 0x80:
        raise RtpError("not RTP version 2 without contributing sources")
    start = payload_start(data)
    if start > size:
        raise RtpError("header longer than the packet")
    padding = data[-1] if first & 0x20 else 0
    if first & 0x20 and not 1 <= padding <= size - start:
        raise RtpError("padding longer than the payload")
    payload = data[start : size - padding]
    return RtpPacket(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, payload, twcc_number(data))


def build(packet: RtpPacket) -> bytes:
    """Return the wire form, without padding and extensions."""
    numbers = (packet.sequence & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc)
    return struct.pack("!BBHLL", 0x80, packet.payload_type | packet.marker << 7, *numbers) + packet.payload


# -- on bytes --------------------------------------------------------------------------------


def payload_start(packet: bytes | memoryview) -> int:
    """Return where the payload begins in a packet without CSRCs: after the extension, if any."""
    return HEADER + 4 + 4 * (packet[14] << 8 | packet[15]) if packet[0] & 0x10 else HEADER


def is_padding(packet: bytes | memoryview, start: int) -> bool:
    """Whether only padding follows `start`. Such packets measure the path and belong to no frame."""
    return bool(packet[0] & 0x20) and packet[-1] == len(packet) - start


def check(packet: bytes, kind: MediaKind) -> str | None:
    """Return why `packet` (in the clear, header and payload) may not be forwarded; None if it may.

    The reasons are a small fixed set of words, so that they can be counted.
    """
    size = len(packet)
    if size <= HEADER:
        return "short"
    if size > RTP_MAX:
        return "long"
    first = packet[0]
    if first & 0xCF != 0x80:  # version 2, no CSRC; padding and extension are checked below
        return "header"
    if packet[1] & 0x7F != PAYLOAD_TYPES[kind]:
        return "payload type"
    payload = HEADER
    if first & 0x10 and kind == "video" and _has_twcc(packet):
        payload = TWCC_PAYLOAD_AT
    elif first & 0x10 and packet[12:17] == _SEND_TIME_ONLY and kind == "video":
        payload = HEADER + 8
    elif first & 0x10:
        payload = _extensions_end(packet, size, kind)
        if not payload:
            return "extension"
    if payload >= size:
        return "short"
    if first & 0x20 and not 1 <= packet[-1] <= size - payload:
        return "padding"
    return None


def _extensions_end(packet: bytes, size: int, kind: MediaKind) -> int:
    """Return where the payload begins, after a valid extension block; 0 if the block is not valid."""
    if size < HEADER + 4 or packet[12:14] != _ONE_BYTE_PROFILE:
        return 0
    position = HEADER + 4
    end = position + 4 * (packet[14] << 8 | packet[15])
    if end > size:
        return 0
    allowed = EXTENSIONS[kind]
    seen = 0
    while position < end:
        head = packet[position]
        position += 1
        if head == 0:  # padding between elements
            continue
        identifier, length = head >> 4, (head & 15) + 1
        if allowed.get(identifier) != length or seen >> identifier & 1:
            return 0
        seen |= 1 << identifier
        position += length
    return end if position == end else 0


def _has_twcc(packet: bytes) -> bool:
    return packet[12:17] == _TWCC and packet[20:21] == b"\x51" and packet[23:24] == b"\0"


def twcc_number(packet: bytes) -> int | None:
    """Return the transport-wide sequence number of a packet with an RTP header; None if it has none."""
    if not packet[0] & 0x10:
        return None
    if _has_twcc(packet):
        return packet[TWCC_AT] << 8 | packet[TWCC_AT + 1]
    if packet[12:17] == _SEND_TIME_ONLY or packet[12:14] != _ONE_BYTE_PROFILE or len(packet) < HEADER + 4:
        return None
    position, end = HEADER + 4, min(payload_start(packet), len(packet)) - 2
    while position < end:
        head = packet[position]
        if head == _TWCC_ELEMENT:
            return packet[position + 1] << 8 | packet[position + 2]
        position += 1 if head == 0 else (head & 15) + 2
    return None


def abs_send_time(now: float) -> bytes:
    """Encode abs-send-time: seconds in 6.18 fixed point, 3 bytes."""
    return (int(now * 0x40000) & 0xFFFFFF).to_bytes(3, "big")


def with_twcc(packet: bytes, send_time: bytes) -> bytes:
    """Return a valid packet with room for a number at `TWCC_AT`, and with `send_time` as its send time."""
    if packet[12:17] == _TWCC:  # the usual one
        return b"".join((packet[:17], send_time, b"\x51\0\0\0", packet[TWCC_PAYLOAD_AT:]))
    first = bytes((packet[0] | 0x10,))
    return b"".join((first, packet[1:12], _TWCC, send_time, b"\x51\0\0\0", packet[payload_start(packet) :]))


def stamped(packet: bytes, number: int, now: float) -> bytes:
    """Return a packet of a sender with its send time `now` and its transport-wide number."""
    out = bytearray(with_twcc(packet, abs_send_time(now)))
    out[TWCC_AT : TWCC_AT + 2] = (number & 0xFFFF).to_bytes(2, "big")
    return bytes(out)


def unwrap_rtx(packet: bytes, ssrc: int) -> bytes | None:
    """Return the original packet that an RTX packet carries (RFC 4588 4); None if it carries none.

    `packet` is authenticated but not checked otherwise; the result needs `check`. Senders probe with RTX that
    is padding alone.
    """
    if len(packet) <= HEADER + 2 or packet[1] & 0x7F != RTX_PAYLOAD_TYPE or packet[0] & 0xCF != 0x80:
        return None
    if packet[0] & 0x10 and len(packet) < HEADER + 4:
        return None
    at = payload_start(packet)
    padding = packet[-1] if packet[0] & 0x20 else 0
    if at + 2 >= len(packet) - padding:
        return None
    return b"".join(
        (
            packet[:1],
            bytes((packet[1] & 0x80 | VIDEO_PAYLOAD_TYPE,)),
            packet[at : at + 2],
            packet[4:8],
            ssrc.to_bytes(4, "big"),
            packet[HEADER:at],
            packet[at + 2 :],
        )
    )


def wrap_rtx(packet: bytes, ssrc: int, sequence: int) -> bytes:
    """Return `packet`, checked and sent before, as RTX under `ssrc` (RFC 4588 4)."""
    at = payload_start(packet)
    return b"".join(
        (
            packet[:1],
            bytes((packet[1] & 0x80 | RTX_PAYLOAD_TYPE,)),
            (sequence & 0xFFFF).to_bytes(2, "big"),
            packet[4:8],
            ssrc.to_bytes(4, "big"),
            packet[HEADER:at],
            packet[2:4],
            packet[at:],
        )
    )
