"""Run scenes: several at the same time, each on its own stage, and each judged when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from snugroom.lab.attacks.scene import Scene, perform
from snugroom.lab.attacks.stage import SceneError
from snugroom.lab.attacks.verdict import Facts, Judgement, Outcome, judge
from snugroom.lab.process import ServerError

#: Number of scenes at the same time. A scene spends most of its time waiting.
AT_A_TIME: Final = 3
#: Seconds after which a scene is abandoned.
LONGEST: Final = 150.0
#: Attempts to hold a meeting before the verdict is `unplayed`: a busy machine can prevent a meeting.
_TRIES: Final = 2


@dataclass(frozen=True)
class Result:
    """The result of a scene that has ended."""

    scene: Scene
    facts: Facts
    judgement: Judgement


class Show(Protocol):
    """Reports progress to a person or a program."""

    def begins(self, scene: Scene) -> None:
        """A scene has begun."""

    def ended(self, result: Result) -> None:
        """A scene has ended."""

    def over(self, results: Sequence[Result]) -> None:
        """All scenes have ended."""


async def run_one(scene: Scene) -> Result:
    """Play a scene and judge it. A scene that cannot be played is `unplayed`, with the reason."""
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
        except Exception as error:  # an error in one scene is that scene's verdict and stops no other
            why = f"It could not be played: {type(error).__name__}: {error}"
            break
    facts = Facts(Outcome(False, why), {}, {})
    return Result(scene, facts, Judgement("unplayed", why, None, worse=True))


async def run_all(scenes: Sequence[Scene], show: Show, at_a_time: int = AT_A_TIME) -> list[Result]:
    """Play all scenes, the longest-lasting first; return the results in the order of `scenes`."""
    places = asyncio.Semaphore(at_a_time)
    results: dict[str, Result] = {}

    async def one(scene: Scene) -> None:
        async with places:
            show.begins(scene)
            results[scene.id] = await run_one(scene)
            show.ended(results[scene.id])

    # a long scene that starts last would run alone at the end
    by_length = sorted(scenes, key=lambda s: -(s.documented.within or 0.0))
    async with asyncio.TaskGroup() as group:
        for scene in by_length:
            group.create_task(one(scene))
    ordered = [results[scene.id] for scene in scenes]
    show.over(ordered)
    return ordered
