"""Findings that are known and not yet answered: each with the violation by which it shows, and its condition.

The machine goes on where it meets one of them, to find others. An entry goes with its answer; the table is
empty when all of them are answered, and `test_findings.py` has each as a test of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.adversary.tale import ViolationError

if TYPE_CHECKING:
    from tests.adversary.meeting import Meeting


@dataclass(frozen=True)
class Known:
    """One finding: `rule` and `about` of its violations, `*` for any, and what must have happened."""

    name: str
    rule: str
    about: str
    when: Callable[[Meeting], bool] = lambda meeting: True

    def covers(self, violation: ViolationError, meeting: Meeting) -> bool:
        """Return whether a violation is this finding's."""
        return self.rule == violation.rule and self.about in ("*", violation.about) and self.when(meeting)


KNOWN: Final[tuple[Known, ...]] = ()


def ignored(violation: ViolationError, meeting: Meeting) -> bool:
    """Return whether a violation is known."""
    return any(known.covers(violation, meeting) for known in KNOWN)
