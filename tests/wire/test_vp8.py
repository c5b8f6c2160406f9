"""VP8's payload descriptor for both ends."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.wire import rtp, vp8

KEY, DELTA = b"\xf0\xff\xff\x9d\x01\x2a\x10\x00\x10\x00sealed", b"\xf1\xff\xffsealed"
EXTENSION = bytes.fromhex("bede0002 32aabbcc 51dead00")


def header(sequence: int = 7, timestamp: int = 1000, ssrc: int = 5, first: int = 0x80) -> bytes:
    return struct.pack("!BBHLL", first, 96, sequence, timestamp, ssrc)


def descriptor(
    *, start: bool = True, picture_id: int | None = None, wide: bool = True, tl0: int | None = None,
    tid: int | None = None, sync: bool = False, key_index: int | None = None, partition: int = 0,
) -> bytes:  # fmt: skip
    """Written straight from RFC 7741, figure 1."""
    more, body = 0, b""
    if picture_id is not None:
        more |= 0x80
        body += struct.pack("!H", 0x8000 | picture_id) if wide else bytes([picture_id])
    if tl0 is not None:
        more |= 0x40
        body += bytes([tl0])
    if tid is not None or key_index is not None:
        more |= 0x20 * (tid is not None) | 0x10 * (key_index is not None)
        body += bytes([(tid or 0) << 6 | sync << 5 | (key_index or 0)])
    first = 0x10 * start | partition
    return bytes([first | 0x80, more]) + body if more else bytes([first])


@given(
    st.booleans(),
    st.none() | st.integers(0, 0x7FFF),
    st.booleans(),
    st.none() | st.integers(0, 255),
    st.none() | st.integers(0, 3),
    st.booleans(),
    st.none() | st.integers(0, 31),
    st.booleans(),
    st.sampled_from([b"", EXTENSION]),
)
def test_reads_what_the_standard_says(
    start: bool,
    picture_id: int | None,
    wide: bool,
    tl0: int | None,
    tid: int | None,
    sync: bool,
    key_index: int | None,
    key: bool,
    extension: bytes,
) -> None:
    if picture_id is not None and not wide:
        picture_id &= 0x7F
    said = descriptor(
        start=start, picture_id=picture_id, wide=wide, tl0=tl0, tid=tid, sync=sync, key_index=key_index
    )
    front = header(first=0x90 if extension else 0x80) + extension
    packet = front + said + (KEY if key else DELTA)
    assert rtp.payload_start(packet) == len(front)
    found = vp8.read_descriptor(packet, len(front))
    assert found is not None
    assert (found.start, found.key) == (start, start and key)
    assert found.picture_id == (-1 if picture_id is None else picture_id)
    assert found.bits == (0 if picture_id is None else 15 if wide else 7)
    assert found.tl0 == (-1 if tl0 is None else tl0)
    assert (found.tid, found.sync) == ((0, False) if tid is None else (tid, sync))
    assert found.key_index == (0 if key_index is None else key_index)
    assert found.payload == len(front + said)
    if tl0 is not None:
        assert packet[found.tl0_at] == tl0
    if found.bits == 15:
        assert int.from_bytes(packet[found.picture_at : found.picture_at + 2], "big") & 0x7FFF == picture_id


def test_a_frame_begins_in_partition_0_alone() -> None:
    packet = header() + descriptor(partition=1) + KEY
    found = vp8.read_descriptor(packet, 12)
    assert found is not None
    assert (found.start, found.key) == (False, False)


def test_every_cut_is_none_and_the_least_is_read() -> None:
    said = descriptor(picture_id=0x1234, tl0=9, tid=2, key_index=3)
    whole = header() + said + b"\xf0"
    assert vp8.read_descriptor(whole, 12) is not None
    for size in range(12, len(whole)):
        assert vp8.read_descriptor(whole[:size], 12) is None
    # cut where the PictureID would tell how wide it is
    assert vp8.read_descriptor(header() + b"\x90\x80", 12) is None
    assert vp8.read_descriptor(header() + b"\x90\x80\x80\x01", 12) is None
    assert vp8.read_descriptor(header() + b"\x90\x80\x80\x01\xf0", 12) is not None


def test_padding_is_no_frame() -> None:
    alone = header(first=0xA0) + bytes(223) + b"\xe0"
    assert rtp.is_padding(alone, 12)
    assert vp8.read_descriptor(alone, 12) is None
    behind = header(first=0xA0) + descriptor(picture_id=1) + b"\xf0" + b"\0\0\3"
    assert not rtp.is_padding(behind, 12)
    assert vp8.read_descriptor(behind, 12) is not None
    # the frame's only byte is padding
    assert vp8.read_descriptor(header(first=0xA0) + descriptor(picture_id=1) + b"\x01", 12) is None


@given(st.binary(min_size=1, max_size=20_000), st.integers(0, 0x7FFF))
def test_payloads_join_to_the_frame(frame: bytes, picture_id: int) -> None:
    payloads = vp8.packetize(frame, picture_id)
    found = [vp8.read_descriptor(p, 0, len(p)) for p in payloads]
    assert b"".join(p[f.payload :] for p, f in zip(payloads, found, strict=True) if f is not None) == frame
    assert [f is not None and f.start for f in found] == [True] + [False] * (len(payloads) - 1)
    assert {f and (f.picture_id, f.bits) for f in found} == {(picture_id, 15)}
    assert all(len(p) <= vp8.PAYLOAD_MAX + 4 for p in payloads)


@pytest.mark.parametrize(
    ("wire", "start", "picture_id"),
    [
        ("10aa", True, -1),  # no extension at all
        ("00aa", False, -1),
        ("11aa", False, -1),  # the start of partition 1 is not the start of a frame
        ("908005aa", True, 5),  # a short PictureID
        ("90808005aa", True, 5),
        ("90f080050102aa", True, 5),  # with TL0PICIDX, TID and KEYIDX
        ("9060" + "0102aa", True, -1),
    ],
)
def test_every_form_of_the_descriptor(wire: str, start: bool, picture_id: int) -> None:
    payload = bytes.fromhex(wire)
    found = vp8.read_descriptor(payload, 0, len(payload))
    assert found is not None
    assert (found.start, found.picture_id, payload[found.payload :]) == (start, picture_id, b"\xaa")


@pytest.mark.parametrize("wire", ["", "10", "90", "9080", "908080", "90f08005", "90f0800501"])
def test_a_descriptor_cut_short_is_refused(wire: str) -> None:
    payload = bytes.fromhex(wire)
    assert vp8.read_descriptor(payload, 0, len(payload)) is None


def test_an_empty_frame_is_not_sent() -> None:
    with pytest.raises(rtp.RtpError):
        vp8.packetize(b"", 1)


@given(st.binary(max_size=40), st.integers(0, 12))
def test_any_bytes_are_read_or_refused(data: bytes, start: int) -> None:
    payload = vp8.read_descriptor(data, 0, len(data))
    assert payload is None or 0 < payload.payload < len(data)
    packet = header(first=0x80 | (data[0] & 0x30 if data else 0)) + data
    found = vp8.read_descriptor(packet, 12 + start)
    assert found is None or 12 + start < found.payload < len(packet)
