"""`snug bench meeting`: whole meetings at one server, up to its saturation and beyond.

Everybody sends: a microphone with 50 packets a second, and a camera whose packets come in bursts. In rooms of
10 each camera has one size, and everybody sees all. In rooms of 25 and 49 cameras have three sizes, and
everybody sees nine: one in the largest size, the others in the middle one. All receivers give transport-wide
feedback, and one in each room has a narrow path.

`snug-server` runs in a separate process, with its core. Rooms are added until the server does not keep up.
Added latencies are the kernel's time of a packet's arrival minus the time of its sending: this program's own
delays are not in them. The last step offers 1.3 times what the server's core can carry.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.lab import machine
from snugroom.lab.bench.flow import AUDIO_RATE, SIZE
from snugroom.lab.bench.house import UNLIMITED_BUT_LAG, BenchServer
from snugroom.lab.bench.light import LightError, gathering
from snugroom.lab.bench.meeting_load import P99_MAX, Kind, Load, Step
from snugroom.lab.bench.reporting import reported

#: The overload, as a multiple of what a core carries, and the goal for the audio's p99 there.
OVERLOAD: Final = 1.3
OVERLOAD_P99_MAX: Final = 0.030
#: Goal: microseconds for each forwarded packet, in three rooms of 10.
GOAL_US: Final = 7.0
JUDGED_ROOMS: Final = 3
#: The most by which frames are accelerated for an overload.
SCALE_MAX: Final = 4.0
SECONDS: Final = 6.0
#: Seconds of traffic before a step is measured: bandwidth estimates settle, layers are chosen.
WARM: Final = 4.0
#: Share of the time that the server may wait for its core on a machine that counts as quiet, and CPU share of
#: the generator above which its figures show its own limit.
_NOISE: Final = 0.05
_BUSY: Final = 0.95
_WHOLE_TIME: Final = 360.0


KINDS: Final = (
    Kind(10, (5,), 9, (1, 3, 6, 9, 12)),
    Kind(25, (1, 2, 5), 9, (1, 2, 3)),
    Kind(49, (1, 2, 5), 9, (1, 2)),
)
#: For a quick look at whether all works, without overload.
QUICK: Final = (Kind(4, (5,), 3, (1,)), Kind(5, (1, 2, 5), 2, (1,)))


async def measure_kind(kind: Kind, seconds: float, warm: float, *, overload: bool) -> list[Step]:
    """Measure more and more rooms of one kind, until the server does not keep up.

    `overload`: then offer `OVERLOAD` times what its core can carry. LightError, ServerError, TimeoutError.
    """
    async with BenchServer(UNLIMITED_BUT_LAG) as server:
        await server.settle()
        machine.split_cores(server.pid)
        async with gathering(server.url) as crowd:
            load = Load(server, crowd, kind)
            steps: list[Step] = []
            for rooms in kind.rooms:
                await load.grow(rooms)
                steps.append(await load.step(seconds, warm))
                if not steps[-1].carried:
                    break
            if overload:
                steps.append(
                    await load.step(seconds, warm, scale_of(steps[-1], max(1e6 / s.us for s in steps)))
                )
    return steps


def scale_of(step: Step, capacity: float) -> float:
    """Return the scale at which the rooms of `step` offer `OVERLOAD` times `capacity` packets a second."""
    audio = step.rooms * step.members * (step.members - 1) * AUDIO_RATE
    scale = step.scale * (OVERLOAD * capacity - audio) / max(1.0, step.rate - audio)
    return min(max(1.0, scale), SCALE_MAX)


async def measure(
    kinds: Sequence[Kind] = KINDS, seconds: float = SECONDS, warm: float = WARM, *, overload: bool = True
) -> dict[str, Any]:
    """Measure all kinds of rooms, and with `overload` too much of the first kind."""
    cores = os.sched_getaffinity(0)
    steps: list[Step] = []
    late: Step | None = None
    for kind in kinds:
        first = kind is kinds[0]
        measured = await measure_kind(kind, seconds, warm, overload=overload and first)
        os.sched_setaffinity(0, cores)
        if overload and first:
            late = measured.pop()
        steps += measured
    return summary(steps, late)


def summary(steps: Sequence[Step], overload: Step | None) -> dict[str, Any]:
    """Return the output. `judged_us`: of three rooms of the first kind, or the nearest number to that."""
    first = [step for step in steps if step.members == steps[0].members]
    judged = min(first, key=lambda step: abs(step.rooms - JUDGED_ROOMS))
    every = [*steps, *([] if overload is None else [overload])]
    met = {"us": judged.us <= GOAL_US}
    if overload is not None:
        met["overload_audio_p99"] = overload.audio_p99 < 1e3 * OVERLOAD_P99_MAX
    return {
        "bench": "meeting",
        "packet_bytes": SIZE,
        "cores": len(os.sched_getaffinity(0)),
        "steps": [asdict(step) | {"carried": step.carried} for step in steps],
        "overload": None if overload is None else asdict(overload) | {"times": OVERLOAD},
        "judged_us": judged.us,
        "judged_rooms": judged.rooms,
        "rate": max((step.rate for step in steps if step.carried), default=0),
        "quiet": all(step.waited < _NOISE for step in every),
        "generator_was_the_limit": any(step.generator > _BUSY for step in every),
        "goal": {"us": GOAL_US, "overload_audio_p99": 1e3 * OVERLOAD_P99_MAX},
        "met": met,
    }


async def run(
    json_output: bool,
    kinds: Sequence[Kind] = KINDS,
    seconds: float = SECONDS,
    warm: float = WARM,
    *,
    overload: bool = True,
) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    measuring = measure(kinds, seconds, warm, overload=overload)
    return await reported(measuring, _WHOLE_TIME, json_output, _show, LightError, ExceptionGroup)


def _show(measured: dict[str, Any]) -> None:
    columns = (
        "rooms", "packets a second", "us a packet", "audio p50", "p99", "video p50", "p99", "audio lost",
        "video lost", "shed", "server", "load", "waited",
    )  # fmt: skip
    table = Table(*columns, title=f"Meetings, {SIZE} bytes a packet; added latencies in milliseconds")
    for column in table.columns:
        column.justify = "right"
    overload = measured["overload"]
    for step in [*measured["steps"], *([overload] if overload else [])]:
        scale = "" if step["scale"] == 1 else f" x {step['scale']:.1f}"
        table.add_row(
            f"{step['rooms']} of {step['members']}{scale}",
            f"{step['rate']:,}",
            f"{step['us']:.2f}",
            *(f"{step[name]:.1f}" for name in ("audio_p50", "audio_p99", "video_p50", "video_p99")),
            f"{step['audio_loss']:.2%}",
            "-" if step["video_loss"] is None else f"{step['video_loss']:.2%}",
            f"{step['shed']:,}",
            *(f"{step[name]:.0%}" for name in ("server", "generator", "waited")),
        )
    console = Console()
    console.print(table)
    goal, met, verdict = measured["goal"], measured["met"], {True: "met", False: "NOT met"}
    console.print(
        f"highest rate with an audio p99 below {1e3 * P99_MAX:.0f} ms and nothing lost or shed: "
        f"{measured['rate']:,} packets a second"
    )
    console.print(
        f"CPU with {measured['judged_rooms']} rooms of the first kind: {measured['judged_us']:.2f} us a "
        f"packet; goal {goal['us']:.0f}: {verdict[met['us']]}"
    )
    if overload:
        console.print(
            f"the last line offers {OVERLOAD} times what the server's core carries: audio p99 "
            f"{overload['audio_p99']:.1f} ms; goal {goal['overload_audio_p99']:.0f}: "
            f"{verdict[met['overload_audio_p99']]}"
        )
    if not measured["quiet"]:
        console.print(
            "this machine was not quiet: the server waited for its core, so the figures are no verdict"
        )
    if measured["generator_was_the_limit"]:
        console.print("the load's core was busy all the time: its packets left late")
