"""How many of their seeds scenarios play, and how finely time passes in them."""

from __future__ import annotations

import os
from collections.abc import Sequence

#: `make test-all` plays every tick (tests/conftest.py) and every seed.
EVERY_TICK = os.environ.get("SNUG_EVERY_MIX") == "1"


def seeds(of: Sequence[int]) -> Sequence[int]:
    """The seeds of a scenario's random choices; `tests/web/mixed.py` replaces this function to use fewer."""
    return of
