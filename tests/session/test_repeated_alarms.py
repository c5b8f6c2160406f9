"""Alarms that one cause repeats: told once, then counted."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.alarms import CAUSES_MAX, QUIET_AFTER, UPDATE_EVERY, RepeatedAlarms


def void(who: str, slot: int) -> ev.Tell:
    return ev.Tell(sentences.alarm("void_commit", why="noise", who=who, slot=slot))


def test_the_first_is_told_at_once_and_the_others_become_one_that_is_updated() -> None:
    alarms = RepeatedAlarms()
    told = [alarms.is_new(void("Mallory", slot), slot / 100) for slot in range(976)]
    assert told == [True] + [False] * 975
    assert alarms.due(UPDATE_EVERY - 0.1) == []
    [update] = alarms.due(UPDATE_EVERY)
    assert (update.kind, update.count) == ("void_commit", 976)
    assert update.text.startswith("The members ignored a change")
    assert "(slot 0). This has happened 976 times." in update.text
    assert alarms.due(2 * UPDATE_EVERY) == [], "nothing new"


def test_another_author_and_another_kind_are_other_causes() -> None:
    alarms = RepeatedAlarms()
    assert alarms.is_new(void("Mallory", 1), 0)
    assert alarms.is_new(void("Oscar", 2), 0)
    assert alarms.is_new(ev.Tell(sentences.alarm("wrong_gate", who="Mallory", leaf=2)), 0)
    assert alarms.is_new(ev.Tell(sentences.two_stories(3)), 0)
    assert not alarms.is_new(ev.Tell(sentences.two_stories(4)), 0)


def test_after_a_quiet_minute_it_is_a_new_cause() -> None:
    alarms = RepeatedAlarms()
    assert alarms.is_new(void("Mallory", 1), 0)
    alarms.due(QUIET_AFTER)
    assert not alarms.is_new(void("Mallory", 2), QUIET_AFTER)
    alarms.due(QUIET_AFTER + 1)
    alarms.due(2 * QUIET_AFTER + 1)
    assert alarms.is_new(void("Mallory", 3), 2 * QUIET_AFTER + 1)


def test_alarms_with_an_end_and_other_effects_are_always_told() -> None:
    alarms = RepeatedAlarms()
    silent = ev.Tell(sentences.alarm("silent", who="Bo", seconds=15))
    for effect in (silent, ev.Connect(ev.ROOM), ev.Tell(sentences.status("back"))):
        assert alarms.is_new(effect, 0)
        assert alarms.is_new(effect, 0)


def test_names_without_end_are_not_all_remembered() -> None:
    alarms = RepeatedAlarms()
    for n in range(2 * CAUSES_MAX):
        assert alarms.is_new(void(f"Mallory {n}", 1), 0)
    assert len(alarms._causes) == CAUSES_MAX
