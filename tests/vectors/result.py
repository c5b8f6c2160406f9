"""The result of one file of public vectors."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Result:
    """Counts of one vector file: an entry of the file counts once.

    `failed` and `skipped` hold one line of text per entry, naming its index and why; an entry that was
    skipped (another cipher suite, say) is never counted as passed.
    """

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
