"""A recording of a lecture's server as a file for Wireshark: classic pcap, raw IPv4 (link type 101). Pure.

Media are UDP datagrams with RTP headers and the sealed payload, as the server holds them after it has removed
the transport's encryption. Of messages, the file has only sizes and times: each is a TCP segment of which
nothing but the headers was captured. Addresses are made up: participant n has 10.0.0.n+1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_MAGIC: Final = 0xA1B2C3D4
_SNAP_LENGTH: Final = 65_535
_RAW_IPV4: Final = 101
_UDP, _TCP = 17, 6
_SERVER: Final = 254
_UNKNOWN: Final = 253
_MEDIA_PORT: Final = 5_004
_MESSAGE_PORT: Final = 443
_CLIENT_PORT: Final = 40_000


@dataclass(frozen=True)
class Recorded:
    """A packet or a message that came to the server at `at`, Unix seconds, from participant `sender`."""

    at: float
    sender: int | None
    media: bool
    data: bytes


def encode(recorded: Iterable[Recorded]) -> bytes:
    """Return the file, in order of time."""
    out = [struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _SNAP_LENGTH, _RAW_IPV4)]
    for each in sorted(recorded, key=lambda one: one.at):
        packet, size = _udp(each) if each.media else _tcp(each)
        seconds, part = divmod(round(each.at * 1e6), 1_000_000)
        out += struct.pack("<IIII", seconds, part, len(packet), size), packet
    return b"".join(out)


def _udp(each: Recorded) -> tuple[bytes, int]:
    # a checksum of 0: none (RFC 768)
    header = struct.pack("!HHHH", _CLIENT_PORT, _MEDIA_PORT, 8 + len(each.data), 0)
    packet = _ipv4(each.sender, _UDP, len(header) + len(each.data)) + header + each.data
    return packet, len(packet)


def _tcp(each: Recorded) -> tuple[bytes, int]:
    push_ack = 0x18
    header = struct.pack("!HHIIBBHHH", _CLIENT_PORT, _MESSAGE_PORT, 0, 0, 5 << 4, push_ack, 65_535, 0, 0)
    size = min(len(each.data), _SNAP_LENGTH - 40)
    packet = _ipv4(each.sender, _TCP, len(header) + size) + header
    return packet, len(packet) + size


def _ipv4(sender: int | None, protocol: int, size: int) -> bytes:
    """Return a header (RFC 791) to the server."""
    last = _UNKNOWN if sender is None else sender % 250 + 1
    source, server = bytes((10, 0, 0, last)), bytes((10, 0, 0, _SERVER))
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + size, 0, 0, 64, protocol, 0, source, server)
    total = sum(struct.unpack("!10H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:]
