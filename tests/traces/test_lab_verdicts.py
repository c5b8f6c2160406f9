"""Every scene of the lab comes to the verdict that was recorded before names and files changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from snugroom.client.tools.lab.scenes import SCENES

RECORDED: Final = Path(__file__).with_name("lab.json")


def of_scene(line: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a scene's JSON that no chance changes."""
    documented = line["documented"]
    return {
        "documented": documented["verdict"],
        "by": documented["by"],
        **{key: line[key] for key in ("verdict", "worked", "worse", "better")},
    }


def test_the_record_has_every_scene() -> None:
    assert set(json.loads(RECORDED.read_text(encoding="utf-8"))) == {scene.id for scene in SCENES}


@pytest.mark.timeout(1500)
def test_all_verdicts_are_as_they_were_recorded() -> None:
    command = [sys.executable, "-m", "snugroom.client.cli.main", "lab", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = {line["scene"]: of_scene(line) for line in lines if "scene" in line}
    assert found == json.loads(RECORDED.read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stderr
