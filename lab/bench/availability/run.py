"""`snug bench availability`: who can speak and be heard in simulated meetings, whatever happens to them.

Scenes and a search for silence, in memory, with fixed seeds: the same in every run. The exit status is 1 if a
goal is missed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from snugroom.lab.bench.availability.goals import Judged, judged
from snugroom.lab.bench.availability.lease import AS_BUILT, lease
from snugroom.lab.bench.availability.scene import POWERS, TEN_MINUTES, Result, Scene, figure, measured
from snugroom.lab.bench.availability.search import TRIES, Found, Searched, for_ten_minutes, search


def run(
    json_output: bool,
    scenes: Sequence[Scene],
    tries: int = TRIES,
    seconds: float = AS_BUILT,
    console: Console | None = None,
) -> int:
    """Measure, and print tables or one JSON object. Exit status: 0 if all measured goals are met, else 1.

    `tries`: scripts of the search for each power; 0: no search. `seconds`: for how long a host's word holds.
    """
    results, found = [], []
    with lease(seconds):
        for scene in scenes:
            _progress(scene.name)
            results.append(measured(scene))
        for power in POWERS if tries else ():
            _progress(f"search: {power}")
            found.append(search(power, tries))
            if power == "one member alone":
                results.append(for_ten_minutes(found[-1].worst, TEN_MINUTES))
    _progress("")
    goals = judged([*results, *(each.worst.result for each in found)], seconds)
    if json_output:
        print(json.dumps(_as_json(results, found, goals, seconds)))
    else:
        _show(console or Console(), results, found, goals, seconds)
    return 1 if any(goal.met is False for goal in goals) else 0


def _progress(what: str) -> None:
    """Say on a terminal what is being played."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


# -- JSON --------------------------------------------------------------------------------------------------


def _as_json(
    results: Sequence[Result], found: Sequence[Searched], goals: Sequence[Judged], seconds: float
) -> dict[str, Any]:
    return {
        "bench": "availability",
        "lease_s": seconds,
        "scenes": [_row(result) for result in results],
        "found": [
            _script(each.worst) | {"tried": each.tried, "slowest": _script(each.slowest)} for each in found
        ],
        "goals": [
            {
                "goal": goal.target.text,
                "measured": figure(goal.value),
                "wanted": goal.target.wanted,
                "met": goal.met,
                "scene": goal.scene,
            }
            for goal in goals
        ],
        "met": all(goal.met is not False for goal in goals),
    }


def _script(found: Found) -> dict[str, Any]:
    steps = [str(step) for step in found.steps]
    of_search = {"cost": round(found.cost, 4), "seed": found.seed, "further": found.further, "steps": steps}
    return _row(found.result) | of_search


def _row(result: Result) -> dict[str, Any]:
    return {
        "scene": result.scene.name,
        "about": result.scene.about,
        "power": result.scene.power,
        "seconds": round(result.seconds, 2),
        "share": round(result.share, 4),
        "exposure_s": figure(result.exposure),
        "together_s": figure(result.together),
        "words": result.words,
        "lost_words": result.lost_words,
        "lines": result.lines,
        "screen": result.screen,
        "false_alarms": result.false_alarms,
    }


# -- tables ------------------------------------------------------------------------------------------------


def _show(
    console: Console,
    results: Sequence[Result],
    found: Sequence[Searched],
    goals: Sequence[Judged],
    seconds: float,
) -> None:
    held = "" if seconds == AS_BUILT else f"; a host's word holds for {seconds:g} s, as if that were built"
    table = Table(
        _names("scene"), "share", "exposure, s", "together, s", "words lost", "lines",
        "false alarms", title=f"Speaking share and other figures: the worst of each scene's seeds{held}",
    )  # fmt: skip
    for result in results:
        table.add_row(*_cells(result))
    console.print(table)
    if found:
        _show_searched(console, found)
    console.print(_goals(goals))


def _names(heading: str) -> Column:
    """Return a column of scenes: a narrow terminal shows each name whole, on two lines."""
    return Column(heading, overflow="fold", min_width=14)


def _cells(result: Result) -> list[str]:
    lost = "" if result.lost_words is None else f"{result.lost_words} of {result.words}"
    return [
        result.scene.name,
        f"{result.share:.3f}",
        _told(result.exposure),
        _told(result.together),
        lost,
        _told(result.lines),
        str(len(result.false_alarms)),
    ]


def _show_searched(console: Console, found: Sequence[Searched]) -> None:
    """Print a table, and the scripts below it: a narrow terminal has no room for them in a column."""
    table = Table(
        "power", "script", "share", "cost a step", "recovery, s", "false alarms",
        title=f"The worst that was found for each power, of {found[0].tried} scripts of a minute",
    )  # fmt: skip
    scripts = []
    for each in found:
        for what, one in (("most silence", each.worst), ("slowest recovery", each.slowest)):
            table.add_row(one.power, what, *_found(one))
            where = f"seed {one.seed}, servers: {1 + one.further}"
            scripts.append(f"{one.power}, {what} ({where}): {one.result.scene.about}")
    console.print(table)
    for script in scripts:
        console.print(script, highlight=False, markup=False)


def _found(found: Found) -> list[str]:
    return [
        f"{found.result.share:.3f}",
        f"{found.cost:.3f}",
        _told(found.recovery),
        str(len(found.result.false_alarms)),
    ]


def _goals(goals: Sequence[Judged]) -> Table:
    table = Table("goal", "wanted", "measured", "", _names("in the scene"), title="Goals")
    for goal in goals:
        target = goal.target
        bound = "at least" if target.least else "at most"
        verdict = "not measured" if goal.met is None else "met" if goal.met else f"MISSED by {_missed(goal)}"
        table.add_row(
            target.text,
            f"{bound} {target.wanted:g} {target.unit}".rstrip(),
            _told(goal.value, target.unit),
            verdict,
            goal.scene,
        )
    return table


def _missed(goal: Judged) -> str:
    assert goal.value is not None
    return _told(abs(goal.value - goal.target.wanted), goal.target.unit)


def _told(value: float | None, unit: str = "") -> str:
    shown = figure(value)
    if shown is None or isinstance(shown, str):
        return shown or ""
    return f"{shown:.3g} {unit}".rstrip()
