"""Every alarm has a page; all pages have one form, and quote the sentences of the code."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from snugroom.client.session.catalogue import sentences as catalogue
from snugroom.client.session.events import Alarm

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/reference/alarms"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "README")
#: The parts of a page, in this order.
PARTS = ["Meaning.", "Malice.", "Innocence.", "How soon.", "Do this."]
#: Where something else, such as a name, stands in a sentence.
HOLE = "\0"


class Hole:
    """A number of which only its place in the sentence is known."""

    def __format__(self, spec: str) -> str:
        return HOLE


def _values(kind: Any, default: Any) -> list[Any]:
    """Arguments that produce all forms of a sentence."""
    own = [] if default in (inspect.Parameter.empty, None) else [default]
    if kind is bool:
        return [False, True]
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if kind in (int, float):
        return [Hole()]
    if type(None) in get_args(kind):
        return [HOLE, None]
    assert kind is str, kind
    return [HOLE, *own]


def _spoken() -> list[tuple[str, str]]:
    """(kind, sentence) of all that client/session/catalogue/sentences.py can say, in every form."""
    found = []
    for make in vars(catalogue).values():
        if not inspect.isfunction(make) or get_type_hints(make).get("return") is not Alarm:
            continue
        hints = get_type_hints(make)
        choices = [_values(hints[p.name], p.default) for p in inspect.signature(make).parameters.values()]
        alarms = [make(*args) for args in itertools.product(*choices)]
        # an invite that two people wait on has two names: a form without one of them is never asked for
        found += [(alarm.kind, alarm.text) for alarm in alarms if "\u201cNone\u201d" not in alarm.text]
    return found


def _written() -> list[tuple[str, str]]:
    """The same of alarms that are made elsewhere, read from the source."""
    found = []
    for file in (ROOT / "client").rglob("*.py"):
        if {"demo", "bench", "lab"} & set(file.relative_to(ROOT).parts) or file.name == "sentences.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("Alarm", "ev.Alarm"):
                continue
            match node.args:
                case [ast.Constant(value=str(kind)), ast.Constant(value=str(text))]:
                    found.append((kind, text))
                case [ast.Constant(value=str(kind)), ast.JoinedStr(values=values)]:
                    parts = [str(v.value) if isinstance(v, ast.Constant) else HOLE for v in values]
                    found.append((kind, "".join(parts)))
                case [ast.Constant(value=str(kind)), _]:
                    found.append((kind, HOLE))
    return found


@cache
def sentences() -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for kind, text in _spoken() + _written():
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
    listed = re.findall(r"^\| `(\w+)` \| [^|]+\. \| \[(\w+)\]\((\w+)\.md\) \|$", table, re.MULTILINE)
    assert all(kind == name == page for kind, name, page in listed)
    assert sorted(kind for kind, _, _ in listed) == [path.stem for path in PAGES], "each once"


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
