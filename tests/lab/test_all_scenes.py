"""All scenes of the lab, live: each comes to the verdict that the README and the threat model state."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from snugroom.lab.attacks.scenes import SCENES


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
