"""RTP as the SFU lets it through: RFC 3550 5.1, RFC 8285 4.2, checked and never rewritten.

Receivers parse what one member sends, and some of them die of a malformed header extension. So a
packet is forwarded only if nothing in its header could surprise anybody. The payload is sealed
(SFrame) and is not looked at.
"""

from __future__ import annotations

from typing import Final

from server.media.limits import AUDIO_PAYLOAD_TYPE, RTP_MAX, VIDEO_PAYLOAD_TYPE
from server.wire.messages import MediaKind

HEADER: Final = 12
_ONE_BYTE_PROFILE: Final = b"\xbe\xde"

PAYLOAD_TYPES: Final[dict[MediaKind, int]] = {"audio": AUDIO_PAYLOAD_TYPE, "video": VIDEO_PAYLOAD_TYPE}

#: Header extensions that may pass: id -> exact length. abs-send-time is 3 bytes; audio has none, since an
#: audio level would tell the server who speaks.
EXTENSIONS: Final[dict[MediaKind, dict[int, int]]] = {"audio": {}, "video": {3: 3}}

#: One abs-send-time and nothing else: what video senders put on every packet, told at one glance.
_USUAL: Final = b"\xbe\xde\0\1\x32"


def check(packet: bytes, kind: MediaKind) -> str | None:
    """Why `packet` (in the clear, header and payload) may not be forwarded; None if it may.

    The answers are a fixed few words, fit to be counted.
    """
    size = len(packet)
    if size <= HEADER:
        return "short"
    if size > RTP_MAX:
        return "long"
    first = packet[0]
    if first & 0xCF != 0x80:  # version 2, no CSRC; padding and extension are looked at below
        return "header"
    if packet[1] & 0x7F != PAYLOAD_TYPES[kind]:
        return "payload type"
    payload = HEADER
    if first & 0x10 and packet[12:17] == _USUAL and kind == "video":
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
    """Where the payload begins, after a valid extension block; 0 if the block is not valid."""
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
