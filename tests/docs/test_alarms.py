"""Every alarm has a page; all pages have one form, and quote the sentences of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from snugroom.client.session.catalogue import sentence as catalogue
from snugroom.client.session.catalogue.sentences import Drop

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/reference/alarms"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "README")
#: What a page says, in this order.
PARTS = ["Meaning.", "Malice.", "Innocence.", "How soon.", "Do this."]
#: Where something else, such as a name, stands in a sentence.
HOLE = "\0"
#: What is known of a server without which a member is.
_DROPS = {f"dropped.{what}" for what in get_args(Drop)}


def _forms(template: str) -> list[str]:
    """What a template can say, with holes for its arguments."""
    template = re.sub(r"\{\w+\|(?:[^{}|]|\{[^{}]*\})*\|(?:[^{}|]|\{[^{}]*\})*\}", HOLE, template)
    inner = {
        "what": [row["en"] for key, row in catalogue.table("session").items() if key in _DROPS],
        "proof": [catalogue.templates("en")[key] for key in ("dropped.proof", "dropped.saved")],
    }
    for arg, texts in inner.items():
        if f"{{{arg}}}" in template:
            return [each for text in texts for each in _forms(template.replace(f"{{{arg}}}", text))]
    return [re.sub(r"\{[^}]*\}", HOLE, template)]


def _spoken() -> Iterator[tuple[str, str]]:
    """(kind, sentence) of all alarms of the catalogue, worded for a terminal."""
    for key, template in catalogue.templates("en").items():
        if key.startswith("alarm."):
            yield from ((key.split(".")[1], form) for form in _forms(template))


@cache
def sentences() -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for kind, text in _spoken():
        out.setdefault(kind, []).append(text)
    return out


def pattern(text: str) -> str:
    return ".{1,200}?".join(re.escape(piece) for piece in text.split(HOLE))


def flat(text: str) -> str:
    """Without marks of quotes and lines, links and emphasis."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return " ".join(re.sub(r"^> ?", "", text, flags=re.MULTILINE).replace("*", "").replace("`", "").split())


def test_the_sentences_are_found() -> None:
    assert len(sentences()) > 35
    assert len(sentences()["dropped"]) >= 8
    assert sentences()["silent"][0].startswith(f"Nothing has come from {HOLE} for {HOLE} s.")
    assert any("speaks version" in text for text in sentences()["version"])


def test_every_kind_has_a_page_and_every_page_a_kind() -> None:
    assert {path.stem for path in PAGES} == set(sentences())


def test_every_kind_stands_in_the_table() -> None:
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    severities = "(?:attack|attention|calm)(?:, (?:attention|calm))*"
    listed = re.findall(rf"^\| \[(\w+)\]\((\w+)\.md\) \| {severities} \| [^|]+\.\*? \|$", table, re.MULTILINE)
    assert all(kind == page for kind, page in listed)
    assert sorted(kind for kind, _ in listed) == [path.stem for path in PAGES], "each once"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_pages_have_one_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# `{path.stem}`\n\n> ")
    assert re.findall(r"^\*\*([^*]+)\*\*", text, re.MULTILINE) == PARTS
    assert 8 <= len(text.splitlines()) <= 46
    assert all(len(line) <= 120 for line in text.splitlines())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_quotes_what_people_see(path: Path) -> None:
    """The quote at the top is one form of it, whole; every sentence of all other forms stands somewhere."""
    text = path.read_text(encoding="utf-8")
    quoted = re.search(r"^(?:> .*\n)+", text, re.MULTILINE)
    assert quoted is not None
    quote, page = flat(quoted[0]), flat(text)
    forms = sentences()[path.stem]
    assert any(re.fullmatch(pattern(form), quote) for form in forms), forms
    for form in forms:
        for sentence in re.split(r"(?<=\.)\s", form):
            if sentence.strip(HOLE + ". "):
                assert re.search(pattern(sentence.rstrip(".")), page), sentence


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_names_in_sentences_are_quoted_as_people_see_them(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    told = [flat(quote) for quote in re.findall(r"^(?:> .*\n)+", text, re.MULTILINE)]
    told += re.findall(r'"([^"]+\.)"', flat(text))
    bare = r"(?<!\u201c)\b(?:Ada|Bo|Boris|Cem|Dana|Mallory)\b(?!\u201d)"
    assert [sentence for sentence in told if re.search(bare, sentence)] == []
