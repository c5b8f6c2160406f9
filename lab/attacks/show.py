"""Show the lab's progress: to a person with `rich`, and to a program as one JSON object per scene."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from snugroom.lab.attacks.runner import Result
from snugroom.lab.attacks.scene import Scene, as_json
from snugroom.lab.attacks.verdict import Judgement

_COLOUR: Final = {
    "impossible": "green",
    "detected": "green",
    "succeeds": "yellow",
    "harmed": "bold red",
    "unplayed": "bold red",
}


def verdict(judgement: Judgement) -> str:
    """Return a short text for a verdict."""
    if judgement.after is None:
        return judgement.verdict
    if judgement.verdict == "detected":
        return f"detected in {judgement.after:.1f} s"
    return f"{judgement.verdict}, told in {judgement.after:.1f} s"


def sentence(result: Result) -> tuple[float, str, str] | None:
    """Return the first documented notification: (seconds, member's name, sentence), or None."""
    by = result.scene.documented.by
    seen = [
        (note.after, name, note.text)
        for name, notes in result.facts.seen.items()
        for note in notes
        if note.kind in by
    ]
    return min(seen, default=None)


class JsonShow:
    """Prints one line per scene when it ends."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def begins(self, scene: Scene) -> None:
        """Print nothing: a program waits for the result."""

    def ended(self, result: Result) -> None:
        line = as_json(result.scene, result.facts, result.judgement)
        print(json.dumps(line, ensure_ascii=False), file=self._stream, flush=True)

    def over(self, results: Sequence[Result]) -> None:
        """Print nothing: the lines contain all results."""


class HumanShow:
    """Prints each scene when it ends, the running scenes below, and a table of all scenes at the end."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._total = total
        self._done = 0
        self._running: dict[str, Scene] = {}
        self._live: Live | None = None

    def begins(self, scene: Scene) -> None:
        self._running[scene.id] = scene
        if self._console.is_terminal and self._live is None:
            self._live = Live(console=self._console, transient=True, refresh_per_second=8)
            self._live.start()
        self._refresh()

    def ended(self, result: Result) -> None:
        scene, judgement = result.scene, result.judgement
        self._running.pop(scene.id, None)
        self._done += 1
        colour = "bold red" if judgement.worse else _COLOUR[judgement.verdict]
        self._console.print(
            f"[{colour}]{verdict(judgement):28}[/] [bold]{scene.id}[/] ({scene.mirrors})\n"
            f"    {escape(scene.prediction)}"
        )
        seen = sentence(result)
        if seen is not None:
            after, name, text = seen
            self._console.print(f"    [dim]{name} after {after:.1f} s:[/] \u201c{escape(text)}\u201d")
        if judgement.worse:
            self._console.print(f"    [red]Documented: {scene.documented}. {escape(judgement.why)}[/]")
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            names = ", ".join(self._running)
            self._live.update(Spinner("dots", f"{self._done} of {self._total} scenes; now: {names}"))

    def over(self, results: Sequence[Result]) -> None:
        if self._live is not None:
            self._live.stop()
        self._console.print(table(results))
        worse = [r.scene.id for r in results if r.judgement.worse]
        frames = sum(r.facts.frames_tried for r in results)
        self._console.print(
            f"{len(results)} scenes. Intruders tried their keys on {frames} frames; where no host had let "
            f"them in they opened {sum(r.facts.frames_opened for r in results if not r.facts.outcome.reads)}."
        )
        better = [r.scene.id for r in results if r.judgement.better]
        if better:
            self._console.print(f"Better than documented: {', '.join(better)}")
        if worse:
            self._console.print(f"[bold red]Worse than documented: {', '.join(worse)}[/]")


def table(results: Sequence[Result]) -> Table:
    """Return a table with one row per scene."""
    out = Table(title="What a hostile operator, outsider or member could do")
    for name in ("scene", "mirrors", "documented", "verdict", "what came of it"):
        out.add_column(name, overflow="fold")
    for r in results:
        colour = "bold red" if r.judgement.worse else _COLOUR[r.judgement.verdict]
        out.add_row(
            r.scene.id,
            r.scene.mirrors,
            str(r.scene.documented),
            f"[{colour}]{verdict(r.judgement)}[/]",
            escape(r.judgement.why),
        )
    return out


def listing(scenes: Sequence[Scene]) -> str:
    """Return the text of `snug lab --list`."""
    width = max(len(scene.id) for scene in scenes)
    return "\n".join(
        f"{scene.id:{width}}  {scene.mirrors:7} {scene.documented!s}\n{'':{width}}  {scene.prediction}"
        for scene in scenes
    )
