"""The page's sentences, a file for each language, from `client/session/catalogue/sentences`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from snugroom.client.session.catalogue.sentence import (
    LANGUAGES,
    NAMES,
    QUOTES,
    QUOTING,
    Language,
    table,
)

#: Sentences of errors of `crypto`: the worker has them in English, without those of the page.
_ERRORS: Final = ("errors",)
_PAGE: Final = ("alarms", "session", "shell", "notes", "start", "meeting")
#: Parts that are loaded by themselves, in all languages.
_PARTS: Final = ("lecture", "landlord")
_HEAD: Final = (
    "// Written by `python -m snugroom.client.tools.typescript`, from client/session/catalogue/sentences: "
    "change it there.\n"
)


def _entries(names: Iterable[str], language: Language, indent: str = "  ") -> str:
    rows: Mapping[str, Mapping[str, str]] = {key: row for name in names for key, row in table(name).items()}
    texts = {key: json.dumps(row[language], ensure_ascii=False) for key, row in rows.items()}
    # soft hyphens are invisible: written as escapes
    return "".join(
        f"{indent}{json.dumps(key)}: {text},\n".replace("\xad", "\\u00ad") for key, text in texts.items()
    )


def _language(names: Iterable[str], language: Language) -> str:
    return f"{_HEAD}export default {{\n{_entries(names, language)}}};\n"


def _part(name: str) -> str:
    languages = "".join(
        f"  {json.dumps(language)}: {{\n{_entries([name], language, '    ')}  }},\n" for language in LANGUAGES
    )
    return f"{_HEAD}export const {name} = {{\n{languages}}};\n"


def _quoting() -> str:
    names, keys = (json.dumps(sorted(each)) for each in (NAMES, QUOTING))
    return (
        f"{_HEAD}/** Marks around names that people have chosen; no name has them in it. */\n"
        f"export const QUOTES = {json.dumps(QUOTES)} as const;\n\n"
        "/** Arguments that are such names, and how the keys of sentences begin that quote them. */\n"
        f"export const NAMES: readonly string[] = {names};\n"
        f"export const QUOTING: readonly string[] = {keys};\n"
    )


def files(words: Path) -> dict[Path, str]:
    """Return the expected content of each generated file of `words`, the page's folder of that name."""
    found = {words / "enErrors.ts": _language(_ERRORS, "en"), words / "en.ts": _language(_PAGE, "en")}
    found[words / "quoting.ts"] = _quoting()
    for language in LANGUAGES:
        if language != "en":
            found[words / f"{language}.ts"] = _language((*_ERRORS, *_PAGE), language)
    return found | {words / f"{name}.ts": _part(name) for name in _PARTS}
