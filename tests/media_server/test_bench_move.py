"""`snug bench move`: a meeting whose server is killed, and one whose server falls silent."""

from __future__ import annotations

import json

import pytest

from snugroom.lab.bench import move


async def test_both_ends_of_a_server_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert await move.run(True, (3,), rounds=1) == 0
    measured = json.loads(capsys.readouterr().out)
    acts = ["reset", "black hole", "warm reset"]
    assert [(row["members"], row["act"]) for row in measured["rows"]] == [(3, act) for act in acts]
    for row in measured["rows"]:
        assert 0 < row["least_s"] <= row["median_s"] <= row["most_s"]
        assert row["met"] == (row["median_s"] <= row["goal_s"])
    assert measured["met"] == all(row["met"] for row in measured["rows"])
    move._show(measured)
    assert "black hole" in capsys.readouterr().out
