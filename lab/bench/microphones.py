"""`snug bench microphones`: one large room in which every microphone is open, and there is no camera.

Every member sends sound, and receives that of all others: with packets of 20 ms, as in a small room, with
packets of 60 ms, as in a large one, and with 60 ms if all received the same 16 members only. `snug-server`
runs in a separate process, with one media worker on its core.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.client.session.features.audible import SLOTS
from snugroom.lab import machine
from snugroom.lab.bench.house import UNLIMITED_BUT_LAG, BenchServer
from snugroom.lab.bench.light import LightError, gathering
from snugroom.lab.bench.meeting_load import Kind, Load, Step
from snugroom.lab.bench.reporting import reported
from snugroom.wire.limits import AUDIO_PARTS

#: Goal: the share of a core in a room of `JUDGED` members.
JUDGED: Final = 100
GOAL: Final = 0.5
SECONDS: Final = 5.0
WARM: Final = 3.0
_NOISE: Final = 0.05
_BUSY: Final = 0.95
_WHOLE_TIME: Final = 900.0


def ways(members: int) -> dict[str, Kind]:
    """Return a kind of room for each way to send sound, by its name in the output."""
    return {
        "20 ms": Kind(members, (), 0, (1,)),
        "60 ms": Kind(members, (), 0, (1,), AUDIO_PARTS),
        f"60 ms, {SLOTS} audible": Kind(members, (), 0, (1,), AUDIO_PARTS, SLOTS),
    }


async def measure_room(kind: Kind, seconds: float, warm: float) -> Step:
    """Measure one room at a server of its own. LightError, ServerError, TimeoutError."""
    async with BenchServer(UNLIMITED_BUT_LAG) as server:
        await server.settle()
        machine.split_cores(server.pid)
        async with gathering(server.url) as crowd:
            load = Load(server, crowd, kind)
            await load.grow(1)
            return await load.step(seconds, warm)


async def measure(members: Sequence[int], seconds: float = SECONDS, warm: float = WARM) -> dict[str, Any]:
    """Measure rooms with these numbers of members, each in all ways."""
    cores = os.sched_getaffinity(0)
    steps: list[tuple[str, Step]] = []
    for count in members:
        for way, kind in ways(count).items():
            steps.append((way, await measure_room(kind, seconds, warm)))
            os.sched_setaffinity(0, cores)
    return summary(steps)


def summary(steps: Sequence[tuple[str, Step]]) -> dict[str, Any]:
    """Return the output. `judged`: the share of a core with packets of 60 ms in the room of the goal."""
    judged = next((s for way, s in steps if way == "60 ms" and s.members == JUDGED), None)
    return {
        "bench": "microphones",
        "cores": len(os.sched_getaffinity(0)),
        "steps": [{"way": way} | asdict(step) | {"carried": step.carried} for way, step in steps],
        "judged": None if judged is None else judged.server,
        "quiet": all(step.waited < _NOISE for _, step in steps),
        "generator_was_the_limit": any(step.generator > _BUSY for _, step in steps),
        "goal": GOAL,
        "met": judged is not None and judged.server <= GOAL and judged.carried,
    }


async def run(json_output: bool, members: Sequence[int], seconds: float = SECONDS, warm: float = WARM) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    return await reported(
        measure(members, seconds, warm), _WHOLE_TIME, json_output, _show, LightError, ExceptionGroup
    )


def _show(measured: dict[str, Any]) -> None:
    columns = (
        "microphones",
        "packets",
        "packets a second",
        "us a packet",
        "server",
        "p50",
        "p99",
        "lost",
        "shed",
    )
    table = Table(*columns, title="One room without cameras; added latencies in milliseconds")
    for column in table.columns[2:]:
        column.justify = "right"
    for step in measured["steps"]:
        table.add_row(
            str(step["members"]),
            step["way"],
            f"{step['rate']:,}",
            f"{step['us']:.2f}",
            f"{step['server']:.0%}",
            f"{step['audio_p50']:.1f}",
            f"{step['audio_p99']:.1f}",
            f"{step['audio_loss']:.2%}",
            f"{step['shed']:,}",
        )
    console = Console()
    console.print(table)
    if measured["judged"] is not None:
        verdict = "met" if measured["met"] else "NOT met"
        console.print(
            f"share of a core with {JUDGED} microphones, packets of 60 ms: {measured['judged']:.0%}; "
            f"goal {measured['goal']:.0%}, nothing lost or shed: {verdict}"
        )
    if not measured["quiet"]:
        console.print(
            "this machine was not quiet: the server waited for its core, so the figures are no verdict"
        )
    if measured["generator_was_the_limit"]:
        console.print("the load's core was busy all the time: its packets left late")
