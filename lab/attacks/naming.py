"""The parties that a notification names, and whether it is false in a scene."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from math import inf
from typing import Any, Final, cast

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Arg, Sentence
from snugroom.lab.simulation.accusations import is_false
from snugroom.lab.simulation.tale import SERVER, Person, Tale
from snugroom.lab.simulation.truth import ALARMS, Told, author, member, server

#: The server as a possible cause: a sentence that speaks of it, and does not say as a fact that it was it.
PERHAPS_SERVER: Final = "perhaps the server"
#: The reader's own sound or video.
YOURS: Final = "what the reader sends"
#: Why a connection was lost: the server does not keep to the protocol.
_NO_PROTOCOL: Final = "shell.alien"
#: Words about the server of the meeting, and not about any other.
_THE_SERVER: Final = re.compile(r"\b(the|that) server\b", re.IGNORECASE)
#: Sentences of `alarm.dropped` that accuse the server of nothing.
_NO_ACT: Final = ("forgotten", "full", "gave_up", "permission", "unclear")
#: The arguments that name those who report something, and not whom it is about, by kind.
_REPORTERS: Final = {"not_reaching": "whom", "pending": "who"}
#: It gives the server's own words.
_QUOTES: Final = "refused"


def mentioned(text: str, names: Collection[str]) -> set[str]:
    """Return whom a text is about: those of `names`, the server, and what the reader sends."""
    if not isinstance(text, Sentence):
        return {name for name in names if name in text}
    reporters = _REPORTERS.get(text.key.split(".")[1]) if text.key.startswith("alarm.") else None
    words = {word for key, arg in text.args.items() if key != reporters for word in _words(arg)}
    found = {name for name in names if name in words}
    if any(word.startswith("stream.own.") for word in words):
        found.add(YOURS)
    if _THE_SERVER.search(str(text)):
        found.add(PERHAPS_SERVER)
    return found | blamed(text)


def _words(arg: Arg) -> Iterator[str]:
    """Yield the texts in an argument, and the keys of sentences."""
    if isinstance(arg, Sentence):
        yield arg.key
        for inner in arg.args.values():
            yield from _words(inner)
    elif isinstance(arg, str):
        yield arg
    elif arg is not None and not isinstance(arg, int | float):
        for each in arg:
            yield from _words(each)


def blamed(text: str) -> set[str]:
    """Return whom a text says, as a fact, to have done something: the server, or members by name."""
    if not isinstance(text, Sentence):
        return set()
    what, why = text.args.get("what"), text.args.get("why")
    kind = text.key.partition(".")[2]
    if text.key == "status.away" and isinstance(why, Sentence) and why.key == _NO_PROTOCOL:
        return {SERVER}
    if kind == "dropped":
        hedged = isinstance(what, Sentence) and what.key.endswith(_NO_ACT)
        return set() if hedged else {SERVER}
    if kind.endswith("_commit.again"):
        return set()  # "one of the two programs"
    meaning = ALARMS.get(kind)
    true = None if meaning is None else meaning.true
    if true is server:
        return {SERVER}
    if true in (author, member):
        args = ("who",) if "who" in text.args else ("name",)
        return {name for arg in args for name in _told(text).names(arg)}
    return set()


def _told(text: Sentence, tale: Tale | None = None, me: Person | None = None) -> Told:
    return Told(cast("Any", tale), cast("Any", me), 0.0, text.key, text.args)


def tale_of(people: Collection[str], hostile: Collection[str]) -> Tale:
    """Return what is known of a scene: who was there, and who was hostile.

    A live meeting has no record of silences, so everybody counts as disturbed: a sentence is true that says
    that nothing comes from somebody.
    """
    tale = Tale(0.0)
    for name in people:
        tale.people[name] = Person(
            name, cast("Any", None), honest=name not in hostile, name=name, disturbed_at=inf
        )
    for name in hostile:
        tale.record(0.0, name, "is hostile")
    return tale


def false_alarm(tale: Tale, name: str, text: str) -> bool:
    """Return whether an alarm to `name` is false, or blames an honest party."""
    if not isinstance(text, Sentence) or text.key.split(".")[1:2] == [_QUOTES]:
        return False
    me = tale.people[name]
    honest = blamed(text) - {deed.by for deed in tale.deeds}
    return bool(honest) or is_false(tale, me, ev.Alarm(text.key.split(".")[1], text), 0.0)
