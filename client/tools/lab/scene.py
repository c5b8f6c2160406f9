"""A scene: one act in a live meeting, and its prediction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

if TYPE_CHECKING:
    from snugroom.client.tools.lab.stage import Stage

#: Verdicts. `harmed`: something happened that must never happen. `unplayed`: the act was not done.
Verdict = Literal["impossible", "detected", "succeeds", "harmed", "unplayed"]
_RANK: Final[dict[Verdict, int]] = {
    "impossible": 0,
    "detected": 1,
    "succeeds": 2,
    "harmed": 3,
    "unplayed": 3,
}


@dataclass(frozen=True)
class Documented:
    """The result that docs/reference/lab.md and the README document for a scene.

    `by`: kinds of alarms, statuses or endings that notify a person; any of them counts. `within`: seconds
    until all concerned members are notified. Members may also be notified of an impossible act; if `within`
    is given, they must be.
    """

    verdict: Verdict
    by: frozenset[str] = frozenset()
    within: float | None = None

    def __str__(self) -> str:
        if self.within is None:
            return self.verdict
        what = "detected" if self.verdict == "detected" else f"{self.verdict}, and told"
        return f"{what} within {self.within:g} s"


def impossible(*by: str, within: float | None = None) -> Documented:
    """The act does not reach its goal. If `by` is given, members are also notified of the attempt."""
    return Documented("impossible", frozenset(by), within if by else None)


def detected(*by: str, within: float) -> Documented:
    """The act has an effect, and all concerned members are notified within `within` seconds."""
    return Documented("detected", frozenset(by), within)


def succeeds() -> Documented:
    """The act succeeds, and nothing prevents it. The documentation says so plainly."""
    return Documented("succeeds")


@dataclass(frozen=True)
class Outcome:
    """The outcome of a play: whether the act reached its goal, and a sentence about the predicted result.

    `watchers`: members to be notified (None: all honest members). `harms`: events that must never happen and
    did. `loses`: honest members may be out of the meeting, because that is the act's purpose. `reads`: the
    intruder reads frames because a host admitted it. `attempts`: number of attempts without an act of the
    server.
    """

    worked: bool
    what: str
    watchers: tuple[str, ...] | None = None
    harms: tuple[str, ...] = ()
    loses: bool = False
    reads: bool = False
    attempts: int = 0


@dataclass(frozen=True)
class Scene:
    """One act in a live meeting.

    `mirrors`: "case 1" to "case 7" (docs/explanation/threat-model.md), or "field".
    """

    id: str
    theme: str
    mirrors: str
    prediction: str
    documented: Documented
    play: Callable[[Stage], Awaitable[Outcome]] = field(repr=False)
    names: tuple[str, ...] = ("Ada", "Bo", "Cem")


async def perform(scene: Scene) -> Facts:
    """Hold the meeting, do the act and return the facts. SceneError or ServerError if it cannot be held."""
    began = asyncio.get_running_loop().time()
    async with staged(scene.names) as stage:
        await stage.gather()
        outcome = await scene.play(stage)
        return stage.facts(outcome, began)


def as_json(scene: Scene, facts: Facts, judgement: Judgement) -> dict[str, Any]:
    """Return the JSON object of one scene, as `snug lab --json` prints it."""
    return {
        "scene": scene.id,
        "theme": scene.theme,
        "mirrors": scene.mirrors,
        "prediction": scene.prediction,
        "documented": {
            "verdict": scene.documented.verdict,
            "by": sorted(scene.documented.by),
            "within": scene.documented.within,
        },
        "verdict": judgement.verdict,
        "after": None if judgement.after is None else round(judgement.after, 2),
        "why": judgement.why,
        "worse": judgement.worse,
        "better": judgement.better,
        "worked": facts.outcome.worked,
        "deeds": facts.deeds,
        "attempts": facts.outcome.attempts,
        "frames_tried": facts.frames_tried,
        "frames_opened": facts.frames_opened,
        "false_frames": facts.false_frames,
        "false_words": facts.false_words,
        "lost": facts.lost,
        "seen": {
            name: [{**asdict(s), "after": round(s.after, 2)} for s in notes]
            for name, notes in facts.seen.items()
        },
        "seconds": round(facts.seconds, 1),
    }
