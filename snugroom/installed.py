"""This installation of Snug: its version, and how a new process imports it. It imports nothing of Snug."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

#: The version in pyproject.toml. Reading it from the package's metadata takes as long as starting Python.
VERSION: Final = "0.1.0"
#: The folder that a new process needs in `PYTHONPATH` to import this package.
IMPORT_FROM: Final = Path(__file__).absolute().parents[1]


def environment() -> dict[str, str]:
    """Return this process's environment for a new process that imports this package."""
    path = os.pathsep.join(filter(None, (str(IMPORT_FROM), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}
