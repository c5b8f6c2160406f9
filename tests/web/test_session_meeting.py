"""Meetings of the page's people and ours: entering, talking, removing, leaving, ending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.session import test_ending, test_meeting
from tests.web.mixed import MIXES, play, scenarios, sessions
from tests.web.ts_session import SessionProcess, Who

__all__ = ["sessions"]


@pytest.mark.parametrize(
    ("scenario", "arguments", "who"), [*scenarios(test_meeting, MIXES), *scenarios(test_ending, MIXES)]
)
def test_meetings(
    monkeypatch: pytest.MonkeyPatch,
    sessions: SessionProcess,
    scenario: Callable[..., Any],
    arguments: dict[str, Any],
    who: Who,
) -> None:
    play(monkeypatch, sessions, scenario, arguments, who)
