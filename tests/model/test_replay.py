"""Trails of mutants, replayed with real sessions: a violation without the check, and none with it."""

from __future__ import annotations

import pytest

from tests.model import run
from tests.model.replay import VOID, Verdicts, parse, trail, without

#: The mutants whose trails are replayed, with the property that each breaks.
REPLAYED = {"NO_PLACE": "one_history", "NAME_AT_PLACE": "true_names", "STUCK_IS_VOID": "equal_verdicts"}


def verdicts(mutant: str) -> list[tuple[int, int]]:
    """The verdicts in a trail, in its order."""
    return [(step["member"], step["verdict"]) for step in trail(mutant) if step.name == "slot"]


@pytest.mark.parametrize(("mutant", "broken"), REPLAYED.items())
def test_without_the_check_real_sessions_do_what_the_mutant_does(mutant: str, broken: str) -> None:
    with without(mutant):
        meeting = Verdicts.begin(460)
        meeting.play(trail(mutant))
    assert meeting.seen == verdicts(mutant)
    held = {name: getattr(meeting, name) for name in REPLAYED.values()}
    assert held == {name: name != broken for name in REPLAYED.values()}


@pytest.mark.parametrize(("mutant", "kept"), REPLAYED.items())
def test_the_real_sessions_hold_the_property_on_the_same_trail(mutant: str, kept: str) -> None:
    meeting = Verdicts.begin(460)
    meeting.play(trail(mutant))
    assert getattr(meeting, kept)
    assert all(getattr(meeting, name) for name in REPLAYED.values())
    assert any(verdict == VOID for _, verdict in verdicts(mutant)), "or the trail shows nothing"


@pytest.mark.parametrize("mutant", REPLAYED)
def test_spin_finds_the_committed_trail(mutant: str) -> None:
    if run.missing_tools():
        pytest.skip("spin or gcc is not installed")
    model = next(m for m in run.models() if m.path.stem == "verdicts")
    check = next(c for c in model.checks if c.definitions == (mutant,))
    found = run.perform(check)
    assert found.violated == REPLAYED[mutant]
    assert parse("\n".join(found.steps)) == trail(mutant), (
        f"python -m tests.model.run verdicts --trail {mutant}"
    )


def test_a_line_that_is_no_step_is_refused() -> None:
    assert parse("slot member=1 verdict=2")[0]["verdict"] == 2
    with pytest.raises(ValueError, match="unpack"):
        parse("slot member")
