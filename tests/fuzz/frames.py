"""ICE over TCP at its socket: frames of any size in pieces of any size, from peers that come and go.

Bob hears Ada over TCP meanwhile, through the same listener.
"""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any, Final

from snugroom.server.sfu.limits import MediaLimits
from snugroom.server.sfu.sfu import Sfu
from tests.fuzz.target import Target, havoc
from tests.media_server.conftest import Rig
from tests.media_server.framed import by_tcp
from tests.media_server.peer import rtp

_AT_ONCE: Final = 24
_PEOPLE: Final = 6
LIMITS: Final = MediaLimits(tcp_connections=16, tcp_per_address=12, address_hold=3600.0, idle=3600.0)
HOST: Final = "127.0.0.1"


class Callers:
    """Six strangers' connections at a time; one of them is a member's now and then."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._raised: list[object] = []
        self._loop.set_exception_handler(lambda _, context: self._raised.append(context.get("exception")))
        self._number = self._waiting = self._turn = 0
        self._socks: list[socket.socket | None] = [None] * _PEOPLE
        self._run(self._start())

    def _run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    async def _start(self) -> None:
        self._sfu = Sfu(address=HOST, tcp=True, limits=LIMITS)
        await self._sfu.start()
        self._rig = Rig(self._sfu)
        self._ada = await self._rig.join((1, "video"), room=b"i" * 16)
        self._bob = self._rig.peer()
        await by_tcp(self._bob, HOST, self._sfu.port)
        await self._bob.connect(self._sfu.join(b"i" * 16, self._rig.handle(self._bob), self._bob.media))
        self._eve = self._rig.peer((1, "video"))
        self._eve.transport = self._sfu.join(b"r" * 16, self._rig.handle(self._eve), self._eve.media)
        self._check = self._eve.request()

    def feed(self, data: bytes) -> None:
        self._turn = (self._turn + 1) % _PEOPLE
        sock = self._socks[self._turn]
        if sock is None:
            sock = self._socks[self._turn] = socket.create_connection((HOST, self._sfu.port), 5)
            sock.setblocking(False)
            if (data and data[0] % 3 == 0) or not self._turn:
                sock.send(len(self._check).to_bytes(2, "big") + self._check)
        if not self._turn:  # one who stays: whole frames, and a check first
            whole = (b"\0" + data[:200]).ljust(20, b"x")
            data = len(whole).to_bytes(2, "big") + whole
        try:
            sock.send(data)
            while sock.recv(4096):
                pass
            ended = True
        except BlockingIOError:
            ended = bool(self._turn and data) and data[0] % 32 == 31
        except OSError:
            ended = True
        if ended:
            sock.close()
            self._socks[self._turn] = None
        self._waiting += 1
        if self._waiting >= _AT_ONCE:
            self._waiting = 0
            self._run(self._served())

    async def _served(self) -> None:
        self._number += 1
        ada, bob = self._ada, self._bob
        packet = rtp(1, self._number, b"still here")
        ada.send_rtp(packet)
        await bob.until(lambda: bool(bob.rtp) and bob.rtp[-1] == packet, 20.0)
        for peer in (ada, bob):
            peer.raw.clear()
            peer.rtcp.clear()
            del peer.rtp[:-1]
        assert not self._raised, f"raised in the loop: {self._raised[0]!r}"
        assert self._rig.totals("errors") == 0, "something raised at the server"

    def look(self) -> None:
        totals = self._sfu.totals()
        assert totals["peers"] == 3
        assert totals["tcp_taken"] > _PEOPLE
        assert self._sfu._egress.multi_transport is not None
        tcp = self._sfu._egress.multi_transport._tcp
        assert tcp is not None
        assert tcp.connections <= LIMITS.tcp_connections
        assert tcp.buffers < 2**16, "what has been read is kept"

    def close(self) -> None:
        async def end() -> None:
            for peer in self._rig.peers:
                peer.close()
            self._sfu.close()

        for sock in self._socks:
            if sock is not None:
                sock.close()
        self._run(end())
        self._loop.close()


def _frames() -> list[bytes]:
    good = [b"\0\x14" + b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12), b"\0\0", b"\0\x20" + bytes(32)]
    return [
        *good,
        good[0] * 5,
        good[2][:9],
        b"\x07\xff" + bytes(40),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\1\0" * 20,
    ]


def pieces(data: bytes, rng: random.Random) -> bytes:
    """Changed, or a piece of it, or many."""
    what = rng.random()
    if what < 0.3:
        at = rng.randrange(len(data) + 1)
        return data[at : at + 1 + rng.randrange(8)]
    if what < 0.5:
        return (data * 40)[: rng.randrange(1, 1400)]
    return havoc(data, rng)


TARGETS: Final = [Target("frames", Callers, _frames, pieces, share=0.4)]
