"""Members on the page, and Python participants, who come back after their program has ended."""

from __future__ import annotations

from tests.session import test_comeback
from tests.web.mixed import played, scenarios

test_comeback_of_both = played(
    scenarios(
        test_comeback,
        mixes=("host", "guests", "all"),
        # The record of a page's device has no secret keys that could be written down.
        without={"what_is_kept_is_read_as_it_was_written_and_nothing_else_is"},
    )
)
