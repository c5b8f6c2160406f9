"""Which pages are written for operators, so that all of their blocks are steps (steps.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.hosting.machine import ROOT

#: Pages that exist are executed in `make test-all`, each on new machines.
NAMES: Final = (
    "first-server",
    "upgrade",
    "troubleshoot-a-server",
    "host-behind-tls",
    "tls-without-a-proxy",
    "limit-who-opens-rooms",
    "run-a-relay",
    "several-machines",
    "watch-a-server",
)


def path(name: str) -> Path:
    return ROOT / "docs/how-to" / f"{name}.md"


def existing() -> list[str]:
    return [name for name in NAMES if path(name).exists()]
