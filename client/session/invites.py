"""What a host's program knows of the meeting's invites: which, for whom, who came in by them, which leaked.

A label never leaves this program. An invite's index is 15 random bits (two hosts must not take the same one)
and the bit `SINGLE_USE`; index 0 is the open invite that a meeting begins with.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from client.session import events as ev
from client.session.membership import Membership
from crypto.kdf import Rng
from crypto.report import NO_INVITE
from crypto.room_state import SINGLE_USE

#: UTF-8 bytes of a label.
LABEL_MAX: Final = 64
#: Invites that one host makes in one meeting.
MINE_MAX: Final = 1000
#: Draws for a free index; after that there are none to speak of.
_DRAWS: Final = 1000


class LabelError(ValueError):
    """An invite that can't be made as it is wanted; the text says why."""


@dataclass(frozen=True)
class _Mine:
    label: str
    single: bool


class InviteBook:
    """Pure bookkeeping; it lives as long as the participant, through rejoins and changes of host.

    All of it is bounded: by `MINE_MAX`, by the 4,096 people of a meeting, by what hosts take back.
    """

    def __init__(self) -> None:
        self._mine: dict[int, _Mine] = {}
        #: Names of who came in by each, in that order.
        self._came: dict[int, list[str]] = {}
        self._by_leaf: dict[int, int] = {}
        #: By index, the name of whoever came in by it and was removed.
        self._removed: dict[int, str] = {}
        #: Taken back by a host's word (a removal is in the ledger besides).
        self.taken_back: set[int] = set()
        self._alarmed: set[int] = set()

    # -- making ------------------------------------------------------------------------------------

    def first(self) -> None:
        """The open invite that the meeting begins with exists."""
        self._mine[0] = _Mine("", False)

    def make(self, label: str, single: bool, known: Iterable[int], rng: Rng) -> int:
        """A new invite's index; `known` are indices that are in use already.

        LabelError when the label is too long, has control characters, or there are too many invites.
        """
        if len(label.encode("utf-8", "surrogatepass")) > LABEL_MAX or any(
            unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in label
        ):
            raise LabelError(f"a label has at most {LABEL_MAX} bytes, and no control characters")
        if len(self._mine) >= MINE_MAX:
            raise LabelError(f"{MINE_MAX} invites are as many as one host makes in one meeting")
        taken = {i & ~SINGLE_USE for i in (*known, *self._mine, *self._came, *self.taken_back, 0, NO_INVITE)}
        drawn = (int.from_bytes(rng(2), "big") & ~SINGLE_USE for _ in range(_DRAWS))
        number = next((n for n in drawn if n not in taken), None)
        if number is None:
            raise LabelError("nearly all invites of this meeting have been made: open another meeting")
        index = number | (SINGLE_USE if single else 0)
        self._mine[index] = _Mine(label, single)
        return index

    # -- what happened -------------------------------------------------------------------------------

    def enter(self, m: Membership) -> None:
        """We are in a room: who was there before us came in by what the ledger says."""
        self._by_leaf.clear()
        for leaf, index in m.ledger.invites:
            self._by_leaf[leaf] = index
            name = m.name(leaf)
            if leaf != m.own_leaf and name not in self._came.setdefault(index, []):
                self._came[index].append(name)

    def changed(self, roster: ev.Roster) -> None:
        """Who came and went by a change that was adopted."""
        for member in roster.removed:
            index = self._by_leaf.pop(member.leaf, None)
            if index is not None and member.leaf not in roster.left and not roster.rejoined:
                self._removed[index] = member.name
        if roster.invite is None:
            return
        for member in roster.added:
            self._by_leaf[member.leaf] = roster.invite
            if not roster.rejoined:
                self._came.setdefault(roster.invite, []).append(member.name)

    def first_alarm(self, index: int) -> bool:
        """Whether nobody has been alarmed about that invite yet: each is told of once."""
        new = index not in self._alarmed
        self._alarmed.add(index)
        return new

    # -- what is known -------------------------------------------------------------------------------

    def label(self, index: int) -> str | None:
        """Our label for it, perhaps empty; None for an invite that another host has made."""
        mine = self._mine.get(index)
        return None if mine is None else mine.label

    def came_in(self, index: int) -> str | None:
        """The name of who came in by it last, if anybody has."""
        names = self._came.get(index)
        return names[-1] if names else None

    def removed_with(self, index: int) -> str | None:
        """The name of who came in by it and was removed, if that is why it opens nothing."""
        return self._removed.get(index)

    def known(self, index: int) -> bool:
        """Whether there is anything to take back: an invite of ours, or one that somebody has come in by."""
        return index in self._mine or index in self._came

    def rows(self, m: Membership) -> tuple[ev.InviteRow, ...]:
        """All invites known here, our own first, in the order in which they were made."""
        others = sorted((self._came.keys() | self.taken_back) - self._mine.keys())
        return tuple(
            ev.InviteRow(
                index,
                self.label(index),
                bool(index & SINGLE_USE),
                tuple(self._came.get(index, ())),
                index in self.taken_back or index in m.ledger.revoked,
            )
            for index in (*self._mine, *others)
        )


def called(index: int, label: str | None) -> str:
    """An invite as it stands in a sentence."""
    if label:
        return f"the invite for “{label}” (no. {index})"
    if index == 0:
        return "the open invite"
    if label is None:
        return f"an invite that another host made (no. {index})"
    return f"invite {index}"
