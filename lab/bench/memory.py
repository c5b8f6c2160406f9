"""`snug bench memory`: the server's memory per subscriber, and per member that sends.

Rooms of light members with one publisher each are filled one after the other, with ICE and DTLS done and
packets flowing to all. Resident memory is read after each room. The cost of a subscriber is the slope of the
line through these points, which leaves out the server's fixed cost. Kernel buffers do not belong to the
process and are not included.

At a second server, members that send camera and microphone are added, ten at a time, and all of them go on
sending. One member of each ten, which sends too, receives the ten and reports what arrives.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.lab.bench.flow import Audio, Video
from snugroom.lab.bench.house import BenchServer
from snugroom.lab.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from snugroom.lab.bench.reporting import reported
from snugroom.wire.messages import Stream

#: Goal in megabytes (10^6 bytes) per subscriber.
GOAL_MB: Final = 0.25
SENDER_GOAL_MB: Final = 0.4
SUBSCRIBERS: Final = 49
ROOMS: Final = 6
#: Members of a room in which everybody sends, and the number of these rooms.
SENDERS: Final = 10
SENDING_ROOMS: Final = 3
#: Seconds that each room's publisher sends, at a camera's rate, before memory is read.
_FLOW: Final = 2.0
_RATE: Final = 200.0
_PACE: Final = 0.01
_SETTLE: Final = 1.0
_WHOLE_TIME: Final = 180.0


async def _fill(crowd: Crowd, number: int, subscribers: int) -> int:
    """Fill one more room; return the number of packets that its subscribers received."""
    room = LightRoom()
    sound, picture = ssrc_of("sound", number), ssrc_of("picture", number)
    publisher = LightPeer(crowd, room, [Stream(sound, "audio"), Stream(picture, "video")])
    others = [LightPeer(crowd, room) for _ in range(subscribers)]
    await crowd.admit([publisher, *others])
    got = 0

    def count(_packet: bytes) -> None:
        nonlocal got
        got += 1

    for other in others:
        other.on_rtp = count
    sources: list[Audio | Video] = [Audio(sound, crowd.now), Video(picture, _RATE, crowd.now)]
    end = crowd.now + _FLOW
    while crowd.now < end:
        for source in sources:
            for packet in source.due(crowd.now):
                publisher.send_rtp(packet)
        await asyncio.sleep(_PACE)
    await asyncio.sleep(_SETTLE)
    return got


def _numbers() -> Callable[[], int]:
    """Return a source of transport-wide sequence numbers."""
    numbers = itertools.count()
    return lambda: next(numbers) & 0xFFFF


async def _senders(rooms: int, members: int) -> list[dict[str, int]]:
    """Return the memory with 0 to `rooms` rooms of `members` that send, after one of two. LightError."""
    sources: list[tuple[LightPeer, Audio | Video]] = []

    async def flow() -> None:
        while True:
            for peer, source in sources:
                for packet in source.due(crowd.now):
                    peer.send_rtp(packet)
            await asyncio.sleep(_PACE)

    async def fill(number: int, members: int) -> None:
        room = LightRoom()
        peers: list[LightPeer] = []
        for member in range(number, number + members):
            sound, picture, again = (ssrc_of(kind, member) for kind in ("sound", "picture", "again"))
            streams = [Stream(sound, "audio"), Stream(picture, "video", rtx=[again])]
            peers.append(LightPeer(crowd, room, streams, feedback=True, rtx=True))
        await crowd.admit(peers)
        for member, peer in enumerate(peers, number):
            if peer is not peers[0]:
                await peer.subscribe([])
            sources.append((peer, Audio(ssrc_of("sound", member), crowd.now)))
            sources.append((peer, Video(ssrc_of("picture", member), _RATE, crowd.now, _numbers())))
        got = peers[0].highest
        await asyncio.sleep(_FLOW + _SETTLE)
        if len(got) < 2:
            raise LightError("The receiver of a room got nothing.")

    async with BenchServer(settings={"max_members": 1 + members}) as server, gathering(server.url) as crowd:
        await server.settle()
        flowing = asyncio.get_running_loop().create_task(flow())
        try:
            points: list[dict[str, int]] = []
            for number in range(rooms + 1):
                await fill(1 + members * number, members if number else 2)
                taken = server.footprint
                points.append({"peers": len(crowd.peers), "resident": taken.resident, "own": taken.own})
            return points
        finally:
            flowing.cancel()
            await asyncio.gather(flowing, return_exceptions=True)


async def measure(
    subscribers: int = SUBSCRIBERS, rooms: int = ROOMS, senders: int = SENDERS, sending: int = SENDING_ROOMS
) -> dict[str, Any]:
    """Measure `rooms` rooms of subscribers, and `sending` rooms of `senders`. LightError, ServerError."""
    async with BenchServer() as server, gathering(server.url) as crowd:
        await server.settle()
        points: list[dict[str, int]] = []
        for number in range(rooms + 1):
            # the first room is a room of two, so that everything that is loaded or made only once exists
            got = await _fill(crowd, number, subscribers if number else 1)
            if not got:
                raise LightError("The subscribers got nothing.")
            taken = server.footprint
            points.append(
                {"peers": len(crowd.peers), "resident": taken.resident, "own": taken.own, "packets": got}
            )
    return summary(subscribers, points, await _senders(sending, senders))


def _slope(points: list[dict[str, int]], of: str) -> float:
    return statistics.linear_regression(
        [point["peers"] for point in points], [point[of] for point in points]
    ).slope


def summary(subscribers: int, points: list[dict[str, int]], sending: list[dict[str, int]]) -> dict[str, Any]:
    """Return the output. `bytes_a_subscriber` is the slope. Publishers count too, and cost more."""
    slope, sender = _slope(points, "resident"), _slope(sending, "resident")
    return {
        "bench": "memory",
        "subscribers_a_room": subscribers,
        "points": points,
        "bytes_a_subscriber": round(slope),
        "own_bytes_a_subscriber": round(_slope(points, "own")),
        "goal_bytes": round(GOAL_MB * 1e6),
        "sending": sending,
        "bytes_a_sender": round(sender),
        "own_bytes_a_sender": round(_slope(sending, "own")),
        "sender_goal_bytes": round(SENDER_GOAL_MB * 1e6),
        "met": slope < GOAL_MB * 1e6 and sender < SENDER_GOAL_MB * 1e6,
    }


async def run(
    json_output: bool,
    subscribers: int = SUBSCRIBERS,
    rooms: int = ROOMS,
    senders: int = SENDERS,
    sending: int = SENDING_ROOMS,
) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    measuring = measure(subscribers, rooms, senders, sending)
    return await reported(measuring, _WHOLE_TIME, json_output, _show, LightError, ExceptionGroup)


def _show(measured: dict[str, Any]) -> None:
    console = Console()
    titles = {
        "points": f"The server's memory, in rooms of {measured['subscribers_a_room']}",
        "sending": "The server's memory, with members that send",
    }
    for name, title in titles.items():
        table = Table("members", "resident, MB", "its own, MB", title=title)
        for column in table.columns:
            column.justify = "right"
        for point in measured[name]:
            table.add_row(str(point["peers"]), f"{point['resident'] / 1e6:.1f}", f"{point['own'] / 1e6:.1f}")
        console.print(table)
    console.print(
        f"a subscriber: {measured['bytes_a_subscriber'] / 1e6:.3f} MB (goal {GOAL_MB}); a member that sends: "
        f"{measured['bytes_a_sender'] / 1e6:.3f} MB (goal {SENDER_GOAL_MB}): "
        f"{'met' if measured['met'] else 'NOT met'} (without what the kernel keeps for sockets)"
    )
