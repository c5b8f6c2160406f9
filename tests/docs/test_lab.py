"""The threat model answers each act of the case with scenes of the lab, and says what remains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snugroom.lab.attacks.scenes import SCENES
from tests.docs.test_docs import ROOT, chapter, page, rows

MIRRORS = [*(f"case {number}" for number in range(1, 8)), "field"]


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
    assert set(rows(part)) == {scene.id for scene in SCENES if scene.mirrors == mirrors}
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
    for names in re.findall(r"`snug lab (?!serve)([a-z_ ]+)`", path.read_text(encoding="utf-8")):
        assert set(names.split()) <= known


def test_scenes_of_the_adversaries_exist() -> None:
    part = chapter(page("docs/explanation/threat-model.md"), "## Adversaries")
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", part))
    assert len(named) > 8
    assert named <= {scene.id for scene in SCENES}
