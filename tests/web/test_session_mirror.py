"""Mirrored meetings of page participants and Python participants."""

from __future__ import annotations

from tests.session import test_mirror
from tests.web.mixed import played, scenarios

test_mirror_of_both = played(scenarios(test_mirror))
