"""Sentences on a terminal: in the chosen language, with styles, and harmless whatever a name contains."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from rich.console import Console
from rich.text import Text

from snugroom.client.headless.text import plain
from snugroom.client.session.catalogue.sentence import Arg, Language, Sentence, in_language, sentence
from snugroom.client.session.incidents import Severity

#: The colours of the sign before an incident.
_COLOURS: Final[dict[Severity, str]] = {"attack": "bold red", "attention": "bold yellow", "calm": "dim"}
#: Stands for a styled argument while a sentence is made; no displayed text contains it.
_MARK: Final = re.compile("\0([0-9]+)\0")


class Styled(NamedTuple):
    """A text with its style."""

    text: str
    style: str


def bold(text: str) -> Styled:
    """Return a text in bold: a name, or a command to type."""
    return Styled(text, "bold")


class Speech:
    """Prints sentences of the catalogue, and texts of others."""

    def __init__(self, console: Console, language: Language) -> None:
        self.console = console
        self.language = language

    def text(self, text: str) -> str:
        """Return a text for display: a sentence in the chosen language, without unsafe characters."""
        return plain(in_language(text, self.language))

    def word(self, key: str, **args: Arg) -> str:
        """Return the sentence `key` for display."""
        return self.text(sentence(key, **args))

    def write(self, *parts: str | Styled) -> None:
        """Print a line. Its parts are no markup, so that other members' text is not parsed for styles."""
        self.console.print(Text.assemble(*parts), soft_wrap=True)

    def say(self, key: str, *more: str | Styled, **args: Arg | Styled) -> None:
        """Print the sentence `key`, and `more` on the same line. Arguments may have a style."""
        styled = [arg for arg in args.values() if isinstance(arg, Styled)]
        marks = {id(arg): f"\0{at}\0" for at, arg in enumerate(styled)}
        made = {name: marks[id(arg)] if isinstance(arg, Styled) else arg for name, arg in args.items()}
        pieces = _MARK.split(in_language(Sentence(key, made), self.language))
        parts: list[str | Styled] = [plain(piece) for piece in pieces]
        for at in range(1, len(parts), 2):
            text, style = styled[int(pieces[at])]
            parts[at] = Styled(plain(text), style)
        self.write(*parts, *more)

    def hint(self, text: str) -> None:
        """Print a text that matters less."""
        self.write(Styled(self.text(text), "dim"))

    def warn(self, text: str, severity: Severity = "attack") -> None:
        """Print a text that matters; the sign before it has the colour of its severity."""
        self.write(Styled("!", _COLOURS[severity]), " ", self.text(text))
