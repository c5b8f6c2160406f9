"""Display names and other short texts of members: validity rules, and whether two names look alike.

The skeleton follows Unicode UTS 39 section 4: NFD, remove ignorable characters, map confusables to their
prototype, NFD. In addition, compatibility forms and case are folded and spaces are removed: "ADA", "A da", a
full-width "Ada" and an "Ada" with a Cyrillic first letter all look like "Ada". So do "Ada." and "\u00c1da",
because punctuation is removed everywhere, and marks on Latin, Greek and Cyrillic letters: nobody hears them.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources

from snugroom.crypto.agreed.unicode14 import SPACES, case_fold, kind, normalized
from snugroom.crypto.errors import MalformedError, ValidationError

#: Maximum size of a name in bytes of UTF-8.
NAME_MAX = 64
#: Maximum combining marks on one letter. Vowels of Brahmic scripts are marks, so their letters may have more.
MARKS_MAX = 2
BRAHMIC_MARKS_MAX = 4
#: Blocks of Brahmic scripts, from Devanagari to Sinhala, Tibetan, Burmese, Khmer, ...
_BRAHMIC = re.compile(
    "[\u0900-\u0dff\u0f00-\u109f\u1700-\u17ff\u1900-\u1aaf\u1b00-\u1c4f"
    "\ua800-\ua8ff\ua930-\uaaff\uabc0-\uabff\U00011000-\U00011fff]"
)

#: Blocks of Latin, Greek and Cyrillic. Marks on letters of other scripts are vowels and consonants.
_EUROPEAN = re.compile(
    "[A-Za-z\u00aa-\u02af\u0370-\u052f\u1c80-\u1c8f\u1d00-\u1dbf\u1e00-\u1fff\u2c60-\u2c7f\ua640-\ua69f"
    "\ua720-\ua7ff\uab30-\uab6f]"
)
#: Letters that are seen as an apostrophe, a dash or an accent beside letters of these scripts: modifier
#: letters, and the mark of a long vowel in Japanese.
_STROKES = re.compile("[\u02b0-\u02ff\u30fc]")

_LRM = "\u200e"  # the table encloses right-to-left entries in these


@lru_cache(maxsize=1)
def _prototypes() -> dict[str, str]:
    """Return a map from each confusable character to its prototype.

    The package's table lists the relation in both directions; the entry of a prototype names all its sources.
    For a pair of single entries the direction is unknown: the sequence, or else the smaller character, is the
    prototype.
    """
    raw = json.loads(resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8"))
    table = {
        key.replace(_LRM, ""): [other["c"].replace(_LRM, "") for other in others]
        for key, others in raw.items()
    }
    prototypes: dict[str, str] = {}
    for char, others in table.items():
        if len(char) != 1 or len(others) != 1:
            continue  # a sequence stays unmapped; an entry with many others is itself a prototype
        other = others[0]
        back = table.get(other, [])
        if len(back) > 1 or len(other) > 1:
            prototypes[char] = other
        else:
            prototypes[char] = min(char, other)
    return prototypes


def check_name(name: str) -> str:
    """Return the name if members may use it; otherwise ValidationError("SNUG-11").

    A name is in NFC and has 1 to 64 bytes of UTF-8, all characters from Unicode 14.0. It has no control,
    format, surrogate, private-use or ignorable characters, no line or paragraph separators, no space at
    either end, no leading mark, and few marks on one letter (`_overloaded`). It has none of the characters
    that user interfaces place around names (`_AROUND`): otherwise "Ada: I agree. Bo" imitates a message by
    Ada, and "Ada (host)" imitates the label of a host.
    """
    if not name or len(name.encode("utf-8", "surrogatepass")) > NAME_MAX:
        raise ValidationError("SNUG-11", f"a name has 1 to {NAME_MAX} bytes")
    if name != name.strip(SPACES) or not all(_shows(c) for c in name):
        raise ValidationError("SNUG-11", "the name has a character that does not show, or a space at its end")
    if kind(name[0]) == "M" or any(_stands_around(c) for c in name):
        raise ValidationError(
            "SNUG-11",
            "the name begins with a mark, or has a colon, parenthesis or quotation mark in it",
        )
    if normalized(name, "NFC") != name:
        raise ValidationError("SNUG-11", "the name is not in NFC")
    if _overloaded(name):
        raise ValidationError("SNUG-11", "a letter of the name has too many marks")
    return name


def check_text(text: str, most: int) -> str:
    """Return a title, greeting or reason if it is allowed; otherwise MalformedError.

    It has at most `most` bytes of UTF-8, is in NFC and `is_visible`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > most:
        raise MalformedError(f"a text of at most {most} bytes is allowed here")
    if normalized(text, "NFC") != text:
        raise MalformedError("the text is not in NFC")
    if not is_visible(text):
        raise MalformedError("the text has a character that does not show, or too many marks on a letter")
    return text


def is_visible(text: str) -> bool:
    """Return whether a text has no control, format, surrogate or private-use character, no line or paragraph
    separator, and few marks on one letter.

    Otherwise a text could be shown as another one (bidirectional controls), act on a terminal, or cover its
    neighbours. Joiners are allowed, because Persian and emoji need them, and so are characters that Unicode
    14.0 does not assign.
    """
    return not any(_controls(c) for c in text) and not _overloaded(normalized(text, "NFC"))


def _controls(char: str) -> bool:
    return kind(char) == "C" and char not in _JOINERS


def _overloaded(text: str) -> bool:
    """Return whether a letter has more than MARKS_MAX combining marks, or BRAHMIC_MARKS_MAX with those of
    Brahmic scripts: such marks cover the lines above and below."""
    marks = brahmic = 0
    for char in text:
        if kind(char) != "M":
            marks = brahmic = 0
        elif _BRAHMIC.match(char):
            brahmic += 1
        else:
            marks += 1
        if marks > MARKS_MAX or marks + brahmic > BRAHMIC_MARKS_MAX:
            return True
    return False


#: Zero-width joiner and non-joiner.
_JOINERS = frozenset("\u200c\u200d")

#: Letters, marks and symbols without a visible glyph: the characters of Unicode's
#: Default_Ignorable_Code_Point that their category does not identify (joiner, Hangul fillers, variation
#: selectors, ...), and further characters that are blank in common fonts: Braille pattern blank, number and
#: consonant joiners, Khitan filler, null notehead, object replacement character.
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
    return kind(char) not in ("U", "C") and char not in _INVISIBLE


#: Characters that programs put around names: "Ada (host)", "Ada: hello", a label in quotation marks.
_AROUND = frozenset('():"\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300e\u300f')


def _stands_around(char: str) -> bool:
    if kind(char) in ("L", "M"):
        return char == "\u02d0"  # a phonetic letter that looks like a colon
    looks = normalized(char, "NFKC")
    # a prototype may have several characters: that of a double parenthesis has two parentheses
    return not _AROUND.isdisjoint({char, *looks, *"".join(_prototypes().get(c, c) for c in looks)})


def _is_european(char: str) -> bool:
    return kind(char) == "L" and _EUROPEAN.match(char) is not None


def _is_punctuation(char: str, looks: str, among_european: bool) -> bool:
    """Return whether a character, which `looks` like its prototype, counts as punctuation in its name."""
    if kind(char) == "P":
        return not all(_is_european(c) for c in looks)
    if kind(char) == "L" and _STROKES.match(char):
        return among_european
    return all(kind(c) == "P" for c in looks) and (among_european or kind(char) != "L")


def _mapped(text: str) -> str:
    """Return the prototypes of what distinguishes a name: of all, if it has nothing but punctuation."""
    prototypes = _prototypes()
    everything, kept = "", ""
    chars = normalized(text, "NFD")
    among_european = any(_is_european(c) for c in chars)
    bare = False  # whether the last letter is one whose marks don't count
    for char in chars:
        looks = prototypes.get(char, char)
        everything += looks
        if char in SPACES or _is_punctuation(char, looks, among_european):
            continue
        if kind(char) != "M":
            bare = _is_european(char) or "0" <= char <= "9"
        if bare:
            looks = "".join(c for c in normalized(looks, "NFD") if kind(c) != "M")
        kept += looks
    return _visible(kept) or _visible(everything)


def _visible(text: str) -> str:
    return "".join(c for c in normalized(text, "NFD") if c not in SPACES and _shows(c))


@lru_cache(maxsize=4096)
def skeletons(name: str) -> tuple[str, str]:
    """Return the skeletons of the name as written and of the case-folded name. "BiIl" matches "Bill" by the
    first only, "ADA" matches "Ada" by the second."""
    name = normalized(name, "NFKC")
    return case_fold(_mapped(name)), _mapped(case_fold(name))


def look_alike(one: str, other: str) -> bool:
    """Return whether a person could confuse the two names."""
    return any(a == b for a, b in zip(skeletons(one), skeletons(other), strict=True))
