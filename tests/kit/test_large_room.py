"""Participants of a room that becomes large: all of them change the length of their packets of sound."""

from __future__ import annotations

import asyncio

import pytest

from snugroom import Participant
from snugroom.client.media.codec import FRAME_SAMPLES, LONG_SAMPLES, OpusEncoder, Sound
from snugroom.client.session.kernel import large_room
from snugroom.testing import Server
from snugroom.testing.plugin import snug_server
from tests.patience import PATIENCE

__all__ = ["snug_server"]


async def test_all_send_longer_packets_as_long_as_the_room_is_large(
    snug_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_room, "LARGE_LEAF", 2)
    monkeypatch.setattr(large_room, "LARGE_MEMBERS", 2)
    lengths: dict[OpusEncoder, list[int]] = {}
    encode = OpusEncoder.encode

    def noted(self: OpusEncoder, sound: Sound) -> bytes:
        lengths.setdefault(self, []).append(len(sound))
        return encode(self, sound)

    async def encoders(count: int, samples: int) -> None:
        """Wait until so many encoders, and no others, encode this length."""
        async with asyncio.timeout(PATIENCE):
            while True:
                before = {each: len(all_of_one) for each, all_of_one in lengths.items()}
                await asyncio.sleep(0.2)
                now = [all_of_one[before.get(each, 0) :] for each, all_of_one in lengths.items()]
                if [set(each) for each in now if each] == [{samples}] * count:
                    return

    monkeypatch.setattr(OpusEncoder, "encode", noted)
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await encoders(2, FRAME_SAMPLES)
        async with Participant.join(ada.link, name="Cem") as cem:
            await encoders(3, LONG_SAMPLES)
            await asyncio.gather(bo.hears_tone_of(ada), ada.hears_tone_of(cem), cem.hears_tone_of(bo))
        await ada.meets("Bo")
        await encoders(2, FRAME_SAMPLES)
        await bo.hears_tone_of(ada)
        assert (ada.alarms, bo.alarms, cem.alarms) == ([], [], [])
