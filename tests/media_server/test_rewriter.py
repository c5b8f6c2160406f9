"""Rewritten streams have continuous numbers when the layer changes."""

from __future__ import annotations

import itertools
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.rewriter import Offsets, StreamPosition, StreamRewriter
from snugroom.wire import rtp, vp8
from tests.wire.test_vp8 import EXTENSION, KEY, descriptor, header

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
