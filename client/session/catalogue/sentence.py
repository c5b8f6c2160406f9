"""Sentences for people, in four languages: the only place that turns a key and arguments into text.

`sentences/*.toml` has all of them. A table is a sentence: its key, and its template in each language.
`terminal.en` and the like stand beside a template that names a button, where a terminal has a command.

A template is a text with arguments in braces:

    {name}           the argument: a text, a number, a list as "Ada, Bo and Cem", a sentence
    {size:n}         a number, written as the language does: 1,204
    {why:capital}    the argument, its first letter in upper case
    {why:clause}     the argument, without the full stop at its end
    {changes:all}    a list of any length: "Ada left; Bo left"
    {names|is|are}   the first form for one, the second otherwise: the number itself, the length of a list, 1
                     for any other text. A form may contain arguments: {n|invite {index}|{n} invites}

Alarms, statuses and their parts quote names: a plain text in an argument of `NAMES` is in quotation marks.

`python -m snugroom.client.tools.typescript` writes the same data for the page, which renders it in
`client/web/src/words/index.ts`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Literal, Self, cast, get_args

Language = Literal["en", "de", "zh-Hans", "zh-Hant"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)


class CommandError(ValueError):
    """A person's command cannot be carried out; the text is a sentence that says why."""


#: What an argument may be. A list contains names or sentences.
Arg = str | int | float | None | Sequence[str]

_FOLDER: Final = Path(__file__).parent / "sentences"
#: The files with sentences that the session or the command line tell.
_TOLD: Final = ("errors", "alarms", "session", "shell", "terminal")
#: Simple arguments and both forms of a plural; a form contains no form.
_HOLE: Final = re.compile(r"\{(\w+)(?::(\w+)|\|((?:[^{}|]|\{[^{}]*\})*)\|((?:[^{}|]|\{[^{}]*\})*))?\}")
_FULL_STOP: Final = re.compile(r"[.。]\Z")
#: A list names this many at most; beyond, the others are counted.
_LISTED_MAX: Final = 6
_COMMA: Final[Mapping[Language, str]] = {"en": ", ", "de": ", ", "zh-Hans": "、", "zh-Hant": "、"}
_SEMICOLON: Final[Mapping[Language, str]] = {"en": "; ", "de": "; ", "zh-Hans": "\uff1b", "zh-Hant": "\uff1b"}
#: Marks around names that people have chosen. A name has none of them in it (`crypto.agreed.names`).
QUOTES: Final[Mapping[Language, tuple[str, str]]] = {
    "en": ("\u201c", "\u201d"),
    "de": ("\u201e", "\u201c"),
    "zh-Hans": ("\u201c", "\u201d"),
    "zh-Hant": ("\u300c", "\u300d"),
}
#: Arguments that are such names, and the sentences that quote them: alarms, statuses and their parts.
#: Otherwise a member named "the server" could put an act of its own down to the server.
NAMES: Final = frozenset(
    {"name", "names", "who", "whom", "whose", "by", "earlier", "removed", "victim", "missing"}
)
QUOTING: Final = (
    "alarm.",
    "status.",
    "stream.",
    "room.",
    "since.",
    "no_code.",
    "compared.",
    "pending.",
    "held.",
    "watch.",
)
_AND: Final[Mapping[Language, str]] = {"en": " and ", "de": " und ", "zh-Hans": "和", "zh-Hant": "和"}


class Sentence(str):
    """A sentence. As a `str` it is the English text; `key` and `args` give the same in another language."""

    key: str
    args: Mapping[str, Arg]

    def __new__(cls, key: str, args: Mapping[str, Arg]) -> Self:
        """Return the sentence with this key; KeyError if the catalogue or `args` lacks something."""
        made = super().__new__(cls, render(key, args, "en"))
        made.key = key
        made.args = args
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.key, self.args)


def sentence(key: str, /, **args: Arg) -> Sentence:
    """Return the sentence with this key; KeyError if the catalogue has none, or if an argument is missing."""
    return Sentence(key, args)


def in_language(text: str, language: Language) -> str:
    """Return a sentence in this language; any other text as it is."""
    return render(text.key, text.args, language) if isinstance(text, Sentence) else str(text)


def render(key: str, args: Mapping[str, Arg], language: Language) -> str:
    """Return the text of a sentence, worded for a terminal; KeyError as for `sentence`."""
    if key == "verbatim":  # a text that is in no language: a name, or something that a server said
        return str(args["text"])
    return fill(templates(language)[key], with_quotes(key, args, language), language)


def with_quotes(key: str, args: Mapping[str, Arg], language: Language) -> Mapping[str, Arg]:
    """Return the arguments of a sentence, names in quotation marks if it is one that quotes names."""
    if not key.startswith(QUOTING):
        return args
    return {each: _quoted(arg, language) if each in NAMES else arg for each, arg in args.items()}


def fill(template: str, args: Mapping[str, Arg], language: Language) -> str:
    """Return a template with its arguments filled in; KeyError if one is missing."""
    return _HOLE.sub(partial(_fill, args, language), template)


def recognised(text: str, name: str, prefix: str = "") -> str:
    """Return the sentence of the file `name` of which this is the English text; else the text itself.

    A part that must not know the catalogue, or another program, sends its text in English.
    """
    for key, pattern in _patterns(name, prefix):
        found = pattern.fullmatch(text)
        if found is not None:
            return Sentence(key, found.groupdict())
    return text


@cache
def _patterns(name: str, prefix: str) -> list[tuple[str, re.Pattern[str]]]:
    """Return a pattern for the English text of each sentence; templates with forms are never sent."""

    def pattern(template: str) -> re.Pattern[str]:
        seen: set[str] = set()
        parts = re.split(r"\{(\w+)\}", template)
        for i in range(1, len(parts), 2):
            arg = parts[i]
            parts[i] = f"(?P={arg})" if arg in seen else f"(?P<{arg}>.+?)"
            seen.add(arg)
        parts[::2] = map(re.escape, parts[::2])
        return re.compile("".join(parts), re.DOTALL)

    return [(key, pattern(row["en"])) for key, row in table(name).items() if key.startswith(prefix)]


def listed(names: Sequence[str], language: Language = "en") -> str:
    """Join names: "Ada", "Ada and Bo", "Ada, Bo and Cem"; beyond six the rest is counted."""
    known = [in_language(name, language) for name in names]
    if len(known) > _LISTED_MAX:
        rest = len(known) - _LISTED_MAX + 1
        known = [*known[: _LISTED_MAX - 1], render("list.more", {"count": rest}, language)]
    head, last = _COMMA[language].join(known[:-1]), known[-1] if known else ""
    return f"{head}{_AND[language]}{last}" if head else last


def number(value: float, language: Language) -> str:
    """Return a whole number as the language writes it: 1,204."""
    text = f"{value:,.0f}"
    return text.replace(",", ".") if language == "de" else text


def _fill(args: Mapping[str, Arg], language: Language, hole: re.Match[str]) -> str:
    name, form, one, other = hole.groups()
    arg = args[name]
    if one is not None:
        return fill(one if _count(arg) == 1 else other, args, language)
    if form == "n" and isinstance(arg, int | float):
        return number(arg, language)
    if form == "all" and not isinstance(arg, str | int | float | None):
        return _SEMICOLON[language].join(in_language(each, language) for each in arg)
    text = _text(arg, language)
    if form == "capital":
        return text[:1].upper() + text[1:]
    return _FULL_STOP.sub("", text) if form == "clause" else text


def _quoted(arg: Arg, language: Language) -> Arg:
    """Return a name, or each name of a list, in quotation marks; sentences as they are."""
    if isinstance(arg, str):
        before, after = QUOTES[language]
        return arg if isinstance(arg, Sentence) or not arg else f"{before}{arg}{after}"
    if arg is None or isinstance(arg, int | float):
        return arg
    return [each for name in arg if isinstance(each := _quoted(name, language), str)]


def _text(arg: Arg, language: Language) -> str:
    if arg is None:
        return ""
    if isinstance(arg, str):
        return in_language(arg, language)
    return str(arg) if isinstance(arg, int | float) else listed(arg, language)


def _count(arg: Arg) -> float:
    if isinstance(arg, int | float):
        return arg
    return int(bool(arg)) if arg is None or isinstance(arg, str) else len(arg)


@cache
def table(name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return a file of sentences: for each key, its text by language, and perhaps a table `terminal`."""
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def templates(language: Language) -> Mapping[str, str]:
    """Return the template of each key that this program tells, worded for a terminal."""
    rows = {key: row for name in _TOLD for key, row in table(name).items()}
    return {key: cast(str, row.get("terminal", row)[language]) for key, row in rows.items()}
