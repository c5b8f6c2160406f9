"""RTCP that the SFU reads and writes: RFC 3550 6, RFC 4585, RFC 5104 (FIR), RFC 5506, REMB draft.

Parsing is strict and bounded: a compound packet with any malformed part is dropped whole. Parts that the SFU
does not need (SDES, BYE, APP, XR, other feedback) are skipped and not forwarded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from snugroom.server.wire import twcc
from snugroom.server.wire.limits import RTCP_MAX

SR: Final = 200
RR: Final = 201
SDES: Final = 202
RTPFB: Final = 205
PSFB: Final = 206
_PARTS_MAX: Final = 32
#: Reports and requests in one compound; four report packets, full, make 124.
_ITEMS_MAX: Final = 128
#: Sequence numbers read from all NACKs in one compound, because each number read costs time. A receiver that
#: misses more packets asks again.
_ASKED_MAX: Final = 256
#: Sequence numbers in one NACK that the SFU writes.
NACK_MAX: Final = 256


class RtcpError(ValueError):
    """Not a valid compound packet."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`body`: NTP time, RTP time, packets, bytes (20 bytes)."""

    ssrc: int
    body: bytes

    @property
    def middle_ntp(self) -> int:
        """The middle 32 bits of the NTP time, which a receiver report gives back."""
        return int.from_bytes(self.body[2:6], "big")

    def rewritten(self, ssrc: int, timestamp: int) -> SenderReport:
        """Return the report for a receiver that sees `ssrc`, with `timestamp` added to its RTP time."""
        stamp = int.from_bytes(self.body[8:12], "big") + timestamp & 0xFFFFFFFF
        return SenderReport(ssrc, self.body[:8] + stamp.to_bytes(4, "big") + self.body[12:])


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """A receiver's report on `ssrc`: `fraction` lost in 256ths since its last report."""

    ssrc: int
    fraction: int


@dataclass(frozen=True, slots=True)
class KeyFrameRequest:
    """PLI or FIR."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class Nack:
    """Sequence numbers asked for again, in the order given, each once."""

    ssrc: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Remb:
    """A receiver's estimate for all its streams, in bits a second."""

    bitrate: int


Item = SenderReport | ReportBlock | KeyFrameRequest | Nack | Remb | twcc.Report


@dataclass(frozen=True, slots=True)
class ReceptionReport:
    """One report block to write (RFC 3550 6.4.1)."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_sr: int
    delay: int


# -- reading ---------------------------------------------------------------------------------


def parse(data: bytes) -> list[Item]:
    """Parse the items of a compound (or reduced-size) packet that concern an SFU; RtcpError if malformed."""
    size = len(data)
    if not 8 <= size <= RTCP_MAX or size % 4:
        raise RtcpError("size")
    items: list[Item] = []
    position = parts = asked = 0
    while position < size:
        parts += 1
        if parts > _PARTS_MAX or position + 4 > size:
            raise RtcpError("parts")
        first, kind, words = struct.unpack_from("!BBH", data, position)
        end = position + 4 * (words + 1)
        if first >> 6 != 2 or end > size:
            raise RtcpError("header")
        part = data[position:end]
        if first & 0x20:  # libwebrtc pads transport-wide feedback with 1 to 3 bytes
            if end != size or not 1 <= part[-1] <= len(part) - 8:
                raise RtcpError("padding")
            part = part[: -part[-1]]
        if kind in (SR, RR):
            items += _reports(part, kind, first & 31)
        elif kind == RTPFB and first & 31 == 1:
            request, steps = _nack(part, _ASKED_MAX - asked)
            asked += steps
            items.append(request)
        elif kind == RTPFB and first & 31 == 15:
            items.append(_report(part))
        elif kind == PSFB:
            items += _payload_feedback(part, first & 31)
        if len(items) > _ITEMS_MAX:
            raise RtcpError("items")
        position = end
    return items


def _reports(part: bytes, kind: int, count: int) -> Iterable[Item]:
    start = 28 if kind == SR else 8
    if len(part) < start + 24 * count:
        raise RtcpError("report")
    if kind == SR:
        yield SenderReport(int.from_bytes(part[4:8], "big"), part[8:28])
    for at in range(start, start + 24 * count, 24):
        yield ReportBlock(int.from_bytes(part[at : at + 4], "big"), part[at + 4])


def _nack(part: bytes, room: int) -> tuple[Nack, int]:
    """Read about `room` sequence numbers; return the NACK and how many were read, duplicates included."""
    if len(part) < 16:
        raise RtcpError("nack")
    sequences: dict[int, None] = {}
    steps = 0
    for first, following in struct.iter_unpack("!HH", part[12:]):
        if steps >= room:
            break
        sequences[first] = None
        steps += 1
        while following:
            low = following & -following
            sequences[(first + low.bit_length()) & 0xFFFF] = None
            following ^= low
            steps += 1
    return Nack(int.from_bytes(part[8:12], "big"), tuple(sequences)), steps


def _report(part: bytes) -> twcc.Report:
    try:
        return twcc.parse(part)
    except twcc.TwccError:
        raise RtcpError("feedback") from None


def _payload_feedback(part: bytes, form: int) -> Iterable[Item]:
    if form == 1:
        if len(part) != 12:
            raise RtcpError("pli")
        yield KeyFrameRequest(int.from_bytes(part[8:12], "big"))
    elif form == 4:
        if len(part) < 20 or (len(part) - 12) % 8:
            raise RtcpError("fir")
        for at in range(12, len(part), 8):
            yield KeyFrameRequest(int.from_bytes(part[at : at + 4], "big"))
    elif form == 15 and part[12:16] == b"REMB":
        if len(part) < 20 or len(part) != 20 + 4 * part[16]:
            raise RtcpError("remb")
        exponent, mantissa = part[17] >> 2, (part[17] & 3) << 16 | part[18] << 8 | part[19]
        yield Remb(min(mantissa << exponent, 1 << 40))


# -- writing ---------------------------------------------------------------------------------


def sender_report(report: SenderReport) -> bytes:
    """Encode the report alone, without report blocks: 28 bytes."""
    return struct.pack("!BBHL", 0x80, SR, 6, report.ssrc) + report.body


def receiver_report(sender: int, blocks: Sequence[ReceptionReport], cname: bytes = b"snug") -> bytes:
    """Encode an RR with up to 31 blocks, and the SDES item that RFC 3550 6.1 requires beside it."""
    data = struct.pack("!BBHL", 0x80 | len(blocks), RR, 1 + 6 * len(blocks), sender)
    for b in blocks:
        lost = max(-0x800000, min(0x7FFFFF, b.lost)) & 0xFFFFFF
        data += struct.pack(
            "!LLLLLL", b.ssrc, b.fraction << 24 | lost, b.highest & 0xFFFFFFFF, b.jitter, b.last_sr, b.delay
        )
    chunk = struct.pack("!LBB", sender, 1, len(cname)) + cname
    chunk += bytes(4 - len(chunk) % 4)
    return data + struct.pack("!BBH", 0x81, SDES, len(chunk) // 4) + chunk


def key_frame_request(sender: int, ssrc: int) -> bytes:
    """Encode a PLI (RFC 4585 6.3.1): 12 bytes."""
    return struct.pack("!BBHLL", 0x81, PSFB, 2, sender, ssrc)


def nack(sender: int, ssrc: int, sequences: Sequence[int]) -> bytes:
    """Encode a generic NACK (RFC 4585 6.2.1) for at most `NACK_MAX` ascending numbers (modulo 2^16)."""
    entries: list[list[int]] = []
    for sequence in sequences[:NACK_MAX]:
        if entries and 1 <= (offset := (sequence - entries[-1][0]) & 0xFFFF) <= 16:
            entries[-1][1] |= 1 << (offset - 1)
        else:
            entries.append([sequence, 0])
    body = b"".join(struct.pack("!HH", first, following) for first, following in entries)
    return struct.pack("!BBHLL", 0x81, RTPFB, 2 + len(entries), sender, ssrc) + body


def remb(sender: int, bitrate: int, ssrcs: Sequence[int]) -> bytes:
    """Encode a REMB (draft-alvestrand-rmcat-remb-03 2.2): `bitrate` for all `ssrcs` together."""
    exponent = max(0, bitrate.bit_length() - 18)
    packed = exponent << 18 | bitrate >> exponent
    head = struct.pack("!BBHLL", 0x8F, PSFB, 4 + len(ssrcs), sender, 0)
    fci = b"REMB" + struct.pack("!L", len(ssrcs) << 24 | packed)
    return head + fci + b"".join(struct.pack("!L", ssrc) for ssrc in ssrcs)
