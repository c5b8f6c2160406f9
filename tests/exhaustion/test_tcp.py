"""TCP for media: floods of meaningless frames."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from snugroom.server.sfu.io import tcp
from tests.exhaustion.conftest import StartRig
from tests.media_server.conftest import Rig
from tests.media_server.framed import by_tcp, dial
from tests.media_server.peer import Peer, rtp
from tests.patience import PATIENCE

HOST = "127.0.0.1"


async def meeting(rig: Rig) -> tuple[Peer, Peer]:
    """Ada sends over UDP, Bob hears her over TCP."""
    ada = await rig.join((1, "video"))
    bob = rig.peer()
    await by_tcp(bob, HOST, rig.sfu.port)
    await bob.connect(rig.sfu.join(b"r" * 16, rig.handle(bob), bob.media))
    return ada, bob


async def flood(sock: socket.socket, data: bytes) -> bool:
    """Whether all of it could be sent."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            await loop.sock_sendall(sock, data)
            return True
    return False


@pytest.mark.parametrize("tiny", [1, 2, 12])
async def test_frames_too_small_for_anything_end_a_connection(start_rig: StartRig, tiny: int) -> None:
    rig = await start_rig(tcp=True)
    ada, bob = await meeting(rig)
    eve = rig.peer()
    eve.transport = rig.sfu.join(b"r" * 16, rig.handle(eve), eve.media)
    check = eve.request()
    sock = await dial(HOST, rig.sfu.port)
    frame = tiny.to_bytes(2, "big") + b"\0" * tiny
    await flood(sock, len(check).to_bytes(2, "big") + check + frame * 20_000)
    ada.send_rtp(rtp(1, 1))
    await bob.until(lambda: len(bob.rtp) == 1)
    with contextlib.suppress(ConnectionError):  # what was behind it is thrown away, with a reset
        async with asyncio.timeout(PATIENCE):
            while await asyncio.get_running_loop().sock_recv(sock, 4096):
                pass
    sock.close()
    assert rig.totals("tcp_garbage") == 1
    # the first of them, and no more, was looked at
    assert rig.totals("garbage") == 0


async def test_empty_frames_take_nobodys_turn(start_rig: StartRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await start_rig(tcp=True)
    ada, bob = await meeting(rig)
    portions: list[int] = []
    frames = tcp.Tcp._frames

    def note(self: tcp.Tcp, connection: tcp.TcpConnection, data: bytes) -> bool:
        portions.append(len(data))
        return frames(self, connection, data)

    monkeypatch.setattr(tcp.Tcp, "_frames", note)
    sock = await dial(HOST, rig.sfu.port)
    for number in range(1, 21):
        assert await flood(sock, b"\0\0" * 50_000)
        ada.send_rtp(rtp(1, number))
        await bob.until(lambda: len(bob.rtp) == number)
    sock.close()
    assert max(portions) <= 2**14 + 2048
