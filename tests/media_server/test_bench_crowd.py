"""`snug bench crowd`: guests who come at once."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from snugroom.client.connection import TICK
from snugroom.lab.bench import entrances
from snugroom.lab.bench.guests import GuestsProcess, SlowClocks

MEASURED = {"admitted": 100.0, "admitted_together": 100.0, "server_cpu_s": 9.0, **entrances.GOALS}


async def test_all_get_in_one_after_the_other_and_together(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrances, "_LATE", 2)
    monkeypatch.setattr(entrances, "_SETTLE", 0.5)
    assert await entrances.run(True, 3, 0.2, 0.5) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["admitted"] == measured["admitted_together"] == 3
    assert measured["after_last_knock_s"] > 0
    assert measured["after_admit_all_s"] > 0
    assert measured["entrances_cpu_s"] > 0
    # after so short a pause, the difference that is the cost of one entrance says nothing
    assert isinstance(measured["one_entrance_cpu_s"], float)
    assert measured["slowness"] == 1
    entrances._show({**measured, "slowness": 16.0})
    told = capsys.readouterr().out
    assert "clocks went 16 times slower" in told
    assert "admitted: 3 of 3 one after the other, 3 of 3 together" in told


@pytest.mark.parametrize("name", ["admitted", "admitted_together", *entrances.GOALS])
def test_each_goal_counts(name: str) -> None:
    assert entrances.summary(100, 10.0, MEASURED)["met"]
    worse = -1.0 if name.startswith("admitted") else 0.01
    assert not entrances.summary(100, 10.0, {**MEASURED, name: MEASURED[name] + worse})["met"]


def test_more_than_a_hundred_members_share_a_core_by_slow_clocks() -> None:
    assert [entrances.slowness_of(guests) for guests in (2, 100, 101, 249)] == [1.0, 1.0, 2.0, 16.0]
    since = time.time() - 40
    assert SlowClocks(4.0, since).clock()() == pytest.approx(since + 10, abs=1)
    assert SlowClocks(4.0, since).tick == 4 * TICK


async def test_members_with_slow_clocks_come_in_as_well() -> None:
    clocks = SlowClocks(3.0)
    measured = await entrances._waiting(2, 0.1, clocks)
    assert measured["admitted_together"] == 2
    assert 0 < measured["after_admit_all_s"] < (time.time() - clocks.since) / clocks.slowness


def test_no_more_wait_together_than_one_link_takes() -> None:
    measured = {**MEASURED, "admitted": 249.0, "admitted_together": 240.0}
    assert entrances.summary(249, 10.0, measured)["waited"] == 240
    assert entrances.summary(249, 10.0, measured)["met"]
    assert not entrances.summary(249, 10.0, {**measured, "admitted_together": 239.0})["met"]


async def test_the_process_of_the_guests_waits_for_nobody_whose_meeting_has_ended(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with entrances.hosted(2, "all") as (_, _, link):
        pass
    async with asyncio.timeout(60), GuestsProcess(link, "Guest", 1, 0.0, 600.0, SlowClocks()) as them:
        them.start()
        assert await them.knocked() == (0, 0.0)
        assert await them.inside() == (0, 0.0)
    assert "A guest was not let in: No connection to the server" in capfd.readouterr().err
