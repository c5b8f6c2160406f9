"""The page's sentences, a file for each language, from `client/session/catalogue/sentences`.

English has a second file, which the page loads after the room is shown: sentences that a session makes in a
meeting, and those of views that come later themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
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
_PARTS: Final = ("lecture", "landlord", "projector", "predictions", "removal", "waiting")
#: Beginnings of the keys of sentences that sessions make once they are in a room, of causes that these quote,
#: and of what a person reads after turning blur on, looking for a QR code or keys, or when a removal waits;
#: and of what only a host chooses when opening a room.
_LATER_KINDS: Final = re.compile(
    r"(?:alarm|blur|cannot|clock|code|compared|dropped|file|held|invite|no_code|pending|room|scan|signing|since|status|"
    r"stream|tree|unopened|warning|watch)\.|shell\.(?:media|sizes)|"
    r"note\.(?:back|busy|came|contact|left|saved|vouched|records|removed|shows|unreadable)|"
    r"media\.no_(?:pip|recording|share)|meet\.(?:held|keys|override)|servers\.|prejoin\.(?:reports|sixteen|strict)"
)
#: Imports that load code; those of types load none.
_CODE: Final = re.compile(r'^(?:import|export)(?! type\b)[^;"]*?"(\.[^"]+)";', re.MULTILINE)
_OWN_KEY: Final = re.compile(r'"(meet\.\w+)"')
_HEAD: Final = (
    "// Written by `python -m snugroom.client.tools.typescript`, from client/session/catalogue/sentences: "
    "change it there.\n"
)


def loaded(entry: Path) -> set[Path]:
    """Return a file of the page and all that are loaded with it."""
    found, todo = set[Path](), [entry]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found.add(path)
        for name in _CODE.findall(path.read_text(encoding="utf-8")):
            there = (path.parent / name).resolve()
            todo += [
                file for end in (".ts", ".tsx", "/index.ts") if (file := Path(f"{there}{end}")).is_file()
            ]
    return found


def _later_views(source: Path) -> set[str]:
    """Return the keys that only files name which `views/room/later.ts` loads; `source`: the page's folder."""
    source = source.resolve()
    views = loaded(source / "app/views/room/later.ts") - loaded(source / "app/main.tsx")
    named: dict[bool, set[str]] = {True: set(), False: set()}
    for path in source.rglob("*.ts*"):
        if path.parent.name != "words":
            named[path in views] |= set(_OWN_KEY.findall(path.read_text(encoding="utf-8")))
    return named[True] - named[False]


def _entries(
    names: Iterable[str],
    language: Language,
    indent: str = "  ",
    wanted: Callable[[str], bool] = lambda key: True,
) -> str:
    rows: Mapping[str, Mapping[str, str]] = {
        key: row for name in names for key, row in table(name).items() if wanted(key)
    }
    texts = {key: json.dumps(row[language], ensure_ascii=False) for key, row in rows.items()}
    # soft hyphens are invisible: written as escapes
    return "".join(
        f"{indent}{json.dumps(key)}: {text},\n".replace("\xad", "\\u00ad") for key, text in texts.items()
    )


def _language(
    names: Iterable[str], language: Language, wanted: Callable[[str], bool] = lambda key: True
) -> str:
    return f"{_HEAD}export default {{\n{_entries(names, language, wanted=wanted)}}};\n"


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
    keys = _later_views(words.parent)

    def later(key: str) -> bool:
        return key in keys or _LATER_KINDS.match(key) is not None

    found = {
        words / "enErrors.ts": _language(_ERRORS, "en"),
        words / "en.ts": _language(_PAGE, "en", lambda key: not later(key)),
        words / "enLater.ts": _language(_PAGE, "en", later),
        words / "quoting.ts": _quoting(),
    }
    for language in LANGUAGES:
        if language != "en":
            found[words / f"{language}.ts"] = _language((*_ERRORS, *_PAGE), language)
    return found | {words / f"{name}.ts": _part(name) for name in _PARTS}
