"""Sentences as `client.session.catalogue.sentence` fills them in: the page must say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Any, Final

from snugroom.client.session.catalogue.sentence import (
    LANGUAGES,
    Arg,
    Sentence,
    fill,
    sentence,
    table,
    with_quotes,
)

#: Files of the page's sentences.
PAGE: Final = ("errors", "alarms", "session", "shell", "notes", "start", "meeting")
#: Arguments of every kind.
_VALUES: Final[tuple[Arg, ...]] = (
    1,
    2,
    1204,
    ["Ada"],
    ["Ada", "Bo"],
    ["Ada", "Bo", "Cem", "Dana", "Eve", "Finn", "Gül", "Hal"],
    [sentence("stream.own.sound"), sentence("stream.video", whose="Bo")],
    sentence("invite.number", index=5),
    sentence("room.made_host", who="Ada", whom="Bo"),
)


def raw(arg: Arg) -> Any:
    """An argument as the page has it."""
    if isinstance(arg, Sentence):
        return {"key": arg.key, "args": {name: raw(value) for name, value in arg.args.items()}}
    return [raw(each) for each in arg] if isinstance(arg, list) else arg


def rows() -> Iterator[dict[str, Any]]:
    """Every template that has a form in some language, each with the next two kinds of arguments."""
    values = cycle(_VALUES)
    for name in PAGE:
        for key, row in table(name).items():
            template = " ".join(row[language] for language in LANGUAGES)
            if not re.search(r"\{\w+[:|]", template):
                continue
            for value in islice(values, 2):
                args = dict.fromkeys(re.findall(r"\{(\w+)", template), value)
                texts = {
                    language: fill(row[language], with_quotes(key, args, language), language)
                    for language in LANGUAGES
                }
                yield {"key": key, "args": {arg: raw(v) for arg, v in args.items()}, "texts": texts}


FILES: Final[dict[str, Callable[[], Any]]] = {"sentences": lambda: list(rows())}
