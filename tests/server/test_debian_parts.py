"""Debian's package leaves out what only participants need, and nothing that the server imports."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported() -> set[str]:
    """The top-level modules that the server's files import, without Python's own."""
    found: set[str] = set()
    for path in [*(ROOT / "server").rglob("*.py"), *(ROOT / "wire").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names


def test_the_package_has_what_the_server_imports() -> None:
    line = re.search(
        r"^participants='(.+)'$", (ROOT / "packaging/build/deb").read_text("utf-8"), re.MULTILINE
    )
    assert line is not None
    by_module = packages_distributions()
    needed = {name for module in imported() for name in by_module.get(module, ())}
    assert {"aiohttp", "segno"} <= needed
    assert {name for name in needed if re.match(line[1], name)} == set()
