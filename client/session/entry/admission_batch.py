"""Several knocks that a host admits at once, and how many of these people are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Final

from snugroom.client.session import events as ev

#: Minimum seconds between two reports, except for the last one.
REPORT_EVERY: Final = 1.0


class AdmissionBatch:
    """The knocks of one command. An empty batch has nothing to report."""

    def __init__(self) -> None:
        self._due: set[int] = set()
        self._of = self._inside = self._refused = 0
        self._told: ev.AdmissionProgress | None = None
        self._told_at = -inf

    def add(self, numbers: Sequence[int], left: int, now: float) -> ev.AdmissionProgress:
        """Wait for the answers to these knocks; return the first report. A finished batch counts no more."""
        if not self._due:
            self._of = self._inside = self._refused = 0
        self._due.update(numbers)
        self._of += len(numbers)
        self._told = ev.AdmissionProgress(self._inside, self._of, self._refused)
        self._told_at = now
        return replace(self._told, left=left)

    def answered(self, number: int, *, inside: bool) -> None:
        """Count a knock of the batch that was answered or refused."""
        if number in self._due:
            self._due.remove(number)
            self._inside += inside
            self._refused += not inside

    def progress(self, now: float) -> ev.AdmissionProgress | None:
        """Return the report that is due; None if nothing has changed, or has changed only just now."""
        progress = ev.AdmissionProgress(self._inside, self._of, self._refused)
        if not self._of or progress == self._told or (self._due and now - self._told_at < REPORT_EVERY):
            return None
        self._told, self._told_at = progress, now
        return progress
