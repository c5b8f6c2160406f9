"""A host's records of the meeting's invites: which exist, for whom, who used them, which leaked.

A label never leaves this program. An invite's index is 15 random bits (two hosts must not draw the same
index) and the bit `SINGLE_USE`; index 0 is the open invite of a new meeting.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import CommandError, Sentence, sentence
from snugroom.client.session.kernel.membership import Membership
from snugroom.crypto.agreed.names import is_visible
from snugroom.crypto.agreed.room_state import SINGLE_USE
from snugroom.crypto.kdf import Rng
from snugroom.crypto.proof.report import NO_INVITE

#: Maximum label size in bytes of UTF-8.
LABEL_MAX: Final = 64
#: Maximum number of invites that one host makes in one meeting.
MINE_MAX: Final = 1000
#: Attempts to draw a free index; if all fail, hardly any index is free.
_DRAWS: Final = 1000


@dataclass(frozen=True)
class _Mine:
    label: str
    single: bool
    host_public: bytes  # of the generation in whose links it is


class InviteBook:
    """Pure bookkeeping; it lives as long as the participant, through rejoins and changes of host.

    All of it is bounded: by `MINE_MAX`, by the 4,096 people of a meeting, and by the number of revocations.
    """

    def __init__(self) -> None:
        self._mine: dict[int, _Mine] = {}
        #: For each index, the names of members who came in by it, in order.
        self._came: dict[int, list[str]] = {}
        self._by_leaf: dict[int, int] = {}
        #: For each index, the name of the last removed member who came in by it.
        self._removed: dict[int, str] = {}
        #: Revoked by a host (a removal's revocation is in the ledger as well).
        self.taken_back: set[int] = set()
        self._alarmed: set[int] = set()

    # -- new invites -------------------------------------------------------------------------------

    def first(self, host_public: bytes) -> None:
        """Record the open invite of a new meeting."""
        self._mine[0] = _Mine("", False, host_public)

    def make(self, label: str, single: bool, host_public: bytes, known: Iterable[int], rng: Rng) -> int:
        """Make an invite and return its index; `known` are indices that are in use already.

        `host_public` (32 bytes) is the host key in its link.

        CommandError if the label is too long or has control characters, or if there are too many invites.
        """
        if len(label.encode("utf-8", "surrogatepass")) > LABEL_MAX or not is_visible(label):
            raise CommandError(sentence("cannot.label", most=LABEL_MAX))
        if len(self._mine) >= MINE_MAX:
            raise CommandError(sentence("cannot.invites", most=MINE_MAX))
        taken = {i & ~SINGLE_USE for i in (*known, *self._mine, *self._came, *self.taken_back, 0, NO_INVITE)}
        drawn = (int.from_bytes(rng(2), "big") & ~SINGLE_USE for _ in range(_DRAWS))
        number = next((n for n in drawn if n not in taken), None)
        if number is None:
            raise CommandError(sentence("cannot.invites_all"))
        index = number | (SINGLE_USE if single else 0)
        self._mine[index] = _Mine(label, single, host_public)
        return index

    # -- recording -----------------------------------------------------------------------------------

    def enter(self, m: Membership) -> None:
        """Record a new membership: the ledger names the invites of the members before us."""
        self._by_leaf.clear()
        for leaf, index in m.ledger.invites:
            self._by_leaf[leaf] = index
            name = m.name(leaf)
            if leaf != m.own_leaf and name not in self._came.setdefault(index, []):
                self._came[index].append(name)

    def changed(self, roster: ev.Roster) -> None:
        """Record the members who joined and left by an adopted commit."""
        for member in roster.removed:
            index = self._by_leaf.pop(member.leaf, None)
            if index is not None and member.leaf not in roster.left and not roster.rejoined:
                self._removed[index] = member.name
        for member in roster.added:
            if member.invite is None:
                continue
            self._by_leaf[member.leaf] = member.invite
            if not roster.rejoined:
                self._came.setdefault(member.invite, []).append(member.name)

    def first_alarm(self, index: int) -> bool:
        """Return whether this is the first alarm about that invite: each is reported once."""
        new = index not in self._alarmed
        self._alarmed.add(index)
        return new

    # -- queries -------------------------------------------------------------------------------------

    def label(self, index: int) -> str | None:
        """Return our label, which may be empty; None for an invite that another host made."""
        mine = self._mine.get(index)
        return None if mine is None else mine.label

    def made_in(self, index: int) -> bytes | None:
        """Return the host key in the link of our own invite; None for an invite that another host made."""
        mine = self._mine.get(index)
        return None if mine is None else mine.host_public

    def came_in(self, index: int) -> str | None:
        """Return the name of the last member who came in by it; None without one."""
        names = self._came.get(index)
        return names[-1] if names else None

    def removed_with(self, index: int) -> str | None:
        """Return the name of the removed member who came in by it; None without one."""
        return self._removed.get(index)

    def known(self, index: int) -> bool:
        """Return whether there is anything to revoke: an own invite, or one that somebody has used."""
        return index in self._mine or index in self._came

    def rows(self, m: Membership) -> tuple[ev.InviteRow, ...]:
        """Return all known invites: our own in order of creation, then the others by index."""
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


def invite_name(index: int, label: str | None) -> Sentence:
    """Return the phrase that names an invite in a sentence."""
    if label:
        return sentence("invite.label", label=label, index=index)
    if index == 0:
        return sentence("invite.open")
    return sentence("invite.other" if label is None else "invite.number", index=index)
