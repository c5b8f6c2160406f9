"""Everyday trouble of page participants and Python participants: no red line, and nothing left afterwards."""

from __future__ import annotations

from tests.session import test_incident_places, test_incident_scenes
from tests.web.mixed import played, scenarios

test_everyday_trouble = played(
    scenarios(
        test_incident_scenes,
        test_incident_places,
        mixes=("guests", "all"),
        other={"a_change_that_one_member_cannot_read": "host -Bo"},
    )
)
