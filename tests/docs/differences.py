"""Writes the page about the differences of the page's session from Python's, from `tests/web/twins.toml`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests.web.twins import reasons


def page() -> str:
    """Return the generated part: a chapter for each reason."""
    parts = []
    for reason in reasons():
        rows = [*_table("Only in Python", reason.python), *_table("Only in the page", reason.page)]
        parts.append("\n".join([f"## {reason.title}", "", reason.text, "", *rows]))
    return "\n".join(parts)


def _table(title: str, names: Iterable[str]) -> list[str]:
    by_module: dict[str, list[str]] = defaultdict(list)
    for name in names:
        module, _, own = name.partition(" ")
        by_module[module].append(f"`{own}`")
    if not by_module:
        return []
    rows = [f"| `{module}` | {', '.join(own)} |" for module, own in sorted(by_module.items())]
    return [f"| Module | {title} |", "|---|---|", *rows, ""]
