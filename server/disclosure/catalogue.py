"""The disclosure's sentences in four languages (`sentences.toml`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

Language = Literal["en", "de", "zh-Hans", "zh-Hant"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_HOLE: Final = re.compile(r"\{(\w+)(?:\|([^{}|]*)\|([^{}|]*))?\}")


def say(language: Language, key: str, /, **args: str | int) -> str:
    """Return a sentence; KeyError for an unknown key or a missing argument."""

    def fill(hole: re.Match[str]) -> str:
        name, one, other = hole.groups()
        arg = args[name]
        if one is not None:
            return one if arg == 1 else other
        return number(arg, language) if isinstance(arg, int) else arg

    return _HOLE.sub(fill, table()[key][language])


def number(value: float, language: Language, digits: int = 0) -> str:
    """Return a number as the language writes it: 1,204.5."""
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "de" else text


@cache
def table() -> Mapping[str, Mapping[str, str]]:
    """Return the text of each sentence by language."""
    return tomllib.loads(Path(__file__).with_name("sentences.toml").read_text(encoding="utf-8"))
