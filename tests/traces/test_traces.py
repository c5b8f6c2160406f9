"""Ten meetings and all vectors are as they were before names and files changed."""

from __future__ import annotations

import pytest

from tests.traces import vectors
from tests.traces.meetings import SEEDS, Meeting
from tests.traces.record import recorded


@pytest.mark.parametrize("seed", SEEDS)
def test_a_meeting_is_as_it_was_recorded(seed: int) -> None:
    before, now = recorded()["meetings"][str(seed)], Meeting(seed).run().summary()
    assert now["seconds"] == before["seconds"], "the first second that differs is where to look"
    assert now == before


def test_vectors_are_as_they_were_recorded() -> None:
    assert vectors.hashes() == recorded()["vectors"]
