"""`snug bench availability`: what its recorder measures, its goals, its output and its exit status."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.monitor import holding
from snugroom.client.session.monitor.freshness import FRESH
from snugroom.command import main
from snugroom.lab.bench.availability import run
from snugroom.lab.bench.availability.goals import judged, targets
from snugroom.lab.bench.availability.lease import AS_BUILT, lease
from snugroom.lab.bench.availability.recorder import BACK, STEP
from snugroom.lab.bench.availability.scene import POWERS, Result, Scene, measured
from snugroom.lab.bench.availability.scenes import SCENES
from snugroom.lab.bench.availability.search import Actor, Step, play, script
from snugroom.lab.bench.availability.stage import HOSTILE, Stage, Word
from snugroom.lab.simulation.accusations import is_false
from snugroom.lab.simulation.tale import SERVER
from snugroom.lab.simulation.world import ORIGIN
from snugroom.wire import messages as wire

ROOT = Path(__file__).parents[2]
THREE = ("Ada", "Bo", "Cem")


# -- the recorder ------------------------------------------------------------------------------------------


def test_in_an_undisturbed_meeting_everybody_speaks_and_is_heard_all_the_time() -> None:
    with Stage(THREE) as stage:
        stage.says("Bo")
        stage.wait(20)
    seen = stage.recorder
    assert len(seen.looks) == pytest.approx(20 / STEP, abs=1)
    assert {look.speakers for look in seen.looks} == {3}
    assert seen.share() == 1.0
    assert seen.together_after(stage.began) <= STEP
    assert (stage.lost_words(), seen.lines, seen.false_alarms) == ([], [], [])


def test_a_member_that_may_not_seal_for_half_of_the_time_is_half_of_a_third_of_the_share() -> None:
    with Stage(THREE) as stage:
        stage.wait(5)
        room = stage.who("Bo").room
        for reason in ("hold_reason", "pause_reason"):
            room.hold_reason = room.pause_reason = lambda now: None
            setattr(room, reason, lambda now: "held")
            stage.wait(5)
        room.hold_reason = room.pause_reason = lambda now: None
        stage.wait(5)
    assert stage.recorder.share() == pytest.approx(1 - 1 / 6, abs=0.01)
    assert stage.recorder.together_after(stage.began + 6) == pytest.approx(9, abs=2 * STEP)


def test_who_cannot_open_what_others_seal_is_missing_in_their_audience() -> None:
    with Stage(THREE) as stage:
        stage.who("Bo").room.membership.media.wipe()
        stage.wait(5)
    assert stage.recorder.share() == pytest.approx((0.5 + 0.5 + 0) / 3, abs=0.01)
    assert stage.recorder.together_after(stage.began) == inf


def test_who_is_cut_off_does_not_count_until_some_seconds_after_and_the_others_do() -> None:
    with Stage() as stage:
        stage.cut("Cem")
        stage.wait(5)
        stage.mend("Cem")
        stage.wait(20)
    cut = [look for look in stage.recorder.looks if look.at < stage.began + 5 + BACK]
    assert {look.speakers for look in cut[1:]} == {3}
    assert {look.speakers for look in stage.recorder.looks[len(cut) + 1 :]} == {4}
    assert stage.recorder.share() == 1.0


def test_who_is_cut_off_from_one_of_two_servers_counts() -> None:
    with Stage(THREE, further=1) as stage:
        stage.cut("Ada", stage.origins[0], by=SERVER)
        stage.wait(4)
    assert {look.speakers for look in stage.recorder.looks} == {3}
    assert stage.recorder.share() == pytest.approx((0.5 + 0.5 + 0) / 3, abs=0.05)


def test_who_reaches_no_server_of_the_others_does_not_count_and_nobody_does_without_most() -> None:
    with Stage(further=1) as stage:
        first, second = stage.origins
        stage.cut("Cem", first)
        for label in ("Ada", "Bo", "Dana"):
            stage.cut(label, second)
        stage.wait(2)
        assert stage.recorder.looks[-1].speakers == 3
        stage.cut("Dana", first)
        stage.mend("Dana", second)
        stage.wait(2)
        assert stage.recorder.looks[-1].speakers == 0


def test_what_is_sent_while_packets_are_lost_in_one_direction_comes_after_it_and_connections_stall() -> None:
    with Stage(("Ada", "Bo")) as stage:
        stage.stalls("Bo", ORIGIN, "down", 2.0)
        stage.says("Ada")
        stage.says("Bo")
        stage.wait(1.9)
        ada, bo = stage.who("Ada"), stage.who("Bo")
        assert (ada.said, bo.said) == ([("Bo", "Bo 1")], [])
        stage.wait(0.2)
        assert bo.said == [("Ada", "Ada 0")]
        stage.stalls("Bo", ORIGIN, "up", 2.0)
        stage.breaks("Bo")
        stage.wait(2.5)
        assert ev.ROOM not in bo.links
        stage.wait(2.5)
        assert bo.links[ev.ROOM].up, "by the second SYN that was sent again"


def test_exposure_is_short_with_an_honest_server_and_as_long_as_a_hosts_word_if_the_host_is_cut_off() -> None:
    exposed = []
    for helped, late in ((False, 0.0), (True, 0.0), (True, 10.0)):
        with Stage((*THREE, HOSTILE), strict=True) as stage:
            for label in THREE[1:] if late else ():
                stage.swallow(label, "down", wire.Broadcasted, author="Ada", late=late)
            stage.wait(late)
            stage.wait_for_heartbeat("Ada")
            if helped:
                stage.swallow("Ada", "up", wire.Commit, wire.Broadcast)
            stage.removes("Ada", HOSTILE)
            if helped:
                stage.cut("Ada", by=SERVER)
            stage.wait(25)
        exposed.append(stage.recorder.exposed.get(HOSTILE, 0.0))
    assert exposed[0] <= STEP
    assert 9 < exposed[1] <= FRESH[0] + STEP
    assert 0 < exposed[2] <= FRESH[0] + STEP, "an operator gains nothing by delays"


def test_a_word_that_a_reader_never_got_is_lost_unless_somebody_was_told() -> None:
    with Stage(("Ada", "Bo")) as stage:
        ada, bo = stage.who("Ada"), stage.who("Bo")
        stage.words.append(Word(ada, "gone", stage.w.now, (bo,)))
        assert stage.lost_words() == [("gone", "Bo")]
        ada.told.append(sentences.alarm("maybe_lost", text="gone"))
        assert stage.lost_words() == []


@pytest.mark.parametrize(
    ("alarm", "hostile_server", "false"),
    [
        (sentences.alarm("reordered.renumbered"), False, True),
        (sentences.alarm("reordered.renumbered"), True, False),
        (sentences.alarm("reordered", who=[HOSTILE]), False, False),
        (sentences.alarm("two_stories.by", who=[HOSTILE], slot=4), False, False),
        (sentences.alarm("void_commit", why="", who="Bo", slot=1), False, True),
        (sentences.alarm("missed", count=1), False, False),
    ],
)
def test_an_alarm_that_accuses_an_honest_party_is_false(
    alarm: ev.Alarm, hostile_server: bool, false: bool
) -> None:
    with Stage(("Ada", HOSTILE)) as stage:
        stage.tale.record(stage.w.now, HOSTILE, "signs", "a lie")
        if hostile_server:
            stage.tale.record(stage.w.now, SERVER, "swallows", "something")
        assert is_false(stage.tale, stage.person("Ada"), alarm, stage.w.now) is false


# -- scenes and the search ---------------------------------------------------------------------------------


def test_scenes_are_what_they_say() -> None:
    assert len({scene.name for scene in SCENES}) == len(SCENES)
    assert {scene.power for scene in SCENES} == set(POWERS)
    for scene in SCENES:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", scene.name), scene.name
        assert scene.about.endswith("."), scene.name
        assert scene.seeds, scene.name
    assert {scene.goal for scene in SCENES} - {""} == {t.of for t in targets(AS_BUILT)} - {""}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_scene_can_be_played(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snugroom.lab.bench.availability.stage.QUIET", 2.0)
    monkeypatch.setattr("snugroom.lab.bench.availability.members.TEN_MINUTES", 1.0)
    monkeypatch.setattr(Stage, "wait", lambda stage, seconds: stage.w.run(min(seconds, 0.3)))
    stage = scene.play(scene.seeds[0])
    assert stage.tale.deeds or stage.words, "something happens"
    assert scene.goal.endswith("exposure") == bool(stage.recorder.removals)
    assert (scene.goal == "words") <= bool(stage.words)
    assert scene.together == (stage.acted_at is not None)


def test_the_worst_of_a_scenes_seeds_counts() -> None:
    def play(seed: int) -> Stage:
        with Stage(("Ada", "Bo"), seed=seed) as stage:
            if seed == 2:
                stage.who("Bo").room.membership.media.wipe()
            stage.wait(2)
        return stage

    result = measured(Scene("a_scene", "It happens.", "faults alone", play, seeds=(1, 2)))
    assert result.share == 0.0


@pytest.mark.parametrize("power", POWERS)
def test_the_same_seed_gives_the_same_scripts_and_each_step_can_be_done(power: Any) -> None:
    scripts = [script(power, random.Random(seed), 1) for seed in range(60)]
    assert scripts == [script(power, random.Random(seed), 1) for seed in range(60)]
    assert len(set(scripts)) > 30
    one_of_each = {
        (step.act, *step.arguments[:1]) if step.act in ("lies", "signs") else step.act: step
        for steps in scripts
        for step in steps
    }
    hostile = "member" in power
    with Stage((*THREE, HOSTILE) if hostile else THREE, further=1) as stage:
        stage.wait = lambda seconds: stage.w.run(0.1)  # type: ignore[method-assign]  # to be done is enough
        actor = Actor(stage, 1, hostile=hostile)
        for step in one_of_each.values():
            if "Dana" not in step.arguments:
                actor.do(step)
        actor.stop()
    assert stage.tale.deeds
    assert not stage.w.unreachable | stage.w.down


def test_a_step_says_what_it_is() -> None:
    assert str(Step("network cuts", ("Bo", 5.0), 0.5)) == "network cuts: Bo, 5 s; 0.5 s"
    assert str(Step("compares", (), 12.0)) == "compares; 12 s"
    step = Step("network cuts from", ("Bo", "second", inf), 2.0)
    assert str(step) == "network cuts from: Bo, second, for good; 2 s"


def test_a_script_is_judged_until_its_end_and_its_recovery_from_then_on() -> None:
    cut = Step("network cuts from", ("Cem", "first", inf), 2.0)
    stage = play("faults alone", (cut,), 1, 20.0, 1)
    assert stage.acted_at == stage.began + 20.0 + BACK
    assert stage.recorder.share(stage.began + 20.0) < 0.7
    assert stage.recorder.together_after(stage.acted_at) < 10


# -- a longer word of hosts --------------------------------------------------------------------------------


def test_a_hosts_word_holds_for_as_long_as_is_asked() -> None:
    assert vars(holding)["LEASE"] == AS_BUILT
    with lease(30):
        assert vars(holding)["LEASE"] == 30
    assert vars(holding)["LEASE"] == AS_BUILT


# -- the command -------------------------------------------------------------------------------------------


def result(goal: Any, **measured_as: Any) -> Result:
    scene = Scene("a_scene", "It happens.", "faults alone", lambda seed: pytest.fail("not played"), goal)
    return replace(Result(scene, 60.0, 1.0, None, None, None, None, None, [], []), **measured_as)


GOOD = [
    result("hostile member", share=0.98, lines=1),
    result("cut or crash", share=0.99),
    result("two survivors", share=0.96),
    result("exposure", exposure=65.25),
    result("strict exposure", exposure=15.25),
    result("host cut", together=9.75),
    result("words", words=12, lost_words=0),
]


def exit_status(
    monkeypatch: pytest.MonkeyPatch, results: Sequence[Result], *, as_json: bool = False
) -> tuple[int, str]:
    left = list(results)
    monkeypatch.setattr(run, "measured", lambda scene: left.pop(0))
    out = io.StringIO()
    status = run.run(as_json, [each.scene for each in results], 0, console=Console(file=out, width=160))
    return status, out.getvalue()


def test_the_exit_status_is_zero_if_all_goals_are_met(monkeypatch: pytest.MonkeyPatch) -> None:
    status, told = exit_status(monkeypatch, GOOD)
    assert status == 0
    assert "MISSED" not in told
    assert "not measured" not in told
    assert {goal.met for goal in judged(GOOD, AS_BUILT)} == {True}


@pytest.mark.parametrize(
    ("at", "bad", "by"),
    [
        (0, {"share": 0.92}, "0.05"),
        (0, {"lines": 3}, "2"),
        (0, {"false_alarms": ["The server gave..."]}, "1"),
        (1, {"share": 0.97}, "0.01"),
        (2, {"share": 0.0}, "0.95"),
        (3, {"exposure": 70.25}, "5 s"),
        (4, {"exposure": 20.25}, "5 s"),
        (5, {"together": inf}, "never"),
        (6, {"lost_words": 2}, "2"),
    ],
)
def test_the_exit_status_is_one_if_a_goal_is_missed_and_the_table_says_by_how_much(
    monkeypatch: pytest.MonkeyPatch, at: int, bad: dict[str, Any], by: str
) -> None:
    results = [replace(each, **bad) if n == at else each for n, each in enumerate(GOOD)]
    status, told = exit_status(monkeypatch, results)
    assert status == 1
    assert told.count("MISSED") == 1
    assert f"MISSED by {by} " in told


def test_json_has_the_documented_members(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = exit_status(monkeypatch, [*GOOD[:5], replace(GOOD[5], together=inf)], as_json=True)
    told = json.loads(capsys.readouterr().out)
    page = (ROOT / "docs/reference/json.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| `snug bench availability --json`")]
    documented = set(re.findall(r"`(\w+)`", row))
    own = {*told, *told["scenes"][0], *told["goals"][0]}
    assert own <= documented
    assert documented - own == {"tried", "cost", "seed", "further", "steps", "slowest"}  # of the search
    assert (status, told["met"], told["bench"]) == (1, False, "availability")
    assert told["scenes"][-1]["together_s"] == "never"


def test_the_command_plays_a_scene_and_searches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Stage, "wait", lambda stage, seconds: stage.w.run(min(seconds, 0.3)))
    monkeypatch.setattr("snugroom.lab.bench.availability.search.LENGTH", 2.0)
    monkeypatch.setattr(run, "TEN_MINUTES", 1.0)
    options = ["--scene", "two_die", "--scene", "move", "--tries", "1", "--lease", "60", "--json"]
    status = main(["bench", "availability", *options])
    told = json.loads(capsys.readouterr().out)
    assert status == (0 if told["met"] else 1)
    assert [row["scene"] for row in told["scenes"]] == ["two_die", "move", "found_for_ten_minutes"]
    assert [row["power"] for row in told["found"]] == list(POWERS)
    found = told["found"][0]
    assert found.keys() - found["slowest"].keys() == {"tried", "slowest"}
    assert told["lease_s"] == 60


@pytest.mark.parametrize("wrong", [["--scene", "nothing"], ["--tries", "-1"], ["--lease", "5"]])
def test_an_option_that_makes_no_sense(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "availability", *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err
