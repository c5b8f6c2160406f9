"""The cores of one received and one sent stream: no socket, no clock."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable

import pytest

from snugroom.client.media.receiving import AskKey, Conceal, Deliver, Opened, ReceiveEffect, Receiver
from snugroom.client.media.reorder import Ask
from snugroom.client.media.sending import CACHE, KEY_SPACING, RESENDS, KeyGate, Pace, Sender, random_ssrc
from snugroom.crypto.errors import AuthenticationError, MissingKeyError
from snugroom.wire import rtp, vp8
from snugroom.wire.messages import MediaKind
from snugroom.wire.rtp import RtpPacket
from tests.media_client.meeting import TestCrypto

KEY = b"\x10\x00\x00\x9d\x01\x2a\x40\x01\xb4\x00 a key frame"
DELTA = b"\x11\x00\x00 not a key frame"


def descriptor(packet: RtpPacket) -> vp8.Descriptor:
    found = vp8.read_descriptor(packet.payload, 0, len(packet.payload))
    assert found is not None
    return found


def seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


class Wire:
    """A sender, its crypto, and a receiver of it."""

    def __init__(self, kind: MediaKind) -> None:
        self.kind = kind
        self.sealer = TestCrypto(leaf=4)
        self.opener = TestCrypto(leaf=5)
        self.sender = Sender(77, kind, seeded(1), started=0.0)
        self.receiver = Receiver(77, kind, self.opener.open)

    def packets(self, frame: bytes, at: float) -> list[RtpPacket]:
        sealed = self.sealer.seal(self.kind, frame)
        assert sealed is not None
        return [rtp.parse(p) for p in self.sender.packetize(sealed, at)]

    def send(self, frame: bytes, at: float) -> list[ReceiveEffect]:
        return [e for p in self.packets(frame, at) for e in self.receiver.receive(p, at)]


def delivered(effects: list[ReceiveEffect]) -> list[bytes]:
    return [e.frame for e in effects if isinstance(e, Deliver)]


# -- receiving -----------------------------------------------------------------------------


def test_sound_is_delivered_with_its_leaf() -> None:
    wire = Wire("audio")
    (effect,) = wire.send(b"hello", 0.0)
    assert isinstance(effect, Deliver)
    assert (effect.leaf, effect.frame, effect.key) == (4, b"hello", True)
    assert (wire.receiver.leaf, wire.receiver.opened, wire.receiver.first_opened) == (4, 1, 0.0)


def test_sound_in_another_order_than_it_was_sealed_is_not_played() -> None:
    """The numbers of packets are the server's to write; here it has exchanged two frames, in order."""
    wire = Wire("audio")
    packets = [packet for n in range(4) for packet in wire.packets(b"%d" % n, n * 0.02)]
    one, two = packets[1], packets[2]
    packets[1] = dataclasses.replace(two, sequence=one.sequence, timestamp=one.timestamp)
    packets[2] = dataclasses.replace(one, sequence=two.sequence, timestamp=two.timestamp)
    effects = [e for n, packet in enumerate(packets) for e in wire.receiver.receive(packet, n * 0.02)]
    assert delivered(effects) == [b"0", b"2", b"3"]
    assert [e for e in effects if isinstance(e, Conceal)] == [Conceal(1)]
    assert wire.receiver.failed == 1


def test_frames_in_another_order_wait_for_a_key_frame() -> None:
    wire = Wire("video")
    wire.send(KEY, 0.0)
    (one,), (two,) = wire.packets(DELTA, 0.1), wire.packets(DELTA, 0.2)
    swapped = [
        dataclasses.replace(two, sequence=one.sequence, timestamp=one.timestamp),
        dataclasses.replace(one, sequence=two.sequence, timestamp=two.timestamp),
    ]
    effects = [e for packet in swapped for e in wire.receiver.receive(packet, 0.2)]
    assert len(delivered(effects)) == 1
    assert AskKey() in effects
    assert delivered(wire.send(DELTA, 0.3)) == []
    assert delivered(wire.send(KEY, 0.4)) == [KEY]


def test_frames_are_delivered_from_a_key_frame_on() -> None:
    wire = Wire("video")
    effects = wire.send(DELTA, 0.0)
    assert delivered(effects) == []
    assert AskKey() in effects
    assert delivered(wire.send(KEY, 0.1)) == [KEY]
    assert delivered(wire.send(DELTA, 0.2)) == [DELTA]
    assert wire.receiver.skipped == 1
    assert wire.receiver.key_frames == 1


def sized(width: int, height: int) -> bytes:
    """A key frame that claims this size."""
    return KEY[:6] + width.to_bytes(2, "little") + height.to_bytes(2, "little") + KEY[10:]


@pytest.mark.parametrize("size", [(4096, 2304), (2304, 4096), (0x4000 | 640, 0xC000 | 360)])
def test_a_key_frame_of_a_cameras_size_is_delivered(size: tuple[int, int]) -> None:
    """The two upper bits of a side are its scale."""
    wire = Wire("video")
    assert delivered(wire.send(sized(*size), 0.0)) == [sized(*size)]


@pytest.mark.parametrize("size", [(4096, 2305), (8192, 8192), (16_383, 16_383), (0xFFFF, 0xFFFF)])
def test_a_key_frame_that_claims_more_pixels_is_refused_before_any_decoder(size: tuple[int, int]) -> None:
    wire = Wire("video")
    wire.send(KEY, 0.0)
    effects = wire.send(sized(*size), 0.1)
    assert delivered(effects) == []
    assert AskKey() in effects
    assert (wire.receiver.opened, wire.receiver.failed) == (1, 1)
    assert delivered(wire.send(DELTA, 0.2)) == [], "it refers to a frame that no decoder has"
    assert delivered(wire.send(KEY, 0.3)) == [KEY]


def test_after_a_hole_only_a_key_frame_helps() -> None:
    wire = Wire("video")
    wire.send(KEY, 0.0)
    wire.packets(DELTA, 0.1)  # never arrives
    assert wire.send(DELTA, 0.2) == []
    effects = wire.receiver.tick(0.65)
    assert delivered(effects) == []
    assert AskKey() in effects
    assert delivered(wire.send(DELTA, 0.7)) == []
    assert delivered(wire.send(KEY, 0.8)) == [KEY]


@pytest.mark.parametrize("outage", [0.05, 0.3, 0.6, 2.0])
def test_video_recovers_within_a_second_of_an_outage(outage: float) -> None:
    """25 ms each way, 15 frames a second: requests in time bring packets again, later ones a key frame."""
    wire = Wire("video")
    gate = KeyGate()
    arriving: list[tuple[float, RtpPacket]] = []
    asking: list[tuple[float, ReceiveEffect]] = []
    shown: list[float] = []
    for ms in range(0, 5_000, 5):
        now = ms / 1_000
        out = 1.0 <= now < 1.0 + outage
        sent: list[RtpPacket] = []
        if ms % 65 == 0:
            sent += wire.packets((KEY if gate.take(now) else DELTA) * 60, now)
        for ask in [a for at, a in asking if at == ms]:
            if isinstance(ask, Ask):
                sent += [rtp.parse(p) for p in wire.sender.resend(ask.sequences, now)]
            else:
                gate.ask()
        arriving += [(ms + 25, packet) for packet in sent if not out]
        effects = [e for at, p in arriving if at == ms for e in wire.receiver.receive(p, now)]
        effects += wire.receiver.tick(now)
        shown += [now for _ in delivered(effects)]
        asking += [(ms + 25, e) for e in effects if isinstance(e, Ask | AskKey) and not out]
    assert min(t for t in shown if t >= 1.0 + outage) < 1.0 + outage + 1.0
    assert max(shown) > 4.9
    assert wire.receiver.failed == 0


def test_key_frames_are_asked_for_again_and_ever_less_often() -> None:
    wire = Wire("video")
    asks = [0.0] if AskKey() in wire.send(DELTA, 0.0) else []
    asks += [ms / 100 for ms in range(1, 3_000) if AskKey() in wire.receiver.tick(ms / 100)]
    gaps = [b - a for a, b in itertools.pairwise(asks)]
    assert asks[0] == 0.0
    assert min(gaps) >= 0.29
    assert gaps[0] < 0.35
    assert max(gaps) > 4.9
    assert len(asks) < 15


def test_a_forged_frame_is_counted_and_never_delivered() -> None:
    wire = Wire("video")
    wire.send(KEY, 0.0)
    (packet,) = wire.packets(DELTA, 0.1)
    forged = RtpPacket(
        packet.payload_type,
        packet.marker,
        packet.sequence,
        packet.timestamp,
        packet.ssrc,
        packet.payload[:-1] + bytes([packet.payload[-1] ^ 1]),
    )
    effects = wire.receiver.receive(forged, 0.1)
    assert delivered(effects) == []
    assert wire.receiver.failed == 1
    assert delivered(wire.send(DELTA, 0.2)) == []  # it followed the forged one
    assert delivered(wire.send(KEY, 0.3)) == [KEY]


def forged_sound(wire: Wire) -> RtpPacket:
    (packet,) = wire.packets(b"hello", 0.1)
    return RtpPacket(111, False, packet.sequence, packet.timestamp, 77, packet.payload[:-1] + b"?")


def test_forged_sound_is_concealed() -> None:
    wire = Wire("audio")
    assert wire.receiver.receive(forged_sound(wire), 0.0) == []  # a hole in nothing
    wire.send(b"hello", 0.1)
    assert wire.receiver.receive(forged_sound(wire), 0.2) == [Conceal(1)]
    assert wire.receiver.failed == 2


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_frames_without_a_key_for_them_are_no_forgeries(kind: MediaKind) -> None:
    def strange(ssrc: int, kind: MediaKind, data: bytes) -> Opened:
        raise MissingKeyError("from before my time")

    wire = Wire(kind)
    receiver = Receiver(77, kind, strange)
    (packet,) = wire.packets(KEY, 0.0)
    assert not delivered(receiver.receive(packet, 0.0))
    assert (receiver.failed, receiver.unkeyed) == (0, 1)


def test_a_replayed_frame_leaves_no_hole() -> None:
    wire = Wire("video")
    (packet,) = wire.packets(KEY, 0.0)
    wire.receiver.receive(packet, 0.0)
    again = RtpPacket(96, True, (packet.sequence + 1) & 0xFFFF, 6_000, 77, packet.payload)
    assert wire.receiver.receive(again, 0.1) == []
    assert wire.receiver.failed == 1
    wire.packets(b"skips the number that the replay took", 0.15)
    assert delivered(wire.send(DELTA, 0.2)) == [DELTA]


def test_frames_of_the_next_epoch_wait_for_its_keys() -> None:
    wire = Wire("video")
    wire.send(KEY, 0.0)
    wire.sealer.epoch = 1
    assert delivered(wire.send(KEY, 0.1)) == []
    assert delivered(wire.send(DELTA, 0.2)) == []
    assert delivered(wire.receiver.keys_changed(0.3)) == []  # other keys than those
    wire.opener.opening = {0, 1}
    assert delivered(wire.receiver.keys_changed(0.4)) == [KEY, DELTA]
    assert wire.receiver.failed == 0


def test_they_wait_a_second_and_no_more_than_sixty_four() -> None:
    wire = Wire("audio")
    wire.sealer.epoch = 1
    for i in range(80):
        wire.send(b"%d" % i, i * 0.001)
    assert wire.receiver.unkeyed == 80 - 64
    wire.receiver.tick(2.0)
    assert wire.receiver.unkeyed == 80
    assert wire.receiver.failed == 0
    wire.opener.opening = {1}
    assert wire.receiver.keys_changed(2.0) == []
    assert not wire.receiver.waiting


def test_the_wrong_payload_type_is_not_looked_at() -> None:
    def explode(ssrc: int, kind: MediaKind, data: bytes) -> None:
        raise AssertionError

    receiver = Receiver(1, "audio", explode)  # type: ignore[arg-type]  # never returns anything
    assert receiver.receive(RtpPacket(rtp.PAYLOAD_TYPES["video"], True, 1, 1, 1, b"x"), 0.0) == []


def test_open_is_told_which_stream_it_is() -> None:
    told: list[tuple[int, MediaKind]] = []

    def refuse(ssrc: int, kind: MediaKind, data: bytes) -> None:
        told.append((ssrc, kind))
        raise AuthenticationError("SNUG-20 is judged there")

    Receiver(9, "audio", refuse).receive(RtpPacket(111, False, 1, 1, 9, b"x"), 0.0)  # type: ignore[arg-type]
    assert told == [(9, "audio")]


def test_each_layer_counts_for_itself_and_begins_with_a_key_frame() -> None:
    """Layers are sealed under stream numbers of their own, and come one at a time under one SSRC."""
    wire = Wire("video")
    streams = iter([1, 1, 4, 4, 4, 1, 1])
    counters = iter([10, 11, 3, 4, 5, 15, 16])

    def opener(ssrc: int, kind: MediaKind, data: bytes) -> Opened:
        opened = wire.opener.open(ssrc, kind, data)
        return dataclasses.replace(opened, stream=next(streams), counter=next(counters))

    wire.receiver = Receiver(77, "video", opener)
    assert delivered(wire.send(KEY, 0.0) + wire.send(DELTA, 0.1)) == [KEY, DELTA]
    assert wire.receiver.layer == 0
    effects = wire.send(DELTA, 0.2)  # of the larger layer, in the middle
    assert delivered(effects) == []
    assert AskKey() in effects
    assert delivered(wire.send(KEY, 0.4) + wire.send(DELTA, 0.5)) == [KEY, DELTA]
    assert wire.receiver.layer == 1
    assert delivered(wire.send(KEY, 0.6) + wire.send(DELTA, 0.7)) == [KEY, DELTA]
    assert wire.receiver.layer == 0
    assert wire.receiver.failed == 0
    assert wire.receiver.frozen == pytest.approx(0.3)


# -- sending -------------------------------------------------------------------------------


def test_a_frame_becomes_packets_of_one_timestamp() -> None:
    sender = Sender(5, "video", seeded(2), started=0.0)
    first = [rtp.parse(p) for p in sender.packetize(b"a" * 3_000, 0.0)]
    second = [rtp.parse(p) for p in sender.packetize(b"b" * 10, 1 / 15)]
    assert [p.marker for p in first + second] == [False, False, True, True]
    assert {p.timestamp for p in first} == {first[0].timestamp}
    assert (second[0].timestamp - first[0].timestamp) & 0xFFFFFFFF == 6_000
    sequences = [p.sequence for p in first + second]
    assert sequences == [(sequences[0] + i) & 0xFFFF for i in range(4)]
    ids = [descriptor(p).picture_id for p in (first[0], second[0])]
    assert ids[0] is not None
    assert ids[1] == (ids[0] + 1) & 0x7FFF
    assert sequences[0] < 1 << 15


def test_resending_is_the_same_bytes_and_bounded() -> None:
    sender = Sender(5, "audio", seeded(3), started=0.0)
    sent = [sender.packetize(b"%d" % i, i * 0.02)[0] for i in range(CACHE["audio"] + 10)]
    last = rtp.parse(sent[-1]).sequence
    gone = rtp.parse(sent[0]).sequence
    assert sender.resend([last, gone, 65_000], 5.0) == [sent[-1]]
    assert len(sender.resend([last] * 10_000, 5.1)) == RESENDS - 1
    assert len(sender.resend([last], 6.2)) == 1
    assert len(sender._cache) == CACHE["audio"]


def test_video_packets_carry_their_send_time_and_number() -> None:
    sender = Sender(5, "video", seeded(3), started=0.0, numbered=True)
    (made,) = sender.packetize(b"a" * 500, 0.0)
    left = sender.leave(made, 0x1234, 70.5)
    assert len(left) == len(made)
    moment = round(6.5 * (1 << 18))  # of 64 seconds
    assert left[12:24].hex() == f"bede000232{moment:06x}51123400"
    packet = rtp.parse(left)
    assert packet.transport == 0x1234
    assert packet.payload[descriptor(packet).payload :] == b"a" * 500
    assert rtp.check(left, "video") is None  # the server lets it pass
    assert sender.resend([packet.sequence], 1.0) == [
        left
    ]  # the very same bytes: SRTP sealed them under its number


def test_retransmissions_count_towards_the_rate_for_a_second() -> None:
    sender = Sender(5, "video", seeded(3), started=0.0, rtx=6)
    sequences = [rtp.parse(packet).sequence for packet in sender.packetize(b"a" * 10_000, 0.0)]
    assert sender.resent_rate(0.0) == 0
    sender.resend(sequences, 0.5)
    assert sender.resent_rate(1.4) == pytest.approx(80_000, rel=0.05)
    assert sender.resent_rate(1.6) == 0


def test_a_packet_that_has_not_left_yet_is_not_resent() -> None:
    sender = Sender(5, "video", seeded(3), started=0.0, numbered=True)
    (made,) = sender.packetize(b"a" * 500, 0.0)
    assert sender.resend([rtp.parse(made).sequence], 0.0) == []


@pytest.mark.parametrize("numbered", [False, True])
def test_with_rtx_what_is_sent_again_is_a_packet_of_its_own(numbered: bool) -> None:
    sender = Sender(5, "video", seeded(3), started=0.0, rtx=6, numbered=numbered)
    packets = sender.packetize(b"a" * 3_000, 0.2)
    if numbered:
        packets = [sender.leave(packet, n, 1.0) for n, packet in enumerate(packets)]
    originals = [rtp.parse(packet) for packet in packets]
    again = sender.resend([p.sequence for p in originals[1:]], 1.0)
    assert sender.resent == 2
    if numbered:
        again = [sender.leave(packet, 100 + n, 1.5) for n, packet in enumerate(again)]
        assert [rtp.parse(p).transport for p in again] == [100, 101]
    parsed = [rtp.parse(packet) for packet in again]
    assert {p.ssrc for p in parsed} == {6}
    assert (parsed[1].sequence - parsed[0].sequence) & 0xFFFF == 1
    assert [p.marker for p in parsed] == [False, True]
    found = [rtp.parse(original) for p in again if (original := rtp.unwrap_rtx(p, 5)) is not None]
    # the extensions are those of the packet in which it came
    assert [p.transport for p in found] == [p.transport for p in parsed]
    assert [dataclasses.replace(p, transport=None) for p in found] == [
        dataclasses.replace(p, transport=None) for p in originals[1:]
    ]
    # what was sent again once can be asked for once more, and is another packet then
    (third,) = sender.resend([originals[2].sequence], 1.0)
    assert rtp.parse(third).sequence == (parsed[1].sequence + 1) & 0xFFFF


def test_reports_tie_both_streams_to_one_clock() -> None:
    sound, pictures = (Sender(i, k, seeded(4), started=10.0) for i, k in ((1, "audio"), (2, "video")))  # type: ignore[arg-type]  # literals
    base = [s.timestamp(0.0) for s in (sound, pictures)]
    reports = [s.report(12.5, 1_000.0) for s in (sound, pictures)]
    assert {r.ntp for r in reports} == {int(1_012.5 * (1 << 32))}
    assert (reports[0].timestamp - base[0]) & 0xFFFFFFFF == 120_000
    assert (reports[1].timestamp - base[1]) & 0xFFFFFFFF == 225_000


def test_key_frames_are_not_forced_twice_in_a_row() -> None:
    gate = KeyGate()
    assert gate.take(0.0)  # the first one always
    assert not gate.take(0.1)
    gate.ask()
    assert not gate.take(0.2)
    assert gate.take(KEY_SPACING)
    assert not gate.take(9.0)


def test_the_pace_does_not_drift_and_skips_what_is_too_late() -> None:
    pace = Pace(100.0, 0.02)
    now = 100.0
    for expected in range(50):
        index, wait = pace.next(now)
        assert index == expected
        now += wait + 0.004  # always a little late
    assert now == pytest.approx(100.0 + 49 * 0.02 + 0.004)
    index, wait = pace.next(103.0)
    assert index == 150
    assert pace.skipped == 100
    assert wait == pytest.approx(0.0)


def test_ssrcs_are_never_zero() -> None:
    answers = iter([bytes(4), bytes(4), b"\0\0\0\1"])
    assert random_ssrc(lambda size: next(answers)) == 1
