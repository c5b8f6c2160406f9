"""Load shedding at a real socket: the lag that the kernel reports reaches the core."""

from __future__ import annotations

import time
import types

import pytest

from snugroom.server.sfu.io.packet_io import DatagramHandler
from snugroom.server.sfu.sfu import MediaLimits
from tests.media_server.conftest import StartRig
from tests.media_server.peer import rtp


class Clock:
    """Advances by 2 ms with each call, and by `jump`."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        self.now += 0.002
        return self.now


@pytest.mark.parametrize("batched", [True, False])
async def test_a_server_that_is_late_gives_up_video_until_it_is_not(
    start_rig: StartRig, monkeypatch: pytest.MonkeyPatch, batched: bool
) -> None:
    clock = Clock()
    rig = await start_rig(MediaLimits(batched=batched, drain=16), clock=clock)
    ada = await rig.join((0xADA, "audio"), (0xADB, "video"))
    bob = await rig.join()
    ada.send_rtp(rtp(0xADB, 1))
    ada.send_rtp(rtp(0xADA, 1, kind="audio"))
    await bob.until(lambda: len(bob.rtp) == 2)
    for track in rig.sfu.streams():
        assert track.packets == 1
    for own in rig.sfu._core.subscriptions.tracks():
        own.packets = 100 if own.kind == "video" else 10
    now, late = time.time, 0.5
    monkeypatch.setattr(
        "snugroom.server.sfu.io.packet_io.time", types.SimpleNamespace(time=lambda: now() + late)
    )
    packet_io = rig.sfu._egress.packet_io
    assert packet_io is not None
    drain, limits = packet_io.drain, []

    def recorded(limit: int, handle: DatagramHandler, descriptor: int | None = None) -> int:
        limits.append(limit)
        return drain(limit, handle, descriptor)

    monkeypatch.setattr(packet_io, "drain", recorded)
    for number in range(2, 202):
        ada.send_rtp(rtp(0xADB, number))
        if not number % 5:
            ada.send_rtp(rtp(0xADA, number // 5 + 1, kind="audio"))
    await bob.until(lambda: sum(packet[1] & 0x7F != 96 for packet in bob.rtp) == 41)
    assert 100 < rig.totals("shed_video") < 200
    assert rig.totals("shed_audio") == 0
    assert {4, 16} <= set(limits)  # decisions come sooner while it is late
    assert rig.totals("lost") == rig.totals("asked") == 0
    await bob.until(lambda: rig.sfu._busy > 0)
    # a drain that empties the socket ends the lag, and a second later the video comes back
    late = 0.0
    clock.now += 0.1
    await bob.until(lambda: rig.sfu._core.shedding._control._calm_since is not None)
    clock.now += 1.1
    await bob.until(lambda: not rig.sfu._core.shedding.shed)
    before = len(bob.rtp)
    ada.send_rtp(rtp(0xADB, 202))
    await bob.until(lambda: len(bob.rtp) == before + 1)
    assert bob.rtp[-1] == rtp(0xADB, 202)
