"""The intruder opens frames of its own keys, reads clear data, and nothing else."""

from __future__ import annotations

from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import EpochKeys, MediaKeys, seal_frame
from snugroom.lab.attacks.intruder import Intruder, SealedFrame, frames
from snugroom.wire import rtp, vp8
from snugroom.wire.rtp import RtpPacket

BASE, TAGS = b"b" * 16, b"t" * 32
SOUND = bytes(range(80))
PICTURE = b"\x10\x02\x00\x9d\x01\x2a" + bytes(range(255, 50, -1)) * 20


def sealed(kind: Kind, frame: bytes) -> bytes:
    keys = MediaKeys()
    epoch = EpochKeys.derive(epoch=3, base_key=BASE, tags=TAGS, leaf_count=4)
    keys.install(epoch, own_leaf=1, removed=frozenset(), is_removal=False, now=0.0)
    return seal_frame(keys, kind, 0 if kind == "audio" else 1, frame, 1.0)


def packets(sound: bytes, picture: bytes) -> list[tuple[int | None, bytes]]:
    parts = vp8.packetize(picture, 7)
    video = [
        rtp.build(RtpPacket(96, i == len(parts) - 1, 500 + i, 9000, 22, part)) for i, part in enumerate(parts)
    ]
    return [(1, rtp.build(RtpPacket(111, True, 10, 960, 11, sound))), *((2, packet) for packet in video)]


def test_frames_are_put_together_from_packets() -> None:
    recorded = packets(sealed("audio", SOUND), sealed("video", PICTURE))
    assert len(recorded) > 3
    found = frames([*recorded, (None, b"garbage")])
    assert [(f.sender, f.kind) for f in found] == [(1, "audio"), (2, "video")]
    assert [f.data for f in found] == [sealed("audio", SOUND), sealed("video", PICTURE)]


def test_the_right_key_opens_and_others_do_not() -> None:
    recorded = frames(packets(sealed("audio", SOUND), sealed("video", PICTURE)))
    intruder = Intruder()
    intruder.take(bytes(16))
    assert intruder.attack(recorded) == 0
    intruder.take(BASE)
    assert intruder.attack(recorded) == 2
    assert (intruder.tried, intruder.opened, len(intruder)) == (4, 2, 2)
    intruder.take(BASE)
    assert len(intruder) == 2
    assert BASE.hex() not in repr(intruder)


def test_clear_data_needs_no_key() -> None:
    pieces = {SOUND[12:36]}
    clear = [SealedFrame(1, "audio", b"header" + SOUND)]
    assert Intruder().attack(clear, pieces) == 1
    assert Intruder().attack(frames(packets(sealed("audio", SOUND), PICTURE)), pieces) == 0
