"""Newcomers whom one commit adds together: how many, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from math import inf
from typing import Final, Protocol

from snugroom.client.session.kernel.intents import AddIntent, Intent
from snugroom.crypto.agreed.policy import ADDS_MAX
from snugroom.crypto.errors import SnugError

#: Minimum seconds between two commits of newcomers, unless other intents or a full batch wait.
ADDS_EVERY: Final = 0.4


class Rules(Protocol):
    """The rules of a room: `Membership` applies them."""

    def check(self, *intents: Intent) -> None:
        """Raise ValidationError if the commit for these intents breaks a rule."""


class Batches:
    """Chooses the intents of each commit: the first newcomer goes at once, later ones go together."""

    def __init__(self) -> None:
        self._sent_at = -inf  # when the last commit of newcomers went out
        self._most = ADDS_MAX  # newcomers in one commit

    def next(self, intents: Sequence[Intent], now: float) -> Sequence[Intent]:
        """Return the intents of the next commit: one, or newcomers; none while newcomers wait for more."""
        adds = first_newcomers(intents, self._most)
        if not adds:
            return intents[:1]
        waits = len(adds) == len(intents) < self._most and now - self._sent_at < ADDS_EVERY
        return [] if waits else adds

    def sent(self, batch: Sequence[Intent], now: float) -> None:
        """Record the commit that goes out."""
        if isinstance(batch[0], AddIntent):
            self._sent_at = now

    def slot_lost(self) -> None:
        """Have newcomers wait no longer: another commit has taken the slot of theirs."""
        self._sent_at = -inf

    def adopted(self) -> None:
        """Try with more newcomers after a commit that came through."""
        self._most = min(ADDS_MAX, 2 * self._most)

    def gives_up(self, batch: Sequence[Intent]) -> bool:
        """Return whether a commit that fails as a whole has one intent; otherwise try with half of them."""
        self._sent_at = -inf
        self._most = len(batch) // 2 or ADDS_MAX
        return len(batch) == 1

    def refused(
        self, rules: Rules, batch: Sequence[Intent], error: SnugError
    ) -> tuple[Intent, SnugError] | None:
        """Return the intent that keeps a commit from being made, and why; None to try with fewer.

        MLS does not say which newcomer breaks a rule of its own.
        """
        found = first_refused(rules, [intent for intent in batch if isinstance(intent, AddIntent)])
        if found is not None:
            return found
        return (batch[0], error) if self.gives_up(batch) else None


def first_newcomers(intents: Iterable[Intent], most: int) -> list[AddIntent]:
    """Return the newcomers at the beginning of the queue, at most that many.

    Newcomers behind another intent wait for it: a host that locks the room admits nobody after that. One in
    place of a silent member needs a commit of its own.
    """
    first = takewhile(lambda intent: type(intent) is AddIntent, intents)
    return [intent for intent in islice(first, most) if isinstance(intent, AddIntent)]


def first_refused(rules: Rules, batch: Sequence[AddIntent]) -> tuple[AddIntent, SnugError] | None:
    """Return the first newcomer whom a rule keeps out, and the error; None if no rule keeps anybody out.

    The rules compare a newcomer with the members and with the newcomers before it only. So the search can
    halve the batch: with a newcomer who is kept out, each longer part of the batch breaks a rule too.
    """
    allowed, refused = 0, len(batch) + 1
    why: SnugError | None = None
    while refused - allowed > 1:
        middle = min((allowed + refused) // 2, len(batch))
        try:
            rules.check(*batch[:middle])
            allowed = middle
        except SnugError as error:
            refused, why = middle, error
    return None if why is None else (batch[refused - 1], why)
