"""Canonical text of messages, inputs, effects and events, under the names from before the renames.

The table of renames (`docs/explanation/decisions/renames.md`) gives classes, fields and values their old
names back. So a trace that was recorded before a rename equals one that is recorded after it. Sentences for
people are left out, because their wording changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

RENAMES: Final = Path(__file__).parents[2] / "docs/explanation/decisions/renames.md"
#: Fields that hold sentences, by the names from before the renames.
SENTENCES: Final = {
    "Alarm.text", "Comparison.changes", "Comparison.text", "Ended.text", "FileFailed.why",
    "Knocked.looks_like", "Knocked.warnings", "Lost.why", "PolicyChanged.text",
    "Save.data", "Status.text", "Vouched.warnings",
}  # fmt: skip


@cache
def renamed() -> dict[str, str]:
    """New name to old name: of the rows ``| `old` | `new` |`` of the table."""
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", RENAMES.read_text(encoding="utf-8"), re.M)
    return {new: old for old, new in rows}


def old(name: str, within: str = "") -> str:
    """The name from before the renames. `within` is written in front of it in the table, as `Class.`."""
    return renamed().get(within + name, within + name).removeprefix(within)


def plain(value: object, *, exact: bool) -> Any:
    """Return `value` for JSON, with bytes as their number or, if `exact`, as hex. TypeError for others."""
    match value:
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex() if exact else f"<{len(value)}>"
        case Mapping():
            return sorted([plain(k, exact=exact), plain(v, exact=exact)] for k, v in value.items())
        case list() | tuple():
            return [plain(item, exact=exact) for item in value]
        case set() | frozenset():
            return sorted(plain(item, exact=exact) for item in value)
        case None | bool() | int() | float() | str():
            return value
    kind = type(value).__name__
    found: dict[str, Any] = {"type": old(kind)}
    for name in _fields(value):
        before = old(name, f"{kind}.")
        if f"{old(kind)}.{before}" in SENTENCES:
            continue
        inner = getattr(value, name)
        found[before] = old(inner, f"{kind}.{name}=") if isinstance(inner, str) else plain(inner, exact=exact)
    return found


def _fields(value: object) -> Sequence[str]:
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    raise TypeError(f"{type(value).__name__} has no fields")


@dataclass
class Trace:
    """The lines of one meeting."""

    lines: list[tuple[float, str]] = field(default_factory=list)
    _exact: Any = field(default_factory=hashlib.sha256)

    def add(self, at: float, who: str, what: str, value: object) -> None:
        """Append a line; `at` is seconds after the start."""
        head = f"{at:.3f} {who} {what} "
        self.lines.append((at, head + json.dumps(plain(value, exact=False), ensure_ascii=False)))
        self._exact.update((head + json.dumps(plain(value, exact=True)) + "\n").encode())

    def summary(self) -> dict[str, object]:
        """A hash of all bytes, and one of the lines of each second, which shows where two traces differ."""
        seconds: dict[int, Any] = {}
        for at, line in self.lines:
            seconds.setdefault(int(at), hashlib.sha256()).update(f"{line}\n".encode())
        return {
            "lines": len(self.lines),
            "exact": self._exact.hexdigest(),
            "seconds": {str(at): digest.hexdigest()[:8] for at, digest in sorted(seconds.items())},
        }
