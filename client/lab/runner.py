"""Running scenes: some at a time, each on a stage of its own, and judged as soon as it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from client.demo.process import ServerError
from client.lab.scene import Facts, Judgement, Outcome, Scene, judge
from client.lab.stage import SceneError, perform

#: Scenes at a time: most of a scene is waiting.
AT_A_TIME: Final = 3
#: Seconds after which a scene is given up.
LONGEST: Final = 150.0
#: How often a meeting may fail to come about (a machine that is too busy) before that is the verdict.
_TRIES: Final = 2


@dataclass(frozen=True)
class Result:
    """A scene that is over."""

    scene: Scene
    facts: Facts
    judgement: Judgement


class Show(Protocol):
    """Who tells a person, or a program, how it goes."""

    def begins(self, scene: Scene) -> None:
        """A scene has begun."""

    def ended(self, result: Result) -> None:
        """A scene is over."""

    def over(self, results: Sequence[Result]) -> None:
        """All are."""


async def run_one(scene: Scene) -> Result:
    """Play a scene and judge it. What can't be played is the worst of verdicts, with its reason."""
    why = ""
    for _ in range(_TRIES):
        try:
            async with asyncio.timeout(LONGEST):
                facts = await perform(scene)
            return Result(scene, facts, judge(scene.documented, facts))
        except (SceneError, ServerError) as error:
            why = str(error)
        except TimeoutError:
            why = f"It was not over after {LONGEST:.0f} s."
            break
        except Exception as error:  # one scene's fault is that scene's verdict, and no other's
            why = f"It could not be played: {type(error).__name__}: {error}"
            break
    facts = Facts(Outcome(False, why), {}, {})
    return Result(scene, facts, Judgement("unplayed", why, None, worse=True))


async def run_all(scenes: Sequence[Scene], show: Show, at_a_time: int = AT_A_TIME) -> list[Result]:
    """Play all of these, the longest-lasting first; results in the order of `scenes`."""
    places = asyncio.Semaphore(at_a_time)
    results: dict[str, Result] = {}

    async def one(scene: Scene) -> None:
        async with places:
            show.begins(scene)
            results[scene.id] = await run_one(scene)
            show.ended(results[scene.id])

    # so that the end is not one long scene alone
    by_length = sorted(scenes, key=lambda s: -(s.documented.within or 0.0))
    async with asyncio.TaskGroup() as group:
        for scene in by_length:
            group.create_task(one(scene))
    ordered = [results[scene.id] for scene in scenes]
    show.over(ordered)
    return ordered
