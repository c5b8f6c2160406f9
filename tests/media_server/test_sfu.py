"""Peers over real sockets through a real SFU."""

from __future__ import annotations

import pytest

from tests.media_server.conftest import Rig
from tests.media_server.peer import CM, GCM, rtp


@pytest.mark.parametrize(("offered", "chosen"), [(GCM + b":" + CM, GCM), (CM + b":" + GCM, GCM), (CM, CM)])
async def test_two_peers_exchange_packets(rig: Rig, offered: bytes, chosen: bytes) -> None:
    ada = await rig.join((0xADA, "audio"), (0xADB, "video"), profiles=offered)
    bob = await rig.join((0xB0B, "audio"))
    assert ada.profile == chosen
    packets = [rtp(0xADB, 1000 + i, bytes([i]) * 50) for i in range(5)]
    for packet in packets:
        ada.send_rtp(packet)
    await bob.until(lambda: len(bob.rtp) == 5)
    assert bob.rtp == packets
    answer = rtp(0xB0B, 65535, b"opus", kind="audio")
    bob.send_rtp(answer)
    await ada.until(lambda: bool(ada.rtp))
    assert ada.rtp == [answer]
