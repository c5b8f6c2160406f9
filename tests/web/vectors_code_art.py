"""Writes tests/web/shared/code_art.json, which both sides read: python -m tests.web.vectors_code_art"""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from snugroom.client.cli.code_art import DEPTH, EYE, PROFILES, RING, SHEAR, TIP, code_art_of

PATH: Final = Path(__file__).parent / "shared" / "code_art.json"


def vectors() -> dict[str, Any]:
    """Codes with their code art, and outlines of petals."""
    draw = random.Random("seal")
    codes = ["0" * 40, "9" * 40, *("".join(draw.choices("0123456789", k=40)) for _ in range(62))]
    return {
        "seals": [{"digits": code, "seal": asdict(code_art_of(code))} for code in codes],
        "sizes": {"depth": DEPTH, "tip": TIP, "ring": RING, "eye": EYE, "shear": SHEAR},
        "profiles": {
            name: [round(profile(i / 20), 9) for i in range(10)] for name, profile in PROFILES.items()
        },
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
