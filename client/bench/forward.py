"""`snug bench forward`: what the server's forwarding costs, measured in a process of the server's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT = 120.0
#: What the path may cost at 1->9, in floors.
GOAL = 2.0


def run(json_output: bool, packets: int = 36_000) -> int:
    """Measure and print: a table, or one JSON object. `packets` are forwarded packets a round.

    Exit status: 0, or 1 when the measurement failed. Whether `GOAL` is met is printed (in JSON: `met`).
    """
    command = [sys.executable, "-m", "server.media.bench", "--packets", str(packets)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), *_inherited())))}
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, env=environment, stdout=subprocess.PIPE, check=True, timeout=_TIMEOUT
        )
        measured: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        print(f"the measurement failed: {type(error).__name__}", file=sys.stderr)
        return 1
    nine = next(result["ratio"] for result in measured["results"] if result["fan_out"] == 9)
    if json_output:
        print(json.dumps(measured | {"goal": GOAL, "met": nine < GOAL}))
    else:
        _show(measured, nine)
    return 0


def _inherited() -> list[str]:
    return os.environ.get("PYTHONPATH", "").split(os.pathsep)


def _show(measured: dict[str, Any], nine: float) -> None:
    title = f"CPU microseconds a forwarded packet of {measured['packet_bytes']} bytes"
    table = Table("fan-out", "path", "x floor", "singly", "x floor", "floor", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for result in measured["results"]:
        table.add_row(
            f"1->{result['fan_out']}",
            f"{result['path_us']:.2f}",
            f"{result['ratio']:.2f}",
            f"{result['single_us']:.2f}",
            f"{result['single_ratio']:.2f}",
            f"{result['floor_us']:.2f}",
        )
    console = Console()
    console.print(table)
    console.print(
        "path: packets of a frame go out together (UDP_SEGMENT); singly: each alone; "
        "floor: bare sendmmsg of ready packets, in the same run"
    )
    verdict = "below" if nine < GOAL else "NOT below"
    console.print(f"1->9 costs {nine:.2f} times the floor: {verdict} {GOAL:.1f}")
