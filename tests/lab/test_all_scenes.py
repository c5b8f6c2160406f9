"""All scenes of the lab, live: each comes to the verdict that the README and the threat model state."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import Counter

import pytest

from snugroom.lab.attacks.command import chosen_scenes
from snugroom.lab.attacks.operator import Operator
from snugroom.lab.attacks.runner import run_all
from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.attacks.show import JsonShow
from snugroom.lab.attacks.verdict import told_after


@pytest.mark.timeout(1500)
def test_every_verdict_is_the_documented_one() -> None:
    command = [sys.executable, "-m", "snugroom.command", "lab", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = [line for line in map(json.loads, done.stdout.splitlines()) if "scene" in line]
    worse = {line["scene"]: line["why"] for line in lines if line["worse"]}
    assert worse == {}, done.stderr
    found = {line["scene"]: line["verdict"] for line in lines}
    assert found == {scene.id: scene.documented.verdict for scene in SCENES}
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(600)
async def test_with_the_act_switched_off_no_scene_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats come late, as on a busy machine, and that is all that the server does."""
    real = Operator.begin
    late: list[Operator] = []

    async def begin(self: Operator, act: str, **orders: object) -> None:
        if self not in late:
            late.append(self)
            await real(self, "delay", what="broadcasts", seconds=3.0)

    async def end(self: Operator, act: str) -> Counter[str]:
        return Counter()

    monkeypatch.setattr(Operator, "begin", begin)
    monkeypatch.setattr(Operator, "end", end)
    scenes = chosen_scenes(
        ["partition", "silenced", "kicked", "dropped_words", "forged_receipts", "two_stories"]
    )
    for result in await run_all(scenes, JsonShow(io.StringIO())):
        assert result.facts.seen, result.judgement
        assert told_after(result.scene.documented, result.facts) is None, result.scene.id
        assert result.judgement.worse, result.scene.id
    assert len(late) >= len(scenes)
