"""Page participants and Python participants meet: joins, messages, removals, leaves, the end."""

from __future__ import annotations

from tests.session import test_ending, test_meeting
from tests.web.mixed import MIXES, played, scenarios

test_meetings = played([*scenarios(test_meeting, mixes=MIXES), *scenarios(test_ending, mixes=MIXES)])
