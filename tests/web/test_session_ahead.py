"""Newcomers on the page, and Python newcomers, who show their pass before the server has let them in."""

from __future__ import annotations

from tests.session import test_ahead, test_denied_pass
from tests.web.mixed import played, scenarios

test_ahead_of_both = played(scenarios(test_ahead, test_denied_pass))
