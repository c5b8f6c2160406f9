"""RTCP for both ends: RFC 3550 6, RFC 4585, RFC 5104 (FIR), RFC 5506, REMB draft.

Parsing is strict and bounded: a compound packet with any malformed part is dropped whole. Parts that neither
end needs (SDES, BYE, APP, XR, other feedback) are skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from snugroom.wire import twcc
from snugroom.wire.limits import RTCP_MAX

SR: Final = 200
RR: Final = 201
SDES: Final = 202
RTPFB: Final = 205
PSFB: Final = 206
#: The same CNAME for all participants, so that it reveals nothing; RFC 3550 6.5.1 requires one.
CNAME: Final = b"snug"
#: Report blocks in one report: their count has five bits.
BLOCKS_MAX: Final = 31
#: Sequence numbers in one NACK that is written.
NACK_MAX: Final = 256
_PARTS_MAX: Final = 32
#: Reports and requests in one compound; four report packets, full, make 124.
_ITEMS_MAX: Final = 128
#: Sequence numbers read from all NACKs in one compound, because each number read costs time. A receiver that
#: misses more packets asks again.
_ASKED_MAX: Final = 256
_WORD: Final = 0xFFFFFFFF


class RtcpError(ValueError):
    """Not a valid compound packet, or more report blocks than one packet can carry."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """RFC 3550 6.4.1. `ntp` is 64 bits, 32.32 fixed point seconds; `timestamp` is the same instant in RTP."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int

    @property
    def middle_ntp(self) -> int:
        """The middle 32 bits of the NTP time, which a receiver report gives back."""
        return self.ntp >> 16 & _WORD


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """Reception of the stream `ssrc` (RFC 3550 6.4.1).

    `fraction`: lost in 256ths since the last report. `lost` counts packets. `last_sr`: the middle of the last
    sender report's NTP time; `since_sr`: the time since it came, in 65,536ths of a second. 0 without one.
    """

    ssrc: int
    fraction: int
    lost: int = 0
    highest: int = 0
    jitter: int = 0
    last_sr: int = 0
    since_sr: int = 0


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


def is_rtcp(data: bytes) -> bool:
    """Return whether a packet is RTCP, by the second byte: RTP shares the socket (RFC 5761 section 4)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


# -- reading ---------------------------------------------------------------------------------


def parse(data: bytes) -> list[Item]:
    """Parse the items of a compound (or reduced-size) packet that Snug uses; RtcpError if malformed."""
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
        if first & 0x20:
            padding = part[-1]
            if end != size or not 1 <= padding <= len(part) - 8:
                raise RtcpError("padding")
            # libwebrtc pads transport-wide feedback with 1 to 3 bytes.
            if padding % 4 and (kind, first & 31) != (RTPFB, 15):
                raise RtcpError("padding")
            part = part[:-padding]
        if kind in (RTPFB, PSFB) and len(part) < 12:
            raise RtcpError("feedback")
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
        yield SenderReport(*struct.unpack_from("!LQLLL", part, 4))
    for ssrc, loss, *others in struct.iter_unpack("!LLLLLL", part[start : start + 24 * count]):
        yield ReportBlock(ssrc, loss >> 24, (loss & 0xFFFFFF ^ 0x800000) - 0x800000, *others)


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


# -- writing: `sender` is the writer's own SSRC ----------------------------------------------


def _pack(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def sender_report(report: SenderReport) -> bytes:
    """Encode the report alone, without report blocks: 28 bytes."""
    numbers = (report.timestamp & _WORD, report.packets & _WORD, report.octets & _WORD)
    return _pack(SR, 0, struct.pack("!LQLLL", report.ssrc, report.ntp, *numbers))


def receiver_report(sender: int, blocks: Sequence[ReportBlock]) -> bytes:
    """Encode an RR with up to 31 blocks, and the CNAME that RFC 3550 6.1 requires beside it. RtcpError."""
    if len(blocks) > BLOCKS_MAX:
        raise RtcpError("at most 31 report blocks go in one packet")
    body = sender.to_bytes(4, "big")
    for b in blocks:
        lost = max(-0x800000, min(0x7FFFFF, b.lost)) & 0xFFFFFF
        body += struct.pack(
            "!LLLLLL", b.ssrc, b.fraction << 24 | lost, b.highest & _WORD, b.jitter, b.last_sr, b.since_sr
        )
    return _pack(RR, len(blocks), body) + cname(sender)


def cname(sender: int) -> bytes:
    """Encode a source description with only a CNAME (RFC 3550 6.5)."""
    chunk = struct.pack("!LBB", sender, 1, len(CNAME)) + CNAME
    # A chunk ends with at least one zero byte, on a 32-bit boundary.
    return _pack(SDES, 1, chunk + bytes(4 - len(chunk) % 4))


def key_frame_request(sender: int, ssrc: int) -> bytes:
    """Encode a PLI (RFC 4585 6.3.1): 12 bytes."""
    return _pack(PSFB, 1, struct.pack("!LL", sender, ssrc))


def nack(sender: int, ssrc: int, sequences: Sequence[int]) -> bytes:
    """Encode a generic NACK (RFC 4585 6.2.1) for at most `NACK_MAX` ascending numbers (modulo 2^16)."""
    entries: list[list[int]] = []
    for sequence in sequences[:NACK_MAX]:
        if entries and 1 <= (offset := (sequence - entries[-1][0]) & 0xFFFF) <= 16:
            entries[-1][1] |= 1 << (offset - 1)
        else:
            entries.append([sequence, 0])
    body = b"".join(struct.pack("!HH", first, following) for first, following in entries)
    return _pack(RTPFB, 1, struct.pack("!LL", sender, ssrc) + body)


def remb(sender: int, bitrate: int, ssrcs: Sequence[int]) -> bytes:
    """Encode a REMB (draft-alvestrand-rmcat-remb-03 2.2): `bitrate` for all `ssrcs` together."""
    exponent = max(0, bitrate.bit_length() - 18)
    packed = len(ssrcs) << 24 | exponent << 18 | bitrate >> exponent
    return _pack(PSFB, 15, struct.pack(f"!LL4sL{len(ssrcs)}L", sender, 0, b"REMB", packed, *ssrcs))
