"""From asking for media to the first packet that could be opened: what of coming in is the transport's.

Rooms of light members, one of whom sends sound and pictures; newcomers come one after the other, and those
who were there before are sent to all the while, and don't read. What a newcomer waits for at the end is the
next packet: a publisher sends one every 4 ms here.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Sequence
from typing import Any, Final

from client.bench.drain import BATCH, Drain
from client.bench.flow import Audio, Video
from client.bench.house import House
from client.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from server.wire.messages import Stream

#: Milliseconds, the median.
GOAL_MS: Final = 30.0
ROOMS: Final = (1, 10, 25, 100)
NEWCOMERS: Final = 20
_RATE: Final = 200.0
_PACE: Final = 0.004
_PATIENCE: Final = 10.0

#: (mark at its end, what it is), in this order; the first begins at `media`.
PARTS: Final = (
    ("transport", "the server answers with its address and credentials"),
    ("stun", "a connectivity check, and its answer"),
    ("dtls", "the DTLS handshake, two round trips"),
    ("first", "the next packet of a stream"),
)


class _Room:
    """A publisher, and others who are sent to and don't look."""

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
        """Send, until cancelled."""
        while True:
            for source in self._sources:
                for packet in source.due(self._crowd.now):
                    self._publisher.send_rtp(packet)
            await asyncio.sleep(_PACE)

    def read(self) -> None:
        """Answers to checks must be seen now and then, between two newcomers; media are thrown away."""
        for other in self._others:
            assert other.socket is not None
            count = BATCH
            while count == BATCH:
                rows, count = self._drain.receive(other.socket)
                for i in (rows[:count, 0] < 128).nonzero()[0]:
                    other.receive(self._drain.datagram(int(i)))

    async def newcomer(self) -> dict[str, float]:
        """One comes, gets a packet, and goes; its marks."""
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
    """For each size of room, members before the newcomer counted, its `summary`. LightError, ServerError."""
    measured = []
    async with House(settings={"max_members": max(rooms) + 1}) as house, gathering(house.url) as crowd:
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
    """Milliseconds, medians."""

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
