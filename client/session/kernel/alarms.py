"""Alarms that one cause repeats: told once, then counted.

A member or the server can repeat some acts many times a minute. The first is told at once; all further ones
become one alarm that is told anew with a count, so that the other alarms stay readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence, sentence

#: Alarms about single acts that others can repeat. Each act of one author is the same cause.
REPEATABLE: Final = frozenset({"gate_denied", "receipt", "two_stories", "void_commit", "wrong_gate"})
#: Seconds without another one until the next counts as a new cause.
QUIET_AFTER: Final = 60.0
#: Seconds between two updates of a count.
UPDATE_EVERY: Final = 10.0
#: Causes that are counted at a time: names are chosen by members.
CAUSES_MAX: Final = 64


@dataclass
class _Cause:
    first: ev.Alarm
    last_at: float
    told_at: float
    count: int = 1
    told: int = 1


class RepeatedAlarms:
    """The causes of the last minute."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, str], _Cause] = {}

    def merged(self, effects: Sequence[ev.Effect], now: float) -> list[ev.Effect]:
        """Return the effects to perform now: with the counted alarms that are due, without all others."""
        told = [effect for effect in effects if self.is_new(effect, now)]
        return [*told, *(ev.Tell(alarm) for alarm in self.due(now))]

    def is_new(self, effect: ev.Effect, now: float) -> bool:
        """Return False if an alarm is not to be performed now, because its cause is known: `due` tells it."""
        if not isinstance(effect, ev.Tell) or not isinstance(effect.event, ev.Alarm):
            return True
        alarm = effect.event
        if alarm.kind not in REPEATABLE:
            return True
        who = alarm.text.args.get("who") if isinstance(alarm.text, Sentence) else None
        key = (alarm.kind, str(who))
        cause = self._causes.get(key)
        if cause is not None:
            cause.count += 1
            cause.last_at = now
            return False
        if len(self._causes) < CAUSES_MAX:
            self._causes[key] = _Cause(alarm, now, now)
        return True

    def due(self, now: float) -> list[ev.Alarm]:
        """Return the counted alarms that are to be told now."""
        told = []
        for key, cause in list(self._causes.items()):
            if cause.count > cause.told and now - cause.told_at >= UPDATE_EVERY:
                cause.told, cause.told_at = cause.count, now
                text = sentence("room.repeated", alarm=cause.first.text, count=cause.count)
                told.append(replace(cause.first, text=text, count=cause.count))
            elif now - cause.last_at > QUIET_AFTER:
                del self._causes[key]
        return told
