"""Clocks that disagree: a newcomer has refused a host's card for its time, and both sides are told.

Protocol section 4. A card that a server repeats is no sign of a wrong clock: a host reacts only to a report
that names one of its current cards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.client.session.events import Status
from snugroom.crypto.entry.lobby import CARD_LIFETIME, Card

#: Seconds between two reports of one newcomer, and between two reports that a host is told.
REPORT_EVERY: Final = 30.0
TELL_EVERY: Final = 600.0
#: Seconds without any card before a newcomer is told its date: lobbies are of one day.
NO_CARD: Final = 30.0


def refused_card(card: Card, now: float) -> Status:
    """Return what a newcomer is told that has refused a card for its time."""
    made = card.expiry - CARD_LIFETIME
    fast = now > made
    apart = now - card.expiry if fast else made - now
    return sentences.status("clock.fast" if fast else "clock.slow", minutes=max(1, int(apart // 60)))


def no_card(now: float) -> Status:
    """Return what a newcomer is told that has had no card at all."""
    date = datetime.fromtimestamp(now, UTC).date().isoformat()
    return sentences.status("clock.date", seconds=int(NO_CARD), date=date)


def report(apart: float, others: Sequence[float]) -> Status:
    """Return what a host is told about a newcomer whose clock differs from ours by `apart` seconds.

    `others`: the differences of the other members' clocks from ours. The clock that is further from their
    median looks wrong.
    """
    if not others:
        return sentences.status("clock.either", how=_how(apart))
    middle = median(others)
    if abs(middle) > abs(apart - middle):
        return sentences.status("clock.ours", how=_how(-middle))
    return sentences.status("clock.theirs", how=_how(apart))


def _how(apart: float) -> Sentence:
    return sentence(
        "clock.ahead" if apart > 0 else "clock.behind", minutes=max(1, int(abs(apart) / 60 + 0.5))
    )
