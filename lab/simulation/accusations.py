"""Alarms that are false, by what really happened."""

from __future__ import annotations

import re
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.lab.simulation.tale import Person, Tale
from snugroom.lab.simulation.truth import ALARMS, Told

#: How a sentence begins that says as a fact what the server did, and its words for another cause.
_FACT: Final = re.compile(
    r"The server (says [^.]*, and )?(gave|told|did not sign|drops|withholds|holds|keeps|does not)\b"
)
_HEDGE: Final = re.compile(
    r"program is wrong|report is false|unless|the network|may be lost|no longer has them"
)
#: It says where somebody is: with further servers, no act of anybody is needed for that.
_APART: Final = "alarm.reordered.apart"


def is_false(tale: Tale, person: Person, event: ev.Event, at: float) -> bool:
    """Return whether an alarm that a person was told is untrue, or accuses an honest server as a fact.

    `truth` judges who is named, and excuses a sentence that names a liar as the one who reports it. Here that
    is no excuse: one member's word makes no fact about a server.
    """
    if not isinstance(event, ev.Alarm) or not isinstance(event.text, Sentence):
        return False
    if event.text.key == _APART:
        return False
    text = str(event.text)
    if _FACT.match(text) and not _HEDGE.search(text) and not tale.hostile_server:
        return True
    meaning = ALARMS.get(event.text.key.partition(".")[2])
    return meaning is not None and not meaning.true(Told(tale, person, at, event.text.key, event.text.args))
