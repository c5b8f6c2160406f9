"""`snug bench memory`: the server's memory per subscriber.

Rooms of light members with one publisher each are filled one after the other, with ICE and DTLS done and
packets flowing to all. Resident memory is read after each room. The cost of a subscriber is the slope of the
line through these points, which leaves out the server's fixed cost. Kernel buffers do not belong to the
process and are not included.
"""

from __future__ import annotations

import asyncio
import statistics
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.client.tools.bench.flow import Audio, Video
from snugroom.client.tools.bench.house import BenchServer
from snugroom.client.tools.bench.light import Crowd, LightError, LightPeer, LightRoom, gathering, ssrc_of
from snugroom.client.tools.bench.reporting import reported
from snugroom.server.wire.messages import Stream

#: Goal in megabytes (10^6 bytes) per subscriber.
GOAL_MB: Final = 0.25
SUBSCRIBERS: Final = 49
ROOMS: Final = 6
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


async def measure(subscribers: int = SUBSCRIBERS, rooms: int = ROOMS) -> dict[str, Any]:
    """Measure `rooms` rooms. LightError, ServerError."""
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
    return summary(subscribers, points)


def summary(subscribers: int, points: list[dict[str, int]]) -> dict[str, Any]:
    """Return the output. `bytes_a_subscriber` is the slope. Publishers count too, and cost more."""
    peers = [point["peers"] for point in points]
    slope = statistics.linear_regression(peers, [point["resident"] for point in points]).slope
    own = statistics.linear_regression(peers, [point["own"] for point in points]).slope
    return {
        "bench": "memory",
        "subscribers_a_room": subscribers,
        "points": points,
        "bytes_a_subscriber": round(slope),
        "own_bytes_a_subscriber": round(own),
        "goal_bytes": round(GOAL_MB * 1e6),
        "met": slope < GOAL_MB * 1e6,
    }


async def run(json_output: bool, subscribers: int = SUBSCRIBERS, rooms: int = ROOMS) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    return await reported(
        measure(subscribers, rooms), _WHOLE_TIME, json_output, _show, LightError, ExceptionGroup
    )


def _show(measured: dict[str, Any]) -> None:
    title = f"The server's memory, in rooms of {measured['subscribers_a_room']}"
    table = Table("members", "resident, MB", "its own, MB", title=title)
    for column in table.columns:
        column.justify = "right"
    for point in measured["points"]:
        table.add_row(str(point["peers"]), f"{point['resident'] / 1e6:.1f}", f"{point['own'] / 1e6:.1f}")
    console = Console()
    console.print(table)
    verdict = "met" if measured["met"] else "NOT met"
    console.print(
        f"a subscriber: {measured['bytes_a_subscriber'] / 1e6:.3f} MB; goal {GOAL_MB}: {verdict} "
        "(without what the kernel keeps for sockets)"
    )
