"""The runner of the models finds violations, and fails if it does not catch a mutant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model import run
from tests.model.run import Check, Model, ModelError, Result

needs_spin = pytest.mark.skipif(bool(run.missing_tools()), reason="spin or gcc is not installed")

MODEL = """/* A counter.

   mutant TOO_FAR breaks small: the counter does not stop */

/* Properties. */
bool small = true;  /* the counter stays below three */

byte n;

init
{
end:
  do
  :: atomic { n < LAST -> n++; printf("step count n=%d\\n", n); small = small && n < 3; assert(small) }
  od
}
"""
LAST = """
#ifdef TOO_FAR
#define LAST 5
#else
#define LAST 2
#endif
"""


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "counter.pml"
    path.write_text(MODEL.replace("\nbyte n;", LAST + "byte n;"))
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    return path


def test_every_model_names_a_mutant_for_each_property() -> None:
    found = run.models()
    assert {m.path.stem for m in found} >= {
        "verdicts",
        "gates",
        "sync",
        "rejoin",
        "hosts",
        "admission",
        "short_code",
        "places",
        "leases",
        "together",
        "newcomer",
        "absence",
    }
    for model in found:
        caught = {check.breaks for check in model.checks if check.kind == "mutant"}
        limits = {check.breaks for check in model.checks if check.kind == "limit"}
        assert caught | limits == model.properties.keys()


@pytest.mark.parametrize(
    ("written", "instead"),
    [("mutant TOO_FAR breaks small", "A mutant breaks it"), ("breaks small", "breaks another")],
)
def test_a_property_without_a_mutant_is_an_error(counter: Path, written: str, instead: str) -> None:
    counter.write_text(counter.read_text().replace(written, instead))
    with pytest.raises(ModelError, match="small"):
        Model.load(counter)


@needs_spin
def test_a_property_holds_and_its_mutant_is_caught(counter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([]) == 0
    told = capsys.readouterr().out
    assert "all properties hold" in told
    assert "mutant TOO_FAR" in told
    assert "is caught: small is violated after 3 steps" in told


@needs_spin
def test_a_mutant_that_passes_fails_the_run(counter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counter.write_text(counter.read_text().replace("#define LAST 5", "#define LAST 2"))
    assert run.main([]) == 1
    assert "NOT CAUGHT: small holds" in capsys.readouterr().out


@needs_spin
def test_a_violation_fails_the_run_and_shows_the_steps(
    counter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counter.write_text(counter.read_text().replace("#define LAST 2", "#define LAST 3"))
    assert run.main([]) == 1
    told = capsys.readouterr().out
    assert "VIOLATED: small" in told
    assert "3. count n=3" in told


def test_missing_tools_are_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "TOOLS", ("no-such-tool",))
    assert run.main([]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert run.main(["--required"]) == 1


@pytest.mark.parametrize(
    ("check", "violated", "good"),
    [
        (Check("m"), "", True),
        (Check("m"), "small", False),
        (Check("m", cycles=True), "a cycle", False),
        (Check("m", ("X",), "small", "mutant"), "small", True),
        (Check("m", ("X",), "small", "mutant"), "", False),
        (Check("m", ("X",), "small", "mutant"), "large", False),
    ],
)
def test_the_verdict_of_a_result(check: Check, violated: str, good: bool) -> None:
    assert run.verdict(check, Result(violated, 7, 0.1, ("count n=3",)))[0] is good


def test_a_search_without_enough_depth_is_an_error() -> None:
    with pytest.raises(ModelError, match="not complete"):
        run._read("error: max search depth too small\n  12 states, stored\nerrors: 0", Check("m"))


@needs_spin
def test_a_search_without_enough_memory_is_an_error(counter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter.write_text(
        counter.read_text().replace("byte n;", "int n;").replace("#define LAST 2", "#define LAST 9999999")
    )
    counter.write_text(counter.read_text().replace("&& n < 3", "&& n >= 0"))
    monkeypatch.setattr(run, "_MEMORY", 200)
    with pytest.raises(ModelError, match="not complete"):
        run.perform(Check("counter"))


LIVE = """/* A clock.

   mutant STOPS breaks rings: the clock does not go on */

byte n;
bit b;

/* Properties. */
ltl rings { []<>(n == 0) }  /* it rings again and again */

active proctype Clock()
{
  do
#ifndef STOPS
  :: atomic { n = (n + 1) % 3; printf("step tick n=%d\\n", n) }
#else
  :: atomic { n = 1; printf("step stuck n=%d\\n", n) }
#endif
  od
}

active proctype Other()
{
  do
  :: b = 1 - b
  od
}
"""


@needs_spin
def test_a_formula_holds_with_fair_steps_and_its_mutant_is_caught(
    counter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counter.write_text(LIVE)
    assert run.main([]) == 0, "the other process alone could go round for ever"
    told = capsys.readouterr().out
    assert "rings holds" in told
    assert "is caught: rings is violated" in told
    counter.write_text(LIVE.replace("#ifndef STOPS", "#ifdef STOPS"))
    assert run.main([]) == 1
    told = capsys.readouterr().out
    assert "VIOLATED: rings" in told
    assert "NOT CAUGHT: rings holds" in told
