"""The verdict on a demo, rule by rule: a good meeting passes, and each fault is reported."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from snugroom.lab.demo.facts import Facts, Pair, Search, Stream, verdict

NAMES = ("Ada Brandt", "Bo Ekman", "Cem Aydin")
ADA, BO, CEM = NAMES
SOUND = Stream(opened=520, decoded=520, sent=500, received=499, measured=400.0, proved=True)
SIGHT = Stream(opened=155, decoded=155, sent=150, received=149, measured=150, proved=True)
SEARCH = Search(searched=90_000_000, sought={"name": 3}, found=(), known=3, known_found=3)


def good() -> Facts:
    lines = {name: f"a line by {name}" for name in NAMES}
    return Facts(
        seconds=10.0,
        names=NAMES,
        rosters={name: frozenset(NAMES) for name in NAMES},
        pairs=tuple(Pair(a, b, SOUND, SIGHT) for a, b in permutations(NAMES, 2)),
        said=lines,
        heard={b: frozenset((a, lines[a]) for a in NAMES if a != b) for b in NAMES},
        codes=dict.fromkeys(NAMES, (2, "0" * 40)),
        refused=dict.fromkeys(NAMES, 0),
        endings=dict.fromkeys(NAMES, "ended"),
        disclosure={"files_open_for_writing": 0},
        server_exit=0,
        search=SEARCH,
    )


def with_pair(**streams: Stream) -> tuple[Pair, ...]:
    """One pair (from Bo to Cem) is different."""
    return tuple(
        replace(p, **streams) if (p.speaker, p.listener) == (BO, CEM) else p  # type: ignore[arg-type] # by name
        for p in good().pairs
    )


def test_a_good_meeting_passes() -> None:
    assert verdict(good()) == []
    assert good().code == "0" * 40
    assert good().pace == 1.0


def test_a_visitor_is_no_stranger() -> None:
    rosters = {**good().rosters, BO: frozenset({*NAMES, "Zoe"})}
    assert verdict(replace(good(), rosters=rosters, visitors=frozenset({"Zoe"}))) == []
    assert verdict(replace(good(), rosters=rosters)) == ["Bo Ekman saw Zoe in the room, whom nobody sent."]


def test_an_excusable_finding_passes() -> None:
    unreadable = replace(good(), search=None, search_refused="Permission denied: /proc/7/mem")
    alarmed = replace(good(), alarms=((BO, "media_lost", "The media connection is gone."),))
    busy = replace(
        good(),
        pairs=tuple(
            replace(
                p, sound=replace(SOUND, sent=150, received=60), sight=replace(SIGHT, sent=40, received=11)
            )
            for p in good().pairs
        ),
    )
    for facts in (unreadable, alarmed, busy):
        assert verdict(facts) == []
    assert busy.pace == pytest.approx(40 / 150)
    slow_camera = replace(good(), pairs=with_pair(sight=replace(SIGHT, sent=120, received=60)))
    assert slow_camera.pace == pytest.approx(0.8)
    assert verdict(slow_camera) == []


SILENT = Stream(opened=520, decoded=0, sent=500)
RULES: dict[str, tuple[dict[str, Any], str]] = {
    "trouble": ({"trouble": ("It broke.",)}, "It broke."),
    "not seen": (
        {"rosters": {**good().rosters, BO: frozenset({ADA, BO})}},
        "did not see Cem Aydin in the room",
    ),
    "stranger": ({"rosters": {**good().rosters, BO: frozenset({*NAMES, "Mal"})}}, "saw Mal in the room"),
    "no roster": ({"rosters": {ADA: frozenset(NAMES), BO: frozenset(NAMES)}}, "Cem Aydin did not see"),
    "ending": (
        {"endings": {**good().endings, CEM: "removed"}},
        "Cem Aydin the meeting did not end well: removed",
    ),
    "no ending": ({"endings": {ADA: "ended", BO: "ended"}}, "did not end well: nothing"),
    "alarm": ({"alarms": ((BO, "fork", "Two meetings."),)}, "Bo Ekman was alarmed: Two meetings."),
    "pair missing": ({"pairs": good().pairs[1:]}, "Bo Ekman did not hear Ada Brandt"),
    "no sound": ({"pairs": with_pair(sound=SILENT)}, "Cem Aydin did not hear Bo Ekman"),
    "no pictures": ({"pairs": with_pair(sight=SILENT)}, "Cem Aydin did not see Bo Ekman"),
    "few frames": (
        {"pairs": with_pair(sound=replace(SOUND, received=399))},
        "could hardly hear Bo Ekman: 399 of 500",
    ),
    "few pictures": (
        {"pairs": with_pair(sight=replace(SIGHT, received=119))},
        "could hardly see Bo Ekman: 119 of 150",
    ),
    "hardly sent": (
        {"pairs": with_pair(sound=replace(SOUND, sent=49, received=49))},
        "could hardly hear Bo Ekman: 49 of 49",
    ),
    "pitch": (
        {"pairs": with_pair(sound=replace(SOUND, proved=False))},
        "does not have the pitch of Bo Ekman",
    ),
    "colour": (
        {"pairs": with_pair(sight=replace(SIGHT, proved=False))},
        "does not have the colour of Bo Ekman",
    ),
    "authentication": ({"refused": {**good().refused, ADA: 3}}, "3 frames that came to Ada Brandt"),
    "said nothing": ({"said": {ADA: "x", BO: "y"}, "heard": good().heard}, "Cem Aydin said nothing"),
    "chat lost": (
        {"heard": {**good().heard, CEM: frozenset({(ADA, "a line by Ada Brandt")})}},
        "Cem Aydin did not get what Bo Ekman wrote",
    ),
    "chat changed": (
        {"heard": {**good().heard, CEM: frozenset({(ADA, "a line by Ada Brandt"), (BO, "another line")})}},
        "Cem Aydin did not get what Bo Ekman wrote",
    ),
    "another code": ({"codes": {**good().codes, CEM: (2, "1" * 40)}}, "do not see the same code"),
    "another epoch": ({"codes": {**good().codes, CEM: (3, "0" * 40)}}, "do not see the same code"),
    "no code": ({"codes": {ADA: (2, "0" * 40)}}, "Bo Ekman and Cem Aydin showed no code"),
    "no disclosure": ({"disclosure": None}, "did not tell what it holds"),
    "files": ({"disclosure": {"files_open_for_writing": 1}}, "1 files open for writing"),
    "exit": ({"server_exit": -9}, "exit status -9"),
    "no exit": ({"server_exit": None}, "exit status None"),
    "found": ({"search": replace(SEARCH, found=("chat line",))}, "holds what it must not: chat line"),
    "blind search": ({"search": replace(SEARCH, known_found=0)}, "it proves nothing"),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_thing_amiss_is_told(rule: str) -> None:
    change, sentence = RULES[rule]
    failures = verdict(replace(good(), **change))
    assert any(sentence in failure for failure in failures), failures
    if rule not in ("pair missing", "said nothing"):
        assert len(failures) == 1, failures
