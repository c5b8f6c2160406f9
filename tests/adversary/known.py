"""Findings that are known and not yet answered: each with its violations, and what must have happened.

The machine goes on where it meets one of them, to find others. An entry has the name of its script in
`findings.py`. `test_findings.py` plays each script, and fails for an entry that is not needed any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from snugroom.lab.simulation.tale import Tale, ViolationError

if TYPE_CHECKING:
    from tests.adversary.stage import Stage


@dataclass(frozen=True)
class Known:
    """One finding. `shows` are its violations, as (rule, about); "*" is any."""

    shows: tuple[tuple[str, str], ...]
    when: Callable[[Tale], bool] = lambda tale: True

    def covers(self, violation: ViolationError, tale: Tale) -> bool:
        """Return whether a violation is this finding's."""
        fits = any(rule == violation.rule and about in ("*", violation.about) for rule, about in self.shows)
        return fits and self.when(tale)


KNOWN: Final[dict[str, Known]] = {}


def ignored(violation: ViolationError, stage: Stage) -> bool:
    """Return whether a violation is known."""
    return any(known.covers(violation, stage.tale) for known in KNOWN.values())
