"""Transport-wide feedback: parsing, refusals and encoding."""

from __future__ import annotations

import contextlib
import random
import struct
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.wire import twcc
from snugroom.wire.limits import RTCP_MAX
from snugroom.wire.twcc import TwccError


def report(chunks: Sequence[int], deltas: bytes, *, base: int = 10, count: int, reference: int = 1) -> bytes:
    body = b"".join(struct.pack("!H", chunk) for chunk in chunks) + deltas
    body += bytes(-len(body) % 4)
    head = struct.pack("!BBHLLHH", 0x8F, 205, 4 + len(body) // 4, 1, 77, base, count)
    return head + struct.pack("!L", (reference & 0xFFFFFF) << 8 | 200) + body


def test_reads_every_kind_of_chunk() -> None:
    """The bits are those of the draft's figures in 3.1.3 and 3.1.4."""
    data = report(
        [0b001_0000000000010, 0b10_10000000000001, 0b11_00_01_10_00_00_00_00, 0b000_0000000000100, 0x4001],
        bytes([4, 8, 1, 2, 3]) + struct.pack("!h", -20) + struct.pack("!h", 1000),
        count=2 + 14 + 7 + 4 + 1,
    )
    read = twcc.parse(data)
    assert read[:4] == (77, 10, 28, 200)
    first = 256
    assert read.arrivals == [
        (10, first + 4), (11, first + 12), (12, first + 13), (25, first + 15),
        (27, first + 18), (28, first - 2), (37, first + 998),
    ]  # fmt: skip


def test_twcc_sequence_wrap_and_vectors_may_be_longer_than_the_count() -> None:
    read = twcc.parse(report([0xBFFF], bytes([1, 1, 1]), base=65534, count=3))
    assert [number for number, _ in read.arrivals] == [65534, 65535, 0]
    # a run too
    read = twcc.parse(report([0x2000 | 500], bytes([1, 1, 1]), base=65534, count=3))
    assert len(read.arrivals) == 3


def part(fci: str) -> bytes:
    """An RTCP packet of this feedback, which ends with whole words."""
    body = bytes.fromhex(fci)
    body += bytes(-len(body) % 4)
    return struct.pack("!BBHLL", 0x8F, 205, 2 + len(body) // 4, 1, 7) + body


def test_one_bit_vectors_byte_by_byte() -> None:
    # 14 statuses of one bit: 1, 0, then twelve that came; reference 0, deltas of 1 ms
    read = twcc.parse(part("0001000e00000007afff" + "04" * 13))
    assert read[:4] == (7, 1, 14, 7)
    assert [number for number, _ in read.arrivals] == [1, *range(3, 15)]
    assert read.arrivals[-1] == (14, 13 * 4)


GOOD = report([0x2003, 0xC000 | 0b10_01 << 10], bytes([1, 1, 1, 0, 9, 5]), count=10)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:16],
        report([0x2003], b"\1\1\1", count=0),
        report([], b"", count=0),
        report([0x2003], b"", count=3),  # one byte of padding and two more are missing
        report([0x4001], b"\1" * 1, count=1)[:23],
        report([0x2003, 0x2001], b"", count=3)[:22],
        report([0x2000, 0x2003], b"\1\1\1", count=3),  # a run of none
        report([0x6001], b"\1\1", count=1),
        report([0xF000], b"\1\1", count=1),
        report([0x2003], b"\1\1", count=9),  # chunks for 3 of 9
        report([0x2001], bytes(9), count=1),
        GOOD + bytes(4),
        report([0x2000 | 1300], bytes(1300), count=1300) + bytes(200),
        report([0x3FFF] * 4, bytes(1000), count=32000),
        part("0001000100001000")[:-1],
        part("00010000000010002001"),  # of nothing
        part("0001000100001000"),  # without chunks
        part("0001000600001000200601"),  # two deltas of six
        part("0001000100001000600101"),  # a reserved symbol
        part("0001000100001000200001"),  # a run of nothing
    ],
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(TwccError):
        twcc.parse(data)


def test_the_good_one_is_good() -> None:
    assert len(twcc.parse(GOOD).arrivals) == 5


@given(st.lists(st.integers(0, 65535), max_size=30), st.binary(max_size=100), st.integers(0, 65535))
def test_any_report_is_read_or_refused(chunks: list[int], deltas: bytes, count: int) -> None:
    with contextlib.suppress(TwccError):
        twcc.parse(deltas)
    with contextlib.suppress(TwccError):
        read = twcc.parse(report(chunks, deltas, count=count))
        assert len(read.arrivals) <= count
        assert len(read.arrivals) <= len(deltas) + 2 * len(chunks)


def test_a_hostile_report_costs_little() -> None:
    """65,535 packets that haven't arrived are read without a look at each; what has arrived takes bytes."""
    read = twcc.parse(report([0x1FFF] * 8 + [0x2001, 6], b"\1", count=65535))
    assert len(read.arrivals) == 1
    assert twcc.parse(part("0001ffff00001000" + "1fff" * 9)).arrivals == []
    claims = report([0x3FFF] * 9, b"", count=65535)
    tracemalloc.start()
    with pytest.raises(TwccError):
        twcc.parse(claims)
    assert tracemalloc.get_traced_memory()[1] < 100_000  # nothing was made of 65,535 claims
    tracemalloc.stop()


TICKS = st.lists(st.none() | st.integers(-300, 40_000), max_size=700)


@given(st.integers(0, 0xFFFF), st.integers(0, 2**35), st.integers(0, 20), TICKS, st.integers(0, 255))
def test_written_reports_are_read(
    base: int, start: int, missing: int, gaps: list[int | None], feedback: int
) -> None:
    tick = start
    ticks: list[int | None] = [None] * missing + [start]
    for gap in gaps:
        tick += gap or 0
        ticks.append(None if gap is None or tick < 0 else tick)
    data, covered = twcc.build(1, 77, base, ticks, feedback)
    assert len(data) <= RTCP_MAX
    assert len(data) % 4 == 0
    assert data[:2] == b"\x8f\xcd"
    assert 4 * (data[2] << 8 | data[3]) + 4 == len(data)
    read = twcc.parse(data)
    assert read[:4] == (77, base, covered, feedback)
    expected = [
        ((base + i) & 0xFFFF, t % twcc.REFERENCE_WRAP) for i, t in enumerate(ticks[:covered]) if t is not None
    ]
    # one report's own ticks go on over the reference's end
    assert [(n, t % twcc.REFERENCE_WRAP) for n, t in read.arrivals] == expected
    if covered < len(ticks):
        assert len(read.arrivals) == twcc.ARRIVALS_MAX or covered >= 1
        following = ticks[covered]
        assert following is not None or covered == twcc.STATUSES_MAX


def test_the_longest_report_fits() -> None:
    rng = random.Random(3)
    ticks: list[int | None] = [0]
    ticks += [i * 300 if rng.random() < 0.2 else None for i in range(4000)]
    data, covered = twcc.build(1, 1, 0, ticks, 0)
    assert 0 < len(data) <= RTCP_MAX
    assert covered > 1500
    data, covered = twcc.build(1, 1, 0, [i * 300 for i in range(4000)], 0)
    assert 600 < len(data) <= RTCP_MAX
    assert covered == twcc.ARRIVALS_MAX


def test_chunks_are_short() -> None:
    """The usual report, all there and evenly: one run, and a byte a packet."""
    data, _ = twcc.build(1, 1, 0, [100 + 8 * i for i in range(50)], 0)
    assert len(data) == 20 + (2 + 50 + 3) // 4 * 4
