"""Engines end to end: real codecs, real files, a forwarder in memory or a real socket."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from snugroom.client.media import check
from snugroom.client.media.codec import CodecError, RawFrame, Sound, Vp8Decoder
from snugroom.client.media.engine import EngineError, MediaEngine, StreamStats
from snugroom.client.media.record import Recorder
from snugroom.client.media.sources import Source, TestCard
from snugroom.client.media.transport import MediaTransport, TransportError
from snugroom.wire import rtcp, rtp
from snugroom.wire.messages import HandleStream, MediaKind
from snugroom.wire.rtp import RtpPacket
from tests.media_client import recordings
from tests.media_client.ice_lite import IceLiteServer
from tests.media_client.meeting import NOWHERE, Forwarder, MemoryLink, TestCrypto, until
from tests.media_client.parties import NAMES, Party, Talker, meeting


async def test_three_hear_and_see_each_other(tmp_path: Path) -> None:
    now = asyncio.get_running_loop().time()

    def options(number: int) -> dict[str, object]:
        return {"recorder": Recorder(tmp_path / str(number), zero=now)}

    async with meeting(Forwarder(), 3, options) as parties:
        everything = [(a, b.number) for a in parties for b in parties if a is not b]
        await until(
            lambda: all(
                a.of(b, "audio").decoded >= 150 and a.of(b, "video").decoded >= 45 for a, b in everything
            ),
            15,
        )
        for party in parties:
            assert len(party.crypto.sizes["audio"]) == 1
    for party in parties:
        assert len(party.engine.stats()) == 4
        for stats in party.engine.stats():
            assert stats.leaf == stats.handle[0]
            assert stats.failed == stats.undecodable == 0
            assert stats.decoded + stats.skipped == stats.opened
            assert stats.first_opened_at is not None
        others = [p for p in parties if p is not party]
        paths = party.engine.recordings
        assert sorted(p.name for p in paths) == sorted(f"{NAMES[p.number]}-{p.number}.webm" for p in others)
        for other in others:
            path = tmp_path / str(party.number) / f"{NAMES[other.number]}-{other.number}.webm"
            (tone, *rest) = recordings.pitch_of(path)
            assert check.identity_of_pitch(tone[0]) == other.identity
            assert sum(strength for _, strength in rest) < 0.05  # and nobody else is to be heard
            colour = recordings.patch_colour_of(path)
            assert colour is not None
            assert check.identity_of_colour(colour) == other.identity
            counters = [recordings.counter_in(frame) for _, frame in recordings.read_video(path)]
            assert len(counters) >= 40
            assert None not in counters
            streams = recordings.streams_of(path)
            assert streams.audio_end is not None
            assert streams.video_end is not None
            assert abs(streams.audio_end - streams.video_end) < 1  # a busy machine delays either


async def test_a_room_that_becomes_large_is_heard_on_in_fewer_packets(tmp_path: Path) -> None:
    lengths: dict[int, set[int]] = {0: set(), 1: set()}
    began = asyncio.get_running_loop().time()
    recorder = Recorder(tmp_path, zero=began)

    def options(number: int) -> dict[str, object]:
        def decoded(_leaf: int, kind: MediaKind, sound: Sound | RawFrame) -> None:
            if kind == "audio":
                lengths[number].add(len(sound))

        recording = {"recorder": recorder} if number == 0 else {}
        return {
            "video": False,
            "on_decoded": decoded,
            "source": Talker(NAMES[number], 9 * number),
            **recording,
        }

    async with meeting(Forwarder(loss=0.05), 2, options) as (ada, bob):
        await until(lambda: bob.of(0, "audio").decoded > 25)
        for party in (ada, bob):
            party.engine.enlarge(True)
        await asyncio.sleep(0.1)
        before = bob.of(0, "audio"), ada.engine.own_stats()[0]
        await until(lambda: bob.of(0, "audio").decoded > before[0].decoded + 40)
        sent = ada.engine.own_stats()[0]
        assert 350 < (sent.octets - before[1].octets) / (sent.packets - before[1].packets) < 400
        for party in (ada, bob):
            party.engine.enlarge(False)
        await until(lambda: bob.of(0, "audio").decoded > sent.packets + 10)
        took = asyncio.get_running_loop().time() - began
    assert [len(party.crypto.sizes["audio"]) for party in (ada, bob)] == [2, 2]
    assert lengths == {0: {960}, 1: {960}}, "whatever a packet contains, listeners get 20 ms at a time"
    stats = bob.of(0, "audio")
    assert stats.failed == stats.undecodable == 0
    (path,) = ada.engine.recordings
    end = recordings.streams_of(path).audio_end
    assert end is not None
    assert abs(end - took) < 1.0, "the recording is as long as the meeting"


async def test_at_five_percent_loss_sound_goes_on_and_video_comes_back(tmp_path: Path) -> None:
    now = asyncio.get_running_loop().time()
    forwarder = Forwarder(loss=0.05, seed=5)

    def options(number: int) -> dict[str, object]:
        return {"recorder": Recorder(tmp_path, zero=now)} if number == 0 else {}

    async with meeting(forwarder, 2, options) as (ada, bob):
        await until(lambda: bob.of(0, "audio").opened > 300 and ada.of(1, "audio").opened > 300, 15)
        for party, other in ((ada, 1), (bob, 0)):
            sound = party.of(other, "audio")
            missing = sound.lost + sound.concealed
            assert missing <= 0.08 * (sound.opened + missing)
        assert forwarder.dropped > 30
        assert any(isinstance(asked, rtcp.Nack) for asked in forwarder.asked)
    frames = recordings.read_video(tmp_path / "Bob-1.webm")
    gaps = np.diff([t for t, _ in frames])
    assert len(frames) > 60
    assert gaps.max() < 1.0  # never a second without a picture


class Spy:
    """A decoder that notes what it is given."""

    seen: list[bytes]

    def __init__(self, seen: list[bytes]) -> None:
        self.seen = seen

    def decode(self, frame: bytes) -> Sound:
        self.seen.append(frame)
        return np.zeros(960, np.int16)

    def conceal(self) -> Sound:
        return np.zeros(960, np.int16)

    def recover(self, following: bytes) -> Sound | None:
        return None


class PictureSpy(Spy):
    def decode(self, frame: bytes) -> RawFrame:  # type: ignore[override]  # another kind of decoder
        self.seen.append(frame)
        return np.zeros((540, 640), np.uint8)


async def test_nothing_unauthenticated_reaches_a_decoder_or_the_disk(tmp_path: Path) -> None:
    forwarder = Forwarder(delay=0.0)
    seen: list[bytes] = []
    sealed: list[bytes] = []
    honest = [True]

    def tamper(packet: bytes) -> bytes:
        """Once no longer honest: flip a bit of every packet's payload, here and there."""
        if honest[0]:
            return packet
        parsed = rtp.parse(packet)
        at = 12 + 5 + parsed.sequence * 7 % (len(parsed.payload) - 5)
        return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]

    def options(number: int) -> dict[str, object]:
        if number == 0:
            return {
                "recorder": Recorder(tmp_path, zero=0.0),
                "sound_decoder": lambda: Spy(seen),
                "video_decoder": lambda: PictureSpy(seen),
            }
        return {}

    async with meeting(forwarder, 2, options) as (ada, bob):
        original = bob.crypto.seal

        def seal(kind: MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
            sealed.append(frame)
            return original(kind, frame, layer)

        bob.crypto.seal = seal  # type: ignore[method-assign]
        forwarder.tamper = tamper
        await until(lambda: ada.of(1, "video").decoded > 5 and ada.of(1, "audio").decoded > 20)
        honest[0] = False
        await asyncio.sleep(0.1)
        count = len(seen)
        failed = ada.of(1, "audio").failed
        await until(lambda: ada.of(1, "audio").failed > failed + 30 and ada.of(1, "video").failed > 5)
        assert len(seen) <= count + 2
        # frames that the server makes up itself
        ssrc = ada.of(1, "audio").ssrc
        for i in range(20):
            made_up = rtp.build(RtpPacket(111, False, 40_000 + i, 0, ssrc, bytes([i]) * 120))
            forwarder.links[ada.handle].on_rtp(made_up)
    assert seen
    assert set(seen) <= set(sealed)  # frames that the codec of the sender made, and none else
    assert ada.of(1, "audio").concealed > 0


async def test_undecodable_frames_are_counted_and_a_key_frame_helps() -> None:
    class Fussy(Vp8Decoder):
        count = 0

        def decode(self, frame: bytes) -> RawFrame | None:
            self.count += 1
            if self.count == 5:
                raise CodecError("once")
            return super().decode(frame)

    async with meeting(Forwarder(), 2, lambda n: {"video_decoder": Fussy} if n == 0 else {}) as (ada, _):
        await until(lambda: ada.of(1, "video").decoded > 12)
        assert ada.of(1, "video").undecodable == 1
        assert ada.of(1, "video").key_frames >= 2


async def test_frames_of_the_next_epoch_are_kept_until_its_keys_come() -> None:
    async with meeting(Forwarder(), 2) as (ada, bob):
        await until(lambda: ada.of(1, "audio").opened > 10 and ada.of(1, "video").opened > 5)
        lost = {kind: ada.of(1, kind).lost for kind in ("audio", "video")}
        bob.crypto.epoch = 1
        await asyncio.sleep(0.4)
        ada.crypto.opening = {0, 1}
        ada.engine.keys_changed()
        await until(lambda: ada.of(1, "video").opened > 30)
        for kind in ("audio", "video"):
            stats = ada.of(1, kind)
            assert stats.failed == 0
            assert stats.lost == lost[kind]


async def test_without_keys_nothing_leaves() -> None:
    forwarder = Forwarder()
    async with meeting(forwarder, 2) as (ada, bob):
        await until(lambda: ada.of(1, "video").decoded > 5)
        bob.crypto.paused = True
        await asyncio.sleep(0.1)
        owned = {s.ssrc for s in bob.engine.streams}
        forwarder.packets.clear()
        await asyncio.sleep(0.3)
        assert not [p for p in forwarder.packets if rtp.parse(p).ssrc in owned]
        assert all(own.withheld > 0 for own in bob.engine.own_stats())
        bob.crypto.paused = False
        before = ada.of(1, "video").key_frames
        await until(lambda: ada.of(1, "video").key_frames > before)  # begins with a key frame again


async def test_muted_sound_flows_on_in_the_same_size(tmp_path: Path) -> None:
    now = asyncio.get_running_loop().time()
    forwarder = Forwarder()

    def options(number: int) -> dict[str, object]:
        return {"recorder": Recorder(tmp_path, zero=now)} if number == 0 else {}

    async with meeting(forwarder, 2, options) as (ada, bob):
        bob.engine.mute("audio", True)
        bob.engine.mute("video", True)
        await until(lambda: ada.of(1, "audio").decoded > 60 and ada.of(1, "video").decoded > 15)
        assert len(bob.crypto.sizes["audio"]) == 1
    path = tmp_path / "Bob-1.webm"
    sound = recordings.read_audio(path)
    assert np.abs(sound[9_600:]).max() < 0.01
    assert recordings.counter_in(recordings.read_video(path)[-1][1]) is None


async def test_streams_come_and_go() -> None:
    forwarder = Forwarder()
    async with meeting(forwarder, 2) as (ada, bob):
        await until(lambda: ada.of(1, "audio").opened > 10)
        ada.engine.set_remote([])
        opened = ada.of(1, "audio").opened
        assert ada.of(1, "audio").gone
        await asyncio.sleep(0.2)
        assert ada.of(1, "audio").opened == opened
        ada.engine.set_remote(forwarder.others(ada.handle))
        await until(lambda: any(s.opened > 5 and not s.gone for s in ada.engine.stats()))
        ada.engine.set_remote(
            [HandleStream(handle=ada.handle, ssrc=s.ssrc, kind=s.kind) for s in ada.engine.streams]
        )
        assert all(s.gone for s in ada.engine.stats())  # my own streams are none of the others'
        assert bob.engine.connected


async def test_listening_only_and_not_decoding(tmp_path: Path) -> None:
    now = asyncio.get_running_loop().time()
    opened: list[StreamStats] = []

    def options(number: int) -> dict[str, object]:
        if number == 0:
            recorder = Recorder(tmp_path, zero=now)
            return {"source": None, "decode": False, "recorder": recorder, "on_opened": opened.append}
        return {"video": False}

    async with meeting(Forwarder(), 2, options) as (ada, bob):
        assert ada.engine.streams == []
        assert [s.kind for s in bob.engine.streams] == ["audio"]
        await until(lambda: ada.of(1, "audio").opened > 60)
        assert ada.of(1, "audio").decoded == 0
        assert ada.engine.own_stats() == []
    assert [(s.leaf, s.kind) for s in opened] == [(1, "audio")]
    assert check.identity_of_pitch(recordings.pitch_of(tmp_path / "Bob-1.webm")[0][0]) == bob.identity


async def test_sound_that_is_never_sent_again_is_found_in_the_packet_behind_it() -> None:
    """FEC: the forwarder loses one packet of sound in ten for good, and answers nobody."""
    forwarder = Forwarder()

    class Lossy(MemoryLink):
        def send_rtp(self, packet: bytes) -> None:
            if packet[1] & 0x7F != 111 or rtp.parse(packet).sequence % 10:
                super().send_rtp(packet)

    def options(number: int) -> dict[str, object]:
        if number == 0:
            return {"source": None}
        return {
            "source": Talker("Bob", 5),
            "video": False,
            "link": lambda: Lossy(forwarder, b"\1" * 8),
        }

    async with meeting(forwarder, 2, options) as (ada, bob):
        bob.engine._outgoing.feedback = lambda packet, now: None  # type: ignore[union-attr, method-assign]
        await until(lambda: ada.of(1, "audio").opened > 150, 10)
        sound = ada.of(1, "audio")
    assert sound.lost >= 14
    assert sound.recovered >= 0.3 * sound.lost  # where a syllable fades there is no copy
    assert sound.concealed + sound.recovered <= sound.lost


class Broken:
    """A source whose sound fails after a while."""

    has_audio = True
    has_video = False

    def audio(self, index: int) -> Sound:
        if index > 20:
            raise OSError("the disk is gone")
        return np.zeros(960, np.int16)

    def video(self, at: float) -> RawFrame:
        raise NotImplementedError

    def close(self) -> None:
        pass


async def test_a_source_that_fails_is_told() -> None:
    source: Source = Broken()
    party = Party(Forwarder(), 0, source=source)
    try:
        await party.connect()
        await until(lambda: party.failed)
        assert party.failed == ["sending stopped: the disk is gone"]
    finally:
        await party.engine.close()


async def test_the_order_of_things_is_checked() -> None:
    party = Party(Forwarder(), 0)
    with pytest.raises(EngineError):
        await party.engine.connect(NOWHERE)
    assert await party.engine.close() == await party.engine.close() == []
    with pytest.raises(EngineError):
        party.engine.parameters()


async def test_over_a_socket_and_again_after_the_server_was_lost() -> None:
    """A real socket, ICE, DTLS and SRTP; then the server goes, and another one takes over."""
    lost: list[str] = []
    crypto = TestCrypto(3)
    engine = MediaEngine(crypto=crypto, source=TestCard("Ada", 3), on_lost=lost.append, link=MediaTransport)
    servers: list[IceLiteServer] = []
    heard: list[tuple[int, RtpPacket]] = []
    reports = 0

    def serve() -> IceLiteServer:
        server = IceLiteServer(engine.parameters())
        number = len(servers)

        def on_media(data: bytes, is_rtcp: bool) -> None:
            nonlocal reports
            assert is_rtcp == rtcp.is_rtcp(data)
            if is_rtcp:
                reports += len(rtcp.parse(data))
            else:
                heard.append((number, rtp.parse(data)))

        server.on_media = on_media
        servers.append(server)
        return server

    try:
        await engine.connect(serve().transport())
        await until(lambda: len(heard) > 40 and reports >= 2)
        video = next(s.ssrc for s in engine.streams if s.kind == "video")
        again = {ssrc for s in engine.streams for ssrc in s.rtx}
        wanted = next(p.sequence for _, p in heard if p.ssrc == video)
        servers[0].send(
            b"\x81\xcd\x00\x03" + bytes(4) + video.to_bytes(4, "big") + wanted.to_bytes(2, "big") + bytes(2),
            rtcp=True,
        )
        await until(lambda: engine.own_stats()[1].resent == 1)
        # the server hears it before it closes
        await until(lambda: any(p.ssrc in again for _, p in heard))
        servers[0].close()
        await until(lambda: lost)
        assert not engine.connected
        engine.parameters()
        with pytest.raises(TransportError):
            await engine.connect(servers[0].transport(), timeout=0.3)
        await engine.connect(serve().transport())
        await until(lambda: len([1 for number, _ in heard if number == 1]) > 40)
        # the same streams go on: SSRCs, and sequence numbers without a repeat
        assert {p.ssrc for _, p in heard} == {x for s in engine.streams for x in (s.ssrc, *s.rtx)}
        sound = [p.sequence for _, p in heard if p.payload_type == 111]
        assert len(set(sound)) == len(sound)
        assert not engine.malformed
    finally:
        await engine.close()
        servers[-1].close()


async def test_a_stream_that_is_gone_leaves_only_its_counters() -> None:
    """A decoder and its windows are a megabyte: a long meeting must not keep those of all who ever came."""
    decoders: list[weakref.ref[Vp8Decoder]] = []

    def make() -> Vp8Decoder:
        decoder = Vp8Decoder()
        decoders.append(weakref.ref(decoder))
        return decoder

    options: dict[str, object] = {"video_decoder": make}
    async with meeting(Forwarder(), 2, lambda n: options if n == 0 else {}) as (ada, _):
        await until(lambda: ada.of(1, "video").decoded > 3)
        ada.engine.set_remote([])

        def released() -> bool:
            gc.collect()
            return bool(decoders) and decoders[0]() is None

        await until(released)
        assert ada.of(1, "video").gone
        assert ada.of(1, "video").decoded > 3
