"""Packed tables for the page's checks of names: those of `crypto.agreed`'s `names` and `unicode14`.

The table of confusable characters is large and seldom needed: the page loads its file on demand.
`looksAround.ts` has the few of its characters that a check of one's own name needs.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from snugroom.crypto.agreed import names, unicode14

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def _base36(number: int) -> str:
    text = _DIGITS[number % 36]
    while number := number // 36:
        text = _DIGITS[number % 36] + text
    return text


def prototypes() -> dict[str, str]:
    """Return the part of `crypto.agreed.names`' table that a skeleton or a check can look up.

    It omits characters that map to themselves, and characters that never occur, because names are decomposed
    (NFKC, then NFD) before the lookup.
    """
    table = names._prototypes()
    asked: set[str] = set()
    for code in range(0x110000):
        char = chr(code)
        if unicode14.kind(char) == "U" or 0xD800 <= code < 0xE000:
            continue
        plain = unicode14.normalized(char, "NFKC")
        # lookups: the skeleton as written, the skeleton of the folded name, and characters around names
        for text in (plain, unicode14.case_fold(plain)):
            asked.update(unicode14.normalized(text, "NFD"))
        if unicode14.kind(char) not in ("L", "M"):
            asked.update(plain)
    return {c: p for c, p in sorted(table.items()) if c != p and c in asked}


def look_around(table: Mapping[str, str]) -> str:
    """Return the characters that stand around no name themselves, and look like some that do."""
    return "".join(
        char
        for char, prototype in table.items()
        if unicode14.kind(char) not in ("L", "M")
        and char not in names._AROUND
        and not names._AROUND.isdisjoint(prototype)
    )


def _wrapped(text: str) -> str:
    return "`\n" + "\n".join(textwrap.wrap(text, 110, break_on_hyphens=False)) + "\n`"


def _escaped(text: str) -> str:
    """Return a TypeScript expression of a text, 16 characters a line."""
    codes = [f"\\u{ord(char):04x}" for char in text]
    return " +\n".join(f'  "{"".join(codes[at : at + 16])}"' for at in range(0, len(codes), 16))


def _head(source: str, what: str) -> str:
    written = f"// Written by `python -m snugroom.client.tools.typescript`, from {source}: change it there."
    return f"{written}\n/** {what} */\n"


def files(crypto: Path) -> dict[Path, str]:
    """Return the expected content of each generated file of `crypto`, the page's folder of that name."""
    distances: list[str] = []
    last = 0
    table = prototypes()
    for char in table:
        distances.append(_base36(ord(char) - last))
        last = ord(char)
    others = ["_".join(_base36(ord(c)) for c in text) for text in table.values()]
    return {
        crypto / "confusables.ts": _head(
            "crypto/agreed/names.py",
            "Characters that look like others (UTS 39), each by its distance from the last one, in base 36.",
        )
        + f"export const CHARACTERS = {_wrapped(' '.join(distances))};\n\n"
        + "/** And what each looks like: code points in base 36. */\n"
        + f"export const PROTOTYPES = {_wrapped(' '.join(others))};\n",
        crypto / "looksAround.ts": _head(
            "crypto/agreed/names.py",
            "Characters that look like some that programs put around names (UTS 39).",
        )
        + f"export const LOOKS_AROUND =\n{_escaped(look_around(table))};\n",
        crypto / "characterRuns.ts": _head(
            "crypto/agreed/unicode14.py",
            "The kind and the length in base 36 of each run of characters of one kind, from U+0000 on.",
        )
        + f"export const RUNS = {_wrapped(unicode14._RUNS)};\n",
    }
