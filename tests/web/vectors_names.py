"""Shared vectors of names (crypto/agreed/names.py)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any, Final

from snugroom.crypto.agreed import names
from snugroom.crypto.agreed.unicode14 import case_fold, kind, normalized
from snugroom.crypto.errors import SnugError

# fmt: off
_NAMES: Final = (
    "A", "Ada", "Ada Lovelace", "Zo\u00eb", "O'Neill-Smith, Jr.", "\u5c71\u7530\u592a\u90ce",
    "\u0645\u0631\u064a\u0645", "\u05d3\u05d5\u05d3", "\u0928\u0947\u0939\u093e", "\U0001f98a", "1",
    "[bold]x[/]", "", " ", " Ada", "Ada ", "Ada\u00a0", "Zoe\u0308", "\u212bngstr\u00f6m", "\u0338Ada",
    "Ada (host)", "Ada: Bo", 'Ada"', "\u00abAda\u00bb", "Ada\ufe30Bo", "Ada\uff1aBo", "A\u2025", "\u1fee",
    "A\u0344", "e\u0327\u0301", "\u1e9b\u0323", "\ufb01", "\u2163", "\u00bd", "\u1100\u1161", "\uac01",
    "a\u0315\u0300",
    "q\u0330\u0331", "q\u0330\u0331\u0332", "\u0e17\u0e35\u0e48", "\u0e17\u0e35\u0e48\u0e4c",
    "\u0f66\u0f92\u0fb2\u0f7c", "\u1016\u103c\u102d\u102f\u1038", "\u0915" + 4 * "\u0941",
    "\u0915" + 5 * "\u0941",
    "\u0915\u0941\u0330\u0331", "\u0915\u0941\u0330\u0331\u0332", "Ada\u300c", "Ada\uff63",
    "x" * 64, "x" * 65, "\u00e9" * 32, "\u00e9" * 32 + "x",
)
# fmt: on
# fmt: off
_LOOKS: Final = (
    "Ada", "ADA", "A d a", "\u0410da", "Ad\u0430", "\u0391da", "\uff21\uff44\uff41",
    "\U0001d400\U0001d41d\U0001d41a", "\u24b6\u24d3\u24d0", "A\u2005da", "Peter", "\u0420\u0435ter", "Cem",
    "\u0421\u0435m", "Omar", "\u039fmar", "Kim", "\u212aim", "modern", "rnodern", "Emma", "Ernrna", "Max",
    "\u039cax", "Bill", "Bi11", "BiIl", "B\u0456ll", "Ali", "A|i", "Iris", "lris", "Stra\u00dfe", "STRASSE",
    "Stra\u1e9ee", "\ua789", "\u13a0", "\uab70", "\u0131", "I", "i", "\u0130", "Zo\u00eb", "Zoe",
    "Zoe\u0308", "Bo", "B0", "\u0412\u043e", "Ada1", "Adal", "AdaI", "o", "\u03bf", "\u043e", "\u03c3",
    "\u03c2", "\u03a3", "\u0149", "'n", "\u0378", "\u0378a", "a\u0378\u0301", "\U0001fae8", "\u0149",
    "\u00df", "\u0345", "\u03b9", "\u1fb3", "\u03b1\u03b9", "\u1f80", "Ada.", "Ada_", "-A'da`",
    "\u00c1d\u0103", "Ada\u2219", "Ada\u02bc", "Ada\u05d9", "\u30ceAda", "\u30ce\u30a2", "\u30a2",
    "\u05d9\u05e2", "\u05e2", "A\u05c0i", "Ali", "...", "---", "\u2026", "?", "\u0928\u0947", "\u0928",
    "\u304c", "\u304b", "B\u00f8", "B\u00f3", "\u0413\u0306", "\u0413", "1\u0323", "1", "\u0645\u064f",
    "\u0645", "A'\u0301da", "Ada\U0001f98a", "\u0661\u0660",
)
# fmt: on
#: Code points of a block whose properties make one digest.
_BLOCK: Final = 2048


def _properties(char: str) -> str:
    """All that a judgement about names asks of a character."""
    forms = (normalized(char, form) for form in ("NFC", "NFD", "NFKC"))
    flags = f"{names._shows(char):d}{names._stands_around(char):d}"
    return "\t".join((kind(char) + flags, *forms, case_fold(char), *names.skeletons(char)))


def _block(first: int) -> str:
    lines = (_properties(chr(code)) for code in range(first, first + _BLOCK))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _verdict(name: str) -> str | None:
    try:
        names.check_name(name)
    except SnugError as error:
        return str(error)
    return None


def names_cases() -> dict[str, Any]:
    """crypto/agreed/names.py: verdicts on names, which look alike, and what is known of each character."""
    draw = random.Random("names")
    pool = [
        chr(c) for c in range(0x110000) if kind(chr(c)) != "U" and not 0xD800 <= c <= 0xF8FF and c < 0xF0000
    ]
    common = [
        chr(c)
        for c in (*range(0x20, 0x250), *range(0x300, 0x530), *range(0x2000, 0x2070), *range(0xFE00, 0xFF70))
    ]
    made = ["".join(draw.choices(draw.choice((pool, common)), k=draw.randint(1, 5))) for _ in range(500)]
    made += [f"Ad{draw.choice(common)}a{draw.choice(common)}" for _ in range(300)]
    made += [f"Ada{chr(draw.randrange(0x110000))}" for _ in range(100)]
    listed = [*_NAMES, *_LOOKS, *made, "Ada\ud800", "\udfffAda"]
    looks = [normalized(name, "NFC") for name in _LOOKS]
    pairs = [[a, b] for i, a in enumerate(looks) for b in looks[i + 1 :] if names.look_alike(a, b)]
    # surrogates are no characters, and of most planes there is nothing to tell
    first = [*range(0, 0xD800, _BLOCK), *range(0xE000, 0x32000, _BLOCK), 0xE0000, 0xF0000, 0x10F800]
    return {
        "names": [[name, _verdict(name)] for name in listed],
        "looks": looks,
        "alike": pairs,
        "skeletons": [[name, *names.skeletons(name)] for name in (*_LOOKS, *made)],
        "block": _BLOCK,
        "properties": [[code, _block(code)] for code in first],
    }


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {
    "names": names_cases,
}
