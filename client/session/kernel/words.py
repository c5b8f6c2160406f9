"""Whether all words have arrived: numbers of our own words, and gaps in the others'.

Protocol section 7. Each program numbers the words (messages, images, files) that it seals; a heartbeat signs
how many there are. So a receiver learns what went by while it was elsewhere, whatever a server has kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.ports import Room

#: A program's numbers begin after RUN times the slot with which it first came in: those of a later program of
#: the same member are higher.
RUN: Final = 2**20
#: Seconds in step for which a receiver waits for a word that its author has counted.
GRACE: Final = 8.0
#: The same for words of other authors that the same report can name.
SOON: Final = 3.0
#: Minimum seconds between two reports of one author's words: a false count costs little.
AGAIN: Final = 60.0
#: Words of one author that one report counts at most, and numbers that are remembered beyond a gap.
COUNTED_MAX: Final = 1000
_P = TypeVar("_P", bound=content.Posted)


def _run_of(number: int) -> int:
    return number - number % RUN


@dataclass
class _Author:
    """One author's words. All numbers up to `settled` have arrived, were reported, or were not for us."""

    settled: int
    stated: int
    beyond: set[int] = field(default_factory=set)  # numbers above `settled` that have arrived
    owed: int = 0  # missing words below `settled`, not reported yet
    missing_since: float | None = None  # from when on we were in step and something was missing
    told_at: float | None = None

    @property
    def missing(self) -> int:
        """How many words are missing now."""
        arrived = sum(number <= self.stated for number in self.beyond)
        return min(self.owed + max(0, self.stated - self.settled - arrived), COUNTED_MAX)

    def advance(self, to: int) -> None:
        """Take all numbers up to `to` as settled, and those that follow and have arrived."""
        self.settled = max(self.settled, to)
        while self.settled + 1 in self.beyond:
            self.settled += 1
        self.beyond = {number for number in self.beyond if number > self.settled}

    def report(self, now: float) -> int:
        """Return how many words are missing; they are reported with that."""
        missing = self.missing
        self.owed, self.told_at, self.missing_since = 0, now, None
        self.advance(self.stated)
        return missing

    def begin_anew(self, run: int) -> None:
        """Another program of the author begins after the number `run`; the last one's words are owed."""
        self.owed, self.settled, self.stated, self.beyond = self.missing, run, run, set()


class Words:
    """One program's numbers, and its view of those of the other members."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._first = self._last = RUN * room.membership.journal.slot
        self._authors: dict[bytes, _Author] = {}  # by signature key

    def carry_over(self, old: Words) -> None:
        """Take over from the membership before a rejoin: the numbers go on."""
        self._first, self._last, self._authors = old._first, old._last, old._authors

    # -- our words ---------------------------------------------------------------------------------

    def numbered(self, what: _P) -> _P:
        """Return a word of ours with its number: the next one, unless it has been sealed before."""
        if what.number:
            return what
        self._last += 1
        return msgspec.structs.replace(what, number=self._last)

    def said(self, unsettled: int | None) -> int:
        """Return the number that a heartbeat signs; `unsettled`: the first that may still be resent."""
        return self._last if unsettled is None else unsettled - 1

    # -- the others' words -------------------------------------------------------------------------

    def heard(self, leaf: int, number: int) -> None:
        """A word of the member at `leaf` has arrived."""
        author = self._author(leaf, number, number - 1) if number else None
        if author is None or number <= author.settled:
            return
        author.beyond.add(number)
        author.advance(author.settled)
        if len(author.beyond) > COUNTED_MAX:
            first = min(author.beyond)
            author.owed = min(author.owed + first - 1 - author.settled, COUNTED_MAX)
            author.advance(first)

    def stated(self, leaf: int, number: int) -> None:
        """The member at `leaf` has signed that its words go up to that number."""
        author = self._author(leaf, number, number)
        if author is not None:
            author.stated = max(author.stated, number)

    def _author(self, leaf: int, number: int, before: int) -> _Author | None:
        """Return what is known of an author; None for numbers of a program before its present one.

        `before`: the last number that is not for us, if nothing is known yet and it was here before us.
        """
        key, run = self._room.membership.signature_key(leaf), _run_of(number)
        if key is None:
            return None
        author = self._authors.get(key)
        if author is None:
            settled = run if run >= self._first else before
            author = self._authors[key] = _Author(settled, settled)
        elif _run_of(author.settled) < run:
            author.begin_anew(run)
        return author if number >= _run_of(author.settled) else None

    def tell_missed(self, now: float) -> None:
        """Report words that are missing for some seconds; only in step and caught up."""
        late: dict[bytes, float] = {}  # signature key -> seconds for which words are missing
        for key, author in self._authors.items():
            if not author.missing:
                author.missing_since = None
            elif author.missing_since is None:
                author.missing_since = now
            elif author.told_at is None or now - author.told_at >= AGAIN:
                late[key] = now - author.missing_since
        if max(late.values(), default=0.0) >= GRACE:
            self._report(late, now)

    def _report(self, late: Mapping[bytes, float], now: float) -> None:
        """Report the missing words of authors who are here, if one has been waited for long enough."""
        m = self._room.membership
        keys = ((name, m.signature_key(leaf) or b"") for leaf, name, _ in m.members())
        here = [(name, self._authors[key], late[key]) for name, key in keys if key in late]
        if any(waited >= GRACE for _, _, waited in here):
            due = [(name, author.report(now)) for name, author, waited in here if waited >= SOON]
            who = [sentence("room.so_many_of", whose=name, count=count) for name, count in due]
            self._room.tell(sentences.alarm("missed.words", count=sum(n for _, n in due), who=who))

    def wait(self) -> None:
        """Begin the wait for missing words anew: we are not in step."""
        for author in self._authors.values():
            author.missing_since = None
