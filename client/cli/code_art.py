"""Code art: the picture of a code, a rosette that looks the same on every screen, here in block characters.

`client/web/src/app/codeArtShape.ts` is its twin. Both derive the same choices from the same bytes
(tests/web/shared/code_art.json), and use the same functions for the outlines of petals. Code art is for a
quick comparison: its shapes make up about 30 bits. Only the digits are decisive.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: The choices, in the order in which the bytes of SHA-256(digits) select them.
PETALS: Final = (5, 6, 7, 8, 9, 10, 12, 16)
OUTLINES: Final = ("round", "pointed", "wave", "twin", "broad", "spire")
WEAVES: Final = ("straight", "left", "right", "crossed")
DEPTHS: Final = ("shallow", "middle", "deep")
TURNS: Final = ("upright", "between")
MARKS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
EDGES: Final = ("line", "double", "beads", "teeth", "scallops", "rays")
RINGS: Final = ("none", "double", "beads", "dashes", "rope", "spokes")
EYES: Final = ("star", "polygon", "flower", "wheel")
POINTS: Final = (3, 4, 5, 6, 7, 8)
FILLS: Final = ("hollow", "petals", "eye", "both")
GAPS: Final = ("none", "dots", "rings", "spears")
TINTS: Final = ("brass", "moss", "lake", "plum", "rust", "slate")

#: Outlines of a petal, as functions of the position across it, -0.5 to 0.5: 1 at the tip, 0 in the gaps.
PROFILES: Final[dict[str, Callable[[float], float]]] = {
    "round": lambda u: math.sqrt(max(0.0, math.cos(math.pi * u))),
    "pointed": lambda u: 1 - 2 * abs(u),
    "wave": lambda u: (1 + math.cos(2 * math.pi * u)) / 2,
    "twin": lambda u: math.sqrt(abs(math.cos(math.pi * u))) * (1 - 0.42 * math.exp(-((u / 0.09) ** 2))),
    "broad": lambda u: float(min(1.0, 3.2 * (0.5 - abs(u))) ** 0.6),
    "spire": lambda u: (1 - 2 * abs(u)) ** 2,
}
#: Out of 100: depth of the gaps between petals, radius of their tips, start of the weave, size of the eye.
DEPTH: Final = {"shallow": 13.0, "middle": 23.0, "deep": 34.0}
TIP: Final = 80.0
RING: Final = 31.0
EYE: Final = 20.0
#: Number of petals by which the innermost line is turned against the outermost.
SHEAR: Final = 1.25

#: The tints as colours for rich.
COLOURS: Final = {
    "brass": "#c9a24a",
    "moss": "#7fae66",
    "lake": "#4fa3b1",
    "plum": "#b57bad",
    "rust": "#cf8450",
    "slate": "#8399b3",
}


@dataclass(frozen=True)
class CodeArt:
    """Twelve choices that people can tell apart without colour, and a tint."""

    petals: int
    outline: str
    weave: str
    depth: str
    turn: str
    mark: int
    edge: str
    ring: str
    eye: str
    points: int
    fill: str
    gaps: str
    tint: str


def code_art_of(digits: str) -> CodeArt:
    """Return the code art for a code of 40 digits."""
    stream = iter(hashlib.sha256(digits.encode()).digest())

    def number(choices: tuple[int, ...]) -> int:
        return choices[next(stream) % len(choices)]

    def word(choices: tuple[str, ...]) -> str:
        return choices[next(stream) % len(choices)]

    return CodeArt(
        petals=number(PETALS),
        outline=word(OUTLINES),
        weave=word(WEAVES),
        depth=word(DEPTHS),
        turn=word(TURNS),
        mark=number(MARKS),
        edge=word(EDGES),
        ring=word(RINGS),
        eye=word(EYES),
        points=number(POINTS),
        fill=word(FILLS),
        gaps=word(GAPS),
        tint=word(TINTS),
    )


def blocks(art: CodeArt, rows: int = 24) -> list[str]:
    """Return `rows` lines of half blocks, twice as many characters wide, without trailing spaces.

    The kind of ring and the decoration of the gaps are too fine for blocks, and are left out.
    """
    size = 2 * rows
    picture = [[_ink(art, x, y, size) for x in range(size)] for y in range(size)]
    lines = []
    for upper, lower in zip(picture[::2], picture[1::2], strict=True):
        signs = (" ▄▀█"[2 * above + below] for above, below in zip(upper, lower, strict=True))
        lines.append("".join(signs).rstrip())
    return lines


def _ink(art: CodeArt, x: int, y: int, size: int) -> bool:
    """Return whether most of this square is ink."""
    wide = 4
    hits = 0
    for i in range(wide):
        for j in range(wide):
            across = ((x + (i + 0.5) / wide) / size * 2 - 1) * 100
            down = ((y + (j + 0.5) / wide) / size * 2 - 1) * 100
            hits += _is_ink(art, math.hypot(across, down), math.atan2(across, -down) / (2 * math.pi) % 1)
    return 2 * hits >= wide * wide


def _is_ink(art: CodeArt, radius: float, turn: float) -> bool:
    """Return whether a point is ink.

    `radius`: distance from the centre, out of 100; `turn`: clockwise from the top, 0 to 1.
    """
    hour = abs((turn - art.mark / 12 + 0.5) % 1 - 0.5)
    if 80 <= radius <= 100 and hour < 0.034 * (radius - 76) / 23:
        return True
    if radius > 86:
        return _in_edge(art, radius, turn)
    if radius < RING - 4:
        return _in_eye(art, radius, turn)
    place = turn * art.petals - (0.0 if art.turn == "upright" else 0.5)
    deep = DEPTH[art.depth]
    edge = TIP - deep + deep * PROFILES[art.outline]((place + 0.5) % 1 - 0.5)
    if radius > edge:
        return False
    filled = art.fill in ("petals", "both")
    if radius < RING + 5 or radius > edge - (2 if filled else 7):
        return True
    # inside, the gaps continue to the ring as lines that follow the weave
    part = (radius - RING) / (edge - RING)
    winds = {"straight": (0,), "left": (-1,), "right": (1,), "crossed": (-1, 1)}[art.weave]
    away = min(abs((place - wind * SHEAR * (1 - part)) % 1 - 0.5) for wind in winds)
    return filled != (away * 2 * math.pi * radius / art.petals < 2.4)


def _in_edge(art: CodeArt, radius: float, turn: float) -> bool:
    many = max(12, art.petals * 2)
    across = (turn * many + 0.5) % 1 - 0.5
    match art.edge:
        case "line":
            return 90 <= radius <= 95
        case "double":
            return 87 <= radius <= 90.5 or 95 <= radius <= 99
        case "beads":
            return math.hypot(across * 2 * math.pi * 92 / many, radius - 92) < 4
        case "teeth":
            return 87 <= radius <= 99 - 20 * abs(across)
        case "scallops":
            return abs(radius - 88 - 9 * math.cos(math.pi * across)) < 2.6
        case _:
            return 88 <= radius <= 98 and abs(across) < 0.2


def _in_eye(art: CodeArt, radius: float, turn: float) -> bool:
    if radius > EYE:
        return False
    across = abs((turn * art.points + 0.5) % 1 - 0.5)  # 0 at a point of the eye, 0.5 between two points
    filled = art.fill in ("eye", "both")
    angle = 2 * math.pi * across / art.points
    half = math.pi / art.points
    match art.eye:
        case "star":
            inner = EYE * 0.34
            # the line from a point of the star to the notch beside it
            edge = EYE * inner * math.sin(half) / (EYE * math.sin(angle) + inner * math.sin(half - angle))
        case "polygon":
            edge = EYE * math.cos(half) / math.cos(half - angle)
        case "flower":
            away = math.hypot(radius * math.cos(angle) - EYE * 0.62, radius * math.sin(angle))
            return away < EYE * 0.34 and (filled or away > EYE * 0.1)
        case _:
            return (
                radius > 3
                and across * 2 * math.pi * radius / art.points > 1.5
                and (filled or radius > EYE - 6)
            )
    return radius <= edge and (filled or radius > edge - 6)
