"""VP8's payload descriptor for both ends, and numbers that go on when the layer changes."""

from __future__ import annotations

import itertools
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.rewriter import Offsets, StreamPosition, StreamRewriter
from snugroom.server.wire import rtp, vp8

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


# -- numbers ---------------------------------------------------------------------------------


def test_numbers_go_on_over_every_edge() -> None:
    last = StreamPosition(65536 * 3 - 1, 0xFFFFFFF0, 0x7FFF, 255, 10.0)
    first = StreamPosition(40000, 5, 17, 200, 10.1)
    offsets = rewriter.continuing_offsets(last, first)
    seen = rewriter.rewritten_position(first, offsets)
    assert seen[:4] == (65536 * 3, (0xFFFFFFF0 + 9000) & 0xFFFFFFFF, 0, 0)


@pytest.mark.parametrize(
    ("passed", "ticks"), [(0.0, 1), (-3.0, 1), (1 / 30, 3000), (60.0, 5_400_000), (1e6, 1 << 30)]
)
def test_time_advances_by_what_has_passed(passed: float, ticks: int) -> None:
    last = StreamPosition(1, 100, 1, 1, 50.0)
    offsets = rewriter.continuing_offsets(last, StreamPosition(1, 100, 1, 1, 50.0 + passed))
    assert offsets.timestamp == ticks


def test_the_latest_is_told_by_its_number() -> None:
    latest = rewriter.furthest_position(None, StreamPosition(65534, 10, 3, 4, 1.0))
    latest = rewriter.furthest_position(latest, StreamPosition(65537, 20, 4, 5, 1.5))
    assert latest.sequence == 65537
    overtaken = StreamPosition(65535, 10, 3, 4, 1.6)
    assert rewriter.furthest_position(latest, overtaken) is latest
    assert rewriter.furthest_position(latest, latest._replace(at=9.0)) is latest
    # of one frame the first packet's time counts, and padding has no numbers of its own
    latest = rewriter.furthest_position(latest, StreamPosition(65538, 20, -1, -1, 1.7))
    assert latest == StreamPosition(65538, 20, 4, 5, 1.5)


@given(
    st.integers(0, 2**20), st.integers(0, 2**32 - 1), st.integers(0, 0x7FFF), st.integers(0, 255),
    st.tuples(*[st.integers(0, 2**32 - 1)] * 4),
)  # fmt: skip
def test_rewriting_moves_the_numbers_and_nothing_else(
    number: int, timestamp: int, picture_id: int, tl0: int, by: tuple[int, int, int, int]
) -> None:
    offsets = Offsets(by[0] - 2**31, by[1], by[2] & 0x7FFF, by[3] & 0xFF)
    packet = header(number & 0xFFFF, timestamp, 5, 0x90) + EXTENSION
    packet += descriptor(picture_id=picture_id, tl0=tl0, tid=1, key_index=9) + KEY
    start = rtp.payload_start(packet)
    found = vp8.read_descriptor(packet, start)
    assert found is not None
    out = bytearray(b"??" + packet)
    rewriter.rewrite(out, 2, number, 77, found, offsets)
    again = vp8.read_descriptor(bytes(out[2:]), start)
    expected = rewriter.rewritten_position(rewriter.position_of(packet, number, found, 0.0), offsets)
    assert rewriter.position_of(bytes(out[2:]), number + offsets.sequence, again, 0.0) == expected
    assert struct.unpack_from("!HLL", out, 4)[::2] == ((number + offsets.sequence) & 0xFFFF, 77)
    changed = {i - 2 for i, (a, b) in enumerate(zip(b"??" + packet, out, strict=True)) if a != b}
    allowed = {*range(2, 12), found.picture_at, found.picture_at + 1, found.tl0_at}
    assert changed <= allowed


def test_a_short_picture_id_stays_short() -> None:
    packet = header() + descriptor(picture_id=100, wide=False) + KEY
    found = vp8.read_descriptor(packet, 12)
    out = bytearray(packet)
    rewriter.rewrite(out, 0, 7, 5, found, Offsets(0, 0, 300, 0))
    again = vp8.read_descriptor(bytes(out), 12)
    assert again is not None
    assert (again.picture_id, again.bits) == ((100 + 300) & 0x7F, 7)


# -- a receiver's view -----------------------------------------------------------------------


def test_layers_and_a_pause_are_one_stream_to_the_receiver() -> None:
    """Three layers with numbers of their own; the receiver must see each number rise by exactly one."""
    rng = random.Random(7)
    layers = [
        StreamPosition(
            rng.randrange(2**20), rng.randrange(2**32), rng.randrange(2**15), rng.randrange(256), 0
        )
        for _ in range(3)
    ]
    stream_rewriter = StreamRewriter()
    seen: list[StreamPosition] = []
    now = 0.0
    sent: StreamPosition | None = None
    going = 0
    for frame in range(3000):
        now = frame / 30
        pause = frame % 700 > 650
        layers = [
            StreamPosition(
                n.sequence + 1,
                (n.timestamp + 3000) & 0xFFFFFFFF,
                (n.picture_id + 1) & 0x7FFF,
                (n.tl0 + 1) & 0xFF,
                now,
            )
            for n in layers
        ]
        if frame % 97 == 0:
            going = rng.randrange(3)
        if stream_rewriter.layer is not None and (pause or stream_rewriter.layer != going):
            assert sent is not None
            stream_rewriter.end(sent)
        if not pause:
            packet = layers[going]
            if stream_rewriter.layer is None:
                stream_rewriter.begin(going, packet)
            assert stream_rewriter.may_send(going, packet.sequence)
            sent = packet
            seen.append(rewriter.rewritten_position(packet, stream_rewriter.offsets))
    assert len(seen) > 2500
    for a, b in itertools.pairwise(seen):
        assert b.sequence - a.sequence == 1
        assert (b.picture_id - a.picture_id) & 0x7FFF == 1
        assert (b.tl0 - a.tl0) & 0xFF == 1
        assert abs(((b.timestamp - a.timestamp) & 0xFFFFFFFF) - round((b.at - a.at) * 90_000)) <= 1


def test_overtaken_packets_of_a_new_layer_do_not_pass() -> None:
    stream_rewriter = StreamRewriter()
    stream_rewriter.begin(0, StreamPosition(100, 0, 0, 0, 0.0))
    stream_rewriter.end(StreamPosition(120, 0, 0, 0, 1.0))
    assert not stream_rewriter.may_send(0, 121)
    stream_rewriter.begin(1, StreamPosition(5, 0, 0, 0, 1.0))
    assert stream_rewriter.may_send(1, 5)
    assert not stream_rewriter.may_send(1, 4)  # its number would be that of layer 0's last
    assert not stream_rewriter.may_send(0, 121)


def test_requests_find_the_packet_of_their_time() -> None:
    stream_rewriter = StreamRewriter()
    assert stream_rewriter.resolve(5, 5) is None
    stream_rewriter.begin(0, StreamPosition(65530, 0, 0, 0, 0.0))
    stream_rewriter.end(StreamPosition(65538, 0, 0, 0, 1.0))  # 65530 to 2: nine packets
    assert stream_rewriter.resolve(2, 0) == (0, 65538, rewriter.NO_OFFSETS)
    stream_rewriter.begin(2, StreamPosition(40_000, 0, 0, 0, 1.0))
    for sent, layer, own in ((65530, 0, 65530), (2, 0, 65538), (3, 2, 40_000), (10, 2, 40_007)):
        found = stream_rewriter.resolve(sent, 40_007)
        assert found is not None
        assert found[:2] == (layer, own)
    assert stream_rewriter.resolve(65529, 40_007) is None
    assert stream_rewriter.resolve(11, 40_007) is None  # not sent yet: it is read as one of long ago


def test_an_era_may_be_long() -> None:
    stream_rewriter = StreamRewriter()
    stream_rewriter.begin(0, StreamPosition(100, 0, 0, 0, 0.0))
    stream_rewriter.end(StreamPosition(110, 0, 0, 0, 0.5))
    stream_rewriter.begin(1, StreamPosition(7, 0, 0, 0, 1.0))
    for latest in range(7, 200_000, 9_999):
        assert stream_rewriter.may_send(1, latest)
        sent = (latest + stream_rewriter.offsets.sequence) & 0xFFFF
        found = stream_rewriter.resolve(sent, latest)
        assert found is not None
        assert found[:2] == (1, latest)


def test_what_is_remembered_is_bounded() -> None:
    stream_rewriter = StreamRewriter()
    for change in range(1000):
        stream_rewriter.begin(change % 3, StreamPosition(change, 0, 0, 0, float(change)))
        stream_rewriter.end(StreamPosition(change, 0, 0, 0, float(change)))
    assert len(stream_rewriter._segments) <= 8


def test_a_picture_without_numbers_keeps_the_place() -> None:
    stream_rewriter = StreamRewriter()
    stream_rewriter.begin(0, StreamPosition(1, 0, 30, 40, 0.0))
    stream_rewriter.end(StreamPosition(2, 0, 31, 41, 0.1))
    stream_rewriter.begin(1, StreamPosition(9, 0, -1, -1, 0.2))
    stream_rewriter.end(StreamPosition(10, 0, -1, -1, 0.3))
    stream_rewriter.begin(0, StreamPosition(50, 0, 500, 100, 0.4))
    assert rewriter.rewritten_position(StreamPosition(50, 0, 500, 100, 0.4), stream_rewriter.offsets)[
        2:4
    ] == (32, 42)
