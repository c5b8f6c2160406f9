"""Incidents: the lines that alarms and statuses become on a screen (`catalogue/incidents.toml`).

One cause is one line, with a severity, a beginning and an end. A later sentence of the same cause changes the
line; it never lowers the severity. A line that says what another one says hides it (`shown`). An incident
ends with its cause, after its time, or when a person dismisses it. An attack ends in the last way alone: its
traces stay until somebody has read them.
"""

from __future__ import annotations

import tomllib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Arg, Sentence

Severity = Literal["calm", "attention", "attack"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
#: Incidents that are over, kept for the history.
HISTORY_MAX: Final = 100
#: Open incidents: names in causes are chosen by members. Beyond, the oldest of the least severity ends.
OPEN_MAX: Final = 50

_FILE: Final = Path(__file__).parent / "catalogue" / "incidents.toml"


@dataclass(frozen=True)
class Rule:
    """A table of `catalogue/incidents.toml`. `severity` None: it only ends others."""

    severity: Severity | None = None
    cause: str = ""
    parts: str = ""
    by: str = ""
    leaves: bool = False
    lasts: float | None = None
    ends: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    under_same: tuple[str, ...] = ()
    action: str = ""


@dataclass(frozen=True)
class Incident:
    """One line. Times are those of the caller, in seconds; `ended` is None while it is open.

    `about`: the parts that are left, in the order in which they came; `by`: what tells it from others of its
    cause. `rule`: the table of its sentence. `count`: how often it was told.
    """

    number: int
    cause: str
    by: str
    kind: str
    severity: Severity
    text: str
    about: tuple[str, ...]
    rule: Rule
    began: float
    told: float
    ended: float | None = None
    count: int = 1


@cache
def rules() -> Mapping[str, Rule]:
    """Return the tables by key."""
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {key: Rule(**_frozen(row)) for key, row in tables.items()}


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def rule_of(text: str) -> tuple[str, Rule] | None:
    """Return the kind and the table of a sentence; None without a table, or for a text without a key."""
    if not isinstance(text, Sentence):
        return None
    what = text.args.get("what")
    key = f"{text.key}.{what.key.rpartition('.')[2]}" if isinstance(what, Sentence) else text.key
    kind = key.split(".")[1] if "." in key else key
    while key:
        if key in rules():
            return kind, rules()[key]
        key = key.rpartition(".")[0]
    return None


class Incidents:
    """The open incidents of one meeting, and those that are over."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Incident] = {}
        self._history: deque[Incident] = deque(maxlen=HISTORY_MAX)
        self._numbers = 0

    @property
    def open(self) -> list[Incident]:
        """The open incidents, the most severe first, and the newest of these."""
        return sorted(self._open.values(), key=lambda each: (-SEVERITIES.index(each.severity), -each.number))

    @property
    def shown(self) -> list[Incident]:
        """The open incidents that no other one says, in the same order."""
        return [each for each in self.open if not self._is_said(each)]

    @property
    def history(self) -> list[Incident]:
        """The incidents that are over, in the order of their ends."""
        return list(self._history)

    def told(self, event: ev.Event, now: float) -> Incident | None:
        """Take note of an event. Return the incident that has begun or changed, if it is shown."""
        match event:
            case ev.Alarm() | ev.Status():
                return self._sentence(event.text, now)
            case ev.Roster():
                self._roster(event, now)
        return None

    def tick(self, now: float) -> None:
        """Let time pass."""
        for where, incident in list(self._open.items()):
            lasts = incident.rule.lasts
            if lasts is not None and now - incident.told >= lasts:
                self._close(where, now)

    def over(self, cause: str, now: float) -> None:
        """This cause is over, by what the caller sees itself."""
        self._over(cause, Rule(), "", (), now)

    def dismiss(self, number: int, now: float) -> None:
        """A person has read it."""
        for where, incident in list(self._open.items()):
            if incident.number == number:
                self._close(where, now)

    def _sentence(self, text: str, now: float) -> Incident | None:
        said = _inner(text)
        found = rule_of(said)
        if found is None or not isinstance(said, Sentence):
            return None
        kind, rule = found
        by, parts = _one(said.args.get(rule.by)), _many(said.args.get(rule.parts))
        for cause in rule.ends:
            self._over(cause, rule, by, parts, now)
        if rule.severity is None:
            return None
        where = (rule.cause or kind, by)
        before = self._open.get(where)
        if before is None:
            self._make_room(now)
            self._numbers += 1
            new = Incident(self._numbers, *where, kind, rule.severity, text, parts, rule, began=now, told=now)
        else:
            new = self._changed(before, kind, rule, text, parts, now)
        self._open[where] = new
        same = before is not None and replace(before, told=new.told, count=new.count) == new
        return None if same or self._is_said(new) else new

    def _is_said(self, incident: Incident) -> bool:
        """Return whether an open incident says what this one says."""
        return any(_says(other, incident) for other in self._open.values())

    def _changed(
        self, before: Incident, kind: str, rule: Rule, text: str, parts: tuple[str, ...], now: float
    ) -> Incident:
        """Return the incident after a further sentence of its cause; a less severe one is only counted."""
        assert rule.severity is not None
        if SEVERITIES.index(rule.severity) < SEVERITIES.index(before.severity):
            return replace(before, told=now, count=before.count + 1)
        if kind == before.kind and before.about:
            parts = (*before.about, *(part for part in parts if part not in before.about))
        return replace(
            before,
            kind=kind,
            severity=rule.severity,
            about=parts,
            rule=rule,
            text=_with_parts(text, rule, parts),
            told=now,
            count=before.count + 1,
        )

    def _over(self, cause: str, rule: Rule, by: str, parts: tuple[str, ...], now: float) -> None:
        """A cause is over: for the parts that the sentence names, if both name some."""
        for where, incident in list(self._open.items()):
            if where[0] != cause or incident.severity == "attack":
                continue
            if rule.by and incident.by and incident.by != by:
                continue
            if rule.parts and incident.about:
                self._without(where, parts, now)
            elif not rule.parts or not incident.by or incident.by in parts:
                self._close(where, now)

    def _roster(self, event: ev.Roster, now: float) -> None:
        if event.rejoined:
            self.over("step", now)
        names = {member.name for member in event.removed}
        for where, incident in list(self._open.items()):
            if not incident.rule.leaves:
                continue
            if incident.by in names:
                self._close(where, now)
            elif incident.about:
                self._without(where, [part for part in incident.about if _whose(part) in names], now)

    def _without(self, where: tuple[str, str], parts: Iterable[str], now: float) -> None:
        """Take parts away from an incident; it ends with the last one."""
        incident = self._open[where]
        left = tuple(part for part in incident.about if part not in set(parts))
        if not left:
            self._close(where, now)
        elif left != incident.about:
            text = _with_parts(incident.text, incident.rule, left)
            self._open[where] = replace(incident, about=left, text=text)

    def _close(self, where: tuple[str, str], now: float) -> None:
        self._history.append(replace(self._open.pop(where), ended=now))

    def _make_room(self, now: float) -> None:
        if len(self._open) >= OPEN_MAX:
            least = self.open[-1]
            self._close((least.cause, least.by), now)


def _inner(text: str) -> str:
    """Return the sentence that a counted one repeats ("room.repeated"), else the sentence itself."""
    repeated = text.args.get("alarm") if isinstance(text, Sentence) and text.key == "room.repeated" else None
    return repeated if isinstance(repeated, str) else text


def _says(other: Incident, incident: Incident) -> bool:
    """Return whether one says the other. Of two that say each other, the worse is shown, or the first."""
    rule, cause = incident.rule, other.cause
    is_same = cause in rule.under_same and _names(incident.text) <= _names(other.text)
    if cause not in rule.under and not is_same:
        return False
    above = SEVERITIES.index(other.severity) - SEVERITIES.index(incident.severity)
    is_mutual = incident.cause in other.rule.under
    return above > 0 or (above == 0 and (not is_mutual or other.number <= incident.number))


def _names(text: str) -> set[str]:
    """Return the members whom a sentence names."""
    said = _inner(text)
    args = said.args if isinstance(said, Sentence) else {}
    return {_whose(part) for name in ("who", "name") for part in _many(args.get(name))}


def _whose(part: str) -> str:
    """Return the member that a part is about: a name, or the stream of somebody."""
    return str(part.args.get("whose", part)) if isinstance(part, Sentence) else part


def _one(arg: Arg) -> str:
    return "" if arg is None else str(arg)


def _many(arg: Arg) -> tuple[str, ...]:
    if arg is None or isinstance(arg, str | int | float):
        return () if arg is None else (str(arg),)
    return tuple(arg)


def _with_parts(text: str, rule: Rule, parts: Sequence[str]) -> str:
    """Return the sentence about these parts."""
    if not rule.parts or not isinstance(text, Sentence) or rule.parts not in text.args:
        return text
    if [text.args[rule.parts]] == list(parts):
        return text
    return Sentence(text.key, {**text.args, rule.parts: list(parts)})
