"""The sentences of documents, docstrings and comments, and a pattern of sentences that hide their subject."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.docs.structure import statements

#: A free relative as the subject ("Who knocks waits.", "What is refused is counted."), or a negation in the
#: place of a verb ("the second is none"). Questions may open with these words.
ODD: Final = re.compile(
    r"^(Who|What|Whoever|Whatever|Whose|Whom)\b(?![^.?!]*\?)"
    r"|\bis none\b|\bnone any more\b|\bof its own making\b|\bof its[.;,]"
)
#: What separates sentences: an end mark, an empty line, or the beginning of a list's entry.
_ENDS: Final = re.compile(r"(?<=[.!?:])\s+|\n\s*\n|\n(?=\s*[-*#|])")
#: Lines with comments, and the comment of a line. A tokenizer would take ten times as long, and differs only
#: where a string looks like a comment.
_COMMENTS: Final = re.compile(r"^(?:(?:.*?[^\s\"'] {2,}|[ \t]*)#.*\n?)+", re.M)
_COMMENT: Final = re.compile(r"^(?:.*?[^\s\"'] {2,}|[ \t]*)#[#: ]*(.*)", re.M)
#: A sentence has so many words.
_WORDS_MIN: Final = 4


def sentences(path: Path) -> Iterator[str]:
    """The sentences of a Markdown page, of a module's docstrings and comments, or of the catalogue."""
    source = path.read_text(encoding="utf-8")
    match path.suffix:
        case ".md":
            text = _of_markdown(source)
        case ".toml":
            text = "\n\n".join(_of_catalogue(source))
        case _:
            text = "\n\n".join(_of_python(source))
    for part in _ENDS.split(text):
        sentence = " ".join(part.split()).lstrip("-*#> 0123456789.")
        if len(sentence.split()) >= _WORDS_MIN:
            yield sentence


def _of_markdown(source: str) -> str:
    """The page without code, tables, bold labels, and quotations of what the program prints."""
    without = re.sub(r"^(```|~~~).*?^\1", "", source, flags=re.M | re.S)
    without = re.sub(r"^( {4}|\||>).*$", "", without, flags=re.M)
    return re.sub(r"^\*\*[^*]+\*\*", "", without, flags=re.M)


def _of_catalogue(source: str) -> Iterator[str]:
    for row in tomllib.loads(source).values():
        yield from {row["en"], row.get("terminal", row)["en"]}


def _of_python(source: str) -> Iterator[str]:
    module = ast.parse(source)
    for node in (module, *statements(module)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    yield from ("\n".join(_COMMENT.findall(block)) for block in _COMMENTS.findall(source))
