"""Changes of the room that others have and the server keeps from us, and histories that differ from ours."""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.claims import DOUBT, TOLD_AGAIN, Claim, Claims, Signer, Stopping
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.crypto.agreed.heartbeat import Heartbeat

#: Seconds for which a change may be on its way to us while others have it, and the server is heard.
WITHHELD: Final = 3.0
#: Seconds for which further claims are awaited, for one alarm.
GATHER: Final = 1.0


class Withholding:
    """Compares the slots and chains in the members' beats, and the server's slot, with our history."""

    def __init__(self, room: Room, members: MemberTable) -> None:
        self._room = room
        self._members = members
        self._claims = Claims(room, members)
        self._server_ahead: float | None = None
        self._server_withholds = False
        # reported so far
        self._reported = False
        self._reported_at = 0.0
        self._proven = False  # two members have reported the same
        self._server_told = False
        self._arrived = False  # a change that was reported

    def carry_over(self, old: Withholding, now: float) -> None:
        """Take over from `old` after a rejoin of ours: it makes no claim true, and none is told twice."""
        self._claims.carry_over(old._claims, now)
        self._reported, self._reported_at = old._reported, old._reported_at
        self._proven, self._server_told, self._arrived = old._proven, old._server_told, old._arrived
        self.check_claims(self._room.membership.journal.slot, now)

    def lost(self) -> None:
        """Forget the server's slot: the connection is lost."""
        self._server_ahead = None

    def adopted(self, change: Change, now: float) -> None:
        """Process a commit: who has left claims nothing more, and who has come in again has our history."""
        self._claims.adopted(change, now)
        self.check_claims(self._room.membership.journal.slot, now)

    def agrees(self, beat: Heartbeat, now: float) -> bool:
        """Process the slot and chain of a beat; return whether they are in our history, as far as we know."""
        journal = self._room.membership.journal
        if beat.slot > journal.slot:
            self._claims.add(beat, now)
            return False
        known = self._claims.known(beat.leaf)
        if known is not None:
            known.end_claim(now)
        chain = journal.chains.get(beat.slot)
        if chain is not None and chain != beat.chain:
            self._report_fork(self._claims.of(beat.leaf), beat.slot, now)
            return False
        return True

    def check_claims(self, slot: int, now: float) -> None:
        """Check the claims of members that were ahead, now that this slot has been judged."""

        def told(signer: Signer, claim: Claim, true: bool | None) -> None:
            if true is False:
                self._report_fork(signer, claim.slot, now)
            elif claim.told:
                self._arrived = True

        self._claims.past(now, slot, told)

    def contradicts(self, leaf: int) -> bool:
        """Two beats of a member contradict each other; return whether that is news."""
        signer = self._claims.of(leaf)
        new, signer.contradicts = not signer.contradicts, True
        return new

    def _report_fork(self, signer: Signer, slot: int, now: float) -> None:
        if signer.forked:
            return
        signer.forked = True
        if now - signer.fork_told < TOLD_AGAIN:
            return  # it has come in again, and reports another one
        signer.fork_told = now
        told = [each.leaf for each in self._claims.all() if now - each.fork_told < TOLD_AGAIN]
        if len(told) <= 2:  # one may lie; more than two add nothing
            self._room.tell(sentences.two_stories(slot, self._members.names(told)))

    def ahead(self, now: float) -> dict[int, Claim]:
        """Return the claims, by leaf, of slots that have not come here for a while."""
        standing = self._claims.standing()
        heard = self._members.server_time(now, waits=bool(standing))
        connected = self._members.connected_for(heard)
        return {
            each.leaf: each.claim
            for each in standing
            if each.claim is not None and min(heard - each.claim.since, connected) > WITHHELD
        }

    @property
    def server_withholds(self) -> bool:
        """Whether the server says that it is ahead, and hands nothing over."""
        return self._server_withholds

    def stop(self, now: float, *, fresh: bool) -> Stopping:
        """Return the leaves of the members whose claims stop us (`Claims.stop`)."""
        return self._claims.stop(now, fresh=fresh)

    def _has_waited(self, now: float) -> bool:
        """Return whether the first claim is so old that others should have followed."""
        claims = (signer.claim for signer in self._claims.standing())
        return any(claim is not None and now - claim.since > WITHHELD + GATHER for claim in claims)

    def _to_tell(self, ahead: dict[int, Claim], now: float) -> dict[int, Claim]:
        """Return the claims that are worth a sentence: one member's alone is told once in a while."""
        if len(ahead) > 1:
            return ahead
        return {
            leaf: claim
            for leaf, claim in ahead.items()
            if claim.told
            or self._members.others.get(leaf)
            or now - self._claims.of(leaf).claim_told > TOLD_AGAIN
        }

    def judge(self, now: float) -> None:
        """Report a change that does not come, and when it has come."""
        room, mine = self._room, self._room.membership.journal.slot
        server = room.server_slot if room.stuck_at is None and not room.needs_rejoin else None
        self._server_ahead = (self._server_ahead or now) if server is not None and server > mine else None
        late = self._server_ahead is not None and now - self._server_ahead > WITHHELD
        # Our server withholds nothing that came about in another room.
        here = {leaf: c for leaf, c in self.ahead(now).items() if c.incarnation == room.incarnation}
        if room.stuck_at is not None or room.seeks_readmission:
            return
        standing = self._claims.standing()
        if len(here) == 1 and len(standing) > 1 and not self._has_waited(now):
            return  # others follow in a moment: one alarm
        ahead = self._to_tell(here, now)
        # Later claims are no news, unless the first claim has stood alone for long, or they prove it.
        more = not self._reported or now - self._reported_at > DOUBT or not self._proven
        news = more and any(not claim.told for claim in ahead.values())
        self._proven = len(ahead) > 1 or (bool(ahead) and self._proven)
        self._server_withholds = late
        stands = any(each.claim is not None and each.claim.told for each in standing)
        if news or (late and not self._reported):
            self._reported, self._reported_at, self._server_told = True, now, not news
            self._tell(ahead if news else {})
        elif self._reported and server == mine and (self._arrived or not stands):
            came = self._arrived or self._server_told
            room.tell(sentences.status("cleared.handed_over" if came else "cleared.claims"))
            self._reported = self._proven = self._server_told = self._arrived = False
        for leaf, claim in ahead.items():
            claim.told, self._claims.of(leaf).claim_told = True, now

    def _tell(self, ahead: dict[int, Claim]) -> None:
        room = self._room
        if not ahead:  # an opening is the server's word too, and a host or former host can have signed it
            room.tell(sentences.alarm("withheld.server", slot=room.server_slot or 0))
            return
        slot = min(claim.slot for claim in ahead.values())  # all of them have signed that they have this one
        host = any(self._members.others.get(leaf) for leaf in ahead)
        key = "withheld.proven" if len(ahead) > 1 else "withheld.host" if host else "withheld"
        room.tell(sentences.alarm(key, slot=slot, who=self._members.names(ahead), origin=room.here.origin))
