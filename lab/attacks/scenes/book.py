"""Registration of scenes: a decorator describes the scene, and the decorated function plays it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from snugroom.lab.attacks.scene import Scene
from snugroom.lab.attacks.stage import Stage
from snugroom.lab.attacks.verdict import Documented, Outcome

Play = Callable[[Stage], Awaitable[Outcome]]

#: All scenes, in the order of definition.
SCENES: list[Scene] = []


def scene(
    theme: str,
    mirrors: str,
    documented: Documented,
    prediction: str,
    *,
    names: tuple[str, ...] = ("Ada", "Bo", "Cem"),
    hostile: tuple[str, ...] = (),
    servers: tuple[str, ...] = (),
    mirror: bool = False,
    strict: bool = False,
) -> Callable[[Play], Play]:
    """Register the decorated function as a scene. The function's name is the scene's id."""

    def note(play: Play) -> Play:
        SCENES.append(
            Scene(
                id=play.__name__,
                theme=theme,
                mirrors=mirrors,
                prediction=prediction,
                documented=documented,
                play=play,
                names=names,
                hostile=hostile,
                servers=servers,
                mirror=mirror,
                strict=strict,
            )
        )
        return play

    return note


async def goes_on(stage: Stage, text: str = "Are you all still there?") -> tuple[str, ...]:
    """Check a meeting after an act that must not harm anybody; return the harms."""
    harms = []
    if not await stage.until(stage.together, 20.0):
        rosters = "; ".join(f"{m.name} sees {', '.join(sorted(m.roster))}" for m in stage.honest)
        harms.append(f"members no longer agree on who is there ({rosters})")
    elif not await stage.talk(text):
        harms.append("words of the host no longer reach everybody")
    elif not await stage.heard():
        harms.append("not everybody is heard any more")
    return tuple(harms)


def gained(stage: Stage, before: dict[tuple[str, str], int], who: str, by: str) -> int:
    """Return the number of frames of `who` that `by` has opened since `before` (see `counts`)."""
    return stage.member(by).frames_of(who) - before.get((who, by), 0)


async def nobody_is_heard(stage: Stage, seconds: float = 1.0) -> bool:
    """Return whether no member opens a frame of another member for `seconds`."""
    before = counts(stage)
    await asyncio.sleep(seconds)
    return counts(stage) == before


def counts(stage: Stage) -> dict[tuple[str, str], int]:
    """Return the number of opened frames: (sender, receiver) -> frames."""
    return {(o.name, m.name): m.frames_of(o.name) for m in stage.honest for o in stage.honest}
