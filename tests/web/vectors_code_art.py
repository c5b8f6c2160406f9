"""Shared vectors of code art."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from snugroom.client.cli.code_art import DEPTH, EYE, PROFILES, RING, SHEAR, TIP, code_art_of


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


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {"code_art": vectors}
