"""Verdicts on scenes: each forbidden event makes the verdict worse, and an untried scene does not pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.incidents import Incident, Incidents
from snugroom.lab.attacks.naming import PERHAPS_SERVER, YOURS, mentioned
from snugroom.lab.attacks.verdict import (
    NOBODY,
    TRACES,
    Documented,
    Facts,
    Outcome,
    Seen,
    Trace,
    detected,
    impossible,
    judge,
    succeeds,
    told_after,
)
from snugroom.lab.simulation.tale import SERVER

NAMES = ("Ada", "Bo", "Cem")
IMPOSSIBLE = impossible(severity="none")
TOLD = impossible("void_commit", within=3.0, severity="none")
DETECTED = detected("stale", within=20.0, severity="none", names=NOBODY)
ATTACK = detected("stale", "forged_media", within=20.0, severity="attack", names=NOBODY)
SUCCEEDS = succeeds(severity="none")


def facts(worked: bool = False, kind: str | None = None, after: float = 1.0, **changes: object) -> Facts:
    """A good outcome: everybody heard the alarm `kind`, if any, and nothing else happened."""
    seen = [] if kind is None else [Seen(after, "alarm", kind, "A sentence.")]
    changes = {"people": frozenset(NAMES), **changes}
    good = Facts(Outcome(worked, "It did."), {"inject": 2}, {name: list(seen) for name in NAMES})
    return replace(good, **changes)  # type: ignore[arg-type] # by name


@pytest.mark.parametrize(
    ("documented", "found", "verdict", "worse"),
    [
        (IMPOSSIBLE, facts(), "impossible", False),
        (IMPOSSIBLE, facts(worked=True), "succeeds", True),
        (TOLD, facts(kind="void_commit"), "impossible", False),
        (TOLD, facts(), "impossible", True),
        (TOLD, facts(kind="other"), "impossible", True),
        (TOLD, facts(kind="void_commit", after=3.5), "impossible", True),
        (TOLD, facts(worked=True, kind="void_commit"), "detected", True),
        (DETECTED, facts(worked=True, kind="stale", after=14.0), "detected", False),
        (DETECTED, facts(worked=True, kind="stale", after=21.0), "detected", True),
        (DETECTED, facts(worked=True), "succeeds", True),
        (SUCCEEDS, facts(worked=True), "succeeds", False),
        (SUCCEEDS, facts(), "impossible", False),
    ],
)
def test_verdicts(documented: Documented, found: Facts, verdict: str, worse: bool) -> None:
    judged = judge(documented, found)
    assert (judged.verdict, judged.worse) == (verdict, worse)


@pytest.mark.parametrize(
    "harm",
    [
        {"frames_opened": 1},
        {"false_frames": 1},
        {"false_words": ["Ada: never said"]},
        {"lost": ["Bo"]},
        {"outcome": Outcome(True, "It did.", harms=("something else",))},
    ],
)
@pytest.mark.parametrize("documented", [IMPOSSIBLE, DETECTED, SUCCEEDS])
def test_harm_is_worse_than_anything_documented(documented: Documented, harm: dict[str, object]) -> None:
    good = facts(worked=True, kind="stale")
    assert judge(documented, replace(good, **harm)).verdict == "harmed"  # type: ignore[arg-type] # by name
    assert judge(documented, replace(good, **harm)).worse  # type: ignore[arg-type] # by name


def test_the_purpose_of_an_act_does_not_count_as_harm() -> None:
    out = Outcome(True, "It did.", loses=True, reads=True)
    assert not judge(SUCCEEDS, facts(outcome=out, lost=["Bo"], frames_opened=9)).worse


def test_an_act_that_was_never_done_proves_nothing() -> None:
    idle = facts(deeds={})
    assert judge(IMPOSSIBLE, idle).verdict == "unplayed"
    assert judge(IMPOSSIBLE, idle).worse
    tried = replace(idle, outcome=Outcome(False, "It was tried.", attempts=1))
    assert not judge(IMPOSSIBLE, tried).worse


def lines(*alarms: ev.Alarm) -> list[Incident]:
    """The lines of these alarms on a screen."""
    incidents = Incidents()
    for alarm in alarms:
        incidents.told(alarm, 1.0)
    return incidents.open


def shows(*alarms: ev.Alarm) -> Facts:
    """The facts of an act with an effect, and the lines that Bo saw."""
    return facts(worked=True, kind="stale", lines={"Ada": [], "Bo": lines(*alarms)})


CALM = sentences.alarm("not_admitted", name="Eve", why="...")
AMBER = sentences.alarm("unheard", who=["Ada"])
RED = sentences.alarm("forged_media", name="Ada")


@pytest.mark.parametrize(
    ("alarms", "severity"),
    [((), "none"), ((CALM,), "calm"), ((CALM, AMBER), "attention"), ((AMBER, RED, CALM), "attack")],
)
def test_the_worst_line_has_the_documented_severity(alarms: tuple[ev.Alarm, ...], severity: Trace) -> None:
    for stated in TRACES:
        judged = judge(replace(ATTACK, severity=stated), shows(*alarms))
        assert judged.worse == (stated != severity), stated
        if judged.worse:
            assert f"was of severity {severity}, not {stated}." in judged.why


def test_a_line_that_a_busy_machine_leaves_counts_only_if_it_is_documented() -> None:
    stale = sentences.alarm("stale", who=["Ada"])
    for by, worst in ((frozenset({"unheard"}), "none"), (frozenset({"stale"}), "attention")):
        assert shows(stale).severity(by) == worst
    assert shows(RED, stale).severity() == "attack"


def test_a_red_line_about_another_act_is_false() -> None:
    judged = judge(replace(ATTACK, by=frozenset({"stale"})), shows(RED))
    assert judged.worse
    assert "Bo saw a red line about another act: forged_media." in judged.why


def test_an_act_is_red_once_on_a_screen() -> None:
    judged = judge(ATTACK, shows(RED, sentences.alarm("forged_media", name="Cem")))
    assert judged.worse
    assert "Bo saw 2 red lines." in judged.why
    again = shows(RED, RED)
    again.lines["Ada"] = lines(RED)
    assert not judge(ATTACK, again).worse


def test_everybody_concerned_has_to_be_told() -> None:
    found = facts(worked=True, kind="stale", after=4.0)
    found.seen["Cem"] = [Seen(9.0, "alarm", "stale", "A sentence.")]
    assert judge(DETECTED, found).after == 9.0  # the last of them counts
    found.seen["Cem"] = []
    assert judge(DETECTED, found).verdict == "succeeds"
    only = replace(found, outcome=replace(found.outcome, watchers=("Ada", "Bo")))
    assert judge(DETECTED, only).after == 4.0
    nobody = replace(found, outcome=replace(found.outcome, watchers=("Zoe",)))
    assert judge(DETECTED, nobody).after is None


VOID = sentences.alarm("void_commit", why="SNUG-7", who="Cem", slot=3)
STALE = sentences.alarm("stale", who=["Cem", "Dan"])


def told(alarm: ev.Alarm, *, to: tuple[str, ...] = NAMES, **changes: object) -> Facts:
    """The facts of an act without effect, and an alarm that these members were told."""
    seen = {name: [Seen(1.0, "alarm", alarm.kind, alarm.text)] if name in to else [] for name in NAMES}
    return replace(facts(seen=seen, people=frozenset({*NAMES, "Dan"})), **changes)  # type: ignore[arg-type] # by name


@pytest.mark.parametrize(
    ("names", "hostile", "verdict", "worse"),
    [
        (("Cem",), {"Cem"}, "impossible", False),
        (("Bo",), {"Bo"}, "harmed", True),  # an honest member is blamed
        (("Bo",), {"Bo", "Cem"}, "impossible", True),  # it was another one
        ((SERVER,), {SERVER, "Cem"}, "impossible", True),
        (NOBODY, {"Cem"}, "impossible", True),
        (("Cem",), {"Bo", SERVER}, "harmed", True),
    ],
)
def test_an_alarm_counts_if_it_names_the_one_who_did_it(
    names: tuple[str, ...], hostile: set[str], verdict: str, worse: bool
) -> None:
    documented = impossible("void_commit", within=3.0, severity="none", names=names)
    judged = judge(documented, told(VOID, hostile=frozenset(hostile)))
    assert (judged.verdict, judged.worse) == (verdict, worse), judged


def test_a_fact_about_the_server_is_more_than_a_possibility() -> None:
    fact, hedged = sentences.alarm("gate_denied"), sentences.alarm("unheard.everybody")
    for alarm, names in ((fact, (SERVER,)), (fact, (PERHAPS_SERVER,)), (hedged, (PERHAPS_SERVER,))):
        documented = impossible(alarm.kind, within=3.0, severity="none", names=names)
        assert not judge(documented, told(alarm, hostile=frozenset({SERVER}))).worse, (alarm, names)
    documented = impossible("unheard", within=3.0, severity="none", names=(SERVER,))
    assert judge(documented, told(hedged, hostile=frozenset({SERVER}))).worse
    assert (
        judge(impossible("gate_denied", within=3.0, severity="none", names=(SERVER,)), told(fact)).verdict
        == "harmed"
    )


def test_what_a_busy_machine_leaves_is_a_proof_if_it_came_to_those_concerned_alone() -> None:
    both = ("Cem", "Dan")
    documented = detected("stale", within=20.0, severity="none", names={"Ada": both, "Bo": both})
    split = Outcome(True, "It did.", watchers=("Ada", "Bo"))
    assert told_after(documented, told(STALE, to=("Ada", "Bo"), outcome=split)) == 1.0
    assert told_after(documented, told(STALE, to=("Ada",), outcome=split)) is None
    assert told_after(documented, told(STALE, outcome=split)) is None  # Cem as well
    alone = detected("stale", within=20.0, severity="none", names=("Dan",))
    to_ada = Outcome(True, "It did.", watchers=("Ada",))
    assert told_after(alone, told(STALE, to=("Ada",), outcome=to_ada)) == 1.0
    assert told_after(alone, told(STALE, to=("Ada", "Bo"), outcome=to_ada)) is None
    more = sentences.alarm("stale", who=["Ada", "Cem", "Dan"])
    assert told_after(documented, told(more, to=("Ada", "Bo"), outcome=split)) is None  # Ada as well


def test_reporters_are_not_those_whom_it_is_about() -> None:
    streams = [sentences.stream_of("Bo", 0), sentences.stream_of(None, 1)]
    text = sentences.alarm("not_reaching", whom=["Cem"], streams=streams).text
    assert mentioned(text, NAMES) == {"Bo", YOURS}


def test_better_than_documented_is_said() -> None:
    assert judge(DETECTED, facts(kind="stale")).better
    assert judge(SUCCEEDS, facts()).better
    assert not judge(IMPOSSIBLE, facts()).better


def test_a_verdict_never_repeats_a_prediction_that_did_not_come_true() -> None:
    predicted = Outcome(True, "Nobody was let in.")
    why = judge(IMPOSSIBLE, facts(outcome=predicted)).why
    assert why == "It got what it is for. Expected was: Nobody was let in."
    assert "Not everybody" in judge(DETECTED, facts(outcome=predicted)).why
