"""Writes tests/web/shared, which tests of both sides read: `python -m tests.web.write_shared [NAME ...]`

The `FILES` of each module `tests.web.vectors_*` map names of files to functions that make their values.
With `ASCII = False` a module's files have other characters unescaped.
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


def _text(make: Callable[[], Any], ascii_only: bool) -> str:
    return json.dumps(make(), separators=(",", ":"), ensure_ascii=ascii_only, allow_nan=False) + "\n"


def shared() -> dict[str, Callable[[], str]]:
    """The text of each file, by its name without `.json`."""
    found: dict[str, Callable[[], str]] = {}
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if not info.name.startswith("vectors_"):
            continue
        module = importlib.import_module(f"tests.web.{info.name}")
        for name, make in getattr(module, "FILES", {}).items():
            found[name] = partial(_text, make, getattr(module, "ASCII", True))
    return found


def main(names: list[str]) -> None:
    """Write these, or all."""
    SHARED.mkdir(exist_ok=True)
    for name, text in shared().items():
        if not names or name in names:
            (SHARED / f"{name}.json").write_text(text(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
