"""One room on two media workers: real processes, and peers over UDP on the loopback."""

from __future__ import annotations

import asyncio

from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp
from tests.media_server.peer import Peer, rtp
from tests.patience import PATIENCE
from tests.server.worker_pools import pool, until

ROOM = b"r" * 16
VIDEO, BACK = 0xADB, 0xB0B


def handle(number: int) -> bytes:
    return b"%08d" % number


async def test_a_room_on_two_workers_forwards_and_survives_the_end_of_one() -> None:
    async with pool(2, limits=MediaLimits(room_part=1)) as made:
        lost: list[tuple[bytes, list[bytes]]] = []
        made.on_lost = lambda room, handles: lost.append((room, handles))
        ada, bo = Peer((VIDEO, "video")), Peer((BACK, "audio"))
        peers = [ada, bo]
        try:
            for number, peer in enumerate(peers):
                await peer.connect(await made.join(ROOM, handle(number), peer.media))
            assert ada.server[1] != bo.server[1]
            await ada.until(lambda: bool(ada.feedback(rtcp.PSFB, 1)))
            ada.send_rtp(rtp(VIDEO, 1, b"x" * 500))
            await bo.until(lambda: len(bo.rtp) == 1)
            # the key frame request for ada has shown that her worker knows of bo; his may not know of her yet
            bo.send_rtp(rtp(BACK, 1, kind="audio"))
            number = 1
            async with asyncio.timeout(PATIENCE):
                while not ada.rtp:
                    number += 1
                    bo.send_rtp(rtp(BACK, number, kind="audio"))
                    await made.inspect()
            receivers: list[tuple[int, int]] = []
            async with asyncio.timeout(PATIENCE):
                while receivers != [(VIDEO, 1), (BACK, 1)]:
                    view = await made.inspect(streams=True)
                    receivers = sorted((facts.ssrc, facts.receivers) for facts in view.streams)
            assert view.totals["crossed"] > 0
            assert view.totals["peers"] == 2

            made.slots[1].kill()
            await until(lambda: bool(lost))
            assert lost == [(ROOM, [handle(1)])]
            again = Peer((BACK, "audio"))
            peers.append(again)
            await again.connect(await made.join(ROOM, handle(1), again.media))
            assert again.server[1] == bo.server[1]
            await ada.until(lambda: len(ada.feedback(rtcp.PSFB, 1)) > 1)
            ada.send_rtp(rtp(VIDEO, 2, b"x" * 500))
            await again.until(lambda: bool(again.rtp))
            made.leave(ROOM, handle(0))
            assert (await made.inspect(streams=True)).totals["peers"] == 1
        finally:
            for peer in peers:
                peer.close()
