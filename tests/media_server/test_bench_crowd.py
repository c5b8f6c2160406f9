"""`snug bench crowd`: guests who come at once."""

from __future__ import annotations

import json

import pytest

from snugroom.client.tools.bench import entrances

MEASURED = {"admitted": 100.0, "admitted_together": 100.0, "server_cpu_s": 9.0, **entrances.GOALS}


async def test_all_get_in_one_after_the_other_and_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert await entrances.run(True, 3, 0.2, 0.5) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["admitted"] == measured["admitted_together"] == 3
    assert measured["after_last_knock_s"] > 0
    assert measured["after_admit_all_s"] > 0
    assert measured["entrances_cpu_s"] > 0
    # after so short a pause, the difference that is the cost of one entrance says nothing
    assert isinstance(measured["one_entrance_cpu_s"], float)
    entrances._show(measured)
    assert "admitted: 3 of 3 one after the other, 3 of 3 together" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["admitted", "admitted_together", *entrances.GOALS])
def test_each_goal_counts(name: str) -> None:
    assert entrances.summary(100, 10.0, MEASURED)["met"]
    worse = -1.0 if name.startswith("admitted") else 0.01
    assert not entrances.summary(100, 10.0, {**MEASURED, name: MEASURED[name] + worse})["met"]
