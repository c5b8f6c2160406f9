"""QR codes in the terminal: an invite for a camera that is near."""

from __future__ import annotations

from typing import Final

import segno
from rich.console import Console
from rich.text import Text

#: Modules of quiet around it (ISO/IEC 18004 asks for four; readers of today do with two, and lines are dear).
_QUIET: Final = 2
#: By whether the upper and the lower module are dark.
_HALVES: Final = {
    (False, False): " ",
    (True, False): "\u2580",
    (False, True): "\u2584",
    (True, True): "\u2588",
}


def lines(text: str) -> list[str]:
    """The code, two modules a character: dark is drawn, light is left."""
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


def drawn(text: str, console: Console) -> Text | None:
    """The code as a block of dark on light, whatever the terminal's colours; None where it has no place."""
    block = lines(text)
    if not console.encoding.lower().startswith("utf") or len(block[0]) > console.width:
        return None
    return Text("\n".join(block), style="black on white", no_wrap=True)
