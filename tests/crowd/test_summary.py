"""The observations of a crowd, added up."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any, Union

import msgspec
from rich.console import Console

from snugroom import schema
from snugroom.lab.crowd import summary
from snugroom.lab.crowd.summary import AlarmCount, EndCount, HeardPairs, JoinTimes, Summary, Unheard

STRICT: Any = Union[tuple(schema.events(strict=True))]  # noqa: UP007 - of a list
SEEN = Summary(
    asked=3,
    joined=2,
    inside=2,
    join_seconds=JoinTimes(0.5, 1.0, 1.0),
    seconds=10.0,
    heard=(HeardPairs("audio", 1, 2),),
    unheard=(Unheard("audio", "Crowd 1", "Crowd 2"),),
    alarms=(AlarmCount("stuck", 3, 2),),
    ended=(EndCount("refused", 1),),
    cpu_joining=97.5,
    cpu=12.5,
)


def test_percentiles_are_values_that_occurred() -> None:
    assert summary.join_times([]) is None
    assert summary.join_times([0.25]) == JoinTimes(0.25, 0.25, 0.25)
    assert summary.join_times([float(n) for n in range(10, 0, -1)]) == JoinTimes(5.0, 9.0, 10.0)


def test_pairs_without_anything_are_named() -> None:
    heard: dict[str, summary.Heard] = {
        "Crowd 1": {"audio": {"Crowd 2", "Ada"}},
        "Crowd 2": {"audio": {"Crowd 1"}, "chat": {"Crowd 1"}},
        "Crowd 3": {"audio": {"Crowd 1"}},
    }
    names = list(heard)
    counts, unheard = summary.pairs(heard, {"audio": names, "chat": ["Crowd 1"]})
    assert counts == (HeardPairs("audio", 3, 6), HeardPairs("chat", 1, 2))
    assert set(unheard) == {
        Unheard("audio", "Crowd 1", "Crowd 3"),
        Unheard("audio", "Crowd 2", "Crowd 3"),
        Unheard("audio", "Crowd 3", "Crowd 2"),
        Unheard("chat", "Crowd 3", "Crowd 1"),
    }


def test_the_list_of_pairs_is_bounded_and_the_counts_are_complete() -> None:
    names = [f"Crowd {number}" for number in range(50)]
    counts, unheard = summary.pairs({name: {} for name in names}, {"video": names})
    assert counts == (HeardPairs("video", 0, 50 * 49),)
    assert len(unheard) == summary.UNHEARD_MAX


def test_alarms_are_counted_by_kind_and_by_participant() -> None:
    each = [Counter({"stuck": 2}), Counter(), Counter({"stuck": 1, "stale": 1})]
    assert summary.alarm_counts(each) == (AlarmCount("stuck", 3, 2), AlarmCount("stale", 1, 1))


def test_the_json_is_the_one_of_the_schema() -> None:
    event = msgspec.json.decode(SEEN.as_json(), type=STRICT)
    assert type(event).__name__ == "CrowdEvent"
    assert (event.inside_, event.join_seconds_) == (2, SEEN.join_seconds)


def test_the_text_names_all_that_went_wrong() -> None:
    out = io.StringIO()
    SEEN.show(Console(file=out, width=200))
    text = out.getvalue()
    for part in (
        "2 of 3 participants are in",
        "0.50 s (median)",
        "Crowd 1 got no audio from Crowd 2",
        "stuck",
        "refused",
        "98% of a core during the joins, and 12% after them",
    ):
        assert part in text, text
