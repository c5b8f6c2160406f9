"""How long a test waits for an event that must come."""

from __future__ import annotations

from typing import Final

#: Seconds. A quiet machine needs a few; a busy one may be twenty times slower.
PATIENCE: Final = 60.0
