"""The browsers' waits do not fail when a condition is not true at once."""

from __future__ import annotations

from pathlib import Path

BANNED = "wait_for_" + "function("  # it polls by `eval`, which our pages forbid


def test_no_test_waits_by_eval() -> None:
    files = list(Path(__file__).parents[1].rglob("*.py"))
    assert len(files) > 100
    assert [str(path) for path in files if BANNED in path.read_text(encoding="utf-8")] == [], (
        "use storybook.see"
    )
