"""The goals, and whether what was measured meets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from snugroom.client.session.monitor.freshness import FRESH
from snugroom.lab.bench.availability.recorder import STEP
from snugroom.lab.bench.availability.scene import Goal, Result


@dataclass(frozen=True)
class Target:
    """A goal of the scenes that belong to it, or of all scenes where `of` is empty.

    `least`: the wanted number is the least that is good, else the most.
    """

    text: str
    of: Goal
    wanted: float
    measure: Callable[[Result], float | None]
    least: bool = False
    unit: str = ""

    def misses(self, value: float) -> bool:
        """Return whether a measured value misses the goal."""
        return value < self.wanted if self.least else value > self.wanted


@dataclass(frozen=True)
class Judged:
    """A goal, the worst that was measured for it, and in which scene. None: no scene of it was played."""

    target: Target
    value: float | None
    scene: str

    @property
    def met(self) -> bool | None:
        """Whether it is met; None if it was not measured."""
        return None if self.value is None else not self.target.misses(self.value)


def targets(lease: float) -> tuple[Target, ...]:
    """Return the goals of a build whose hosts' words hold for `lease` seconds."""
    return (
        Target("speaking share with one hostile member", "hostile member", 0.97, _share, least=True),
        Target("the same, one cut or one crash for 60 s", "cut or crash", 0.98, _share, least=True),
        Target(
            "the same, two survivors of four, a host among them", "two survivors", 0.95, _share, least=True
        ),
        # a look is the least that is seen
        Target("exposure, an operator helps the removed", "exposure", lease + STEP, _exposure, unit="s"),
        Target("the same, strict", "strict exposure", FRESH[0] + STEP, _exposure, unit="s"),
        Target("host cut from the first of two servers: all together", "host cut", 10, _together, unit="s"),
        Target("words lost or unannounced over a move", "words", 0, _lost_words),
        Target("lines on a screen for one cause", "", 1, _lines),
        Target("false alarms", "", 0, _false_alarms),
    )


def _share(result: Result) -> float:
    return result.share


def _exposure(result: Result) -> float | None:
    return result.exposure


def _together(result: Result) -> float | None:
    return result.together


def _lost_words(result: Result) -> float | None:
    return result.lost_words


def _lines(result: Result) -> float | None:
    return result.lines


def _false_alarms(result: Result) -> float:
    return len(result.false_alarms)


def judged(results: Sequence[Result], lease: float) -> list[Judged]:
    """Judge all goals by these results."""
    return [_judge(target, results) for target in targets(lease)]


def _judge(target: Target, results: Sequence[Result]) -> Judged:
    own = [r for r in results if target.of in ("", r.scene.goal)]
    values = [(value, r.scene.name) for r in own if (value := target.measure(r)) is not None]
    if not values:
        return Judged(target, None, "")
    value, scene = (min if target.least else max)(values, key=lambda each: each[0])
    return Judged(target, value, scene)
