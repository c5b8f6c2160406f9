"""Names that people show each other: what is allowed, and which two look alike.

The skeleton follows Unicode UTS 39 section 4 (NFD, map look-alikes to their prototype, NFD), with
case folded and spaces removed as well: "ADA", "A da" and an "Ada" with a Cyrillic first letter all look
like "Ada".
"""

from __future__ import annotations

import json
import unicodedata
from functools import lru_cache
from importlib import resources

from crypto.errors import ValidationError

#: Bytes of UTF-8 that a name may take.
NAME_MAX = 64

_LRM = "\u200e"  # the table wraps right-to-left entries in these


@lru_cache(maxsize=1)
def _prototypes() -> dict[str, str]:
    """Each confusable character -> its prototype.

    The package's table lists the relation in both directions, a prototype's entry naming all its
    sources; in a pair, where direction can't be told, the sequence (or the smaller) is taken.
    """
    raw = json.loads(resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8"))
    table = {
        key.replace(_LRM, ""): [other["c"].replace(_LRM, "") for other in others]
        for key, others in raw.items()
    }
    prototypes: dict[str, str] = {}
    for char, others in table.items():
        if len(char) != 1 or len(others) != 1:
            continue  # a sequence is left as it is; an entry with many others is itself a prototype
        other = others[0]
        back = table.get(other, [])
        if len(back) > 1 or len(other) > 1:
            prototypes[char] = other
        else:
            prototypes[char] = min(char, other)
    return prototypes


def check_name(name: str) -> str:
    """The name itself, if members may carry it; ValidationError("SNUG-11") if not.

    NFC, 1 to 64 bytes of UTF-8, no control, format, surrogate or private-use character, no space
    at either end, no line or paragraph separator.
    """
    if not name or len(name.encode("utf-8", "surrogatepass")) > NAME_MAX:
        raise ValidationError("SNUG-11", f"a name has 1 to {NAME_MAX} bytes")
    if unicodedata.normalize("NFC", name) != name:
        raise ValidationError("SNUG-11", "the name is not in NFC")
    if name != name.strip() or any(unicodedata.category(c) in _FORBIDDEN for c in name):
        raise ValidationError("SNUG-11", "the name has a character that does not show, or a space at its end")
    return name


_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _mapped(text: str) -> str:
    prototypes = _prototypes()
    text = "".join(prototypes.get(c, c) for c in unicodedata.normalize("NFD", text))
    text = unicodedata.normalize("NFD", text)
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) not in _FORBIDDEN)


@lru_cache(maxsize=4096)
def skeletons(name: str) -> tuple[str, str]:
    """The skeleton as written, and of the case-folded name: "BiIl" looks like "Bill" by the first only,
    "ADA" like "Ada" by the second."""
    return _mapped(name).casefold(), _mapped(name.casefold())


def look_alike(one: str, other: str) -> bool:
    """Whether a person could take one name for the other."""
    return any(a == b for a, b in zip(skeletons(one), skeletons(other), strict=True))
