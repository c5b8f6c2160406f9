"""Participants of a meeting in memory: an engine each, joined by a forwarder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np

from snugroom.client.media.codec import Sound
from snugroom.client.media.engine import MediaEngine, StreamStats
from snugroom.client.media.sources import TestCard
from tests.media_client.meeting import NOWHERE, Forwarder, MemoryLink, TestCrypto

NAMES = ["Ada", "Bob", "Cem"]


class Party:
    """One participant of a meeting in memory."""

    def __init__(self, forwarder: Forwarder, number: int, **options: object) -> None:
        self.handle = bytes([number]) * 8
        self.number = number
        self.identity = number * 4 + 1
        self.crypto = TestCrypto(number)
        self.forwarder = forwarder
        self.failed: list[str] = []
        values: dict[str, object] = {
            "source": TestCard(NAMES[number], self.identity),
            "link": lambda: MemoryLink(forwarder, self.handle),
            "name_of": NAMES.__getitem__,
            "on_failed": self.failed.append,
        }
        self.engine = MediaEngine(crypto=self.crypto, **(values | options))  # type: ignore[arg-type]  # as above
        forwarder.publish(self.handle, self.engine.streams)

    async def connect(self) -> None:
        self.engine.set_remote(self.forwarder.others(self.handle))
        self.engine.parameters()
        await self.engine.connect(NOWHERE)

    def of(self, number: int, kind: str) -> StreamStats:
        handle = bytes([number]) * 8
        (stats,) = [s for s in self.engine.stats() if s.handle == handle and s.kind == kind]
        return stats


@asynccontextmanager
async def meeting(
    forwarder: Forwarder, count: int, options: Callable[[int], dict[str, object]] = lambda n: {}
) -> AsyncIterator[list[Party]]:
    parties = [Party(forwarder, n, **options(n)) for n in range(count)]
    try:
        for party in parties:
            await party.connect()
        yield parties
    finally:
        for party in parties:
            await party.engine.close()
    assert not any(party.failed for party in parties)


class Talker(TestCard):
    """Something like a voice that never pauses: silence, and what sounds on and on, gets no copy."""

    def audio(self, index: int) -> Sound:
        t = (np.arange(960) + index * 960) / 48_000
        wave = sum(np.sin(2 * np.pi * n * 140 * t) / n for n in range(1, 12))
        return (np.asarray(wave) * (0.2 + np.sin(np.pi * 3 * t) ** 2) * 6_000).astype(np.int16)
