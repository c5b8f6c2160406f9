"""The lab judges its scenes by the verdicts that the README and the threat model state."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snugroom.client.tools.lab.scenes import SCENES
from tests.docs.test_docs import ROOT, chapter, page, rows

MIRRORS = [*(f"case {number}" for number in range(1, 8)), "field"]


def documented(mirrors: str) -> dict[str, str]:
    return {scene.id: str(scene.documented) for scene in SCENES if scene.mirrors == mirrors}


def readme() -> dict[str, dict[str, str]]:
    """The README's scenes and verdicts, by what they mirror: an act stands before the first of its scenes."""
    told: dict[str, dict[str, str]] = {}
    part = chapter(page("README.md"), "## What a hostile operator can do")
    for act, scene, verdict in re.findall(r"^\| (.*?) ?\| `(\w+)` \| (.*?) \|$", part, re.MULTILINE):
        if act:
            number = re.match(r"(\d)\. ", act)
            told[f"case {number[1]}" if number else "field"] = here = {}
        assert scene not in here, "each once"
        here[scene] = verdict
    return told


@pytest.mark.parametrize("mirrors", MIRRORS)
def test_the_readme_has_every_scene_with_its_verdict(mirrors: str) -> None:
    assert readme()[mirrors] == documented(mirrors)


def test_every_row_of_the_readme_is_of_the_case() -> None:
    assert list(readme()) == MIRRORS


@pytest.mark.parametrize("mirrors", MIRRORS)
def test_the_threat_model_answers_each_act_with_its_scenes(mirrors: str) -> None:
    text = page("docs/explanation/threat-model.md")
    number = mirrors.removeprefix("case ")
    heading = (
        "### The classic attacks"
        if mirrors == "field"
        else next(line for line in text.splitlines() if line.startswith(f"### {number}. "))
    )
    part = chapter(text, heading)
    told = {scene: row.split("|")[2].strip() for scene, row in rows(part).items()}
    assert told == documented(mirrors)
    assert "**What remains.**" in part


def test_the_case_has_seven_rows_that_lead_to_their_answers() -> None:
    text = chapter(page("docs/explanation/threat-model.md"), "## The case it must answer")
    assert re.findall(r"^\| \[(\d)\]\(#\1-", text, re.MULTILINE) == list("1234567")


@pytest.mark.parametrize(
    "adversary",
    ["Operator", "Operator with a leaked invite", "Outsider", "Member", "Evicted member", "Network"],
)
def test_each_adversary_has_its_part(adversary: str) -> None:
    part = chapter(page("docs/explanation/threat-model.md"), "## Adversaries")
    assert f"- **{adversary}**" in part


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_scenes_that_pages_tell_to_run_exist(path: Path) -> None:
    known = {name for scene in SCENES for name in (scene.id, scene.theme)} | {"leakage"}
    for names in re.findall(r"`snug lab ([a-z_ ]+)`", path.read_text(encoding="utf-8")):
        assert set(names.split()) <= known


def test_scenes_of_the_adversaries_exist() -> None:
    part = chapter(page("docs/explanation/threat-model.md"), "## Adversaries")
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", part))
    assert len(named) > 8
    assert named <= {scene.id for scene in SCENES}
