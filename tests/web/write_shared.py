"""Writes tests/web/shared, which tests of both sides read: `python -m tests.web.write_shared [NAME ...]`

Each module `tests.web.vectors_*` says in `FILES` what makes the value in each of its files, by their names,
and may say in `written` how the text of one is made. (Those that have but one file write it themselves.)
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

SHARED: Final = Path(__file__).parent / "shared"


def _text(make: Callable[[], Any]) -> str:
    return json.dumps(make(), separators=(",", ":"), allow_nan=False) + "\n"


def shared() -> dict[str, Callable[[], str]]:
    """The text of each file, by its name without `.json`."""
    found: dict[str, Callable[[], str]] = {}
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if not info.name.startswith("vectors_"):
            continue
        module = importlib.import_module(f"tests.web.{info.name}")
        for name, make in getattr(module, "FILES", {}).items():
            own = getattr(module, "written", None)
            found[name] = partial(_text, make) if own is None else partial(own, name)
    return found


def main(names: list[str]) -> None:
    """Write these, or all."""
    SHARED.mkdir(exist_ok=True)
    for name, text in shared().items():
        if not names or name in names:
            (SHARED / f"{name}.json").write_text(text(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
