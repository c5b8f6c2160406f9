"""The code tells sentences that the catalogue has, with all arguments; and it has the texts of `crypto`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from snugroom.client.session.catalogue.sentence import LANGUAGES, Sentence, recognised, table
from snugroom.crypto.proof.emoji import EMOJI

ROOT: Final = Path(__file__).parents[2]
#: Calls that name a sentence, and the beginning of its key.
_CALLS: Final = {
    "sentence": "",
    "sentences.alarm": "alarm.",
    "sentences.status": "status.",
    "alarm": "alarm.",
    "status": "status.",
    "self._speech.say": "",
    "self._speech.word": "",
}
#: Files of sentences that the session and the command line tell, and of which the page has its own use.
_TOLD: Final = ("errors", "alarms", "session", "shell", "terminal")
#: Sentences that only the page tells, or that are told by their English text.
_OTHERS: Final = re.compile(
    r"(link|name|card|snug|shell|refusal)\.|alarm\.media_failed|terminal\.source|code\.words|list\.more"
)


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(place, pattern of the key, call) of every sentence in the source."""
    for path in sorted((ROOT / "client").rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in _CALLS:
                beginning = _CALLS[ast.unparse(node.func)]
                for key in _keys(node.args[0]):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", re.escape(beginning) + key, node


def _keys(node: ast.expr) -> list[str]:
    """Patterns of the keys that an expression can be; none for a variable."""
    match node:
        case ast.Constant(value=str(text)):
            return [re.escape(text)]
        case ast.JoinedStr(values=values):
            return [
                "".join(re.escape(str(v.value)) if isinstance(v, ast.Constant) else r"[\w.]*" for v in values)
            ]
        case ast.IfExp(body=body, orelse=other):
            return [*_keys(body), *_keys(other)]
    return []


ROWS: Final = {key: row for name in _TOLD for key, row in table(name).items()}


def test_every_sentence_that_is_told_is_in_the_catalogue_with_its_arguments() -> None:
    calls = list(_calls())
    assert len(calls) > 150
    for place, pattern, call in calls:
        keys = [key for key in ROWS if re.fullmatch(pattern, key)]
        assert keys, (place, pattern)
        given = {keyword.arg for keyword in call.keywords}
        if None in given:
            continue  # the arguments are in a dict
        for key in keys if "*" not in pattern else ():
            row = ROWS[key].get("terminal", ROWS[key])
            asked = {arg for language in LANGUAGES for arg in re.findall(r"\{(\w+)", row[language])}
            assert asked <= given, (place, key)


def test_every_sentence_is_told_somewhere() -> None:
    patterns = [pattern for _, pattern, _ in _calls()]
    source = "".join(
        path.read_text(encoding="utf-8")
        for top in ("client/web/src",)
        for path in (ROOT / top).rglob("*.ts*")
        if "words" not in path.parts
    )
    for key in ROWS:
        if not _OTHERS.match(key) and f'"{key}"' not in source:
            assert any(re.fullmatch(pattern, key) for pattern in patterns), key


def test_errors_of_crypto_are_recognised() -> None:
    """`crypto` has no catalogue. If a text changes there, it changes in the catalogue."""
    found: set[str] = set()
    for path in (ROOT / "crypto").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = _example(node)
            told = recognised(text, "errors") if text else ""
            if isinstance(told, Sentence):
                found.add(told.key)
            if path.name == "policy.py" and ast.unparse(node).startswith("ValidationError('SNUG-"):
                assert isinstance(node, ast.Call)
                literal = _example(node.args[1])
                assert not literal or isinstance(recognised(literal, "errors"), Sentence), literal
    assert found == {key for key in table("errors") if not key.startswith("refusal.")}


def _example(node: ast.AST) -> str:
    """A text of the source, with something in place of what is filled in; "" for any other node."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            holes = (
                "'x'" if isinstance(v, ast.FormattedValue) and v.conversion == ord("r") else "7"
                for v in values
            )
            return "".join(
                str(v.value) if isinstance(v, ast.Constant) else hole
                for v, hole in zip(values, holes, strict=True)
            )
    return ""


def test_the_words_of_the_short_code_are_those_of_crypto() -> None:
    row = table("session")["code.words"]
    assert row["en"].split(" ") == [word for _, word in EMOJI]
    for language in LANGUAGES:
        words = row[language].split(" ")
        assert len(set(words)) == len(words) == 64, language


def test_a_command_is_refused_by_one_exception() -> None:
    """A shell catches `CommandError` alone, so that it takes no fault of the program for a refusal."""
    plain = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "client").rglob("*.py"))
        if "node_modules" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and ast.unparse(node).startswith("raise ValueError(sentence(")
    ]
    assert plain == []
