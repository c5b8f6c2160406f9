"""Meetings of page participants and Python participants that go on at other servers."""

from __future__ import annotations

from tests.session import test_places
from tests.web.mixed import played, scenarios

test_places_of_both = played(scenarios(test_places))
