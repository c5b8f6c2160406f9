"""A scene: one act in a live meeting, and its prediction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from snugroom.lab.attacks.stage import Stage, staged
from snugroom.lab.attacks.verdict import Documented, Facts, Judgement, Outcome


@dataclass(frozen=True)
class Scene:
    """One act in a live meeting. `mirrors`: "case 1" to "case 7" (the threat model), or "field"."""

    id: str
    theme: str
    mirrors: str
    prediction: str
    documented: Documented
    play: Callable[[Stage], Awaitable[Outcome]] = field(repr=False)
    names: tuple[str, ...] = ("Ada", "Bo", "Cem")
    #: The members that are hostile. The server is, if the scene begins an act of its operator.
    hostile: tuple[str, ...] = ()
    #: The servers that the host names beside the hostile one: "honest" or "hostile".
    servers: tuple[str, ...] = ()
    #: Whether the meeting's heartbeats go through the first of these as well.
    mirror: bool = False
    #: Whether a host's word holds for 15 s alone.
    strict: bool = False


async def perform(scene: Scene) -> Facts:
    """Hold the meeting, do the act and return the facts. SceneError or ServerError if it cannot be held."""
    began = asyncio.get_running_loop().time()
    async with staged(scene.names, scene.servers, mirror=scene.mirror, strict=scene.strict) as stage:
        await stage.gather()
        outcome = await scene.play(stage)
        return stage.facts(outcome, began, scene.hostile)


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
            "names": {name: sorted(scene.documented.names_to(name)) for name in facts.seen},
            "within": scene.documented.within,
            "severity": scene.documented.severity,
        },
        "severity": facts.severity(scene.documented.by),
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
        "hostile": sorted(facts.hostile),
        "seen": {
            name: [{**asdict(s), "after": round(s.after, 2)} for s in notes]
            for name, notes in facts.seen.items()
        },
        "lines": {
            name: [{"cause": line.cause, "severity": line.severity, "text": line.text} for line in lines]
            for name, lines in facts.lines.items()
        },
        "seconds": round(facts.seconds, 1),
    }
