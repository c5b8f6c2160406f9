"""Scenes, and the figures that are measured of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, TypeVar, get_args

from snugroom.lab.bench.availability.recorder import Recorder
from snugroom.lab.bench.availability.stage import Stage

Power = Literal["operator alone", "one member alone", "operator + one member", "faults alone"]
POWERS: Final[tuple[Power, ...]] = get_args(Power)
#: The goals to which a scene belongs (`goals`); empty: to those of all scenes alone.
Goal = Literal[
    "", "hostile member", "cut or crash", "two survivors", "exposure", "strict exposure", "host cut", "words"
]
#: Seconds of the scenes whose goal is about ten minutes.
TEN_MINUTES: Final = 600.0
SEEDS: Final = (1, 2)
_Value = TypeVar("_Value", int, float)


@dataclass(frozen=True)
class Scene:
    """A meeting in which something happens. `play` gets a seed, and returns the stage after the scene.

    `together`: the seconds from the act until everybody hears everybody are measured. `one_cause`: all that
    is told has one cause, so the lines on a screen count.
    """

    name: str
    about: str
    power: Power
    play: Callable[[int], Stage]
    goal: Goal = ""
    together: bool = False
    one_cause: bool = True
    seeds: Sequence[int] = SEEDS


@dataclass(frozen=True)
class Result:
    """The worst that was measured over a scene's seeds. None: not measured in this scene."""

    scene: Scene
    seconds: float
    share: float
    exposure: float | None
    together: float | None
    words: int | None
    lost_words: int | None
    lines: int | None
    screen: list[str]
    false_alarms: list[str]


def measured(scene: Scene) -> Result:
    """Play a scene with each of its seeds."""
    return worst(scene, [result_of(scene, scene.play(seed)) for seed in scene.seeds])


def result_of(scene: Scene, stage: Stage, until: float = inf) -> Result:
    """Measure one stage; its speaking share until that time alone."""
    seen: Recorder = stage.recorder
    since = stage.began if stage.acted_at is None else stage.acted_at
    return Result(
        scene,
        stage.w.now - stage.began,
        seen.share(until),
        max((seen.exposed.get(label, 0.0) for label in seen.removals), default=None),
        seen.together_after(since) if scene.together else None,
        sum(len(word.audience) for word in stage.words) if stage.words else None,
        len(stage.lost_words()) if stage.words else None,
        len(seen.lines) if scene.one_cause else None,
        seen.lines,
        sorted({text for _, text in seen.false_alarms}),
    )


def worst(scene: Scene, results: Sequence[Result]) -> Result:
    """Return the worst of each figure."""

    crowded = max(results, key=lambda each: len(each.screen))
    return Result(
        scene,
        max(each.seconds for each in results),
        min(each.share for each in results),
        _most([each.exposure for each in results]),
        _most([each.together for each in results]),
        _most([each.words for each in results]),
        _most([each.lost_words for each in results]),
        _most([each.lines for each in results]),
        crowded.screen,
        sorted({text for each in results for text in each.false_alarms}),
    )


def _most(values: Sequence[_Value | None]) -> _Value | None:
    return max((value for value in values if value is not None), default=None)


def figure(value: float | None) -> float | str | None:
    """Return a figure for JSON, which has no infinity: "never"."""
    return "never" if value == inf else value if value is None else round(value, 4)
