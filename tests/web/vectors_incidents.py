"""Incidents as `client.session.incidents` has them: the page must have the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.incidents import Incident, Incidents
from tests.web.vectors_sentences import raw

_NAMES: Final = ("Ada", "Bo", "Cem", "Dana")
_STEPS: Final = 250


def _event(random: random.Random) -> ev.Alarm | ev.Status | ev.Roster:
    some, one = random.sample(_NAMES, random.randint(1, 3)), random.choice(_NAMES)
    streams = [sentences.stream_of(one, number) for number in random.sample(range(3), random.randint(1, 3))]
    leaked = sentence("invite.number", index=random.randint(1, 2))
    gone = tuple(ev.Member(i, name, host=False) for i, name in enumerate(some))
    gate = sentences.alarm("wrong_gate", who=one, leaf=1)
    drops: tuple[sentences.Drop, ...] = (
        "serves",
        "restarted",
        "refuses",
        "unprobed",
        "contradicts",
        "forgotten",
    )
    alarms: list[Callable[[], ev.Alarm | ev.Status | ev.Roster]] = [
        lambda: sentences.alarm("silent", who=some, seconds=15),
        lambda: sentences.alarm("gone", who=one, leaf=1, seconds=60),
        lambda: sentences.status("cleared.heard", who=some),
        lambda: sentences.alarm("not_reaching", streams=streams, whom=[one]),
        lambda: sentences.status("cleared.reaching", streams=streams, whom=[one]),
        lambda: sentences.alarm("unheard", who=some),
        lambda: sentences.alarm("unheard.everybody", who=list(_NAMES)),
        lambda: sentences.status("cleared.reaches", who=some),
        lambda: sentences.status("away", why=sentence("away.unanswered")),
        lambda: sentences.status("back"),
        lambda: sentences.dropped(random.choice(drops), None),
        lambda: sentences.alarm("rejoining"),
        lambda: sentences.alarm("stale", who=some),
        lambda: sentences.alarm("withheld", who=one, slot=5),
        lambda: sentences.alarm("withheld.proven", who=some, slot=5, origin=one),
        lambda: sentences.status("cleared.claims"),
        lambda: sentences.alarm("reordered", who=one),
        lambda: sentences.alarm("not_admitted", name=one, why=sentence("away.unanswered")),
        lambda: sentences.status("cleared.in_step"),
        lambda: sentences.alarm("missed", count=random.randint(1, 9)),
        lambda: sentences.alarm("invite_leaked.came_in", invite=leaked, earlier=one, name="Eve"),
        lambda: gate,
        lambda: ev.Alarm("wrong_gate", sentence("room.repeated", alarm=gate.text, count=3), 3),
        lambda: sentences.status("host"),
        lambda: sentences.alarm("pending.by", who=one, state=sentence("pending.lock")),
        lambda: sentences.status("cleared.accepted_by", who=one),
        lambda: ev.Roster(1, (), (), gone, 0, rejoined=random.random() < 0.3),
    ]
    return random.choice(alarms)()


def _raw_event(event: ev.Alarm | ev.Status | ev.Roster) -> dict[str, Any]:
    if isinstance(event, ev.Roster):
        removed = [{"leaf": each.leaf, "name": each.name} for each in event.removed]
        return {"type": "Roster", "removed": removed, "rejoined": event.rejoined}
    return {"type": type(event).__name__, "kind": event.kind, "text": raw(event.text)}


def _line(incident: Incident) -> list[Any]:
    facts = [
        incident.number,
        incident.cause,
        incident.kind,
        incident.severity,
        incident.rule.action,
        incident.count,
    ]
    return [*facts, raw(incident.text), [raw(part) for part in incident.about]]


def walk() -> Iterator[dict[str, Any]]:
    """A meeting of much trouble: each event or act, the lines' numbers after it, and those that changed."""
    draw, incidents, now = random.Random(17), Incidents(), 0.0
    before: list[Incident] = []
    for _ in range(_STEPS):
        now += draw.choice((0.0, 1.0, 7.0, 40.0))
        incidents.tick(now)
        step: dict[str, Any] = {"now": now}
        if incidents.open and draw.random() < 0.1:
            step["dismiss"] = draw.choice(incidents.open).number
            incidents.dismiss(step["dismiss"], now)
        else:
            event = _event(draw)
            changed = incidents.told(event, now)
            step |= {"event": _raw_event(event), "changed": None if changed is None else changed.number}
        new = [_line(each) for each in incidents.shown if each not in before]
        before = incidents.shown
        yield step | {"open": [each.number for each in before], "lines": new, "over": len(incidents.history)}


FILES: Final[dict[str, Callable[[], Any]]] = {"incidents": lambda: list(walk())}
