"""A host's record of invites and knocks (docs/reference/protocol.md, section 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

from snugroom.crypto.entry.lobby import OpenedKnock
from snugroom.crypto.errors import StateError
from snugroom.crypto.kdf import H

#: Knocks waiting for the host's decision, for all invites together.
PENDING_MAX: Final = 256
#: How long a knock waits for the host's decision, in seconds. Afterwards the newcomer knocks again.
PENDING_LIFETIME: Final = 600
#: Number of remembered KeyPackages. The cards of older ones expired long ago.
SEEN_MAX: Final = 4096

Reason = Literal["unknown", "revoked", "used", "expired", "seen", "pending", "full"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The knock is to be shown to the host, under this id."""

    id: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """The knock is not shown, for this reason."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Waiting:
    """A knock that has waited for the host's decision since `since` (Unix seconds)."""

    id: int
    knock: OpenedKnock
    since: float


class Knocks:
    """A host's record of invites and knocks. No clock and no I/O: callers pass `now` (Unix seconds).

    `each` limits the knocks that wait at the same time per open invite (always one for a single-use invite);
    the protocol's default is one. `numbers`: those under which knocks wait, from 1 up if it is None.
    """

    def __init__(self, *, each: int = 1, numbers: Iterator[int] | None = None) -> None:
        self._each = each
        self._single: dict[int, bool] = {}
        self._revoked: set[int] = set()
        self._used: set[int] = set()
        self._seen: dict[bytes, None] = {}
        self._waiting: dict[int, Waiting] = {}
        self._numbers = count(1) if numbers is None else numbers

    def issue(self, index: int, *, single: bool) -> None:
        """Register a new invite. StateError if its index is registered already."""
        if index in self._single:
            raise StateError(f"invite {index} has been issued before")
        self._single[index] = single

    def revoke(self, index: int) -> None:
        """Invalidate the invite and drop the knocks that wait on it."""
        self._revoked.add(index)
        self._waiting = {i: w for i, w in self._waiting.items() if w.knock.index != index}

    def use(self, indices: Iterable[int]) -> None:
        """Mark invites as used by an admitted member, through any host; a single-use invite is then spent."""
        for index in indices:
            self._used.add(index)
            if self._single.get(index):
                self._waiting = {i: w for i, w in self._waiting.items() if w.knock.index != index}

    def consider(self, opened: OpenedKnock, now: float, *, again: bool = False) -> Accepted | Ignored:
        """Decide whether to show the knock to the host. An ignored knock does not change the record.

        `again`: the invite may have been used, by the silent member whose place the newcomer takes.
        """
        self._expire(now)
        reason = self._objection(opened, now, again=again)
        if reason is not None:
            return Ignored(reason)
        number = next(self._numbers)
        self._waiting[number] = Waiting(number, opened, now)
        self._see(opened)
        return Accepted(number)

    def renew(self, number: int, opened: OpenedKnock, now: float) -> bool:
        """Let a newer knock of the same person wait in place of `number`; return whether it may."""
        self._expire(now)
        if number not in self._waiting or now >= opened.expiry or H(opened.key_package) in self._seen:
            return False
        self._waiting[number] = Waiting(number, opened, now)
        self._see(opened)
        return True

    def _see(self, opened: OpenedKnock) -> None:
        self._seen[H(opened.key_package)] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]

    def _objection(self, opened: OpenedKnock, now: float, *, again: bool) -> Reason | None:
        single = self._single.get(opened.index)
        if single is None:
            return "unknown"
        if opened.index in self._revoked:
            return "revoked"
        if single and opened.index in self._used and not again:
            return "used"
        if now >= opened.expiry:
            return "expired"
        if H(opened.key_package) in self._seen:
            return "seen"
        waiting = sum(w.knock.index == opened.index for w in self._waiting.values())
        if waiting >= (1 if single else self._each):
            return "pending"
        return "full" if len(self._waiting) >= PENDING_MAX else None

    def waiting(self, now: float) -> list[Waiting]:
        """Return the waiting knocks, longest wait first."""
        self._expire(now)
        return list(self._waiting.values())

    def take(self, number: int, now: float) -> OpenedKnock:
        """Remove and return knock `number`, which the host has decided about.

        StateError if no such knock waits. After the commit of its Add, call `use`.
        """
        self._expire(now)
        try:
            return self._waiting.pop(number).knock
        except KeyError:
            raise StateError(f"nobody waits under the number {number}") from None

    def _expire(self, now: float) -> None:
        self._waiting = {i: w for i, w in self._waiting.items() if now < w.since + PENDING_LIFETIME}
