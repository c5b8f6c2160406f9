"""`snug bench meeting --spread`: the CPU of one large room on two workers, divided by that on one.

The same room, with the same load, at a server with one worker and at a server with two. On two, every second
member is on the other worker, and every stream crosses that somebody there receives: no room costs more.
Rooms are measured in turn, so that the ratio is of one run. All processes of the server share one core, and
nothing is shed. CPU time per forwarded packet is judged, and not the rate.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.lab import machine
from snugroom.lab.bench.flow import SIZE
from snugroom.lab.bench.house import UNLIMITED, BenchServer
from snugroom.lab.bench.light import LightError, gathering
from snugroom.lab.bench.meeting_load import Kind, Load, Step
from snugroom.lab.bench.reporting import reported

#: Goal for the CPU per forwarded packet on two workers, divided by that on one.
GOAL: Final = 1.15
SECONDS: Final = 6.0
#: Seconds of traffic before the measurement: bandwidth estimates settle, layers are chosen.
WARM: Final = 4.0
ROUNDS: Final = 3
_WHOLE_TIME: Final = 600.0

KINDS: Final = (Kind(25, (1, 2, 5), 9, (1,)), Kind(49, (1, 2, 5), 9, (1,)))
#: For a quick look at whether all works.
QUICK: Final = (Kind(4, (5,), 3, (1,)),)


async def measure_one(kind: Kind, workers: int, seconds: float, warm: float) -> tuple[Step, dict[str, int]]:
    """Measure a room on so many workers; return the step, and the SFU's counts. LightError, ServerError."""
    media = {**UNLIMITED, "room_part": 1 if workers > 1 else 1000}
    async with BenchServer(media, {"workers": workers, "page": "false"}) as server:
        await server.settle(workers)
        cores = os.sched_getaffinity(0)
        machine.split_cores(server.pid)
        try:
            async with gathering(server.url) as crowd:
                load = Load(server, crowd, kind)
                await load.grow(1)
                return await load.step(seconds, warm), await server.counts()
        finally:
            os.sched_setaffinity(0, cores)


async def measure(
    kinds: Sequence[Kind] = KINDS, rounds: int = ROUNDS, seconds: float = SECONDS, warm: float = WARM
) -> dict[str, Any]:
    """Measure all kinds of rooms, each on one worker and on two in turn, `rounds` times."""
    runs: list[dict[str, Any]] = []
    for kind in kinds:
        for _ in range(max(1, rounds)):
            for workers in (1, 2):
                step, counts = await measure_one(kind, workers, seconds, warm)
                crossed = {name: counts.get(name, 0) for name in ("crossed", "link_full", "link_late")}
                runs.append({"workers": workers, **asdict(step), **crossed})
    return summary(runs)


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the output. `ratios`: by the number of members, from medians."""
    ratios: dict[str, float] = {}
    for members in sorted({run["members"] for run in runs}):
        one, two = (
            statistics.median(r["us"] for r in runs if (r["members"], r["workers"]) == (members, workers))
            for workers in (1, 2)
        )
        ratios[str(members)] = round(two / one, 3)
    return {
        "bench": "meeting --spread",
        "packet_bytes": SIZE,
        "runs": list(runs),
        "ratios": ratios,
        "goal": GOAL,
        "met": all(ratio <= GOAL for ratio in ratios.values()),
    }


async def run(
    json_output: bool,
    kinds: Sequence[Kind] = KINDS,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    warm: float = WARM,
) -> int:
    """Measure, and print a table or one JSON object. Exit status: 0, or 1 if the measurement failed."""
    measuring = measure(kinds, rounds, seconds, warm)
    return await reported(measuring, _WHOLE_TIME, json_output, _show, LightError, ExceptionGroup)


def _show(measured: dict[str, Any]) -> None:
    columns = (
        "room", "packets a second", "us a packet", "audio p50", "p99", "audio lost", "server",
        "load", "waited",
    )  # fmt: skip
    table = Table(*columns, title=f"Members/workers; {SIZE} bytes a packet; added latencies in milliseconds")
    for column in table.columns:
        column.justify = "right"
    for each in measured["runs"]:
        table.add_row(
            f"{each['members']}/{each['workers']}",
            f"{each['rate']:,}",
            f"{each['us']:.2f}",
            f"{each['audio_p50']:.1f}",
            f"{each['audio_p99']:.1f}",
            f"{each['audio_loss']:.2%}",
            *(f"{each[name]:.0%}" for name in ("server", "generator", "waited")),
        )
    console = Console()
    console.print(table)
    verdict = "met" if measured["met"] else "NOT met"
    ratios = ", ".join(f"{ratio:.2f} with {members} members" for members, ratio in measured["ratios"].items())
    console.print(f"CPU for a packet on two workers, divided by that on one: {ratios}")
    console.print(f"Goal {measured['goal']}: {verdict}")
