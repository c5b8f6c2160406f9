"""VP8 in RTP for both ends: the payload descriptor of RFC 7741 4.2.

The descriptor is in the clear in front of the sealed frame. Of the frame itself the SFU reads one bit: bit 0
of its first byte, which the constant clear header reserves for this (protocol 10).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from snugroom.wire.rtp import RtpError

#: Bytes of a frame in one packet, without the descriptor. With SRTP, UDP and IPv6 it stays below 1,200.
PAYLOAD_MAX: Final = 1_100


class Descriptor(NamedTuple):
    """The fields of a packet's payload descriptor; offsets are from the packet's first byte.

    `start`: begins a frame (S set, partition 0). `key`: begins a key frame. `picture_id` and `tl0`: -1 if
    absent. `bits`: size of the PictureID, 15 or 7; 0 if absent. `picture_at`, `tl0_at`: their offsets, 0 if
    absent. `tid`, `sync` (Y), `key_index`: 0 if absent. `payload`: where the descriptor ends and the sealed
    frame begins.
    """

    start: bool
    key: bool
    picture_id: int
    bits: int
    picture_at: int
    tl0: int
    tl0_at: int
    tid: int
    sync: bool
    key_index: int
    payload: int


def read_descriptor(packet: bytes | memoryview, start: int, end: int | None = None) -> Descriptor | None:
    """Return the descriptor that begins at `start`; None if it is cut short or no byte of a frame follows it.

    The payload goes on to `end`; without it, `packet` has an RTP header, and the payload ends before the
    padding. Never raises, whatever the bytes.
    """
    if end is None:
        end = len(packet)
        if packet[0] & 0x20:
            end -= packet[end - 1]
    if start >= end:
        return None
    first = packet[start]
    position = start + 1
    picture_id = tl0 = -1
    bits = picture_at = tl0_at = tid = key_index = 0
    sync = False
    if first & 0x80:
        if position + 4 >= end and position + _extent(packet, position, end) >= end:
            return None
        more = packet[position]
        position += 1
        if more & 0x80:
            picture_at = position
            picture_id = packet[position]
            bits = 7
            position += 1
            if picture_id & 0x80:
                picture_id = (picture_id & 0x7F) << 8 | packet[position]
                bits = 15
                position += 1
        if more & 0x40:
            tl0_at = position
            tl0 = packet[position]
            position += 1
        if more & 0x30:
            last = packet[position]
            position += 1
            if more & 0x20:
                tid = last >> 6
                sync = bool(last & 0x20)
            if more & 0x10:
                key_index = last & 0x1F
    if position >= end:
        return None
    begins = first & 0x17 == 0x10
    key = begins and not packet[position] & 1
    return Descriptor(begins, key, picture_id, bits, picture_at, tl0, tl0_at, tid, sync, key_index, position)


def _extent(packet: bytes | memoryview, position: int, end: int) -> int:
    """Return the bytes of the extended part that begins at `position`, near the end of a packet."""
    if position >= end:
        return 1
    more = packet[position]
    extent = 1 + bool(more & 0x80) + bool(more & 0x40) + bool(more & 0x30)
    if more & 0x80 and position + 1 < end and packet[position + 1] & 0x80:
        extent += 1
    return extent


def packetize(frame: bytes, picture_id: int) -> list[bytes]:
    """Cut a frame into payloads of at most PAYLOAD_MAX bytes, each with a 15-bit PictureID.

    A sealed frame has no visible partitions, so all of it is partition 0. The pieces have about equal size,
    so that the last one reveals less about the size of the frame. RtpError if the frame is empty.
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
