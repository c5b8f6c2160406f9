"""The table as it would be if a host's word held for longer, or for less long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from snugroom.client.session.monitor import holding
from snugroom.client.session.monitor.freshness import LEASE
from snugroom.lab.simulation.patches import Patches

#: Seconds for which a host's word holds as built, in meetings that are not strict.
AS_BUILT: Final = LEASE


@contextmanager
def lease(seconds: float) -> Iterator[None]:
    """Have a host's word hold for so many seconds, in all meetings that are not strict."""
    with Patches() as patches:
        patches.setattr(holding, "LEASE", seconds)
        yield
