"""QR codes in the terminal: an address for a camera nearby."""

from __future__ import annotations

from typing import Final

import segno

#: Modules of quiet zone (ISO/IEC 18004 requires four; current readers accept two, and terminal lines are
#: scarce).
_QUIET: Final = 2
#: (whether the upper module is dark, whether the lower one is) -> character.
_HALVES: Final = {
    (False, False): " ",
    (True, False): "\u2580",
    (False, True): "\u2584",
    (True, True): "\u2588",
}


def lines(text: str) -> list[str]:
    """Return the code's lines, two modules a character: dark modules are drawn, light ones are spaces."""
    rows = [
        [bool(dark) for dark in row]
        for row in segno.make(text, error="m", micro=False).matrix_iter(border=_QUIET)
    ]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def fitting(text: str, width: int, encoding: str) -> list[str] | None:
    """Return the code's lines for a terminal with so many columns; None if it can't show them."""
    block = lines(text)
    return block if encoding.lower().startswith("utf") and len(block[0]) <= width else None
