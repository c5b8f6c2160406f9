"""Each fuzz target for about a second, with the same inputs every time. `make fuzz` has a million each."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import run
from tests.fuzz.everything import TARGETS
from tests.fuzz.target import GROWTH, SLOWEST, FindError, Plain, Target, fuzz, havoc

RUNS = 12_000


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run(name: str) -> None:
    target = TARGETS[name]
    outcome = fuzz(target, max(2_500, int(RUNS * target.share)), seed=1)
    assert outcome.slowest < SLOWEST
    assert outcome.grown < GROWTH


def test_a_find_is_found_and_told(capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A parser that breaks on one byte in the right place, as one did."""

    def feed(data: bytes) -> None:
        if len(data) > 3 and data[2] == 0xFF:
            raise IndexError("off by one")

    broken = Target("broken", lambda: Plain(feed), lambda: [bytes(8)])
    with pytest.raises(FindError, match="IndexError: off by one") as find:
        fuzz(broken, 20_000)
    assert find.value.data[2] == 0xFF
    monkeypatch.setitem(TARGETS, "broken", broken)
    assert run.main(["broken", "--keep", str(tmp_path), "--runs", "20000"]) == 1
    assert "kept as" in capsys.readouterr().out
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes()[2] == 0xFF


def test_the_same_seed_is_the_same_run() -> None:
    def inputs(seed: int) -> list[bytes]:
        got: list[bytes] = []
        fuzz(Target("same", lambda: Plain(got.append), lambda: [b"abcd"]), 300, seed)
        return got

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)
    assert len(set(inputs(1))) > 150


def test_havoc_keeps_within_a_datagram() -> None:
    rng, data = random.Random(1), b"x" * 2000
    for _ in range(2000):
        data = havoc(data, rng)
        assert len(data) <= 2048
