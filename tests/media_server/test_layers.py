"""Video in several layers, and receivers who see one stream: the core, without a socket."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest

from snugroom.server.sfu.core import Effect, Forwarding, SendRtcp, SendRtp, rewriter
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp, rtp, vp8
from snugroom.wire.messages import Stream

ROOM = b"r" * 16
SMALL, MIDDLE, LARGE = 0x51, 0x52, 0x53
SIMULCAST = Stream(SMALL, "video", [MIDDLE, LARGE], [0xA1, 0xA2, 0xA3])


def layer(
    ssrc: int, sequence: int, stamp: int, picture_id: int, *, key: bool = False, start: bool = True
) -> bytes:
    """A packet as browsers send it: PictureID of 15 bits, TL0PICIDX (here the PictureID's low byte), TID."""
    head = struct.pack("!BBHLL", 0x80, 96, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc)
    descriptor = struct.pack(
        "!BBHBB", 0x90 if start else 0x80, 0xE0, 0x8000 | picture_id & 0x7FFF, picture_id & 0xFF, 0
    )
    return (
        head + descriptor + (b"\xf0\xff\xff" if key else b"\xf1\xff\xff") + b"sealed %d %d" % (ssrc, sequence)
    )


class Meeting:
    """ada sends three layers; each receiver's packets as they would go out."""

    def __init__(
        self, *others: str, stream: Stream = SIMULCAST, feedback: bool = False, rtx: bool = False
    ) -> None:
        self.core = Forwarding[str](MediaLimits())
        self.now = 1.0
        self.core.subscriptions.join(ROOM, "ada", [stream], self.now)
        self.core.subscriptions.ready("ada", True, self.now)
        self.got: dict[str, list[bytes]] = {name: [] for name in others}
        self.effects: list[Effect[str]] = []
        for name in others:
            self.core.subscriptions.join(ROOM, name, [], self.now, feedback=feedback, rtx=rtx)
            self.core.subscriptions.ready(name, True, self.now)
        #: Where each layer's own numbers stand: far apart, and one about to wrap.
        self.numbers = {SMALL: 65_533, MIDDLE: 1_000, LARGE: 30_000}
        self.stamps = {SMALL: 4_294_967_000, MIDDLE: 77_000, LARGE: 500_000_000}
        self.picture_ids = {SMALL: 32_766, MIDDLE: 9, LARGE: 255}

    def packet(self, data: bytes) -> None:
        track = self.core.subscriptions.find("ada", int.from_bytes(data[8:12], "big"))
        assert track is not None
        fanouts, effects = self.core.on_rtp(track, data, self.now)
        self.effects += effects
        for fanout in fanouts:
            for i, peer in enumerate(fanout.receivers):
                out = bytearray(data)
                if fanout.offsets is not None:
                    found = vp8.read_descriptor(data, rtp.payload_start(data))
                    rewriter.rewrite(out, 0, data[2] << 8 | data[3], fanout.ssrc, found, fanout.offsets[i])
                self.got[peer].append(bytes(out))

    def frame(self, *ssrcs: int, key: bool | Iterable[int] = False, packets: int = 2) -> None:
        """Send a frame in these layers (default: all), 40 ms after the last."""
        self.now += 0.04
        for ssrc in ssrcs or (SMALL, MIDDLE, LARGE):
            keyed = key if isinstance(key, bool) else ssrc in key
            self.stamps[ssrc] += 3600
            self.picture_ids[ssrc] += 1
            for i in range(packets):
                self.numbers[ssrc] += 1
                self.packet(
                    layer(
                        ssrc,
                        self.numbers[ssrc],
                        self.stamps[ssrc],
                        self.picture_ids[ssrc],
                        key=keyed,
                        start=not i,
                    )
                )

    def tick(self) -> list[Effect[str]]:
        effects = self.core.tick(self.now)
        self.effects += effects
        return effects

    def asked(self) -> list[int]:
        """SSRCs of which key frames were asked for since this was called last."""
        found = [
            int.from_bytes(e.data[8:12], "big")
            for e in self.effects
            if isinstance(e, SendRtcp) and e.to == "ada" and e.data[:2] == b"\x81\xce"
        ]
        self.effects.clear()
        return found


def which(packet: bytes) -> int:
    """The layer that a packet is of: what is sealed in it can't be rewritten."""
    return int(packet.split(b"sealed ")[1].split()[0])


def consecutive(packets: list[bytes]) -> None:
    """A receiver sees one SSRC, consecutive numbers, increasing timestamps, and key frames at changes."""
    assert {p[8:12] for p in packets} == {SMALL.to_bytes(4, "big")}
    found = [vp8.read_descriptor(p, rtp.payload_start(p)) for p in packets]
    assert found[0] is not None
    assert found[0].key
    for before, after, a, b in zip(packets, packets[1:], found, found[1:], strict=False):
        assert a is not None
        assert b is not None
        assert int.from_bytes(after[2:4], "big") == int.from_bytes(before[2:4], "big") + 1 & 0xFFFF
        assert b.picture_id == (a.picture_id + b.start) & 0x7FFF
        assert b.tl0 == (a.tl0 + b.start) & 0xFF
        passed = int.from_bytes(after[4:8], "big") - int.from_bytes(before[4:8], "big") & 0xFFFFFFFF
        assert (0 < passed < 180_000) if b.start else passed == 0
        if which(before) != which(after):
            assert b.key


def test_the_largest_layer_is_sent_as_one_stream() -> None:
    m = Meeting("bob", "eve")
    m.frame(key=True)
    for _ in range(5):
        m.frame()
    for name in ("bob", "eve"):
        assert [which(p) for p in m.got[name]][-2:] == [LARGE, LARGE]
        consecutive(m.got[name])
    assert m.core.counts["layers_refused"] == 0


def test_small_tiles_get_small_layers_and_changes_come_at_key_frames() -> None:
    m = Meeting("bob", "eve")
    m.frame(key=True)
    m.effects.clear()
    m.effects += m.core.subscriptions.subscribe("bob", [SMALL], m.now, [0])
    assert m.asked() == [SMALL]
    m.frame()
    m.frame(key=[LARGE])
    assert which(m.got["bob"][-1]) == LARGE
    m.frame(key=[SMALL])
    m.frame()
    assert which(m.got["bob"][-1]) == SMALL
    assert which(m.got["eve"][-1]) == LARGE
    m.effects += m.core.subscriptions.subscribe("bob", [SMALL], m.now, [1])
    m.frame(key=[MIDDLE])
    m.frame(key=[SMALL])
    assert which(m.got["bob"][-1]) == MIDDLE
    m.effects += m.core.subscriptions.subscribe("bob", None, m.now)
    m.frame(key=True)
    assert which(m.got["bob"][-1]) == LARGE
    for name in ("bob", "eve"):
        consecutive(m.got[name])


def test_a_layer_that_stops_is_replaced_and_comes_back() -> None:
    m = Meeting("bob")
    m.frame(key=True)
    m.frame()
    m.tick()
    m.effects.clear()
    for _ in range(30):
        m.frame(SMALL, MIDDLE)
    m.tick()
    assert m.asked() == [MIDDLE]
    m.frame(SMALL, MIDDLE, key=True)
    assert which(m.got["bob"][-1]) == MIDDLE
    for _ in range(10):
        m.frame()
    m.tick()
    assert m.asked() == [LARGE]
    m.frame(key=True)
    assert which(m.got["bob"][-1]) == LARGE
    consecutive(m.got["bob"])


def test_a_key_frame_that_doesnt_come_is_asked_for_again() -> None:
    m = Meeting("bob")
    m.frame(key=True)
    m.effects.clear()
    m.effects += m.core.subscriptions.subscribe("bob", [SMALL], m.now, [0])
    assert m.asked() == [SMALL]
    for _ in range(60):
        m.frame()
        m.tick()
    assert m.asked() == [SMALL, SMALL]
    assert {which(p) for p in m.got["bob"][-40:]} == {LARGE}


def test_a_resumed_subscription_continues_its_numbers() -> None:
    m = Meeting("bob", "eve")
    m.frame(key=True)
    m.core.subscriptions.subscribe("bob", [], m.now)
    count = len(m.got["bob"])
    for _ in range(20):
        m.frame()
    assert len(m.got["bob"]) == count
    m.core.subscriptions.subscribe("bob", [SMALL], m.now, [1])
    m.frame(key=True)
    m.frame()
    assert len(m.got["bob"]) == count + 4
    consecutive(m.got["bob"])


def test_lost_packets_are_found_across_a_change_of_layer() -> None:
    m = Meeting("bob")
    m.frame(key=True)
    m.frame()
    m.core.subscriptions.subscribe("bob", [SMALL], m.now, [0])
    m.frame(key=[SMALL])
    m.frame()
    sequences = tuple(int.from_bytes(p[2:4], "big") for p in m.got["bob"])
    effects = m.core.on_rtcp("bob", [rtcp.Nack(SMALL, sequences)], m.now)
    # the very same bytes: they go out under an index of SRTP that was used before
    assert effects == [SendRtp("bob", packet) for packet in m.got["bob"]]
    unknown = tuple((sequences[-1] + i) & 0xFFFF for i in (1, 2, 30_000))
    assert m.core.on_rtcp("bob", [rtcp.Nack(SMALL, unknown)], m.now) == []


def test_a_receiver_of_rtx_gets_it_under_its_own_numbers() -> None:
    m = Meeting("bob", rtx=True, feedback=True)
    m.frame(key=True)
    m.frame()
    sent = m.got["bob"][-2:]
    ask = rtcp.Nack(SMALL, tuple(int.from_bytes(p[2:4], "big") for p in sent))
    effects = [e for _ in range(2) for e in m.core.on_rtcp("bob", [ask], m.now)]
    again = [e for e in effects if isinstance(e, SendRtp)]
    assert [int.from_bytes(e.packet[2:4], "big") for e in again] == [0, 1, 2, 3]
    assert {(e.packet[1] & 0x7F, e.packet[8:12], e.twcc) for e in again} == {(97, b"\0\0\0\xa1", True)}
    assert [rtp.unwrap_rtx(e.packet, SMALL) for e in again] == sent + sent


@pytest.mark.parametrize("stream", [SIMULCAST, Stream(SMALL, "video", [], [0xA1])])
@pytest.mark.parametrize("who", ["receiver", "publisher"])
def test_a_packet_sent_with_a_twcc_number_is_never_resent_without_one(stream: Stream, who: str) -> None:
    """The same index of SRTP with other bytes gives the key of authentication away (GCM)."""
    m = Meeting("bob", stream=stream, rtx=True, feedback=True)
    layers = (SMALL, *stream.layers)
    m.frame(*layers, key=True)
    m.frame(*layers)
    ask = rtcp.Nack(SMALL, tuple(int.from_bytes(p[2:4], "big") for p in m.got["bob"]))
    assert m.core.on_rtcp("bob", [ask], m.now) != []
    if who == "receiver":
        m.core.subscriptions.join(ROOM, "bob", [], m.now, rtx=False, feedback=False)
    else:
        m.core.subscriptions.join(ROOM, "ada", [Stream(SMALL, "video", stream.layers)], m.now)
    assert m.core.on_rtcp("bob", [ask], m.now) == []
    count = len(m.got["bob"])
    m.frame(*layers)
    fresh = m.got["bob"][count:]
    assert fresh
    # what comes from now on can be had again
    ask = rtcp.Nack(SMALL, tuple(int.from_bytes(p[2:4], "big") for p in fresh))
    assert m.core.on_rtcp("bob", [ask], m.now) == [SendRtp("bob", packet) for packet in fresh]


def test_a_late_packet_goes_to_who_still_gets_that_layer() -> None:
    m = Meeting("bob", "eve")
    m.frame(key=True)
    m.numbers[LARGE] += 1
    late = layer(LARGE, m.numbers[LARGE], m.stamps[LARGE] + 3600, m.picture_ids[LARGE] + 1)
    m.frame()
    m.core.subscriptions.subscribe("bob", [SMALL], m.now, [0])
    m.frame(key=[SMALL])
    counts = {name: len(got) for name, got in m.got.items()}
    m.packet(late)
    m.packet(late)  # a second time: nobody may seal one index twice
    assert {name: len(got) - counts[name] for name, got in m.got.items()} == {"bob": 0, "eve": 1}
    assert m.core.counts["stale"] == 1


def test_numbers_go_on_when_a_stream_comes_back_or_gets_layers() -> None:
    m = Meeting("bob", stream=Stream(SMALL, "video"))
    m.frame(SMALL, key=True)
    m.frame(SMALL)
    plain = list(m.got["bob"])
    m.core.subscriptions.join(ROOM, "ada", [SIMULCAST], m.now)
    m.frame(key=True)
    m.frame()
    m.core.subscriptions.join(ROOM, "ada", [], m.now)
    m.core.subscriptions.join(ROOM, "ada", [Stream(SMALL, "video")], m.now)
    m.frame(SMALL, key=True)
    m.frame(SMALL)
    numbers = [int.from_bytes(p[2:4], "big") for p in m.got["bob"]]
    assert m.got["bob"][: len(plain)] == plain
    first = numbers[0]
    assert numbers == [(first + i) & 0xFFFF for i in range(len(numbers))]
    # what went out before is another stream's now
    old = rtcp.Nack(SMALL, tuple(numbers[: len(plain)]))
    assert m.core.on_rtcp("bob", [old], m.now) == []


def test_sender_reports_say_the_receivers_time() -> None:
    m = Meeting("bob")
    m.frame(key=True)
    m.core.subscriptions.subscribe("bob", [SMALL], m.now, [0])
    m.frame(key=[SMALL])
    m.frame()
    last = m.got["bob"][-1]
    stamp = m.stamps[SMALL] & 0xFFFFFFFF
    (effect,) = m.core.on_rtcp("ada", [rtcp.SenderReport(SMALL, 0, stamp, 0, 0)], m.now)
    assert isinstance(effect, SendRtcp)
    assert effect.to == "bob"
    assert (effect.data[4:8], effect.data[16:20]) == (SMALL.to_bytes(4, "big"), last[4:8])
    # of a layer that nobody gets, nobody hears
    assert m.core.on_rtcp("ada", [rtcp.SenderReport(MIDDLE, 0, stamp, 0, 0)], m.now) == []


def test_a_layer_without_picture_ids_is_refused() -> None:
    m = Meeting("bob")
    m.frame(key=True)
    count = len(m.got["bob"])
    bare = struct.pack("!BBHLL", 0x80, 96, m.numbers[LARGE] + 1 & 0xFFFF, 1, LARGE) + b"\x10\xf0sealed"
    m.packet(bare)
    assert len(m.got["bob"]) == count
    assert m.core.counts["layers_refused"] == 1


def test_padding_between_two_pictures_keeps_its_place() -> None:
    m = Meeting("bob")
    m.frame(key=True)
    m.core.subscriptions.subscribe("bob", [SMALL], m.now, [0])
    m.frame(key=[SMALL])
    m.numbers[SMALL] += 1
    head = struct.pack("!BBHLL", 0xA0, 96, m.numbers[SMALL] & 0xFFFF, m.stamps[SMALL] & 0xFFFFFFFF, SMALL)
    m.packet(head + bytes(2) + b"\3")
    m.frame()
    numbers = [int.from_bytes(p[2:4], "big") for p in m.got["bob"]]
    assert numbers == [(numbers[0] + i) & 0xFFFF for i in range(len(numbers))]
    assert m.got["bob"][-3][12:] == bytes(2) + b"\3"


@pytest.mark.parametrize("leaves", ["bob", "ada"])
def test_nothing_is_left_of_who_left(leaves: str) -> None:
    m = Meeting("bob", "eve")
    m.frame(key=True)
    m.core.subscriptions.subscribe("bob", [SMALL], m.now, [0])
    m.core.subscriptions.leave(leaves, m.now)
    if leaves == "bob":
        m.frame(key=True)
        assert [list(t.receivers) for t in m.core.subscriptions.tracks()] == [[], [], ["eve"]]
        assert not any(t.pending_subscriptions for t in m.core.subscriptions.tracks())
    else:
        assert list(m.core.subscriptions.tracks()) == []
        m.core.subscriptions.leave("bob", m.now)
        m.core.subscriptions.leave("eve", m.now)
        assert m.core.subscriptions.rooms == {}
