"""Incidents: one cause, one line, with a severity, a beginning and an end."""

from __future__ import annotations

import re

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence, table
from snugroom.client.session.incidents import (
    HISTORY_MAX,
    OPEN_MAX,
    SEVERITIES,
    Incident,
    Incidents,
    rule_of,
    rules,
)

#: Files with sentences that can become lines.
FILES = ("alarms", "session", "terminal", "notes")


def shown(incidents: Incidents) -> list[tuple[str, str]]:
    return [(each.severity, each.kind) for each in incidents.shown]


def begun(incidents: Incidents, event: ev.Event, now: float = 0.0) -> Incident:
    incident = incidents.told(event, now)
    assert incident is not None
    return incident


def member(leaf: int, name: str) -> ev.Member:
    return ev.Member(leaf, name, host=False)


def roster(*removed: str, rejoined: bool = False) -> ev.Roster:
    return ev.Roster(9, (), (), tuple(member(i, name) for i, name in enumerate(removed)), 0, rejoined)


def test_every_alarm_has_a_severity_and_every_rule_a_sentence() -> None:
    keys = [key for name in FILES for key in table(name)]
    for key in keys:
        if key.startswith("alarm."):
            found = rule_of(sentence(key, **dict.fromkeys(_arguments(key), "x")))
            assert found is not None, key
            assert found[1].severity in SEVERITIES, key
    what = [f"alarm.dropped.{key.partition('.')[2]}" for key in keys if key.startswith("dropped.")]
    unknown = [
        rule for rule in rules() if not any(key == rule or key.startswith(f"{rule}.") for key in keys + what)
    ]
    assert unknown == []
    causes = {rule.cause or key.split(".")[1] for key, rule in rules().items() if rule.severity}
    assert {
        cause for rule in rules().values() for cause in (*rule.ends, *rule.under, *rule.under_same)
    } <= causes
    for key, rule in rules().items():
        named = {each for each in (rule.parts, rule.by) if each}
        assert all(named <= set(_arguments(each)) for each in keys if each == key), (key, named)


def _arguments(key: str) -> list[str]:
    row = next(rows[key] for name in FILES if key in (rows := table(name)))
    return re.findall(r"\{(\w+)", str(row))


def test_a_lost_connection_is_one_line_until_it_is_back() -> None:
    incidents = Incidents()
    first = begun(incidents, sentences.status("away", why="cut"), 10)
    assert begun(incidents, sentences.status("away.unreachable"), 13).number == first.number
    assert shown(incidents) == [("attention", "away")]
    assert incidents.told(sentences.status("back"), 20) is None
    assert incidents.open == []
    (over,) = incidents.history
    assert (over.began, over.ended, over.count) == (10, 20, 2)
    assert over.text == sentence("status.away.unreachable")


def test_evidence_turns_a_line_red_and_nothing_turns_it_back() -> None:
    incidents = Incidents()
    begun(incidents, sentences.status("away", why="cut"))
    drop = begun(incidents, sentences.dropped("refuses", None), 4)
    assert shown(incidents) == [("attention", "dropped")], "one line for one cause"
    red = begun(incidents, sentences.dropped("serves", None), 14)
    assert (red.number, red.severity, red.rule.action) == (drop.number, "attack", "evidence")
    assert incidents.told(sentences.dropped("refuses", None), 15) is None
    incidents.told(sentences.status("back.moved", origin="https://b"), 16)
    stays = "a trace of malice stays until somebody has read it"
    assert shown(incidents) == [("attack", "dropped"), ("calm", "back")], stays
    incidents.dismiss(red.number, 20)
    assert shown(incidents) == [("calm", "back")], "a move is a line, which ends by itself"
    assert incidents.history[-1].ended == 20
    incidents.tick(16 + 60)
    assert incidents.open == []


def test_the_silent_are_one_line_that_names_those_who_still_are() -> None:
    incidents = Incidents()
    begun(incidents, sentences.alarm("silent", who=["Bo"], seconds=15))
    assert begun(incidents, sentences.alarm("silent", who=["Cem", "Dana"], seconds=15)).count == 2
    incidents.told(sentences.status("cleared.heard", who=["Bo", "Eve"]), 20)
    (line,) = incidents.open
    assert line.text == sentence("alarm.silent", who=["Cem", "Dana"], seconds=15)
    incidents.told(roster("Cem"), 21)
    assert incidents.open[0].about == ("Dana",)
    begun(incidents, sentences.alarm("gone", who="Dana", leaf=3, seconds=60), 60)
    assert [each.kind for each in incidents.open] == ["gone"], "one line for one silence"
    begun(incidents, sentences.alarm("gone", who="Eve", leaf=4, seconds=60), 60)
    incidents.told(sentences.status("cleared.heard", who=["Dana"]), 70)
    assert [(each.kind, each.by) for each in incidents.open] == [("gone", "Eve")]
    incidents.told(roster("Eve"), 80)
    assert incidents.open == []


def test_a_pause_names_the_silent_so_their_line_is_hidden_until_it_ends() -> None:
    incidents = Incidents()
    begun(incidents, sentences.alarm("silent", who=["Bo"], seconds=15))
    begun(incidents, sentences.alarm("stale", who=["Bo", "Cem"]))
    assert incidents.told(sentences.alarm("silent", who=["Cem"], seconds=15), 20) is None
    assert shown(incidents) == [("attention", "stale")]
    incidents.told(sentences.status("cleared.heard", who=["Bo"]), 29)
    incidents.told(sentences.status("cleared.fresh"), 30)
    (line,) = incidents.shown
    assert line.text == sentence("alarm.silent", who=["Cem"], seconds=15)


def test_a_report_of_somebody_hides_what_else_is_said_of_them_and_of_nobody_else() -> None:
    incidents = Incidents()
    begun(incidents, sentences.alarm("silent", who=["Mal"], seconds=15))
    begun(incidents, sentences.alarm("not_admitted", name="Mal", why="16 rejoins"))
    assert shown(incidents) == [("calm", "not_admitted")]
    begun(incidents, sentences.alarm("reordered", who="Mal"))
    assert shown(incidents) == [("attention", "reordered")]
    begun(incidents, sentences.alarm("not_admitted", name="Bo", why="16 rejoins"))
    begun(incidents, sentences.alarm("silent", who=["Cem"], seconds=15))
    assert [each.kind for each in incidents.shown] == ["reordered", "not_admitted", "silent"]


def test_of_two_that_say_each_other_the_more_severe_is_shown_or_the_first() -> None:
    incidents = Incidents()
    begun(incidents, sentences.alarm("rejoining"))
    assert incidents.told(sentences.alarm("stale", who=["Bo"]), 1) is None
    assert incidents.told(sentences.alarm("withheld", who="Bo", slot=5), 1) is None
    assert shown(incidents) == [("attention", "rejoining")]
    begun(incidents, sentences.alarm("withheld.proven", who=["Bo", "Cem"], slot=5, origin="a"))
    assert shown(incidents) == [("attack", "withheld")]
    incidents.dismiss(incidents.shown[0].number, 2)
    assert shown(incidents) == [("attention", "rejoining")]
    incidents.told(sentences.status("cleared.in_step"), 3)
    assert shown(incidents) == [("attention", "stale")]


def test_streams_come_back_one_by_one() -> None:
    incidents = Incidents()
    sound, video = sentences.stream_of("Ada", 0), sentences.stream_of("Ada", 1)
    begun(incidents, sentences.alarm("not_reaching", streams=[sound, video], whom=["Bo"]))
    incidents.told(sentences.status("cleared.reaching", streams=[sound], whom=["Bo"]), 5)
    assert incidents.open[0].about == (video,)
    incidents.told(sentences.status("cleared.reaching", streams=[video], whom=["Bo"]), 6)
    assert incidents.open == []


def test_the_streams_of_somebody_who_is_out_of_the_room_are_missed_no_more() -> None:
    incidents = Incidents()
    streams = [sentences.stream_of("Ada", 0), sentences.stream_of("Bo", 0)]
    begun(incidents, sentences.alarm("not_reaching", streams=streams, whom=["Cem"]))
    incidents.told(roster("Ada"), 5)
    assert [each.about for each in incidents.open] == [(streams[1],)]
    incidents.told(roster("Bo"), 6)
    assert incidents.open == []


def test_two_causes_are_two_lines_and_the_worst_is_first() -> None:
    incidents = Incidents()
    begun(incidents, sentences.alarm("forged_media", name="Bo"))
    begun(incidents, sentences.alarm("silent", who=["Bo"], seconds=15))
    begun(incidents, sentences.alarm("page_differs", names=["Bo"], most=2, of=3))
    begun(incidents, sentences.alarm("forged_media", name="Cem"))
    assert [each.kind for each in incidents.open] == [
        "forged_media",
        "forged_media",
        "page_differs",
        "silent",
    ]


def test_a_counted_alarm_is_the_same_line() -> None:
    incidents = Incidents()
    one = sentences.alarm("wrong_gate", who="Bo", leaf=2)
    first = begun(incidents, one)
    many = ev.Alarm("wrong_gate", sentence("room.repeated", alarm=one.text, count=7), 7)
    again = begun(incidents, many, 10)
    assert (again.number, again.text, len(incidents.open)) == (first.number, many.text, 1)


def test_what_passes_by_itself_is_gone_after_its_time_and_stays_in_the_history() -> None:
    incidents = Incidents()
    begun(incidents, sentences.alarm("missed", count=3), 100)
    incidents.tick(159)
    assert shown(incidents) == [("calm", "missed")]
    incidents.tick(160)
    assert (incidents.open, [each.kind for each in incidents.history]) == ([], ["missed"])


@pytest.mark.parametrize(
    "back",
    [roster(rejoined=True), sentences.status("cleared.in_step"), sentences.status("cleared.outside")],
    ids=["rejoined", "in_step", "outside"],
)
def test_whoever_is_in_step_again_sees_no_line_about_it(back: ev.Event) -> None:
    incidents = Incidents()
    begun(incidents, sentences.alarm("outside"))
    begun(incidents, sentences.alarm("rejoining.server"), 1)
    assert len(incidents.open) == 1
    incidents.told(back, 5)
    assert incidents.open == []


def test_a_crowd_of_causes_is_bounded_and_keeps_the_worst() -> None:
    incidents = Incidents()
    begun(incidents, sentences.alarm("forged_media", name="Bo"))
    for number in range(OPEN_MAX + HISTORY_MAX + 9):
        begun(incidents, sentences.alarm("removed_knocks", name=f"Bot {number}", invite="x", removed="Cem"))
    assert (len(incidents.open), len(incidents.history)) == (OPEN_MAX, HISTORY_MAX)
    assert incidents.open[0].kind == "forged_media"
    assert incidents.open[-1].by == f"Bot {HISTORY_MAX + 9 + 1}"


def test_a_text_without_a_rule_is_no_incident() -> None:
    incidents = Incidents()
    assert incidents.told(sentences.status("host"), 0) is None
    assert incidents.told(ev.Alarm("strange", "a plain text"), 0) is None
    assert incidents.open == []
