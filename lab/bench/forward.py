"""`snug bench forward`: the cost of the server's forwarding, measured in a separate server process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from snugroom.installed import environment

_TIMEOUT = 300.0
#: Maximum cost of the path at the fan-outs `JUDGED`, as a multiple of the compiled loop or of the floor. The
#: larger of the two limits counts.
LOOPS: Final = 1.25
FLOORS: Final = 1.35
JUDGED: Final = (9, 49)
_RATIOS: Final = (
    ("path", "path_us", "floor", "floor_us"),
    ("path", "path_us", "compiled", "compiled_us"),
    ("path", "path_us", "segments", "compiled_segmented_us"),
    ("singly", "single_us", "compiled", "compiled_us"),
    ("layers", "layers_us", "floor", "floor_us"),
    ("layers", "layers_us", "compiled", "compiled_us"),
)


def run(json_output: bool, packets: int = 36_000) -> int:
    """Measure, and print a table or one JSON object. `packets`: number of forwarded packets per round.

    Exit status: 0, or 1 if the measurement failed. The output says whether the goal is met (in JSON: `met`).
    """
    command = [sys.executable, "-m", "snugroom.lab.bench.forwarding.command", "--packets", str(packets)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, env=environment(), stdout=subprocess.PIPE, check=True, timeout=_TIMEOUT
        )
        measured: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        print(f"the measurement failed: {type(error).__name__}", file=sys.stderr)
        return 1
    measured |= {"goal": {"compiled": LOOPS, "floor": FLOORS}}
    measured |= {"met": all(met(r) for r in measured["results"] if r["fan_out"] in JUDGED)}
    if json_output:
        print(json.dumps(measured))
    else:
        _show(measured)
    return 0


def met(result: dict[str, Any]) -> bool:
    """Return whether the path meets the goal at this fan-out."""
    path: float = result["path_us"]
    compiled: float | None = result["compiled_us"]
    return path <= FLOORS * result["floor_us"] or (compiled is not None and path <= LOOPS * compiled)


def _times(cost: float, yardstick: float | None) -> str:
    return "-" if yardstick is None else f"{cost / yardstick:.2f}"


def _show(measured: dict[str, Any]) -> None:
    title = f"CPU microseconds a forwarded packet of {measured['packet_bytes']} bytes"
    costs = [f"{name}_us" for name in ("path", "single", "layers", "floor", "compiled", "compiled_segmented")]
    table = Table("to", "path", "singly", "layers", "floor", "compiled", "segments", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for result in measured["results"]:
        known = (result[cost] for cost in costs)
        table.add_row(str(result["fan_out"]), *("-" if cost is None else f"{cost:.2f}" for cost in known))
    console = Console()
    console.print(table)
    times = Table("to", *(f"{name} / {to}" for name, _, to, _ in _RATIOS), title="ratios")
    for column in times.columns[1:]:
        column.justify = "right"
    for result in measured["results"]:
        times.add_row(str(result["fan_out"]), *(_times(result[of], result[to]) for _, of, _, to in _RATIOS))
    console.print(times)
    console.print(
        "path: packets of a frame go out together (UDP_SEGMENT); singly: each alone; layers: the path with "
        "layers and transport-wide numbers rewritten for each; floor: bare sendmmsg of ready packets; "
        "compiled: a loop in C with the same system calls and libsrtp, each packet alone; segments: the same "
        "loop with UDP_SEGMENT. All in the same run; in the path was found on: " + ", ".join(measured["on"])
    )
    if measured["not_compiled"]:
        console.print(f"no compiled loop: {measured['not_compiled']}")
    verdict = "met" if measured["met"] else "NOT met"
    wanted = " and ".join(f"1->{fan_out}" for fan_out in JUDGED)
    console.print(f"goal, {wanted}: at most {LOOPS} x compiled or {FLOORS} x floor: {verdict}")
