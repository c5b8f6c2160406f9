"""Mirrored meetings of page participants and Python participants."""

from __future__ import annotations

from tests.session import test_mirror
from tests.web.mixed import played, scenarios

#: The host's code decides this.
HOSTED = {"the_mirror_keeps_up_when_many_join_at_once": "host"}
test_mirror_of_both = played(scenarios(test_mirror, other=HOSTED))
