"""All that the adversary has found, each as a script (`findings.py`) that the present code withstands."""

from __future__ import annotations

from functools import partial

import pytest

from snugroom.lab.simulation.tale import ViolationError
from tests.adversary.findings import FINDINGS
from tests.adversary.known import KNOWN, ignored
from tests.adversary.meeting import Meeting
from tests.adversary.stage import Stage


@pytest.mark.parametrize("name", sorted(FINDINGS))
def test_the_script_breaks_nothing(name: str) -> None:
    seen: list[ViolationError] = []

    def noted(violation: ViolationError, stage: Stage) -> bool:
        seen.append(violation)
        return True

    meeting = FINDINGS[name](partial(Meeting, ignore=noted))
    meeting.stop()
    if name in KNOWN:
        own = [v for v in seen if KNOWN[name].covers(v, meeting.tale)]
        assert own, f"{name} is answered: remove it from known.py"
    else:
        assert [str(v) for v in seen if not ignored(v, meeting)] == []


def test_every_known_finding_has_a_script() -> None:
    assert set(KNOWN) <= set(FINDINGS)
