"""All scenes, in the order of the table."""

from __future__ import annotations

from typing import Final

from snugroom.lab.bench.availability import days, faults, members, moves, operators
from snugroom.lab.bench.availability.scene import Scene

SCENES: Final[tuple[Scene, ...]] = (
    *members.SCENES,
    *faults.SCENES,
    *operators.SCENES,
    *moves.SCENES,
    *days.SCENES,
)
