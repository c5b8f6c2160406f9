"""``snug lab``: select scenes, run or list them, and return the exit status."""

from __future__ import annotations

import asyncio
import difflib
import json
import sys
from collections.abc import Sequence

from snugroom.lab.attacks.runner import run_all
from snugroom.lab.attacks.scene import Scene
from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.attacks.show import HumanShow, JsonShow, listing


class UnknownSceneError(ValueError):
    """There is no scene of that name. The message is a full sentence."""


def chosen_scenes(names: Sequence[str]) -> list[Scene]:
    """Return scenes by id, theme or mirrored case ("case 2"), or all without names. UnknownSceneError."""
    if not names:
        return list(SCENES)
    found: list[Scene] = []
    for name in names:
        some = [s for s in SCENES if name in (s.id, s.theme, s.mirrors, s.mirrors.removeprefix("case "))]
        if not some:
            near = difflib.get_close_matches(name, [s.id for s in SCENES], 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UnknownSceneError(f"there is no scene {name!r}{hint} --list shows all")
        found += [s for s in some if s not in found]
    return found


def show_list(scenes: Sequence[Scene], as_json: bool) -> None:
    """Print the scenes without playing them."""
    if not as_json:
        print(listing(scenes))
        return
    for scene in scenes:
        line = {
            "scene": scene.id,
            "theme": scene.theme,
            "mirrors": scene.mirrors,
            "prediction": scene.prediction,
            "documented": str(scene.documented),
            "severity": scene.documented.severity,
        }
        print(json.dumps(line))


def run(names: Sequence[str], *, as_json: bool, only_list: bool) -> int:
    """Return 0 if every verdict is as documented or better, 7 if one is worse, 2 for an unknown scene."""
    try:
        scenes = chosen_scenes(names)
    except UnknownSceneError as error:
        print(f"snug: {error}", file=sys.stderr)
        return 2
    if only_list:
        show_list(scenes, as_json)
        return 0
    show = JsonShow() if as_json else HumanShow(len(scenes))
    results = asyncio.run(run_all(scenes, show))
    return 7 if any(result.judgement.worse for result in results) else 0
