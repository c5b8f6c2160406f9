"""Per-receiver TWCC numbers, layers and RTX over real sockets, with batched and single calls."""

from __future__ import annotations

import socket
import struct
from typing import Any

import msgspec
import pytest

from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.twcc_sequence import TwccSequence
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp, rtp, twcc, vp8
from snugroom.wire.messages import Stream
from tests.media_server.conftest import ROOM, Rig, StartRig
from tests.media_server.peer import Peer
from tests.media_server.peer import rtp as packet_of
from tests.media_server.test_layers import layer
from tests.media_server.test_packet_io import KINDS, PROFILES, Sink, make

BLOCK = b"\xbe\xde\0\2\x32abc\x51"


def wide(sequence: int, number: int, payload: bytes = b"sealed", ssrc: int = 1) -> bytes:
    """As video senders send it: with a send time, and a number of the sender's."""
    return packet_of(ssrc, sequence, payload, extension=BLOCK + struct.pack("!HB", number, 0))


@KINDS
@pytest.mark.parametrize("count", [2, 9])
def test_each_receiver_has_its_own_numbers_and_shift(kind: str, count: int, sock: socket.socket) -> None:
    packet_io = make(kind, sock)
    sinks = [Sink(PROFILES[i % 2]) for i in range(count)]
    for i, sink in enumerate(sinks):
        sink.twcc_row = packet_io.twcc_sequence.open()
        for _ in range(i):  # each has been sent another number of packets before
            packet_io.twcc_sequence.assign(sink.twcc_row, 1, 0.0)
    offsets = [rewriter.Offsets(70_000 * i, 1000 * i, 500 * i, 9 * i) for i in range(count)]
    fanout = Fanout(sinks, offsets, 77, twcc=True)
    came = [rtp.with_twcc(layer(5, 65_530 + i, 90 * i, 32_766 + i, start=True), b"now") for i in range(9)]
    padding = struct.pack("!BBHLL", 0xA0, 96, 65_539 & 0xFFFF, 900, 5) + b"\0\0\3"
    came.append(rtp.with_twcc(padding, b"now"))
    packet_io.now = 3.25
    for packet in came:
        packet_io.fan_out(packet, fanout, burst=True)
    packet_io.flush()
    for i, sink in enumerate(sinks):
        got = sink.received()
        assert [rtp.twcc_number(p) for p in got] == list(range(i, i + 10))
        for before, after in zip(came, got, strict=True):
            due = bytearray(before)
            found = vp8.read_descriptor(before, 24)
            rewriter.rewrite(due, 0, before[2] << 8 | before[3], 77, found, offsets[i])
            due[21:23] = after[21:23]
            assert after == bytes(due)
        report = twcc.Report(1, i, 12, 0, [(i + 9, 400), (i + 10, 500)])
        assert packet_io.twcc_sequence.match_report(sink.twcc_row, report)[-1] == (3.25, len(came[9]), 0.1)
        sink.close()


def test_rows_are_used_again_and_remember_nothing() -> None:
    twcc_sequence = TwccSequence()
    rows = [twcc_sequence.open() for _ in range(40)]
    assert len(set(rows)) == 40
    for i in range(3):
        assert twcc_sequence.assign(rows[3], 100, float(i)) == i
    everything = twcc.Report(1, 0, 100, 0, [])
    assert twcc_sequence.match_report(rows[4], everything) == []
    twcc_sequence.close(rows[3])
    assert twcc_sequence.open() == rows[3]
    assert twcc_sequence.match_report(rows[3], everything) == []


def receiver(rig: Rig, **changes: Any) -> Peer:
    peer = rig.peer()
    peer.media = msgspec.structs.replace(peer.media, **changes)
    return peer


async def test_receivers_with_feedback_are_counted_for_and_others_get_what_was_sent(
    start_rig: StartRig,
) -> None:
    rig = await start_rig(MediaLimits(report_interval=1e3))
    ada = rig.peer()
    ada.media = msgspec.structs.replace(ada.media, streams=[Stream(1, "video", [], [2])])
    await ada.connect(rig.sfu.join(ROOM, rig.handle(ada), ada.media))
    bob, eve = receiver(rig, feedback=True, rtx=True), receiver(rig)
    for peer in (bob, eve):
        await peer.connect(rig.sfu.join(ROOM, rig.handle(peer), peer.media))
    sent = [wide(i, 500 + i) for i in range(12)]
    eve.drop = lambda datagram: datagram[:1] == b"\x90" and datagram[2:4] in (b"\0\3", b"\0\4")
    for packet in sent:
        ada.send_rtp(packet)
    await bob.until(lambda: len(bob.rtp) == 12)
    await eve.until(lambda: len(eve.rtp) == 10)
    assert eve.rtp == sent[:3] + sent[5:]
    eve.drop = lambda _: False
    assert [p[23:] for p in bob.rtp] == [p[23:] for p in sent]
    assert [rtp.twcc_number(p) for p in bob.rtp] == list(range(12))
    # the send time is the server's: what was before is not part of the way to bob
    assert all(p[17:20] != b"abc" for p in bob.rtp)
    # what bob asks for comes as RTX, what eve asks for as it was
    for peer in (bob, eve):
        peer.rtp.clear()
        peer.send_rtcp(rtcp.nack(1, 1, [3, 4]))
        await peer.until(lambda peer=peer: len(peer.rtp) == 2)  # type: ignore[misc]
    assert eve.rtp == sent[3:5]
    assert [p[1] & 0x7F for p in bob.rtp] == [97, 97]
    assert [rtp.twcc_number(p) for p in bob.rtp] == [12, 13]
    assert [rtp.unwrap_rtx(p, 1) for p in bob.rtp] != [None, None]
    # and ada is told when what she sent came
    await ada.until(lambda: bool(ada.feedback(rtcp.RTPFB, 15)))
    reports = [twcc.parse(report) for report in ada.feedback(rtcp.RTPFB, 15)]
    arrived = [number for report in reports for number, _ in report.arrivals]
    assert sorted(set(arrived)) == list(range(500, 512))


async def test_publishers_retransmissions_come_by_rtx_and_never_twice(start_rig: StartRig) -> None:
    rig = await start_rig()
    ada = rig.peer()
    ada.media = msgspec.structs.replace(ada.media, streams=[Stream(1, "video", [], [2])])
    await ada.connect(rig.sfu.join(ROOM, rig.handle(ada), ada.media))
    bob = await rig.join()
    sent = [wide(i, i) for i in range(6)]
    for i in (0, 1, 3):
        ada.send_rtp(sent[i])
    await ada.until(lambda: bool(ada.feedback(rtcp.RTPFB, 1)))
    ada.send_rtp(rtp.wrap_rtx(sent[2], 2, 40))
    ada.send_rtp(rtp.wrap_rtx(sent[2], 2, 41))
    ada.send_rtp(sent[2])
    # padding alone, with which senders probe
    ada.send_rtp(struct.pack("!BBHLL", 0xA0, 97, 42, 0, 2) + bytes(9) + b"\x0a")
    # RTX of a packet that would not have passed by itself
    ada.send_rtp(rtp.wrap_rtx(packet_of(1, 4, extension=b"\xbe\xde\0\1\x42abc"), 2, 43))
    ada.send_rtp(sent[5])
    await bob.until(lambda: len(bob.rtp) == 5)
    assert bob.rtp == [sent[i] for i in (0, 1, 3, 2, 5)]
    assert (rig.totals("stale"), rig.totals("probes"), rig.totals("refused: extension")) == (2, 1, 1)


async def test_layers_over_the_wire(rig: Rig) -> None:
    ada = rig.peer()
    ada.media = msgspec.structs.replace(ada.media, streams=[Stream(0x51, "video", [0x52], [0xA1, 0xA2])])
    await ada.connect(rig.sfu.join(ROOM, rig.handle(ada), ada.media))
    peers = [receiver(rig, feedback=bool(i % 2), rtx=True) for i in range(16)]
    for i, peer in enumerate(peers):
        await peer.connect(rig.sfu.join(ROOM, rig.handle(peer), peer.media))
        rig.sfu.subscribe(ROOM, rig.handle(peer), [0x51], [i // 8])
    for i in range(3):
        for ssrc in (0x51, 0x52):
            for part in range(2):
                ada.send_rtp(layer(ssrc, ssrc * 10 + 2 * i + part, 3000 * i, i, key=i == 0, start=not part))
    for i, peer in enumerate(peers):
        await peer.until(lambda peer=peer: len(peer.rtp) >= 6)  # type: ignore[misc]
        last = peer.rtp[-6:] if i // 8 else peer.rtp
        assert {p[8:12] for p in peer.rtp} == {bytes([0, 0, 0, 0x51])}
        assert all(b"sealed %d " % (0x51 + i // 8) in p for p in last)
        numbers = [int.from_bytes(p[2:4], "big") for p in peer.rtp]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if i % 2:
            assert [rtp.twcc_number(p) for p in peer.rtp] == list(range(len(peer.rtp)))
