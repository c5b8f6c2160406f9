"""Hosts' acts that take no slot: reported to their author, and by its heartbeats to all members.

A server can refuse or swallow a host's commits, and so keep a removed member in the room (decision 43).
While a removal waits, its author seals nothing that the member to remove could read, and neither does
anybody who knows of it.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.client.session.kernel.intents import (
    AddIntent,
    HostReturnIntent,
    Intent,
    PolicyIntent,
    RemoveIntent,
)
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.crypto.agreed.heartbeat import PENDING_MAX, Act, Heartbeat, PendingAct

#: Seconds for which the server accepts no commit of ours before the acts that wait are reported.
OVERDUE: Final = 5.0
#: Seconds at the beginning of a connection that do not count: the way into step takes a moment.
ENTERING: Final = 2.0
#: Maximum seconds between two ticks that count: this machine may have slept.
TICK_MAX: Final = 1.0


class Pending:
    """Our acts that wait, and those that the others' heartbeats list."""

    def __init__(self, room: Room, members: MemberTable) -> None:
        self._room = room
        self._members = members
        self._since: dict[PendingAct, float] = {}  # our acts, and when each was decided
        self._refused_for = 0.0  # seconds for which the server has accepted none of our commits
        self._ticked: float | None = None
        self._entered_at: float | None = None
        self._away_told = False
        self._told: set[PendingAct] = set()  # our acts that were reported
        self._others: dict[int, tuple[PendingAct, ...]] = {}  # each host's, as of its last heartbeat
        self._names: dict[int, str] = {}

    def carry_over(self, old: Pending) -> None:
        """Take over from `old` after a rejoin: what was reported is reported once."""
        self._since, self._told, self._names = old._since, old._told, old._names

    # -- our acts ----------------------------------------------------------------------------------

    def acts(self) -> set[PendingAct]:
        """Return our acts that wait."""
        m = self._room.membership
        acts = set()
        for intent in self._room.waiting_intents:
            if isinstance(intent, HostReturnIntent) and not m.is_host(m.own_leaf):
                continue  # nobody has decided it
            done = isinstance(intent, RemoveIntent) and m.signature_key(intent.leaf) != intent.signature_key
            act = act_of(intent)
            if act is not None and not done:
                acts.add(act)
        return acts

    def overdue(self, *more: PendingAct) -> tuple[PendingAct, ...]:
        """Return our acts that have waited for too long, our request to be let in again, and `more`.

        Until a later commit of ours has ended that request, a member may carry it out, and the server keep
        that from us: then our heartbeats prove no thief (`replacements`).
        """
        m = self._room.membership
        own = (*((PendingAct(Act.REJOIN, m.own_leaf),) if m.rejoin_keys.has_requests else ()), *more)
        return (*sorted(self._told)[: PENDING_MAX - len(own)], *own)

    def committed(self) -> None:
        """A commit of ours was adopted: the server accepts them."""
        self._refused_for = 0.0

    def tick(self, now: float) -> bool:
        """Report acts that have waited for too long, and those that wait no more; return whether any did."""
        acts, m = self.acts(), self._room.membership
        self._since = {act: self._since.get(act, now) for act in acts}
        self._names.update({act.leaf: m.name(act.leaf) for act in acts if act.leaf or act.act is Act.REMOVE})
        passed = min(now - (self._ticked if self._ticked is not None else now), TICK_MAX)
        self._ticked = now
        room = self._room
        if room.server_slot is None:
            self._entered_at = None
        elif self._entered_at is None:
            self._entered_at = now
        elif acts and now - self._entered_at > ENTERING and self._is_up_to_the_server(now):
            self._refused_for += passed
        if not acts and not self._told:
            self._refused_for, self._away_told = 0.0, False
            return False
        removes = any(act.act is Act.REMOVE for act in acts)
        if not acts or (not removes and self._room.commits_wait(now)):
            self._refused_for = 0.0
        self._report_absence(now)
        over = self._told - acts
        late = {
            act
            for act, since in self._since.items()
            if now - since >= OVERDUE and self._refused_for >= OVERDUE
        }
        new = late - self._told
        self._told = (self._told & acts) | new
        for act in sorted(new):
            key = "pending.removal" if act.act is Act.REMOVE else "pending"
            self._room.tell(sentences.alarm(key, state=self._state(act), whom=self._name(act.leaf)))
        if over and not self._told:
            self._room.tell(sentences.status("cleared.accepted"))
        return bool(new or over)

    def _is_up_to_the_server(self, now: float) -> bool:
        """Whether nothing but the server keeps a commit of ours from being taken."""
        room = self._room
        if room.stuck_at is not None or room.needs_rejoin:
            return False  # a member may have caused that
        ahead = (room.server_slot or 0) > room.membership.journal.slot
        return room.is_synced(now) or room.is_unanswered or ahead

    def _report_absence(self, now: float) -> None:
        """Say once that an act waits because the server is away."""
        removals = [
            act for act, since in self._since.items() if act.act is Act.REMOVE and now - since >= OVERDUE
        ]
        if self._room.server_slot is not None or not removals:
            self._away_told = self._away_told and bool(removals)
        elif not self._away_told:
            self._away_told = True
            names = [self._name(act.leaf) for act in sorted(removals)]
            self._room.tell(sentences.status("waits_away", names=names))

    # -- the others' acts --------------------------------------------------------------------------

    def heard(self, beat: Heartbeat) -> None:
        """Process the acts in a host's heartbeat; acts of other members have no effect."""
        if not self._members.others.get(beat.leaf):
            self._forget_acts(beat.leaf)
            return
        m = self._room.membership
        here = {leaf for leaf, _, _ in m.members()} - {m.own_leaf, beat.leaf}
        acts = [act for act in beat.pending if act.act < Act.REJOIN]
        listed = tuple(act for act in acts if act.act is not Act.REMOVE or act.leaf in here)
        before = self._others.get(beat.leaf, ())
        who = self._members.name(beat.leaf)
        for act in listed:
            if act not in before:
                key = "pending.removal_by" if act.act is Act.REMOVE else "pending.by"
                whom = self._members.name(act.leaf)
                state = self._state(act)
                self._room.tell(sentences.alarm(key, who=who, state=state, whom=whom))
        if listed:
            self._others[beat.leaf] = listed
        else:
            self._forget_acts(beat.leaf)

    def adopted(self) -> None:
        """Forget others' removals of members that are gone."""
        m = self._room.membership
        for leaf, acts in list(self._others.items()):
            left = tuple(a for a in acts if a.act is not Act.REMOVE or m.signature_key(a.leaf) is not None)
            if left:
                self._others[leaf] = left
            else:
                self._forget_acts(leaf)

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self._forget_acts(leaf)

    def _forget_acts(self, leaf: int) -> None:
        if self._others.pop(leaf, None) is not None:
            self._room.tell(sentences.status("cleared.accepted_by", who=self._members.name(leaf)))

    # -- conclusions -------------------------------------------------------------------------------

    def to_remove(self) -> list[str]:
        """Return the names of the members whose removal waits, as far as we know."""
        leaves = {act.leaf for act in self.acts() if act.act is Act.REMOVE}
        leaves |= {act.leaf for acts in self._others.values() for act in acts if act.act is Act.REMOVE}
        return self._members.names(leaves) if leaves else []

    def _name(self, leaf: int) -> str:
        return self._names.get(leaf) or self._members.name(leaf)

    def _state(self, act: PendingAct) -> Sentence:
        """Say what an act would change, as it still is."""
        return sentence(f"pending.{act.act.name.lower()}", whom=self._name(act.leaf))


def act_of(intent: Intent) -> PendingAct | None:
    """Return the act of a host that an intent carries out; None if it is none."""
    match intent:
        case RemoveIntent(leaf):
            return PendingAct(Act.REMOVE, leaf)
        case AddIntent() | HostReturnIntent():
            return PendingAct(Act.ADMIT, 0)
        case PolicyIntent():
            return intent.act
    return None
