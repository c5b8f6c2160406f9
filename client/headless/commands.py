"""Commands from standard input: a JSON object on each line, or a line that a person types."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import CommandError, sentence

#: Commands about a member, by leaf index.
_ABOUT_SOMEBODY: Final[dict[str, Callable[[int], ev.Input]]] = {
    "remove": ev.Remove,
    "deputy": ev.Deputise,
    "undeputy": ev.Undeputise,
    "handover": ev.HandOver,
    "vouch": ev.Vouch,
    "verified": ev.Verified,
}
#: Commands about a knock, a leaf or an invite, by its number.
_NUMBERED: Final[dict[str, Callable[[int], ev.Input]]] = {
    "admit": ev.Admit,
    "refuse": ev.Refuse,
    "replace": ev.Replace,
    "revoke": ev.Revoke,
    **_ABOUT_SOMEBODY,
}
#: Commands about a knock that take "all" in place of a number.
_ALL: Final[dict[str, Callable[[], ev.Input]]] = {"admit": ev.AdmitAll, "refuse": ev.RefuseAll}
#: Commands without an argument.
_PLAIN: Final[dict[str, Callable[[], ev.Input]]] = {
    "leave": ev.Leave,
    "end": ev.EndMeeting,
    "compare": ev.Compare,
    "code": ev.ShowCode,
    "override": ev.Override,
    "send": ev.SendHeld,
    "discard": ev.DiscardHeld,
    "invites": ev.ListInvites,
    "servers": ev.ListServers,
    "move": ev.Move,
    "here": ev.RemoveAbsent,
}


def parse_json(line: str) -> ev.Input:
    """Parse a JSON object with one key (docs/reference/json.md); CommandError for anything else."""
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise CommandError(sentence("terminal.no_object")) from None
    if not isinstance(value, dict) or len(value) != 1:
        raise CommandError(sentence("terminal.one_key", example='{"admit": 1}'))
    ((name, argument),) = value.items()
    if name == "chat" and isinstance(argument, str):
        return _said(argument)
    if name in _PLAIN and argument is True:
        return _PLAIN[name]()
    if name == "compared" and isinstance(argument, bool):
        return ev.Compared(argument)
    if name in ("same", "different") and isinstance(argument, str):
        return ev.Compared(name == "same", _digits(argument))
    if name == "lock" and isinstance(argument, bool):
        return ev.Lock(argument)
    if name == "servers" and isinstance(argument, list) and all(isinstance(each, str) for each in argument):
        return ev.NameServers(tuple(argument))
    if name == "allow" and isinstance(argument, str):
        return ev.AllowServer(argument)
    if name == "move" and isinstance(argument, str):
        return ev.Move(argument)
    if name == "withdraw" and isinstance(argument, str):
        return ev.Withdraw(argument)
    if name == "invite" and isinstance(argument, dict):
        return _invite(argument)
    if name == "image" and isinstance(argument, str):
        return ev.SendImage(_path(argument))
    if name == "file" and isinstance(argument, str):
        return ev.SendFile(_path(argument))
    if name == "hand" and isinstance(argument, bool):
        return ev.RaiseHand(argument)
    if name == "react" and isinstance(argument, str):
        return _reaction(argument)
    if name == "report" and isinstance(argument, dict):
        return _report(argument.get("messages"), argument.get("file"), len(argument) == 2)
    if name == "evidence":
        return _evidence(argument)
    if name == "know" and isinstance(argument, dict):
        return _know(argument)
    if name in _ALL and argument == "all":
        return _ALL[name]()
    if name in _NUMBERED and type(argument) is int:
        return _NUMBERED[name](argument)
    raise CommandError(sentence("terminal.no_command", name=repr(name[:40])))


def _invite(wanted: dict[str, Any]) -> ev.NewInvite:
    label, once = wanted.get("for", ""), wanted.get("once", False)
    if not wanted.keys() <= {"for", "once"} or not isinstance(label, str) or not isinstance(once, bool):
        raise CommandError(
            sentence("terminal.invite_form", example='{"invite": {"for": "Ada", "once": true}}')
        )
    return ev.NewInvite(label, once)


def _digits(text: str) -> str | None:
    """Parse the argument of /same and /different: empty for the words (None), or ``digits [FIRST...]``."""
    word, _, first = text.strip().partition(" ")
    if not word:
        return None
    if word == "digits":
        return first.replace(" ", "")
    raise CommandError(sentence("terminal.same_form"))


def _know(wanted: dict[str, Any]) -> ev.Know:
    leaf, name = wanted.get("leaf"), wanted.get("name")
    if not wanted.keys() <= {"leaf", "name"} or type(leaf) is not int or not isinstance(name, str | None):
        raise CommandError(sentence("terminal.know_form", example='{"know": {"leaf": 2, "name": "Ada"}}'))
    return ev.Know(leaf, name)


def _path(text: str) -> str:
    if not text or "\0" in text or not text.isprintable():
        raise CommandError(sentence("terminal.no_file_name"))
    return text


def _reaction(text: str) -> ev.React:
    for sign in get_args(content.ReactionKind):
        if text.strip() == sign:
            return ev.React(sign)
    raise CommandError(sentence("terminal.signs", signs=", ".join(get_args(content.ReactionKind))))


def _report(messages: object, file: object, whole: bool = True) -> ev.SaveReport:
    if (
        not whole
        or not isinstance(messages, list)
        or not all(isinstance(m, str) for m in messages)
        or not isinstance(file, str)
    ):
        raise CommandError(
            sentence("terminal.report_form", example='{"report": {"messages": ["ID"], "file": "FILE"}}')
        )
    return ev.SaveReport(tuple(messages), _path(file))


def _evidence(wanted: object) -> ev.SaveEvidence:
    if isinstance(wanted, str):
        return ev.SaveEvidence(_path(wanted))
    if isinstance(wanted, dict) and wanted.keys() <= {"file", "names"}:
        file, names = wanted.get("file"), wanted.get("names", False)
        if isinstance(file, str) and isinstance(names, bool):
            return ev.SaveEvidence(_path(file), names)
    raise CommandError(sentence("terminal.evidence_form", example='{"evidence": "FILE"}'))


def _typed_files(name: str, text: str) -> ev.Input:
    """Parse the arguments of /image, /file, /report and /evidence."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    match name, words:
        case "image", [path]:
            return ev.SendImage(_path(path))
        case "file", [path]:
            return ev.SendFile(_path(path))
        case "report", [*messages, path] if messages:
            return _report(messages, path)
        case "evidence", [path]:
            return ev.SaveEvidence(_path(path))
        case "evidence", [path, "--names"] | ["--names", path]:
            return ev.SaveEvidence(_path(path), names=True)
    raise CommandError(sentence("terminal.files_typed"))


def _typed_invite(text: str) -> ev.NewInvite:
    """Parse the arguments of /invite: ``[--for NAME] [--once]``."""
    wrong = CommandError(sentence("terminal.invite_typed"))
    try:
        words = shlex.split(text)
    except ValueError:
        raise wrong from None
    label, once = "", False
    if words[:1] == ["new"]:
        del words[0]
    while words:
        word = words.pop(0)
        if word == "--once":
            once = True
        elif word == "--for" and words:
            label = words.pop(0)
        else:
            raise wrong
    return ev.NewInvite(label, once)


def _typed_known(text: str, names: Mapping[int, str]) -> ev.Know:
    """Parse the arguments of /known: ``WHO [NAME]``. A name with a space needs quotes."""
    try:
        who, *petname = shlex.split(text)
    except ValueError:
        raise CommandError(sentence("terminal.known_typed")) from None
    return ev.Know(_somebody(who, names), " ".join(petname) or None)


def _said(text: str) -> ev.Say:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: JSON can escape one, UTF-8 can't carry it
        raise CommandError(sentence("terminal.no_unicode")) from None
    return ev.Say(text)


def _somebody(who: str, names: Mapping[int, str]) -> int:
    """Return the leaf for ``#LEAF``, a name, or a number that is no other member's name."""
    who = who.strip()
    number = who.removeprefix("#")
    leaf = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None
    if leaf is not None and who.startswith("#"):
        return leaf
    named = [place for place, name in names.items() if name == who]
    if leaf is not None and named and named != [leaf]:
        raise CommandError(sentence("terminal.number_and_name", who=who, leaf=leaf, other=named[0]))
    if named:
        return named[0]
    if leaf is None:
        raise CommandError(sentence("terminal.nobody_named", who=repr(who[:64])))
    return leaf


def parse_human(line: str, names: Mapping[int, str] = MappingProxyType({})) -> ev.Input | None:
    """Parse a line that a person typed; None for an empty line. JSON objects work too.

    `names` maps leaves to the names of the members in the room, so that commands can refer to members by
    name.
    """
    line = line.strip()
    if not line:
        return None
    if line.startswith("{"):
        return parse_json(line)
    if not line.startswith("/"):
        return _said(line)
    name, _, argument = line[1:].partition(" ")
    if name in _PLAIN and not argument.strip():
        return _PLAIN[name]()
    if name in ("lock", "unlock") and not argument.strip():
        return ev.Lock(name == "lock")
    if name in ("same", "different"):
        return ev.Compared(name == "same", _digits(argument))
    if name == "servers":
        return ev.NameServers(() if argument.strip() == "none" else tuple(argument.split()))
    if name == "allow" and argument.strip():
        return ev.AllowServer(argument.strip())
    if name == "move":
        return ev.Move(argument.strip())
    if name == "withdraw" and argument.strip():
        return ev.Withdraw(argument.strip())
    if name in _ALL and argument.strip() == "all":
        return _ALL[name]()
    if name == "invite":
        return _typed_invite(argument)
    if name in ("hand", "unhand") and not argument.strip():
        return ev.RaiseHand(name == "hand")
    if name == "react":
        return _reaction(argument)
    if name in ("image", "file", "report", "evidence"):
        return _typed_files(name, argument)
    if name == "known" and argument.strip():
        return _typed_known(argument, names)
    if name in _ABOUT_SOMEBODY and argument.strip():
        return _ABOUT_SOMEBODY[name](_somebody(argument, names))
    try:
        return _NUMBERED[name](int(argument))
    except (KeyError, ValueError):
        raise CommandError(sentence("terminal.commands")) from None
