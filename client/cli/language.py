"""The language in which the command line speaks to a person."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Final

from snugroom.client.session.catalogue.sentence import LANGUAGES, Language

#: Regions and scripts of traditional characters.
_TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--lang`` to a command."""
    parser.add_argument("--lang", choices=LANGUAGES, help="language of the texts (default: your locale's)")


def chosen(option: Language | None, environ: Mapping[str, str]) -> Language:
    """Return the language of ``--lang``, otherwise of the locale, otherwise English."""
    if option is not None:
        return option
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return language_of(next((environ[name] for name in names if environ.get(name)), ""))


def language_of(locale: str) -> Language:
    """Return the language of a locale's name such as ``zh_TW.UTF-8``; English for any other."""
    main, *rest = re.split(r"[_.@-]", locale.lower())
    if main == "de":
        return "de"
    if main == "zh":
        return "zh-Hant" if _TRADITIONAL & set(rest) and "hans" not in rest else "zh-Hans"
    return "en"
