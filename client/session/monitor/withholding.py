"""Changes of the room that others have and the server keeps from us, and histories that differ from ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.crypto.agreed.heartbeat import Heartbeat

#: Seconds for which a change may be on its way to us while others have it, and the server is heard.
WITHHELD: Final = 3.0
#: Seconds for which further claims are awaited, for one alarm.
GATHER: Final = 1.0
#: Seconds for which a single member's claim of a later slot stops us, while all others are with us.
DOUBT: Final = 15.0


@dataclass
class _Ahead:
    """A member that has signed a slot that we have not reached, in that room at a server (8 bytes)."""

    slot: int
    chain: bytes
    incarnation: bytes
    since: float


class Withholding:
    """Compares the slots and chains in the members' beats, and the server's slot, with our history."""

    def __init__(self, room: Room, members: MemberTable) -> None:
        self._room = room
        self._members = members
        self._ahead: dict[int, _Ahead] = {}
        self._server_ahead: float | None = None
        # reported so far
        self._withheld: set[int] = set()
        self._withheld_at = 0.0
        self._proven = False  # two members have reported the same
        self._server_withholds = False
        self._fork_reporters: set[int] = set()

    @property
    def is_reported(self) -> bool:
        """Whether a change is withheld and was reported."""
        return bool(self._withheld) or self._server_withholds

    def lost(self) -> None:
        """Forget the server's slot: the connection is lost."""
        self._server_ahead = None

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self._ahead.pop(leaf, None)
        self._withheld.discard(leaf)
        self._fork_reporters.discard(leaf)

    def agrees(self, beat: Heartbeat, now: float) -> bool:
        """Process the slot and chain of a beat; return whether they are in our history, as far as we know."""
        leaf, journal = beat.leaf, self._room.membership.journal
        if beat.slot > journal.slot:
            ahead = self._ahead.setdefault(leaf, _Ahead(beat.slot, beat.chain, beat.incarnation, now))
            ahead.slot, ahead.chain, ahead.incarnation = beat.slot, beat.chain, beat.incarnation
            return False
        self._ahead.pop(leaf, None)
        known = journal.chains.get(beat.slot)
        if known is not None and known != beat.chain:
            self._report_fork(leaf, beat.slot)
            return False
        return True

    def check_claims(self, slot: int) -> None:
        """Check the claims of members that were ahead, now that this slot has been judged."""
        for leaf, ahead in list(self._ahead.items()):
            if ahead.slot <= slot:
                del self._ahead[leaf]
                known = self._room.membership.journal.chains.get(ahead.slot)
                if known is not None and known != ahead.chain:
                    self._report_fork(leaf, ahead.slot)

    def _report_fork(self, leaf: int, slot: int) -> None:
        if leaf in self._fork_reporters:
            return
        self._fork_reporters.add(leaf)
        if len(self._fork_reporters) <= 2:  # one may lie; more than two add nothing
            self._room.tell(sentences.two_stories(slot, self._members.names(self._fork_reporters)))

    def ahead(self, now: float) -> set[int]:
        """Return the members that have signed, for a while, a slot that does not come here."""
        heard = self._members.server_time(now, waits=bool(self._ahead))
        connected = self._members.connected_for(heard)
        ahead = {leaf for leaf, a in self._ahead.items() if min(heard - a.since, connected) > WITHHELD}
        return ahead - self._fork_reporters

    def pauses(self, now: float, *, fresh: bool) -> bool:
        """Return whether media must wait for a change; `fresh`: enough members have confirmed our epoch."""
        # A member with another chain than ours pauses nothing.
        ahead = [a for leaf, a in self._ahead.items() if leaf not in self._fork_reporters]
        doubt = any(now - a.since < DOUBT or not fresh for a in ahead)
        return doubt or self._server_withholds

    def _has_waited(self, now: float) -> bool:
        """Return whether the first claim is so old that others should have followed."""
        return any(now - a.since > WITHHELD + GATHER for a in self._ahead.values())

    def judge(self, now: float) -> bool:
        """Report a change that does not come, and when it has come; return whether there was an alarm."""
        room = self._room
        entered = room.server_slot is not None and room.stuck_at is None and not room.needs_rejoin
        if entered and (room.server_slot or 0) > room.membership.journal.slot:
            self._server_ahead = self._server_ahead or now
        else:
            self._server_ahead = None
        late = self._server_ahead is not None and now - self._server_ahead > WITHHELD
        # Our server withholds nothing that came about in another room.
        ahead = {leaf for leaf in self.ahead(now) if self._ahead[leaf].incarnation == room.incarnation}
        if room.stuck_at is not None or room.seeks_readmission:
            return False
        told = self.is_reported
        proven = len(ahead) > 1
        if ahead and not proven and len(self._ahead) > 1 and not self._has_waited(now):
            return False  # others follow in a moment: one alarm
        # Later claims are no news, unless the first claim has stood alone for long, or they prove it.
        news = not told or (ahead - self._withheld and (now - self._withheld_at > DOUBT or not self._proven))
        self._proven = proven or (bool(ahead) and self._proven)
        alarm = bool((ahead or late) and news)
        if alarm:
            self._withheld_at = now
            slot = max([a.slot for a in self._ahead.values()] + [room.server_slot or 0])
            if ahead:
                key, who = "withheld.proven" if proven else "withheld", self._members.names(ahead)
                room.tell(sentences.alarm(key, slot=slot, who=who, origin=room.here.origin))
            else:  # an opening is the server's word too, and a host or former host can have signed it
                room.tell(sentences.alarm("withheld.server", slot=slot))
        elif told and not ahead and not late:
            room.tell(sentences.status("cleared.handed_over"))
        self._withheld, self._server_withholds = ahead, late
        return alarm
