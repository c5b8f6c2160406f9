"""`snug lab` without a meeting: its options, its output and its exit status."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import templates
from snugroom.client.session.incidents import Incidents, rules
from snugroom.lab.attacks import command, runner
from snugroom.lab.attacks.operator import OperatorError
from snugroom.lab.attacks.runner import run_one
from snugroom.lab.attacks.scene import Scene
from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.attacks.show import HumanShow, JsonShow
from snugroom.lab.attacks.stage import Stage
from snugroom.lab.attacks.verdict import TRACES, Facts, Outcome, Seen, Trace, impossible

ROOT = Path(__file__).parents[2]


async def _never(stage: Stage) -> Outcome:
    raise AssertionError("perform is replaced")


DOCUMENTED = impossible("void_commit", within=3.0, severity="attack")
SCENE = Scene("a_scene", "theme", "case 2", "It fails.", DOCUMENTED, _never)
SCREEN = Incidents()
SCREEN.told(sentences.alarm("void_commit", why="SNUG-7", who="Cem", slot=3), 0.5)
GOOD = Facts(
    Outcome(False, "It failed."),
    {"inject": 1},
    {"Ada": [Seen(0.5, "alarm", "void_commit", "It is void.")]},
    lines={"Ada": SCREEN.open},
)


def plays(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    async def perform(scene: Scene) -> Facts:
        return facts

    monkeypatch.setattr(runner, "perform", perform)
    monkeypatch.setattr(command, "SCENES", [SCENE])


def test_scenes_are_chosen_by_id_theme_and_case() -> None:
    assert command.chosen_scenes([]) == SCENES
    assert [s.id for s in command.chosen_scenes(["bad_commit"])] == ["bad_commit"]
    assert {s.mirrors for s in command.chosen_scenes(["case 2"])} == {"case 2"}
    assert command.chosen_scenes(["2"]) == command.chosen_scenes(["case 2"])
    assert {s.theme for s in command.chosen_scenes(["media", "slots"])} == {"media", "slots"}
    assert len(command.chosen_scenes(["bad_commit", "slots"])) == len(command.chosen_scenes(["slots"]))


def test_a_scene_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["bad_comit"], as_json=False, only_list=False) == 2
    assert "did you mean bad_commit?" in capsys.readouterr().err


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run([], as_json=False, only_list=True) == 0
    told = capsys.readouterr().out
    assert all(scene.id in told and scene.prediction in told for scene in SCENES)
    assert command.run([], as_json=True, only_list=True) == 0
    assert [json.loads(line)["scene"] for line in capsys.readouterr().out.splitlines()] == [
        scene.id for scene in SCENES
    ]


def test_as_documented(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plays(monkeypatch, GOOD)
    assert command.run([], as_json=True, only_list=False) == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["scene"], line["verdict"], line["worse"], line["after"]) == (
        "a_scene", "impossible", False, 0.5,
    )  # fmt: skip
    assert line["seen"]["Ada"][0]["text"] == "It is void."
    (shown,) = line["lines"]["Ada"]
    assert (shown["cause"], shown["severity"], line["severity"]) == ("void_commit", "attack", "attack")


def test_worse_than_documented(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plays(monkeypatch, replace(GOOD, frames_opened=3))
    assert command.run([], as_json=False, only_list=False) == 7
    told = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "Worse than documented: a_scene" in told
    assert "opened 3 frames" in told


async def test_a_meeting_that_does_not_come_about_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    async def perform(scene: Scene) -> Facts:
        tries.append(scene)
        raise OperatorError("The server did not start.")

    monkeypatch.setattr(runner, "perform", perform)
    result = await run_one(SCENE)
    assert (result.judgement.verdict, result.judgement.worse) == ("unplayed", True)
    assert result.judgement.why == "The server did not start."
    assert len(tries) == 2


async def test_a_scene_that_breaks_breaks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def perform(scene: Scene) -> Facts:
        if scene is SCENE:
            raise KeyError("something")
        return GOOD

    monkeypatch.setattr(runner, "perform", perform)
    other = replace(SCENE, id="another")
    broken, good = await runner.run_all([SCENE, other], JsonShow(io.StringIO()))
    assert (broken.judgement.verdict, broken.judgement.worse) == ("unplayed", True)
    assert "KeyError" in broken.judgement.why
    assert not good.judgement.worse


async def test_a_person_sees_what_members_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    plays(monkeypatch, GOOD)
    out = io.StringIO()
    show = HumanShow(1, Console(file=out, width=120))
    await runner.run_all([SCENE], show)
    told = out.getvalue()
    assert "impossible, told in 0.5 s" in told
    assert "Ada after 0.5 s: \u201cIt is void.\u201d" in told


def test_scenes_are_what_they_say() -> None:
    assert len({scene.id for scene in SCENES}) == len(SCENES)
    assert {s.mirrors for s in SCENES} >= {f"case {n}" for n in range(1, 8)}
    for scene in SCENES:
        assert scene.mirrors == "field" or re.fullmatch(r"case [1-7]", scene.mirrors), scene.id
        assert scene.prediction.endswith("."), scene.id
        assert (scene.documented.within is None) == (not scene.documented.by), scene.id


def test_scenes_state_a_severity_that_their_alarms_can_have() -> None:
    for scene in SCENES:
        documented = scene.documented
        assert documented.severity in TRACES, scene.id
        can = [TRACES.index(each) for kind in documented.by for each in severities(kind)]
        if documented.severity == "attack":
            assert can, f"{scene.id} names no alarm"
        assert not can or min(can) <= TRACES.index(documented.severity) <= max(can), scene.id


def severities(kind: str) -> set[Trace]:
    """The severities that lines of a kind can have; "none" where it leaves no line."""
    found = {rule.severity for key, rule in rules().items() if key.split(".")[1] == kind}
    return {each or "none" for each in found} or {"none"}


def test_scenes_wait_for_events_that_members_hear() -> None:
    kinds = {key.split(".")[1] for key in templates("en") if key.startswith(("alarm.", "status."))}
    for scene in SCENES:
        unknown = scene.documented.by - kinds - {"knock"}  # an event: a member notes it by that name
        assert not unknown, scene.id


def test_the_readme_shows_every_verdict() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for scene in SCENES:
        assert f"| `{scene.id}` | {scene.documented} |" in page, scene.id
