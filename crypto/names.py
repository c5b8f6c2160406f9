"""Names that people show each other: what is allowed, and which two look alike.

The skeleton follows Unicode UTS 39 section 4 (NFD, drop what is ignorable, map look-alikes to their
prototype, NFD), with compatibility forms and case folded and spaces removed as well: "ADA", "A da", an "Ada"
in full width and one with a Cyrillic first letter all look like "Ada".
"""

from __future__ import annotations

import json
import unicodedata
from functools import lru_cache
from importlib import resources

from crypto.assigned import assigned
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

    NFC, 1 to 64 bytes of UTF-8, only characters of Unicode 14.0, none of them a control, format, surrogate,
    private-use or ignorable one, no space at either end, no line or paragraph separator, no mark at its
    beginning, and nothing of what stands around names where they are shown (`_AROUND`): else "Ada: I agree.
    Bo" speaks for Ada, and "Ada (host)" is one to whoever reads it.
    """
    if not name or len(name.encode("utf-8", "surrogatepass")) > NAME_MAX:
        raise ValidationError("SNUG-11", f"a name has 1 to {NAME_MAX} bytes")
    if name != name.strip() or not all(_shows(c) for c in name):
        raise ValidationError("SNUG-11", "the name has a character that does not show, or a space at its end")
    if unicodedata.category(name[0])[0] == "M" or any(_stands_around(c) for c in name):
        raise ValidationError(
            "SNUG-11",
            "the name begins with a mark, or has a colon, parenthesis or quotation mark in it",
        )
    if unicodedata.normalize("NFC", name) != name:
        raise ValidationError("SNUG-11", "the name is not in NFC")
    return name


_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

#: Letters, marks and symbols that nothing is drawn for: those of Unicode's Default_Ignorable_Code_Point whose
#: category does not say so (joiner, Hangul fillers, variation selectors, ...), and more that are blank in
#: common fonts: Braille's empty pattern, joiners of numbers and consonants, the filler of Khitan, the null
#: note, the place of an object.
_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x2D7F, 0x2D7F),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xFFFC, 0xFFFC),
        (0x1107F, 0x1107F),
        (0x16FE4, 0x16FE4),
        (0x1D159, 0x1D159),
        (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)


def _shows(char: str) -> bool:
    return assigned(char) and char not in _INVISIBLE and unicodedata.category(char) not in _FORBIDDEN


#: What programs set around names: "Ada (host)", "Ada: hello", a label in quotation marks.
_AROUND = frozenset('():"\u201c\u201d\u201e\u201f\u00ab\u00bb')


def _stands_around(char: str) -> bool:
    if unicodedata.category(char)[0] in "LMN":
        return char == "\u02d0"  # a letter of phonetics that is a colon to the eye
    looks = unicodedata.normalize("NFKC", char)
    # a prototype may be of several characters: a double parenthesis is two of them
    return not _AROUND.isdisjoint({char, *looks, *"".join(_prototypes().get(c, c) for c in looks)})


def _mapped(text: str) -> str:
    prototypes = _prototypes()
    text = "".join(prototypes.get(c, c) for c in unicodedata.normalize("NFD", text))
    text = unicodedata.normalize("NFD", text)
    return "".join(c for c in text if not c.isspace() and _shows(c))


@lru_cache(maxsize=4096)
def skeletons(name: str) -> tuple[str, str]:
    """The skeleton as written, and of the case-folded name: "BiIl" looks like "Bill" by the first only,
    "ADA" like "Ada" by the second."""
    name = unicodedata.normalize("NFKC", name)
    return _mapped(name).casefold(), _mapped(name.casefold())


def look_alike(one: str, other: str) -> bool:
    """Whether a person could take one name for the other."""
    return any(a == b for a, b in zip(skeletons(one), skeletons(other), strict=True))
