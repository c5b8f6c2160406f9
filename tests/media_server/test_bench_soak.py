"""`snug bench soak`: half a minute of it, and its judgement of growth."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from snugroom.lab.bench import soak
from snugroom.lab.bench.growth import trend
from snugroom.lab.bench.house import table


async def test_half_a_minute_of_joins_and_leaves_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    # whether anything grows is for longer runs to say
    measured = await soak.measure(0.4, meeting=True, seed=5)
    done = measured["done"]
    assert done["packets"] > 1_000
    assert done["lost"] > 0
    assert done["guests"] > 0
    assert done["replaced"] > 0
    assert done["before"] > 0
    assert measured["left"] == {}
    assert measured["server_errors"] == 0
    names = {"resident", "own", "files", "threads", "connections", "media.peers", "srtp_sessions"}
    assert names <= measured["trends"].keys()
    assert not [name for name in measured["trends"] if name.startswith(("uptime", "media.forwarded"))]
    soak._show(json.loads(json.dumps(measured)))
    assert "resident" in capsys.readouterr().out


async def test_objects_that_stay_after_all_have_left_are_reported() -> None:
    told = iter([{"rooms": 2, "files": 9}, {"rooms": 1, "files": 5}, {"files": 6}, {"files": 5}])

    async def sizes() -> dict[str, int]:
        return next(told)

    assert await soak.emptied(sizes, {"files": 5}, 0.0) == {"rooms": 2, "files": 9}
    assert await soak.emptied(sizes, {"files": 5, "rooms": 0}, 20.0) == {}
    assert next(told, None) is None


def samples(**growing: float) -> list[tuple[float, dict[str, int]]]:
    rng = random.Random(3)
    return [
        (
            10.0 * i,
            {
                name: round(start + growing.get(name, 0.0) * i + rng.uniform(-noise, noise))
                for name, start, noise in (("own", 60e6, 4e5), ("files", 50, 6), ("blob_bytes", 2e5, 5e4))
            },
        )
        for i in range(180)
    ]


def verdict(**growing: float) -> list[str]:
    grows: list[str] = soak.summary(30, 1, samples(**growing), Counter(), {})["grows"]
    return grows


def test_noise_is_no_growth() -> None:
    assert verdict() == []
    assert soak.summary(30, 1, samples(), Counter(), {})["met"]
    assert not soak.summary(30, 1, samples(), Counter(), {"rooms": 1})["met"]


def test_growth_is_found() -> None:
    # two entries every ten seconds: as many as come and go in this time are ten times that
    assert verdict(files=0.5) == []
    assert verdict(files=2.0) == ["files"]
    assert verdict(own=60_000) == ["own"]
    assert verdict(blob_bytes=50_000.0, own=60_000) == ["blob_bytes", "own"]
    # 1 kB in ten seconds is 90 kB in the half that is judged: that is not seen in 60 MB
    assert verdict(own=1_000) == []


def test_growth_that_has_stopped_is_no_growth() -> None:
    filled = [float(min(i, 40)) for i in range(100)]
    assert not trend([float(i) for i in range(100)], filled, 0.05, 1.0).grows
    assert trend([float(i) for i in range(100)], [float(i) for i in range(100)], 0.05, 1.0).grows


def test_a_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="too few"):
        trend([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.1, 1.0)


def test_a_disclosure_is_told_by_sizes() -> None:
    told = {
        "uptime": 3.5,
        "blobs": 4,
        "rooms": [{"gates": 2, "relays": [{"bytes": 5}, {"bytes": 6}]}, {"gates": 1, "relays": []}],
        "media": {"peers": 9},
        "own_keys": ["a", "b"],
        "whether": True,
    }
    assert table(told) == {
        "blobs": 4,
        "rooms": 2,
        "rooms.gates": 3,
        "rooms.relays": 2,
        "rooms.relays.bytes": 11,
        "media.peers": 9,
        "own_keys": 2,
    }
