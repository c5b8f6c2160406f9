"""Members on the page, and Python participants, who say that they are away, and who come back."""

from __future__ import annotations

from tests.session import test_absence, test_absence_back, test_silent_majority
from tests.web.mixed import played, scenarios

test_absence_of_both = played(scenarios(test_absence, test_absence_back, test_silent_majority))
