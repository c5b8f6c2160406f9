"""``python -m tests.exhaustion.costs``: the server's cost of a hostile packet, against an honest one.

A member's packets go to nine others, through the very code that the socket's go through. Each line has CPU
microseconds for one datagram, the ratio to an honest one of video in the same run, and what was counted. A
ratio far above 1 is a way to hurt others cheaply, unless a rate stands before it. Then 200,000 datagrams come
from 2,000 addresses that nobody knows, and what the process has grown by is told.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Sequence

from snugroom.server.process import resident_memory
from snugroom.server.sfu.io import srtp
from snugroom.server.sfu.io.ice import Address
from snugroom.server.sfu.limits import MediaLimits, unlimited
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire import rtcp
from tests.media_server.conftest import Rig
from tests.media_server.peer import Peer, rtp

OTHERS = 9
_BUFFER = srtp.Buffer(2048)
_Packets = Sequence[bytes]


def feed(sfu: Sfu, datagrams: _Packets, sources: Sequence[Address]) -> float:
    """CPU seconds for one."""
    assert sfu._egress.packet_io is not None
    begin = time.process_time()
    for i, datagram in enumerate(datagrams):
        _BUFFER.view[: len(datagram)] = datagram
        sfu._handle_now(_BUFFER.data, _BUFFER.view, len(datagram), sources[i % len(sources)])
        if i % 32 == 31:
            sfu._egress.packet_io.flush()
    sfu._egress.packet_io.flush()
    return (time.process_time() - begin) / len(datagrams)


class Eve:
    """One member, and the many ways to send."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._number = 0

    def rtp(self, count: int, size: int = 1100, step: int = 1, ssrc: int = 1) -> list[bytes]:
        assert self.peer.send_session is not None
        out = []
        for _ in range(count):
            self._number += step
            out.append(self.peer.send_session.protect(rtp(ssrc, self._number, bytes(size))))
        return out

    def rtcp(self, data: bytes, count: int = 200) -> list[bytes]:
        assert self.peer.send_session is not None
        return [self.peer.send_session.protect_rtcp(data) for _ in range(count)]


def _nacks(ssrc: int, distinct: bool) -> bytes:
    parts = []
    for part in range(5):
        entries = [(part * 10_000 + i * 17 if distinct else 5, 0xFFFF) for i in range(64)]
        body = b"".join(struct.pack("!HH", *entry) for entry in entries)
        parts.append(struct.pack("!BBHLL", 0x81, 205, 66, 1, ssrc) + body)
    return b"".join(parts)


def _cases(eve: Eve) -> list[tuple[str, list[bytes], int]]:
    """Name, datagrams, and from how many addresses they come (0: strangers')."""
    peer = eve.peer
    assert peer.transport is not None
    report = struct.pack("!BBHL", 0x9E, 201, 1 + 6 * 30, 1) + struct.pack("!LLLLLL", 10, 0, 0, 0, 0, 0) * 30
    firs = struct.pack("!BBHLL", 0x84, 206, 2 + 240, 1, 0)
    firs += b"".join(struct.pack("!LL", 10 + i % OTHERS, 0) for i in range(120))
    behind = eve.rtp(600, 1)
    overtaken = [behind[-1], *behind[:-1]]
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(11)
    return [
        ("tiny, all overtaken", overtaken, 1),
        ("tiny packets", eve.rtp(500, 1), 1),
        ("tiny, 256 missing before each", eve.rtp(300, 1, 257), 1),
        ("tiny, far ahead each time", eve.rtp(300, 1, 0x7000), 1),
        ("replayed", eve.rtp(1) * 500, 1),
        ("forged", [p[:-1] + bytes([p[-1] ^ 1]) for p in eve.rtp(300)], 1),
        ("unknown SSRCs", eve.rtp(300, ssrc=77), 1),
        ("a stranger's RTP", eve.rtp(300), 0),
        ("reports, 30 blocks", eve.rtcp(report), 1),
        ("five NACKs of 1,088, the same", eve.rtcp(_nacks(10, False)), 1),
        ("five NACKs of 1,088", eve.rtcp(_nacks(10, True)), 1),
        ("120 FIR", eve.rtcp(firs), 1),
        ("PLI", eve.rtcp(rtcp.key_frame_request(1, 10)), 1),
        ("sender reports", eve.rtcp(rtcp.sender_report(rtcp.SenderReport(1, 0, 0, 0, 0))), 1),
        ("checks", [peer.request()] * 300, 1),
        ("checks, to and fro", [peer.request()] * 300, 2),
        ("checks, from everywhere", [peer.request()] * 300, 300),
        ("checks, wrong password", [peer.request(password="x" * 24)] * 300, 1),
        ("checks, nobody's", [peer.request(USERNAME="nobody:nobody")] * 300, 0),
        ("hellos in a meeting", [hello] * 300, 1),
        ("a stranger's hellos", [hello] * 300, 0),
    ]


def _strangers(sfu: Sfu, peer: Peer) -> None:
    """A flood of hellos, checks, packets and bytes, from anywhere."""
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(11)
    kinds = [
        hello, peer.request(password="x" * 24), peer.request(USERNAME="nobody:nobody"), rtp(1, 1, bytes(200)),
        rtcp.key_frame_request(1, 1) + bytes(20), bytes(60), b"\xff" * 90,
    ]  # fmt: skip
    places: list[Address] = [(f"127.{i // 250}.{i % 250}.9", 1000 + i) for i in range(2000)]
    before = 0
    begin = time.process_time()
    for turn in range(1000):
        feed(sfu, [kinds[(turn + i) % 7] for i in range(200)], places[turn % 10 * 200 :][:200])
        if turn == 99:
            before = resident_memory()
    took = time.process_time() - begin
    grown = resident_memory() - before
    print(f"200,000 from 2,000 strangers     {1e6 * took / 200_000:8.1f} us   grown {grown / 1024:.0f} kB")


async def _main() -> None:
    limits = unlimited(MediaLimits(rtcp_rate=1e9, rtcp_burst=10_000_000))
    sfu = Sfu(address="127.0.0.1", limits=limits)
    await sfu.start()
    rig = Rig(sfu)
    peer = await rig.join((1, "video"))
    peer.drop = lambda _datagram: True
    for i in range(OTHERS):
        other = await rig.join((10 + i, "video"))
        other.drop = lambda _datagram: True
    eve = Eve(peer)
    own = peer.socket.getsockname()
    try:
        honest = min([feed(sfu, eve.rtp(300), [own]) for _ in range(5)])
        print(f"{'honest, 1,100 bytes to 9':32} {1e6 * honest:8.1f} us    1.0")
        for name, datagrams, places in _cases(eve):
            before = sfu.totals()
            sources = [own, *[(own[0], 20_000 + i) for i in range(places - 1)]]
            took = feed(sfu, datagrams, sources if places else [("127.9.9.9", 9)])
            after = sfu.totals()
            counted = {k: v - before.get(k, 0) for k, v in after.items() if v > before.get(k, 0)}
            print(f"{name:32} {1e6 * took:8.1f} us {took / honest:6.1f}  {counted}")
            await asyncio.sleep(0.05)
        _strangers(sfu, peer)
    finally:
        for each in rig.peers:
            each.close()
        sfu.close()


if __name__ == "__main__":
    asyncio.run(_main())
