"""QR codes in the terminal: an invite for a camera nearby."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from snugroom.server import qr


def drawn(text: str, console: Console) -> Text | None:
    """Return the code as a dark block on light, in any colour scheme; None if the console can't show it."""
    block = qr.fitting(text, console.width, console.encoding)
    return None if block is None else Text("\n".join(block), style="black on white", no_wrap=True)
