"""`snug bench hostile` measures what it says, and never reports a measurement that failed as a success."""

from __future__ import annotations

import json
from typing import Any

import pytest

from snugroom import command
from snugroom.lab.bench import hostile, storms
from snugroom.lab.bench.hostile import HostileError, Result


def result(**changes: Any) -> Result:
    good: dict[str, Any] = {
        "name": "idlers", "clients": 16, "message_ms": 9.0, "audio_lost": 0, "open_s": 0.1, "memory": 1,
        "counted": 1, "messages": 100, "audio": 500,
        "opened": 5, "server": 0.5, "waited": 0.0, "storm": {"tried": 9, "entered": 9},
    }  # fmt: skip
    return Result(**(good | changes))


@pytest.mark.parametrize("changes", [{"message_ms": 200.0}, {"audio_lost": 1}, {"open_s": 2.0}])
def test_each_goal_must_be_met(changes: dict[str, Any]) -> None:
    assert result().met
    assert not result(**changes).met


@pytest.mark.parametrize(
    ("did", "delays", "times"),
    [
        ({}, [0.1] * 100, [0.1]),
        ({"tried": 5}, [0.1] * 100, [0.1]),
        ({"tried": 5, "entered": 5}, [0.1] * 10, [0.1]),
        ({"tried": 5, "entered": 5}, [0.1] * 100, []),
    ],
)
def test_what_measured_nothing_is_no_result(
    did: dict[str, int], delays: list[float], times: list[float]
) -> None:
    with pytest.raises(HostileError):
        hostile._check("idlers", did, delays, times, 5.0)
    hostile._check("idlers", {"tried": 5, "entered": 5}, [0.1] * 100, [0.1], 5.0)


async def test_a_failed_measurement_is_reported_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def one(name: str, *_: object) -> Result:
        if name == "idlers":
            raise HostileError("The storm did not begin.")
        return result(name=name)

    async def reflection() -> float:
        return 1.0

    monkeypatch.setattr(hostile, "measure_one", one)
    monkeypatch.setattr(hostile, "reflection", reflection)
    assert await hostile.run(True, ["calm", "idlers"], 2.0) == 1
    out = capsys.readouterr()
    measured = json.loads(out.out)
    assert not measured["met"]
    assert [storm["name"] for storm in measured["storms"]] == ["calm"]
    assert len(measured["failed"]) == out.err.count("did not begin") == len(hostile.CLIENTS)
    assert await hostile.run(False, ["calm"], 2.0) == 0
    assert "NOT" not in capsys.readouterr().out

    async def broken() -> float:
        raise HostileError("No media came.")

    monkeypatch.setattr(hostile, "reflection", broken)
    assert await hostile.run(True, ["calm"], 2.0) == 1
    measured = json.loads(capsys.readouterr().out)
    assert (measured["met"], measured["reflection"]) == (False, None)


def test_every_storm_is_in_the_plan_and_only_those_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert {name for name, _ in hostile.PLAN} == set(storms.STORMS)
    assert command.main(["bench", "hostile", "--storms", "rain"]) == 2
    assert "passing_rooms" in capsys.readouterr().err


async def test_a_storm_and_an_honest_meeting_at_the_same_time() -> None:
    for seconds in (2.0, 8.0, 32.0):  # a busy machine needs longer for a storm to begin
        try:
            measured = await hostile.measure_one("one_room", 16, seconds)
        except HostileError:
            continue
        if measured.storm.get("sent"):
            break
    else:
        pytest.fail("no storm began")
    assert measured.messages >= 20
    assert measured.audio >= 100
    assert 0 < measured.open_s < hostile._OPEN_MAX
    assert measured.memory > measured.counted > 0


@pytest.mark.timeout(900)  # twice, and with much to begin, on a busy machine
async def test_a_short_run_of_storms_from_many_addresses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = [("many_rooms", 16), ("hoards", 16), ("nonsense", 16), ("squatters", 256), ("idlers", 0)]
    monkeypatch.setattr(hostile, "PLAN", plan)
    for seconds in (3.0, 12.0):  # a busy machine needs longer for a storm to begin
        status = await hostile.run(True, (), seconds)
        measured = json.loads(capsys.readouterr().out)
        if not measured["failed"]:
            break
    assert status == 0
    assert [(storm["name"], storm["clients"]) for storm in measured["storms"]] == plan
    for storm in measured["storms"]:
        assert storm["storm"]["tried"] > 0
        assert storm["open_s"] < hostile._OPEN_MAX
        # nothing is lost for ever, however busy this machine is
        assert storm["counted"] < 2**29
    assert measured["reflection"] >= 0
