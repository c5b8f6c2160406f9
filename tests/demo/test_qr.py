"""QR codes in the terminal: each drawn code can be scanned, otherwise none is drawn."""

from __future__ import annotations

import io

import segno
from rich.console import Console

from snugroom.client.cli import qr
from snugroom.server.qr import lines

LINK = "http://127.0.0.1:8080/#2" + "x" * 84


def test_the_modules_are_those_of_the_code() -> None:
    dark = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1)}
    block = lines(LINK)
    rows = [[dark[char][half] for char in line] for line in block for half in (0, 1)]
    code = segno.make(LINK, error="m", micro=False)
    quiet = 2
    size = len(code.matrix)
    assert [row[quiet : quiet + size] for row in rows[quiet : quiet + size]] == [
        list(row) for row in code.matrix
    ]
    assert all(not any(row) for row in (rows[0], rows[1], rows[-1]))


def console(width: int, encoding: str = "utf-8") -> Console:
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding=encoding), width=width)


def test_it_is_drawn_where_it_has_a_place() -> None:
    assert qr.drawn(LINK, console(120)) is not None
    assert qr.drawn(LINK, console(20)) is None
    assert qr.drawn(LINK, console(120, "ascii")) is None
