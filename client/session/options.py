"""What a participant chooses before the meeting, as far as its session has to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """All have defaults; the shell fills them from the command line."""
