"""The reorder buffer alone: packets and time in, frames and requests out."""

from __future__ import annotations

import heapq
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snugroom.client.media.reorder import POLICIES, Ask, Frame, Lost, Reorder, ReorderEffect
from snugroom.wire import vp8
from snugroom.wire.messages import MediaKind
from snugroom.wire.rtp import RtpPacket


def audio(sequence: int) -> RtpPacket:
    return RtpPacket(111, False, sequence & 0xFFFF, sequence * 960 & 0xFFFFFFFF, 1, b"%d" % sequence)


def video(first: int, number: int, packets: int) -> list[RtpPacket]:
    """Frame `number` in `packets` packets, from sequence number `first` on."""
    payloads = vp8.packetize(bytes([number & 0xFF]) * (1_000 * packets), number)
    assert len(payloads) == packets
    return [
        RtpPacket(96, i == packets - 1, (first + i) & 0xFFFF, number * 6_000, 1, payload)
        for i, payload in enumerate(payloads)
    ]


def frames(effects: list[ReorderEffect]) -> list[bytes]:
    return [e.data for e in effects if isinstance(e, Frame)]


def asked(effects: list[ReorderEffect]) -> list[int]:
    return [s for e in effects if isinstance(e, Ask) for s in e.sequences]


def lost(effects: list[ReorderEffect]) -> int:
    return sum(e.frames for e in effects if isinstance(e, Lost))


def test_packets_in_order_pass_at_once() -> None:
    buffer = Reorder("audio")
    for i in range(200_000, 200_300):
        assert frames(buffer.receive(audio(i), i * 0.02)) == [b"%d" % i]
    assert not buffer.waiting


def filler(sequence: int, number: int) -> RtpPacket:
    """Padding alone, as browsers send it behind a frame to measure the path, when it has been parsed."""
    return RtpPacket(96, False, sequence & 0xFFFF, number * 6_000, 1, b"")


def test_packets_that_are_padding_alone_are_missed_by_nobody() -> None:
    buffer = Reorder("video")
    got = [effect for packet in video(65_533, 1, 2) for effect in buffer.receive(packet, 0.0)]
    for sequence in (65_535, 65_536):
        assert buffer.receive(filler(sequence, 1), 0.01) == []
    for packet in video(65_537, 2, 3):
        got += buffer.receive(packet, 0.06)
    assert [data[:1] for data in frames(got)] == [b"\1", b"\2"]
    # one that is lost is asked for, for nobody knows what it was; when it comes nothing is missing
    late = buffer.receive(video(65_541, 3, 1)[0], 0.1) + buffer.tick(0.11)
    assert frames(late) == []
    assert asked(late) == [65_540 & 0xFFFF]
    assert [data[:1] for data in frames(buffer.receive(filler(65_540, 2), 0.12))] == [b"\3"]
    assert not buffer.waiting
    assert (buffer.lost, buffer.malformed) == (0, 0)


@pytest.mark.parametrize("start", [0, 65_530])
def test_a_gap_is_asked_for_and_filled(start: int) -> None:
    buffer = Reorder("audio")
    assert frames(buffer.receive(audio(start), 0.0)) == [b"%d" % start]
    assert buffer.receive(audio(start + 8), 0.010) == []
    wanted = [(start + i) & 0xFFFF for i in range(1, 8)]
    assert asked(buffer.tick(0.014)) == []  # 5 ms for what is only late
    assert asked(buffer.tick(0.016)) == wanted
    assert asked(buffer.tick(0.025)) == []
    assert asked(buffer.tick(0.037)) == wanted
    out = [f for i in range(1, 8) for f in frames(buffer.receive(audio(start + i), 0.04))]
    assert out == [b"%d" % (start + i) for i in range(1, 9)]
    assert buffer.lost == 0


def test_asking_backs_off_and_ends() -> None:
    buffer = Reorder("video")
    for packet in video(0, 0, 1) + video(2, 3, 1):
        buffer.receive(packet, 0.0)
    times = [ms for ms in range(1, 1_000) if asked(buffer.tick(ms / 1_000))]
    assert 5 <= len(times) <= POLICIES["video"].nack_tries
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert times[-1] < 400


def test_asking_again_waits_for_the_answer_where_the_round_trip_is_known() -> None:
    buffer = Reorder("video")
    buffer.round_trip = 0.1
    for packet in video(0, 0, 1) + video(2, 3, 1):
        buffer.receive(packet, 0.0)
    times = [ms for ms in range(1, 1_000) if asked(buffer.tick(ms / 1_000))]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert times[0] <= 6
    assert min(gaps) >= 110
    assert len(times) >= 5
    assert buffer.asked == len(times)


@pytest.mark.parametrize(
    ("kind", "round_trip", "patience"),
    [("audio", None, 0.2), ("audio", 0.01, 0.2), ("audio", 0.1, 0.35), ("audio", 3.0, 0.4),
     ("video", None, 0.4), ("video", 0.1, 0.7), ("video", 3.0, 0.9)],
)  # fmt: skip
def test_patience_grows_with_the_way_and_ends(
    kind: MediaKind, round_trip: float | None, patience: float
) -> None:
    buffer = Reorder(kind)
    buffer.round_trip = round_trip
    packets = [audio(0), audio(2)] if kind == "audio" else video(0, 0, 1) + video(2, 3, 1)
    for packet in packets:
        buffer.receive(packet, 0.0)
    assert not lost(buffer.tick(patience - 0.001))
    assert lost(buffer.tick(patience + 0.001)) == 1


def test_a_key_frame_ends_the_wait_for_what_is_before_it() -> None:
    """It needs nothing of it; but what only overtook others, or may still come, is waited for."""
    delta, key = b"\xf1\xff\xff", b"\xf0\xff\xff"

    def picture(first: int, number: int, head: bytes, packets: int = 2) -> list[RtpPacket]:
        payloads = vp8.packetize(head + bytes(1_000 * packets), number)
        last = len(payloads) - 1
        return [RtpPacket(96, i == last, first + i, number * 6_000, 1, p) for i, p in enumerate(payloads)]

    buffer = Reorder("video")
    out = [e for p in picture(0, 0, key) for e in buffer.receive(p, 0.0)]
    for packet in [*picture(2, 1, delta)[1:], *picture(4, 2, delta), *picture(6, 3, key)[:1]]:
        out += buffer.receive(packet, 0.1)
    assert [data[:3] for data in frames(out)] == [key]
    assert not buffer.stalled(0.3)
    assert frames(buffer.tick(0.39)) == []  # long enough for a request, and the key frame isn't whole
    assert buffer.stalled(0.41)
    assert frames(buffer.tick(0.41)) == []
    out = buffer.receive(picture(6, 3, key)[1], 0.45)
    assert [data[:3] for data in frames(out)] == [key]
    assert lost(out) == 1
    assert not buffer.waiting
    assert frames([e for p in picture(8, 4, delta) for e in buffer.receive(p, 0.5)])


def test_the_first_copy_of_a_packet_counts() -> None:
    buffer = Reorder("audio")
    buffer.receive(audio(0), 0.0)
    buffer.receive(audio(2), 0.0)
    copy = RtpPacket(111, False, 2, 2 * 960, 1, b"another")
    assert buffer.receive(copy, 0.0) == []
    assert frames(buffer.receive(audio(1), 0.01)) == [b"1", b"2"]
    assert (buffer.duplicates, buffer.received) == (1, 3)


def test_a_missing_sound_is_given_up_in_time_and_the_rest_goes_on() -> None:
    buffer = Reorder("audio")
    buffer.receive(audio(0), 0.0)
    for i in range(2, 9):
        assert frames(buffer.receive(audio(i), i * 0.02)) == []
    assert not frames(buffer.tick(0.04 + 0.199))
    out = buffer.tick(0.04 + 0.201)
    assert lost(out) == 1
    assert frames(out) == [b"%d" % i for i in range(2, 9)]
    assert buffer.receive(audio(1), 0.3) == []  # too late, and no harm
    assert buffer.late == 1


def test_a_frame_is_whole_or_not_at_all() -> None:
    buffer = Reorder("video")
    first, second, third = video(10, 0, 3), video(13, 1, 4), video(17, 2, 2)
    out: list[ReorderEffect] = []
    for packet in first + second[:1] + second[2:] + third:
        out += buffer.receive(packet, 0.0)
    assert frames(out) == [bytes([0]) * 3_000]
    out = buffer.receive(second[1], 0.1)
    assert frames(out) == [bytes([1]) * 4_000, bytes([2]) * 2_000]


def test_a_frame_with_a_hole_is_left_behind_whole() -> None:
    buffer = Reorder("video")
    for packet in video(0, 0, 1) + video(1, 1, 4)[1:] + video(5, 2, 2):
        buffer.receive(packet, 0.0)
    out = buffer.tick(0.5)
    assert lost(out) == 1
    assert frames(out) == [bytes([2]) * 2_000]
    assert buffer.tick(0.6) == []


def test_coming_in_the_middle_of_a_frame() -> None:
    buffer = Reorder("video")
    out: list[ReorderEffect] = []
    for packet in video(0, 0, 3)[1:] + video(3, 1, 1):
        out += buffer.receive(packet, 0.0)
    assert frames(out) == [bytes([1]) * 1_000]
    assert lost(out) == 1


def test_the_first_packet_may_have_overtaken_others() -> None:
    buffer = Reorder("video")
    packets = video(65_534, 0, 4)
    out: list[ReorderEffect] = []
    for i in (2, 0, 1, 3):
        out += buffer.receive(packets[i], 0.0)
    assert frames(out) == [bytes(4_000)]


def test_a_stream_that_begins_anew_is_followed_after_two_packets() -> None:
    buffer = Reorder("audio")
    buffer.receive(audio(100), 0.0)
    assert buffer.receive(audio(30_000), 0.02) == []
    assert frames(buffer.receive(audio(101), 0.03)) == [b"101"]  # one stray packet changed nothing
    assert buffer.receive(audio(30_001), 0.04) == []
    out = buffer.receive(audio(30_002), 0.06)
    assert frames(out) == [b"30002"]
    assert lost(out) == 1
    assert buffer.restarts == 1


def test_an_endless_frame_is_bounded() -> None:
    buffer = Reorder("video")
    for sequence in range(5_000):
        start = b"\x90\x80\x00" if sequence == 0 else b"\x80\x80\x00"
        buffer.receive(RtpPacket(96, False, sequence, 0, 1, start + b"x"), 0.0)
        assert len(buffer._held) <= POLICIES["video"].held_max + 1
    assert buffer.lost > 0


def test_gaps_are_bounded() -> None:
    buffer = Reorder("audio")
    for i in range(0, 4_000, 2):
        buffer.receive(audio(i), 0.0)
        assert len(buffer._gaps) <= POLICIES["audio"].held_max + 1


def test_malformed_payloads_are_dropped() -> None:
    buffer = Reorder("video")
    assert buffer.receive(RtpPacket(96, True, 1, 0, 1, b"\x90"), 0.0) == []
    assert buffer.receive(RtpPacket(96, True, 1, 0, 1, b"\x90\x80"), 0.0) == []
    assert Reorder("audio").receive(RtpPacket(111, True, 1, 0, 1, b""), 0.0) == []
    assert buffer.malformed == 2


# -- a network of numbers ------------------------------------------------------------------


def simulate(
    kind: MediaKind, *, loss: float, seed: int, seconds: float, duplicates: float = 0.0
) -> tuple[Reorder, list[bytes], list[bytes], int]:
    """A sender that resends what is asked for, over 20-40 ms each way; what was sent, what came out, lost."""
    rng = random.Random(seed)
    buffer = Reorder(kind)
    cache: dict[int, RtpPacket] = {}
    events: list[tuple[float, int, str, object]] = []
    count = 0

    def push(at: float, what: str, value: object) -> None:
        nonlocal count
        count += 1
        heapq.heappush(events, (at, count, what, value))

    def carry(now: float, packet: RtpPacket) -> None:
        for _ in range(1 + (rng.random() < duplicates)):
            if rng.random() >= loss:
                push(now + rng.uniform(0.02, 0.04), "packet", packet)

    sent: list[bytes] = []
    out: list[bytes] = []
    given_up = 0
    sequence = rng.randrange(0x10000)
    period = 0.02 if kind == "audio" else 1 / 15
    for n in range(int(seconds / period)):
        packets = [audio(sequence)] if kind == "audio" else video(sequence, n, rng.randint(1, 4))
        sequence += len(packets)
        sent.append(packets[0].payload if kind == "audio" else bytes([n & 0xFF]) * 1_000 * len(packets))
        for packet in packets:
            cache[packet.sequence] = packet
            push(n * period, "send", packet)
    for ms in range(0, int(seconds * 1_000) + 1_500, 10):
        push(ms / 1_000, "tick", None)
    while events:
        now, _, what, value = heapq.heappop(events)
        effects: list[ReorderEffect] = []
        match what, value:
            case "send", RtpPacket():
                carry(now, value)
            case "packet", RtpPacket():
                effects = buffer.receive(value, now)
            case "tick", _:
                effects = buffer.tick(now)
            case "nack", int() if value in cache:
                carry(now, cache[value])
        out += frames(effects)
        given_up += lost(effects)
        for wanted in asked(effects):
            if rng.random() >= loss:
                push(now + rng.uniform(0.02, 0.04), "nack", wanted)
    return buffer, sent, out, given_up


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000_000), st.sampled_from(["audio", "video"]), st.floats(0.0, 0.3))
def test_frames_come_out_in_order_once_and_unharmed(seed: int, kind: MediaKind, loss: float) -> None:
    buffer, sent, out, _ = simulate(kind, loss=loss, seed=seed, seconds=6, duplicates=0.05)
    remaining = iter(sent)
    assert all(frame in remaining for frame in out)  # a subsequence: nothing twice, nothing overtaken
    assert not buffer.waiting


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1_000_000))
def test_at_five_percent_loss_hardly_a_frame_is_missing(seed: int) -> None:
    _, sent, out, _ = simulate("audio", loss=0.05, seed=seed, seconds=10)
    assert len(out) >= 0.98 * len(sent)
    _, sent, out, _ = simulate("video", loss=0.05, seed=seed, seconds=10)
    assert len(out) >= 0.97 * len(sent)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.booleans(), st.booleans(), st.integers(0, 3)), max_size=60),
    st.sampled_from(["audio", "video"]),
)
def test_no_order_of_packets_upsets_it(packets: list[tuple[int, bool, bool, int]], kind: MediaKind) -> None:
    buffer = Reorder(kind)
    now = 0.0
    for sequence, start, marker, timestamp in packets:
        if timestamp == 0:
            buffer.receive(filler(sequence % 64, timestamp), now)
        head = b"\x90\x80\x01" if start else b"\x80\x80\x01"
        buffer.receive(RtpPacket(96, marker, sequence % 64, timestamp, 1, head + b"x"), now)
        buffer.receive(RtpPacket(96, marker, sequence, timestamp, 1, head + b"y"), now)
        now += 0.03
        buffer.tick(now)
    for _ in range(100):
        now += 0.1
        buffer.tick(now)
    assert not buffer._gaps


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_wild_jumps_of_sequence_numbers_are_bounded(kind: MediaKind) -> None:
    """Every packet is as far from the last as one may be: what is missing is remembered within bounds."""
    buffer = Reorder(kind)
    jump = POLICIES[kind].jump_max
    out: list[ReorderEffect] = []
    for i in range(200):
        (packet,) = [audio(i * jump)] if kind == "audio" else video(i * jump, i, 1)
        out += buffer.receive(packet, i * 0.0001)
    assert len(buffer._gaps) <= jump
    # and what came is not lost with what didn't
    assert len(frames(out)) >= 190
