"""The simulation of a server that forwards some of the microphones: what the set of them tells."""

from __future__ import annotations

import re

import numpy as np
import pytest

from snugroom.client.session.features.audible import SLOTS
from snugroom.lab.leakage import selection
from snugroom.lab.leakage.guess import auc
from snugroom.lab.leakage.selection import Talk, features, least_auc, sets, talk
from tests.docs.test_docs import ROOT

KEY = bytes(32)
PAGE = ROOT / "docs" / "explanation" / "leakage.md"


def source(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def silence(members: int) -> Talk:
    nothing = np.zeros((300, members), np.bool_)
    return Talk(nothing, nothing)


def test_a_meeting_has_one_speaker_at_a_time_and_many_listeners() -> None:
    meeting = talk(100, source())
    assert not (meeting.speaks & ~meeting.open).any(), "nobody speaks with a closed microphone"
    assert meeting.speaks.sum(axis=1).max() <= 4, "within one tick, turns can follow each other"
    assert 0.1 < meeting.speaks.any(axis=0).mean() < 0.7
    assert 1 < meeting.open.sum(axis=1).mean() < SLOTS


def test_a_speaker_is_in_the_set_within_a_tick_where_it_has_a_slot() -> None:
    meeting = talk(100, source())
    inside = sets(meeting, "speakers", KEY)
    late = meeting.open[:-1] & ~inside[1:]
    assert late.sum() < 0.02 * meeting.open.sum()
    assert inside.sum(axis=1).max() == SLOTS
    lots = sets(meeting, "lottery", KEY)
    assert (lots == sets(silence(100), "speakers", KEY)).all(), "whatever is said"


def test_the_features_are_what_the_server_sees_and_not_who_speaks() -> None:
    inside = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [1, 1]], np.bool_)
    first, second = features(inside)[:, 0], features(inside)[:, 1]
    names = "inside", "since", "until", "entries", "of all", "share", "whole"
    assert dict(zip(names, first.T.tolist(), strict=True)) == {
        "inside": [1, 1, 0, 1, 1],
        "since": [0, 1, 0, 0, 1],
        "until": [2, 1, 1, 2, 1],
        "entries": [0, 0, 0, 1, 1],
        "of all": [1] * 5,
        "share": [1, 1, pytest.approx(2 / 3), 0.75, 0.8],
        "whole": [0.8] * 5,
    }
    assert second[:, 3].tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("members", [26, 40, 100])
def test_no_choice_of_the_others_lowers_the_auc_below_the_bound(members: int) -> None:
    """The bound is a count: here it is counted, for sets that chance has chosen around one speaker."""
    chance, counted = source(members), []
    for _ in range(50):
        others = chance.choice(members - 1, SLOTS - 1, replace=False)
        inside = np.zeros(members)
        inside[-1] = 1
        inside[others] = 1
        speaks = np.zeros(members)
        speaks[-1] = 1
        counted.append(auc(speaks, inside))
    assert counted == pytest.approx([least_auc(members)] * 50)


def test_the_bound_needs_nearly_all_members_in_the_set() -> None:
    assert least_auc(100) == pytest.approx(0.924, abs=0.001)
    assert least_auc(40) == pytest.approx(0.808, abs=0.001)
    assert least_auc(100, slots=90) >= selection.LIMIT > least_auc(100, slots=91)
    assert least_auc(16) == 0.5


def test_the_set_gives_its_speakers_away_or_does_not_let_them_be_heard() -> None:
    """With the speakers in it, the AUC is the bound's; by lot, it is chance, and most speech is lost."""
    heard = selection.simulate(40, "speakers", meetings=4)
    lots = selection.simulate(40, "lottery", meetings=4)
    assert heard.speaks == pytest.approx(heard.bound, abs=0.03)
    assert heard.guessed.auc > heard.bound - 0.05
    assert heard.spoke > 0.6
    assert heard.unheard < 0.02
    assert lots.speaks < 0.6
    assert lots.unheard > 0.4


def test_the_page_has_figures_of_such_a_simulation() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (those|by lot)[^|]*\| ([\d.]+) .*\| (\d+)% \|$", page, re.MULTILINE)
    assert [int(members) for members, *_ in rows] == [each for each in selection.SIZES for _ in range(2)]
    for members, rule, speaks, unheard in rows:
        short = selection.simulate(int(members), "lottery" if rule == "by lot" else "speakers", meetings=2)
        assert float(speaks) == pytest.approx(short.speaks, abs=0.08)
        assert float(unheard) / 100 == pytest.approx(short.unheard, abs=0.2)
    for members in selection.SIZES:
        assert f"{least_auc(members):.2f} with {members}" in page
