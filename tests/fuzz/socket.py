"""The SFU at its socket: members who send anything, sealed with their own right keys, and strangers.

Two in another room go on with each other meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from typing import Any, Final

import msgspec
import pylibsrtp

from snugroom.server.sfu.limits import MediaLimits, unlimited
from snugroom.server.sfu.sfu import MediaError, Sfu
from snugroom.wire import stun
from snugroom.wire.messages import Media, Stream
from tests.fuzz.parsers import BODIES, attribute, compounds, packets, reaches_the_end
from tests.fuzz.target import Target, havoc
from tests.media_server.conftest import Rig
from tests.media_server.peer import Peer, rtp

#: Datagrams from one look at the server to the next: its socket's buffer holds far more.
_AT_ONCE: Final = 48
LIMITS: Final = unlimited(MediaLimits(
    # the parsers are to be reached: what is beyond a rate is only counted
    rtcp_rate=1e6, rtcp_burst=1_000_000, nack_rate=1e5, nack_burst=1000,
    rtcp_sources=1024, handshake_tries=1000, retired_ssrcs=64, idle=3600.0, address_hold=3600.0,
))  # fmt: skip


#: Video in three layers, with RTX, and sound.
STREAMS: Final = [Stream(1, "video", [4, 5], [6, 7, 8]), Stream(2, "audio")]


def _media(peer: Peer, streams: list[Stream]) -> Media:
    """These streams, and all that can be negotiated."""
    return msgspec.structs.replace(peer.media, streams=streams, feedback=True, rtx=True)


def _ignore(peer: Peer) -> None:
    """Drop all that reaches the peer: no test reads it, and not all of it can be opened."""
    peer.drop = lambda _datagram: True


class Members:
    """Eve is in a meeting with Mal; a stranger has no keys; Ada and Bob are elsewhere."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._raised: list[object] = []
        self._loop.set_exception_handler(lambda _, context: self._raised.append(context.get("exception")))
        self._number = 0
        self._sequence = 100
        self._waiting = 0
        self._run(self._start())

    def _run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    async def _start(self) -> None:
        self._sfu = Sfu(address="127.0.0.1", limits=LIMITS)
        await self._sfu.start()
        self._rig = Rig(self._sfu)
        self._ada = await self._rig.join((1, "video"), room=b"i" * 16)
        self._bob = await self._rig.join(room=b"i" * 16)
        self._mal = self._rig.peer()
        self._mal.media = _media(self._mal, [Stream(3, "video")])
        await self._mal.connect(self._sfu.join(b"r" * 16, self._rig.handle(self._mal), self._mal.media))
        self._stranger = self._rig.peer()
        self._stranger.transport = self._bob.transport
        self._fresh = self._rig.peer()
        await self._fresh.check(self._sfu.join(b"r" * 16, self._rig.handle(self._fresh), self._fresh.media))
        for peer in (self._mal, self._stranger, self._fresh):
            _ignore(peer)
        await self._enter()

    async def _enter(self) -> None:
        self._eve = self._rig.peer()
        await self._connect(self._eve)

    async def _connect(self, eve: Peer) -> None:
        eve.media = _media(eve, STREAMS)
        await eve.connect(self._sfu.join(b"r" * 16, self._rig.handle(eve), eve.media))
        _ignore(eve)

    # -- one input ---------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        kind, body = (data[0] if data else 0) % 16, data[1:]
        eve = self._eve
        assert eve.send_session is not None
        with contextlib.suppress(OSError, pylibsrtp.Error, ValueError, struct.error):
            # OSError: the socket's buffer; the others: what can't be sealed at all
            if kind == 0:
                self._stranger.send(body)
            elif kind == 1:
                eve.send(body)
            elif kind == 2:
                self._fresh.send(b"\x16\xfe\xfd" + bytes(8) + len(body).to_bytes(2, "big") + body)
            elif kind == 3:
                self._fresh.send(body)
            elif kind < 9:
                eve.send_rtp(self._numbered(body))
            elif kind < 12:
                eve.send_rtcp(self._recent(body))
            elif kind == 12:
                self._stun(body)
            elif kind == 13:
                self._mal.send_rtcp(body)
            elif kind == 14:
                eve.send(b"\x17\xfe\xfd\0\1" + body)
            else:
                self._signal(body)
        self._waiting += 1
        if self._waiting >= _AT_ONCE:
            self._waiting = 0
            self._run(self._served())

    def _numbered(self, body: bytes) -> bytes:
        """On from the last number, mostly by one, and mostly of a stream of hers: else all are replays."""
        if len(body) < 12:
            return body
        self._sequence += (0, 1, 1, 1, 1, 2, 3, 17, 200, 257, 0x7FFF, -5)[body[3] % 12]
        own = body[8:12]
        if body[2] % 8:
            kind = body[1] & 0x7F
            choices = {111: (2,), 97: (6, 7, 8)}.get(kind, (1, 1, 1, 4, 5))
            own = choices[body[2] % len(choices)].to_bytes(4, "big")
        return body[:2] + (self._sequence & 0xFFFF).to_bytes(2, "big") + body[4:8] + own + body[12:]

    def _recent(self, body: bytes) -> bytes:
        """A NACK asks for what Mal may have sent: else nothing would ever be sent again."""
        if len(body) < 16 or body[1] != 205 or body[0] & 31 != 1:
            return body
        return body[:12] + (4 * self._number - body[13] % 64 & 0xFFFF).to_bytes(2, "big") + body[14:]

    def _stun(self, body: bytes) -> None:
        assert self._eve.transport is not None
        username = f"{self._eve.transport.ufrag}:{self._eve.ufrag}".encode()
        body = attribute(stun.USERNAME, username) + body[: len(body) // 4 * 4]
        password = self._eve.transport.password.encode()
        self._eve.send(stun._message(stun.BINDING_REQUEST, bytes(12), body, password))

    def _signal(self, body: bytes) -> None:
        """Requests that the hub may let pass: other streams, other subscriptions, a restart, a leave."""
        what = (body[0] if body else 0) % 8
        rng = random.Random(body)
        handle = self._rig.handle(self._eve)
        if what < 3:
            wanted = [rng.choice((1, 2, 3, 99, 2**32 - 1)) for _ in range(rng.randrange(5))]
            self._sfu.subscribe(b"r" * 16, handle, rng.choice((None, wanted)), [])
        elif what < 6:
            # what the room lets pass: no SSRC twice, and RTX for each layer or none
            draw = iter(rng.sample(range(9, 400), 40))
            streams = STREAMS[: rng.randrange(3)]
            for _ in range(rng.randrange(4)):
                sizes = [next(draw) for _ in range(1 + rng.randrange(3))]
                again = [next(draw) for _ in sizes] if rng.random() < 0.5 else []
                streams += [Stream(sizes[0], "video", sizes[1:], again)]
            with contextlib.suppress(MediaError):
                self._sfu.join(b"r" * 16, handle, msgspec.structs.replace(self._eve.media, streams=streams))
        elif what == 6:
            fresh = self._fresh
            handle = self._rig.handle(fresh)
            fresh.media = msgspec.structs.replace(fresh.media, ufrag=f"fresh{rng.randrange(1000, 9999)}")
            fresh.ufrag = fresh.media.ufrag
            fresh.transport = self._sfu.join(b"r" * 16, handle, fresh.media)
            fresh.send(fresh.request())
        else:
            self._sfu.subscribe(b"r" * 16, self._rig.handle(self._mal), rng.choice((None, [], [1], [2])), [])
            self._sfu.subscribe(b"r" * 16, self._rig.handle(self._mal), [1, 2], [rng.randrange(3), 0])

    async def _served(self) -> None:
        """The innocent two have each other's packet: the server has had all that was sent before."""
        self._number += 1
        ada, bob = self._ada, self._bob
        packet = rtp(1, self._number, b"still here")
        ada.send_rtp(packet)
        for i in range(3):
            self._mal.send_rtp(rtp(3, 4 * self._number + i, bytes(30)))
        await bob.until(lambda: bool(bob.rtp) and bob.rtp[-1] == packet, 20.0)
        for peer in self._rig.peers:
            peer.raw.clear()
            peer.rtcp.clear()
            del peer.rtp[:-1]
        assert not self._raised, f"raised in the loop: {self._raised[0]!r}"
        assert self._rig.totals("errors") == 0, "something raised at the server"

    # -- looking -------------------------------------------------------------------------------------

    def look(self) -> None:
        totals = self._sfu.totals()
        assert totals["errors"] == 0 if "errors" in totals else True
        assert totals["peers"] == 5
        held = self._sfu.held()
        assert held.packets <= 40 * LIMITS.video_cache
        assert held.sessions <= 5
        assert totals["received"] > 4 * self._number, "none of what Eve sends ever passes"
        assert totals["resent"], "nothing is ever sent again"
        self._run(self._again())

    async def _again(self) -> None:
        """Eve begins anew, so that whatever befell her doesn't last."""
        await self._served()
        self._sfu.leave(b"r" * 16, self._rig.handle(self._eve))
        self._eve.close()
        index = self._rig.peers.index(self._eve)
        self._eve = Peer()
        self._rig.peers[index] = self._eve
        await self._connect(self._eve)

    def close(self) -> None:
        async def end() -> None:
            for peer in self._rig.peers:
                peer.close()
            self._sfu.close()

        self._run(end())
        self._loop.close()


def _inputs() -> list[bytes]:
    raw = [b"\0" + bytes(40), b"\1" + bytes(20), b"\2\1" + bytes(30), b"\3" + b"\x16\xfe\xfd" + bytes(40)]
    out = raw + [bytes([4 + i % 5]) + packet for i, packet in enumerate(packets())]
    again = [p[:1] + b"\x61" + p[2:12] + b"\0\x65" + p[12:] for p in packets()[:4]]
    out += [b"\5" + packet for packet in again]
    out += [bytes([9 + i % 3]) + compound for i, compound in enumerate(compounds(3))]
    out += [b"\x0d" + compound for compound in compounds(1)]
    out += [b"\x0c" + body[attribute_end(body) :] for body in BODIES]
    return out + [b"\x0e" + bytes(30)] + [bytes([15, i]) for i in range(8)]


def attribute_end(body: bytes) -> int:
    """Where the first attribute ends."""
    return 4 + (int.from_bytes(body[2:4], "big") + 3 & ~3)


def passing(data: bytes, rng: random.Random) -> bytes:
    """Changed; of RTP often nothing but how it is numbered."""
    kind = data[0] % 16
    if kind == 15:
        return b"\x0f" + rng.randbytes(6)
    if 4 <= kind < 9 and rng.random() < 0.6 and len(data) > 12:
        return data[:3] + rng.randbytes(2) + data[5:]
    if 9 <= kind < 14 and kind != 12 and len(data) > 4:
        return data[:1] + reaches_the_end(data[1:], rng)
    return data[:1] + havoc(data[1:], rng)


TARGETS: Final = [Target("socket", Members, _inputs, passing, share=0.4)]
