"""`snug bench workers`: servers with one and with two workers, two rooms, and the summary of the figures."""

from __future__ import annotations

import json

import pytest

from snugroom.lab.bench import workers
from snugroom.lab.bench.light import LightError
from snugroom.lab.bench.workers import Run
from snugroom.server.sfu.io import mmsg

pytestmark = pytest.mark.skipif(mmsg.load() is None, reason="no recvmmsg here")


async def test_one_and_two_are_measured_from_the_real_way_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # so small a fan-out, so many packets: no more of them than are sealed in a moment
    monkeypatch.setattr(workers, "_RATE_MAX", 200_000)
    monkeypatch.setattr(workers, "_WARM", 0.05)
    assert await workers.run(True, rounds=1, seconds=0.1, fan_out=3) == 0
    measured = json.loads(capsys.readouterr().out)
    one, two = measured["runs"]
    assert (one["workers"], two["workers"]) == (1, 2)
    for run in (one, two):
        assert run["rate"] > 0
        assert run["us"] > 0
        assert 0 < run["server"] <= 2.2
    assert measured["ratio"] == pytest.approx(two["rate"] / one["rate"], abs=0.01)
    workers._show(measured)
    assert "two forward" in capsys.readouterr().out


async def test_packets_that_do_not_last_are_a_failure_and_not_a_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_RATE_MAX", 10)
    with pytest.raises(LightError, match="did not last"):
        await workers.measure_one(1, 0.5, 2)
    assert await workers.run(False, rounds=1, seconds=0.5, fan_out=2) == 1
    assert "did not last" in capsys.readouterr().err


def test_medians_count_and_a_machine_that_is_not_quiet_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def run(count: int, rate: int, us: float, waited: float = 0.01) -> Run:
        return Run(count, rate, us, 1.0, 0.05, waited, 0)

    good = workers.summary([run(1, 100, 2.0), run(2, 190, 2.1), run(1, 900, 2.0), run(1, 101, 2.0)], 49)
    assert (good["one"], good["two"], good["ratio"], good["by_cpu"]) == (101, 190, 1.881, 1.905)
    assert (good["met"], good["quiet"]) == (True, True)
    bad = workers.summary([run(1, 100, 2.0), run(2, 150, 2.0, 0.4)], 49)
    assert (bad["met"], bad["quiet"], bad["by_cpu"]) == (False, False, 2.0)
    workers._show(bad)
    assert "NOT met" in (text := capsys.readouterr().out)
    assert "not quiet" in text
