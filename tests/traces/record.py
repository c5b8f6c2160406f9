"""Record the traces anew: `python -m tests.traces.record`. Only where behaviour is meant to change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.traces import vectors
from tests.traces.meetings import SEEDS, Meeting

FILE: Final = Path(__file__).with_name("recorded.json")


def recorded() -> dict[str, Any]:
    """Return `meetings` (summaries of traces by seed) and `vectors` (hashes by file)."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    now = {
        "meetings": {str(seed): Meeting(seed).run().summary() for seed in SEEDS},
        "vectors": vectors.hashes(),
    }
    FILE.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
