"""From asking for media to the first packet that can be opened: the transport's part of joining.

Rooms of light members, of which one sends audio and video. Newcomers come one after the other. The members
who were there before receive all the time and do not read. At the end a newcomer waits for the next packet: a
publisher sends one every 4 ms here.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Sequence
from typing import Any, Final

from snugroom.lab.bench.drain import BATCH, Drain
from snugroom.lab.bench.flow import Audio, Video
from snugroom.lab.bench.house import BenchServer
from snugroom.lab.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from snugroom.wire.messages import Stream

#: Goal for the median, in milliseconds.
GOAL_MS: Final = 30.0
ROOMS: Final = (1, 10, 25, 100)
NEWCOMERS: Final = 20
_RATE: Final = 200.0
_PACE: Final = 0.004
_PATIENCE: Final = 10.0

#: (mark at the end of the part, description), in order; the first part begins at `media`.
PARTS: Final = (
    ("transport", "the server answers with its address and credentials"),
    ("stun", "a connectivity check, and its answer"),
    ("dtls", "the DTLS handshake, two round trips"),
    ("first", "the next packet of a stream"),
)


class _Room:
    """A publisher, and other members that receive and do not read."""

    def __init__(self, crowd: Crowd, members: int) -> None:
        self._crowd = crowd
        self._keys = LightRoom()
        sound, picture = ssrc_of("sound", members), ssrc_of("picture", members)
        self._publisher = LightPeer(crowd, self._keys, [Stream(sound, "audio"), Stream(picture, "video")])
        self._others = [LightPeer(crowd, self._keys) for _ in range(members - 1)]
        self._sources: list[Audio | Video] = [Audio(sound, crowd.now), Video(picture, _RATE, crowd.now)]
        self._drain = Drain()

    async def fill(self) -> None:
        await self._crowd.admit([self._publisher, *self._others])
        for other in self._others:
            assert other.socket is not None
            asyncio.get_running_loop().remove_reader(other.socket.fileno())

    async def flow(self) -> None:
        """Send until cancelled."""
        while True:
            for source in self._sources:
                for packet in source.due(self._crowd.now):
                    self._publisher.send_rtp(packet)
            await asyncio.sleep(_PACE)

    def read(self) -> None:
        """Read between two newcomers: handle the answers to connectivity checks, and discard media."""
        for other in self._others:
            assert other.socket is not None
            count = BATCH
            while count == BATCH:
                rows, count = self._drain.receive(other.socket)
                for i in (rows[:count, 0] < 128).nonzero()[0]:
                    other.receive(self._drain.datagram(int(i)))

    async def newcomer(self) -> dict[str, float]:
        """Let a newcomer come, get a packet and leave; return its marks. LightError if no packet comes."""
        peer = LightPeer(self._crowd, self._keys)
        got = asyncio.Event()
        peer.on_rtp = lambda _packet: got.set()
        try:
            await peer.enter()
            await peer.connect()
            async with asyncio.timeout(_PATIENCE):
                await got.wait()
        except TimeoutError:
            raise LightError("A newcomer got no packet.") from None
        finally:
            await peer.leave()
        return peer.marks

    async def empty(self) -> None:
        await asyncio.gather(*(peer.leave() for peer in (self._publisher, *self._others)))


async def measure(rooms: Sequence[int] = ROOMS, newcomers: int = NEWCOMERS) -> list[dict[str, Any]]:
    """Return a `summary` for each size of room (members before the newcomer). LightError, ServerError."""
    measured = []
    async with (
        BenchServer(settings={"max_members": max(rooms) + 1}) as server,
        gathering(server.url) as crowd,
    ):
        for members in rooms:
            room = _Room(crowd, members)
            await room.fill()
            flowing = asyncio.get_running_loop().create_task(room.flow())
            try:
                marks = []
                for _ in range(newcomers):
                    room.read()
                    marks.append(await room.newcomer())
            finally:
                flowing.cancel()
                await asyncio.gather(flowing, return_exceptions=True)
            await room.empty()
            measured.append(summary(members, marks))
    return measured


def summary(members: int, marks: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return medians in milliseconds."""

    def median(begin: str, end: str) -> float:
        return round(statistics.median(1_000 * (mark[end] - mark[begin]) for mark in marks), 2)

    names = ["media", *(name for name, _ in PARTS)]
    whole = median("media", "first")
    return {
        "members": members,
        "newcomers": len(marks),
        "ms": whole,
        "most_ms": round(max(1_000 * (mark["first"] - mark["media"]) for mark in marks), 2),
        "parts": {end: median(begin, end) for begin, end in itertools.pairwise(names)},
        "met": whole < GOAL_MS,
    }
