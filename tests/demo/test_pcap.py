"""The recording of a lecture's server for Wireshark: its format, and that it has no word of what was said."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator

import pytest

from snugroom.lab.demo.acts import LectureServer
from snugroom.lab.demo.pcap import Recorded, encode
from snugroom.lab.demo.troupe import NAMES, TITLE, Troupe
from tests.patience import PATIENCE

RTP = bytes.fromhex("806f0001000003c000001234") + b"sealed" * 20


def records(file: bytes) -> Iterator[tuple[float, int, bytes]]:
    """The time, the size on the wire, and the captured bytes of each record."""
    magic, major, minor, zone, accuracy, snap, link = struct.unpack_from("<IHHiIII", file)
    assert (magic, major, minor, zone, accuracy, link) == (0xA1B2C3D4, 2, 4, 0, 0, 101)
    at = 24
    while at < len(file):
        seconds, part, captured, size = struct.unpack_from("<IIII", file, at)
        assert captured <= min(size, snap)
        assert part < 1_000_000
        yield seconds + part / 1e6, size, file[at + 16 : at + 16 + captured]
        at += 16 + captured
    assert at == len(file)


def addressed(packet: bytes) -> tuple[int, str, int, int, bytes]:
    """(protocol, source, source port, destination port, the rest), after a check of the IPv4 header."""
    words = struct.unpack_from("!10H", packet)
    total = sum(words)
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF, "the header's checksum"
    assert packet[0] == 0x45
    source_port, port = struct.unpack_from("!HH", packet, 20)
    return packet[9], ".".join(map(str, packet[12:16])), source_port, port, packet[20:]


def test_media_are_datagrams_in_order_of_time() -> None:
    file = encode([Recorded(12.5, 2, True, RTP), Recorded(11.25, None, True, RTP[:20])])
    (first_at, _, first), (at, size, packet) = records(file)
    assert (first_at, at) == (11.25, 12.5)
    protocol, source, _, _, rest = addressed(packet)
    assert (protocol, source, size) == (17, "10.0.0.3", len(packet))
    assert struct.unpack_from("!HH", rest, 4) == (8 + len(RTP), 0)
    assert rest[8:] == RTP
    assert int.from_bytes(packet[2:4], "big") == len(packet)
    assert addressed(first)[1] == "10.0.0.253"


def test_messages_have_a_size_and_no_content() -> None:
    (record,) = records(encode([Recorded(1.0, 1, False, b"a sealed blob" * 10)]))
    _, size, packet = record
    protocol, source, _, port, rest = addressed(packet)
    assert (protocol, source, port) == (6, "10.0.0.2", 443)
    assert (len(rest), size) == (20, 40 + 130)
    assert int.from_bytes(packet[2:4], "big") == size


@pytest.mark.parametrize("at", [0.9999999, 1_790_000_000.123456])
def test_times_are_microseconds(at: float) -> None:
    ((told, _, _),) = records(encode([Recorded(at, 1, True, RTP)]))
    assert told == pytest.approx(at, abs=1e-6)


async def test_a_lecture_is_recorded_and_no_name_is_in_it() -> None:
    async with LectureServer(records=True) as server, LectureServer() as following:
        troupe = Troupe(server, following)
        try:
            await troupe.gather()
            async with asyncio.timeout(PATIENCE):
                while troupe.view()["member"]["opened"] < 50:  # noqa: ASYNC110 - robots are told by sessions
                    await asyncio.sleep(0.1)
            wall = time.time()
            file = encode(await server.recorded(wall))
            assert await following.recorded(wall) == []
        finally:
            await troupe.close()
    found = [(addressed(packet), at) for at, _, packet in records(file)]
    assert {source for (_, source, *_), _ in found} >= {"10.0.0.2", "10.0.0.3", "10.0.0.4"}
    media = [rest for (protocol, _, _, _, rest), _ in found if protocol == 17]
    assert len(media) > 100
    assert all(rest[8] >> 6 == 2 for rest in media), "RTP's version"
    assert any(protocol == 6 for (protocol, *_), _ in found)
    assert all(wall - 2 * PATIENCE < at <= wall for _, at in found)
    for word in (*NAMES, TITLE, "Good morning"):
        if len(word) > 3:
            assert word.encode() not in file
