"""What comes in on standard input: a JSON object a line, or what a person types."""

from __future__ import annotations

import json
from typing import Any

from client.session import events as ev


class CommandError(ValueError):
    """A line that is no command; the text says what would be."""


_HELP = "/admit N, /refuse N, /remove LEAF, /deputy LEAF, /leave, /end; anything else is said to all"


def parse_json(line: str) -> ev.Input:
    """``{"admit": id}``, ``{"refuse": id}``, ``{"chat": text}``, ``{"remove": leaf}``, ``{"deputy": leaf}``,
    ``{"leave": true}``, ``{"end": true}``. CommandError for anything else."""
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise CommandError("a line of input is no JSON object") from None
    if not isinstance(value, dict) or len(value) != 1:
        raise CommandError('a command is a JSON object with one key, such as {"admit": 1}')
    ((name, argument),) = value.items()
    if name == "chat" and isinstance(argument, str):
        return _said(argument)
    if name in ("leave", "end") and argument is True:
        return ev.Leave() if name == "leave" else ev.EndMeeting()
    if type(argument) is int:
        return _numbered(name, argument)
    raise CommandError(f"no such command, or not with that value: {name[:40]!r}")


def _said(text: str) -> ev.Say:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can escape one, UTF-8 can't carry it
        raise CommandError("a text that is not Unicode") from None
    return ev.Say(text)


def _numbered(name: str, number: int) -> ev.Input:
    match name:
        case "admit":
            return ev.Admit(number)
        case "refuse":
            return ev.Refuse(number)
        case "remove":
            return ev.Remove(number)
        case "deputy":
            return ev.Deputise(number)
    raise CommandError(f"no such command: {name[:40]!r}")


def parse_human(line: str) -> ev.Input | None:
    """A person's line; None for an empty one. JSON objects work too."""
    line = line.strip()
    if not line:
        return None
    if line.startswith("{"):
        return parse_json(line)
    if not line.startswith("/"):
        return _said(line)
    name, _, argument = line[1:].partition(" ")
    if name == "leave":
        return ev.Leave()
    if name == "end":
        return ev.EndMeeting()
    try:
        return _numbered(name, int(argument))
    except ValueError:
        raise CommandError(f"what you can type: {_HELP}") from None
