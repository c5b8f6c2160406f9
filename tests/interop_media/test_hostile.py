"""One member sends arbitrary packets over its own association; a stock peer in the room continues."""

from __future__ import annotations

import asyncio
import os
import struct
from collections import Counter

import pylibsrtp
import pytest

from snugroom.server.sfu.io import srtp
from snugroom.wire import rtp as server_rtp
from snugroom.wire.messages import Stream
from tests.interop_media.conftest import Meeting
from tests.interop_media.stock import StockPeer, until
from tests.media_server.peer import GCM, Peer, rtp

EVE_VIDEO, EVE_AUDIO = 0xE0E, 0xE0F
#: abs-send-time with the wrong length: aiortc raises struct.error on it and closes.
DEADLY = b"\xbe\xde\0\1\x31aa\0"
GOOD = b"\xbe\xde\0\1\x32aaa"


def block(elements: bytes, profile: bytes = b"\xbe\xde") -> bytes:
    padded = elements + bytes(-len(elements) % 4)
    return profile + struct.pack("!H", len(padded) // 4) + padded


def bad_headers() -> dict[str, list[bytes]]:
    """Packets by the word under which the SFU counts them."""

    def video(extension: bytes | None = None, payload: bytes = b"\x10payload", first: int = 0x80) -> bytes:
        return rtp(EVE_VIDEO, 0, payload, extension=extension, first=first)

    def audio(extension: bytes | None = None, payload: bytes = b"opus", first: int = 0x80) -> bytes:
        return rtp(EVE_AUDIO, 0, payload, kind="audio", extension=extension, first=first)

    lengths = [block(bytes([3 << 4 | size - 1]) + bytes(size)) for size in (1, 2, 4, 5, 16)]
    return {
        "extension": [
            *(video(extension) for extension in (DEADLY, *lengths)),
            audio(GOOD),
            audio(block(b"\x10\x7f")),  # an audio level: it would tell who speaks
            audio(block(b"\x11\x7f\x7f")),
            video(block(b"\x402")),  # a MID, and one that is no UTF-8
            video(block(b"\x41\xff\xfe")),
            video(block(b"\x50a")),  # not of the protocol
            video(block(b"\x32aaa\x32aaa")),  # twice
            video(block(b"\0\x32aa")),  # runs over the block's end
            video(block(b"\xf0a")),  # 15 is reserved
            video(block(b"\3\3aaa", b"\x10\0")),  # two-byte elements
            video(block(b"\x32aaa", b"\xbe\xdf")),
        ],
        "header": [
            video(first=0x81, payload=bytes(4) + b"\x10payload"),
            audio(first=0x8F, payload=bytes(60) + b"opus"),
        ],
        "padding": [
            video(payload=b"\x10payload\0", first=0xA0),
            audio(payload=b"opus\xff", first=0xA0),
            video(GOOD, payload=b"\x10\x03", first=0xA0),
        ],
        "payload type": [
            rtp(EVE_VIDEO, 0, kind="audio"),
            rtp(EVE_AUDIO, 0, kind="video"),
            b"\x80\x23" + rtp(EVE_VIDEO, 0)[2:],
            b"\x80\x7f" + rtp(EVE_AUDIO, 0)[2:],
        ],
        "short": [rtp(EVE_VIDEO, 0, b""), rtp(EVE_AUDIO, 0, b"", kind="audio"), video(GOOD, payload=b"")],
        "long": [video(payload=bytes(1345)), video(payload=bytes(1500)), video(GOOD, payload=bytes(1337))],
    }


class Eve:
    """Seals whatever it is given, of any size: pylibsrtp's own `protect` stops at 1,356 bytes."""

    def __init__(self, peer: Peer) -> None:
        assert peer.ssl is not None
        assert peer.profile == GCM
        profile = srtp.AEAD_AES_128_GCM
        material = peer.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (profile.key + profile.salt))
        self.peer = peer
        self._session = srtp.SrtpSession(profile, srtp.Keys.split(profile, material).client, outbound=True)
        self._buffer = srtp.Buffer(4096)
        self._length = srtp.new_length()
        self._sequence = 100

    def number(self, packet: bytes) -> bytes:
        """With the next sequence number: what the replay window does is not in question here."""
        self._sequence += 1
        return packet[:2] + struct.pack("!H", self._sequence) + packet[4:]

    def seal(self, packet: bytes) -> bytes:
        self._buffer.view[: len(packet)] = packet
        self._length[0] = len(packet)
        if srtp.protect(self._session.pointer, self._buffer.data, self._length):
            raise pylibsrtp.Error("libsrtp will not seal this")
        return self._buffer.view[: self._length[0]].tobytes()

    def send(self, packet: bytes) -> None:
        self.peer.send(self.seal(self.number(packet)))


async def test_malformed_packets_reach_nobody_and_a_stock_peer_goes_on(meeting: Meeting) -> None:
    ada = await meeting.stock_peer(0)
    bob = await meeting.stock_peer(1)
    raw = await meeting.raw_peer((EVE_VIDEO, "video"), (EVE_AUDIO, "audio"))
    theirs = [Stream(ssrc=EVE_VIDEO, kind="video"), Stream(ssrc=EVE_AUDIO, kind="audio")]
    await bob.receive(*ada.streams, *theirs)
    sound, video = bob.audio_of(ada.streams), bob.video_of(ada.streams)
    await sound.more(20)
    await video.more(5)
    eve = Eve(raw)

    # a packet that is in order passes: the way from eve to bob is open
    eve.send(rtp(EVE_AUDIO, 0, b"\xf8\xff\xfe", kind="audio"))
    await until(lambda: meeting.total("received") and bob.arrivals[EVE_AUDIO])
    expected: Counter[str] = Counter()
    for word, packets in bad_headers().items():
        for packet in packets:
            eve.send(packet)
            expected["refused: " + word] += 1
            expected["refused"] += 1
    # SSRCs that are nobody's, somebody else's, and the server's own
    for ssrc in (0xBAD, ada.streams[0].ssrc, ada.streams[1].ssrc, 1, 0):
        eve.send(rtp(ssrc, 0))
        expected["unknown_ssrc"] += 1
    # what libsrtp itself finds too short to be a packet, or was not sealed by eve
    sealed = eve.seal(eve.number(rtp(EVE_VIDEO, 0, bytes(500))))
    for size in (13, 20, 27, 100, len(sealed) - 1):
        raw.send(sealed[:size])
        expected["forged"] += 1
    raw.send(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    raw.send(b"\x90" + sealed[1:12] + b"\xbe\xde\xff\xff" + sealed[12:])  # a block beyond the packet's end
    raw.send(rtp(EVE_VIDEO, 7, os.urandom(1800)))
    expected["forged"] += 3
    for size in (2, 12, 2048, 4000):
        raw.send(rtp(EVE_VIDEO, 7, bytes(4000))[:size])
        expected["garbage"] += 1

    await until(lambda: all(meeting.total(name) >= count for name, count in expected.items()))
    assert {name: meeting.total(name) for name in expected} == expected
    await bob_goes_on(bob, ada)
    # of all that, bob got the one packet that was in order
    assert (await bob.reception(EVE_AUDIO)).packetsReceived == 1
    assert EVE_VIDEO not in await bob.received_ssrcs()


async def bob_goes_on(bob: StockPeer, ada: StockPeer) -> None:
    await bob.audio_of(ada.streams).more(30)
    await bob.video_of(ada.streams).more(10)
    assert bob.alive
    assert ada.alive


async def test_rtcp_of_others_streams_ends_nothing(meeting: Meeting) -> None:
    """BYE for another's SSRC would stop aiortc's decoder; so would much else that only servers should say."""
    ada = await meeting.stock_peer(0)
    bob = await meeting.stock_peer(1)
    raw = await meeting.raw_peer((EVE_VIDEO, "video"))
    await bob.receive(*ada.streams)
    await bob.video_of(ada.streams).more(5)
    before = meeting.total("key_frame_requests")
    parts = []
    for stream in ada.streams:
        ssrc = struct.pack("!L", stream.ssrc)
        parts += [
            b"\x81\xcb\0\1" + ssrc,  # BYE
            b"\x80\xc8\0\6" + ssrc + bytes(20),  # SR: another's clock
            b"\x81\xca\0\2" + ssrc + b"\0\0\0\0",  # SDES
            b"\x81\xce\0\2" + ssrc + ssrc,  # PLI for one that eve does not receive
        ]
    meeting.sfu.subscribe(b"r" * 16, b"raw....\1", [])
    for part in parts:
        raw.send_rtcp(part)
    malformed = [
        b"\x81\xcb\0\xff" + bytes(4),
        b"\xa1\xcb\0\1" + bytes(3) + b"\4",
        b"\x9f\xc9\0\1" + bytes(4),
        b"\x81\xcd\0\2" + bytes(8),
        b"\x8f\xce\0\4" + bytes(8) + b"REMB" + b"\xff\0\0\0",
    ]
    for part in malformed:
        raw.send_rtcp(part)
    await until(lambda: meeting.total("refused_rtcp") == len(malformed))
    assert meeting.total("key_frame_requests") == before
    await bob_goes_on(bob, ada)
    for stream in ada.streams:
        report = await bob.sender_report(stream.ssrc)
        assert report is None or report.packetsSent > 0  # ada's own, not the zeroes of eve's


async def test_the_oracle_dies_of_what_the_check_keeps_away(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the SFU's check one packet ends a stock peer: so the tests above can fail."""
    monkeypatch.setattr(server_rtp, "check", lambda packet, kind: None)
    bob = await meeting.stock_peer(1)
    raw = await meeting.raw_peer((EVE_VIDEO, "video"))
    await bob.receive(Stream(ssrc=EVE_VIDEO, kind="video"))
    raw.send_rtp(rtp(EVE_VIDEO, 1, b"\x10payload", extension=GOOD))
    await asyncio.sleep(0.3)
    assert bob.alive
    raw.send_rtp(rtp(EVE_VIDEO, 2, b"\x10payload", extension=DEADLY))
    await until(lambda: not bob.alive)
