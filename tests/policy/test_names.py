"""Allowed names, and names that look alike."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snugroom.crypto.agreed.names import (
    NAME_MAX,
    check_name,
    check_text,
    is_visible,
    look_alike,
    skeletons,
)
from snugroom.crypto.agreed.unicode14 import SPACES, case_fold, kind, normalized
from snugroom.crypto.errors import MalformedError, ValidationError


def allowed(name: str) -> bool:
    try:
        check_name(name)
    except ValidationError as error:
        return error.rule != "SNUG-11"  # any other rule would be a fault
    return True


@pytest.mark.parametrize(
    "name",
    [
        "A",
        "Ada Lovelace",
        "Zo\u00eb",
        "O'Neill-Smith, Jr.",
        "\u5c71\u7530\u592a\u90ce",
        "\u0645\u0631\u064a\u0645",
        "\u05d3\u05d5\u05d3",
        "\u0928\u0947\u0939\u093e",
        "\U0001f98a",
        "x" * NAME_MAX,
        "\u00e9" * (NAME_MAX // 2),
        "1",
        "[bold]x[/]",
        "x\u0301\u0302q\u0330\u0331",
        "\u0e17\u0e35\u0e48",
        "\u0f66\u0f92\u0fb2\u0f7c\u0f63\u0f0b\u0f58",  # Drolma
        "\u1016\u103c\u102d\u102f\u1038",  # Phyo
    ],
)
def test_allowed(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        " Ada",
        "Ada ",
        "Ada\u00a0",
        "x" * (NAME_MAX + 1),
        "\u00e9" * (NAME_MAX // 2) + "x",
        "Zoe\u0308",
        "\u212bngstr\u00f6m",
        "A\x00da",
        "A\x1b[31mda",
        "A\x7fda",
        "A\x9bda",
        "A\nda",
        "A\tda",
        "A\u00adda",
        "A\u034fda",
        "A\u061cda",
        "A\u200bda",
        "A\u200dda",
        "A\u200eda",
        "A\u2028da",
        "A\u2029da",
        "\u202eadA",
        "A\u2060da",
        "A\u2066da",
        "A\ufeffda",
        "\u115f",
        "\u1160",
        "\u17b4",
        "\u180b",
        "\u180e",
        "\u2800",
        "\u3164",
        "\uffa0",
        "Ada\ufe0f",
        "Ada\U000e0100",
        "Ada\U000e0041",
        "Ada\ue000",
        "Ada\U0010fffd",
        "Ada\ud800",
        "Ada\uffff",
        "Ada\u0378",
        "Ada\U0001d159",
        "Ada\U00016fe4",
        "Ada\U0001107f",
        "Ada\u2d7f",
        "Ada\ufffc",
        "\u0338Ada",
        "Ada (host)",
        "Ada \uff08host\uff09",
        "Ada \u2768host\u2769",
        "Ada \u2e28host\u2e29",
        "Ada\u29f4 I agree. Bo",
        "Ada: I agree. Bo",
        "Ada\ua789 I agree. Bo",
        "Ada\u2236 I agree. Bo",
        "Ada\u02d0 I agree. Bo",
        "Ada\u201d, by the shared link. \u201cBo",
        'Ada"',
        "\u00abAda\u00bb",
        "Ada\U0001fae8",
        "Ada\u300c host\u300d",
        "Ada\u300f",
        "Ada\uff62",
        "x\u0301\u0302\u0303",
        "a" + 31 * "\u0335",
        "\u0e01\u0e47\u0e48\u0e4c",
        "\u0915" + 5 * "\u0941",
        "\u0915\u0941\u0330\u0331\u0332",
    ],
    ids=lambda name: name.encode("unicode_escape").decode()[:20] or "empty",
)
def test_not_allowed(name: str) -> None:
    assert not allowed(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "ADA"),
        ("Ada", "A d a"),
        ("Ada", "\u0410da"),  # Cyrillic A
        ("Ada", "Ad\u0430"),
        ("Ada", "\u0391da"),  # Greek Alpha
        ("Ada", "\uff21\uff44\uff41"),  # full width
        ("Ada", "\U0001d400\U0001d41d\U0001d41a"),  # mathematical bold
        ("Ada", "\u24b6\u24d3\u24d0"),  # in circles
        ("Ada", "A\u2005da"),  # another space
        ("Peter", "\u0420\u0435ter"),
        ("Cem", "\u0421\u0435m"),
        ("Omar", "\u039fmar"),
        ("Kim", "\u212aim"),  # the Kelvin sign
        ("modern", "rnodern"),
        ("Emma", "Ernrna"),
        ("Max", "\u039cax"),
        ("Bill", "Bi11"),
        ("Bill", "BiIl"),
        ("Bill", "B\u0456ll"),
        ("Ali", "A|i"),
        ("Iris", "lris"),
        ("Iris", "1ris"),
        ("Bob", "B0b"),
        ("BOB", "B0B"),
        ("Zo\u00eb", "ZO\u00cb"),
        ("Stra\u00dfe", "STRASSE"),
        ("fi", "\ufb01"),
        ("\u1e69", "s\u0323\u0307"),  # the marks' order
        ("s\u0307\u0323", "s\u0323\u0307"),
        ("Ada", "Ada\ufe0f"),
        ("Ada", "A\u034fda"),
        ("Ada", "Ada\u3164"),
        ("Ada", "A\u200bda"),
        ("Ada", "Ada."),
        ("Ada", "Ada_"),
        ("Ada", "Ada'"),
        ("Ada", "-Ada"),
        ("Ada", "A.d.a"),
        ("Ada", "\u2014Ada"),
        ("Ada", "Ada`"),
        ("Ada", "Ada\u00b4"),
        ("Ada", "Ada\u2219"),  # symbols and letters that look like punctuation
        ("Ada", "Ada\u2212"),
        ("Ada", "Ada\u02bc"),
        ("Ada", "Ada\u05d9"),
        ("Ada", "Ada\u30fc"),
        ("Ada", "\u30ceAda"),
        ("Ada", "\u00c1da"),
        ("Ada", "\u0103d\u00e4"),
        ("Ada", "Ad\u0323a"),
        ("Ada", "A'\u0301da"),
        ("Ada", "A\u20ddda"),
        ("Zoe", "Zo\u00eb"),
        ("Bo", "B\u00f3"),
        ("Bo", "B\u00f8"),
        ("Lukasz", "\u0141ukasz"),
        ("Guest 1", "Guest 1\u0323"),
        ("O'Neill", "ONeill"),
        ("\u0410\u043d\u0434\u0440\u0435\u0439", "\u0410\u043d\u0434\u0440\u0435\u0438"),
        ("\u039d\u03af\u03ba\u03b7", "\u039d\u03b9\u03ba\u03b7"),
        ("Ali", "A\u05c0i"),  # punctuation that looks like a letter is one
        ("...", "\u2026"),
    ],
)
def test_look_alike(one: str, other: str) -> None:
    assert look_alike(one, other)
    assert look_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "Adam"),
        ("Ada", "Bo"),
        ("Ann", "Anna"),
        ("Jan", "Jon"),
        ("Guest 1", "Guest 2"),
        ("\u5c71\u7530", "\u5c71\u672c"),
        ("\u0410\u043d\u043d\u0430", "Anna"),  # all of the Cyrillic n's are seen
        ("\U0001f98a", "\U0001f43a"),
        ("Ada", "Ada\U0001f98a"),
        ("...", "---"),  # of names without anything else, the punctuation counts
        ("?", "!"),
        ("\u0928\u0947\u0939\u093e", "\u0928\u0939"),  # Neha: vowels of Brahmic scripts are marks
        ("\u0e17\u0e35\u0e48", "\u0e17"),
        ("\u304b", "\u304c"),  # ka, ga
        ("\uac00", "\uac01"),
        ("\u0645\u064f", "\u0645\u064e"),  # points of Arabic and Hebrew
        ("\u05d1\u05b8", "\u05d1\u05b7"),
        ("\u30ce\u30a2", "\u30a2"),  # Noa: the first letter looks like a stroke
        ("\u05d9\u05e2\u05dc", "\u05e2\u05dc"),  # Yael: and this one like an apostrophe
        ("\u30eb\u30fc", "\u30eb"),
        ("\u0660", "\u0661"),
    ],
)
def test_not_alike(one: str, other: str) -> None:
    assert not look_alike(one, other)


def test_few_latin_letters_and_digits_look_alike() -> None:
    """Case aside: so that hardly anybody is kept out by accident."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    alike = {
        frozenset((one, other))
        for one in letters
        for other in letters
        if one.casefold() != other.casefold() and look_alike(one, other)
    }
    assert alike == {frozenset(pair) for pair in ("1l", "1I", "1L", "Il", "IL", "0O", "0o")}


names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Co", "Cn", "Zl", "Zp")), max_size=30
).map(lambda text: unicodedata.normalize("NFC", text))


@given(names, names)
def test_it_is_reflexive_and_symmetric_and_never_fails(one: str, other: str) -> None:
    if not (allowed(one) and allowed(other)):
        return
    assert look_alike(one, one)
    assert look_alike(one, other) is look_alike(other, one)
    assert look_alike(one, one.casefold())
    assert all(skeletons(one)), "a name that is allowed has something to see"


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_any_string_is_judged(text: str) -> None:
    allowed(text)
    assert look_alike(text, text)


@pytest.mark.no_cover  # measured, it takes three times as long and covers nothing more
def test_every_single_character() -> None:
    """Planes that are empty or for private use have one verdict each: every 257th character is tried."""
    for code in (*range(0x40000), *range(0x40000, sys.maxunicode + 1, 257), *range(0xE0000, 0xF0000)):
        char = chr(code)
        if allowed(char):
            assert all(skeletons(char)), hex(code)
            assert look_alike(char, char)
    skeletons.cache_clear()


def kind_here(char: str) -> str:
    """Return the kind of a character in the runtime's Unicode."""
    category = unicodedata.category(char)
    kinds = {"Cn": "U", "Zl": "C", "Zp": "C", "Zs": "S", "Sk": "P"}
    return kinds.get(category) or {"L": "L", "N": "L", "M": "M", "C": "C", "P": "P", "S": "S"}[category[0]]


@pytest.mark.no_cover
def test_the_table_of_kinds_is_unicode_14s() -> None:
    """The Python that has Unicode 14.0 has the same table. Later ones know more, and have changed no kind."""
    chars = [chr(code) for code in range(sys.maxunicode + 1)]
    table = [kind.__wrapped__(char) for char in chars]
    here = [kind_here(char) for char in chars]
    if unicodedata.unidata_version == "14.0.0":
        assert table == here
    assert [
        (ours, theirs) for ours, theirs in zip(table, here, strict=True) if ours not in ("U", theirs)
    ] == []
    assert len(table) - table.count("U") == 144_697 + 65 + 2_048 + 137_468
    assert [char for char in chars if char.isspace()] == list(SPACES)


#: Assigned after Unicode 14.0: a symbol, a mark, a format character, and letters with case or decomposition.
NEWER = ("\U0001fae8", "\U000113ce", "\U00013439", "\ua7da", "\U000105c9")


@pytest.mark.parametrize("char", NEWER, ids=ascii)
def test_a_newer_runtime_changes_no_verdict(char: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries that know the character, as those of later Pythons and of browsers do, make no difference."""

    def newer(form: str, text: str) -> str:
        assert char not in text
        return real(form, text)  # type: ignore[arg-type]

    real = unicodedata.normalize
    monkeypatch.setattr(unicodedata, "normalize", newer)
    monkeypatch.delattr(unicodedata, "category")
    assert kind(char) == "U"
    assert not allowed(f"Ada{char}")
    assert is_visible("\u00e9" + 4 * char)
    assert normalized(f"e\u0301{char}\u0301", "NFC") == f"\u00e9{char}\u0301"
    assert case_fold(f"A{char}\u00c9") == f"a{char}\u00e9"
    assert not look_alike("Ada", f"Bo{char}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Weekly",
        "\u2615\ufe0f",
        "\U0001f469\u200d\U0001f4bb",
        "\u06cc\u200c\u0627",
        "\U0001fae8",
        'Ada: "no" (yes)',
    ],
    ids=ascii,
)
def test_texts_that_show_what_they_are(text: str) -> None:
    assert check_text(text, 64) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * 65, "at most 64 bytes"),
        ("\u00e9" * 33, "at most 64 bytes"),
        ("Zoe\u0308", "NFC"),
        ("a\x1b[2Jb", "does not show"),
        ("a\nb", "does not show"),
        ("a\x9bb", "does not show"),
        ("\u202ecod.exe", "does not show"),
        ("a\u2066b", "does not show"),
        ("a\u200fb", "does not show"),
        ("a\u2028b", "does not show"),
        ("a\ue000b", "does not show"),
        ("a\ud800b", "does not show"),
        ("a" + 3 * "\u0330", "too many marks"),
    ],
    ids=ascii,
)
def test_texts_that_do_not(text: str, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        check_text(text, 64)


def test_marks_are_counted_in_the_composed_form() -> None:
    assert is_visible("Vie\u0302\u0323t")
    assert not is_visible("Vie\u0302\u0323\u0330\u0331\u0332t")
