"""The shared vectors of `tests/web/shared`, as hashes under their old names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from tests.traces.canonical import old

SHARED: Final = Path(__file__).parents[1] / "web" / "shared"
#: Sentences for people: their wording changes.
WORDING: Final = {"sentences"}


def hashes() -> dict[str, str]:
    """SHA-256 of each file's content as hex, by the file's name without `.json`."""
    found = {}
    for path in sorted(SHARED.glob("*.json")):
        name = old(path.stem)
        if name not in WORDING:
            plain = _renamed(json.loads(path.read_text(encoding="utf-8")), f"{path.stem}:")
            found[name] = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    return found


def _renamed(value: Any, within: str) -> Any:
    """The value with the old names of a file's words: `file:word` in the table of renames."""
    match value:
        case dict():
            return {old(key, within): _renamed(inner, within) for key, inner in value.items()}
        case list():
            return [_renamed(inner, within) for inner in value]
        case str():
            return old(value, within)
    return value
