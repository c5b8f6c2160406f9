"""Why nothing may be sealed, what is told of it, and what a person overrides (protocol section 7).

What holds is judged anew at each look, and each sentence about it is checked against that: nobody is told
that sound, video and messages no longer wait while anything holds them.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.freshness import ECHO, FRESH, LEASE, Beginning, Freshness
from snugroom.client.session.monitor.going_on import GoingOn
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.client.session.monitor.pending import Pending
from snugroom.client.session.monitor.withholding import Withholding
from snugroom.crypto.agreed.heartbeat import Heartbeat

#: Seconds on a new connection before lost freshness is reported (after coming in, a beat interval if longer):
#: the others beat when they see us.
RETURN: Final = (8.0, 1)
#: Age in seconds from which an answer of the lobby is called old, if nobody answers us in the room.
OLD_ANSWER: Final = 60.0
#: Seconds for which freshness must last before it is reported as restored.
STEADY: Final = 5.0
#: Seconds until another reason for the same pause is told.
ANOTHER: Final = 30.0
#: What holds, beside keys of members: nobody has answered us yet; the server says that it is ahead.
_NEW: Final = b"new"
_SERVER: Final = b"server"


class Holding:
    """One membership's reasons to seal nothing."""

    def __init__(self, room: Room, members: MemberTable, withholding: Withholding, pending: Pending) -> None:
        self._room = room
        self._members = members
        self._withholding = withholding
        self._pending = pending
        self._fresh = Freshness()
        self.beginning = Beginning(members.others)
        self._came_back = False  # our confirmations from before a rejoin still count for media
        self._answer_age = 0.0
        self._told = ""  # the alarm about lost freshness; empty: it is not lost, or was told as restored
        self._told_at = 0.0
        self._override: frozenset[bytes] | None = None  # what held when a person said to go on
        self._goes_on = False  # the person has said so, and nothing but a host's lease was missing
        self.going_on = GoingOn(members)
        self._overridden_removals: set[str] = set()  # members whose removal waits, and holds nothing

    def let_in(self, age: float, *, by_member: bool) -> None:
        """Record how old the answer was by which we came in (`Monitor.let_in`)."""
        self._answer_age = age
        if by_member:
            self.forget_confirmations()

    def forget_confirmations(self) -> None:
        """Seal nothing until the others have answered us here."""
        self._fresh = Freshness()

    def carry_over(self, old: Holding) -> None:
        """Take over from `old` after a rejoin of ours, which ends an override: others may be here now."""
        self._came_back = True
        self.forget_confirmations()
        was = {old._room.membership.signature_key(leaf): leaf for leaf in old._members.others}
        for leaf in self._members.others:
            known = was.get(self._room.membership.signature_key(leaf))
            if known is not None:
                self._fresh.carry_over(old._fresh, leaf, known)
        self._told, self._told_at = old._told if old._override is None else "", old._told_at

    # -- confirmations -----------------------------------------------------------------------------

    def adopted(self, change: Change) -> None:
        """Process a commit. A new listener ends an override; a member that comes in again is not new."""
        leases = [0.0]
        for leaf, _, key in change.removed:
            lease = self._fresh.forget(leaf)
            if key in change.policy_before.hosts:
                leases.append(lease)
            self.going_on.forget(leaf)
            self.beginning.forget(leaf, self._members.others)
        for leaf, _, _ in change.added:  # a host comes in again: what it said before counts as long as before
            self._fresh.confirm(leaf, 0.0, max(leases))
        if (change.added or change.removed) and not change.rejoined:
            self._end_override()

    def came_in(self, leaf: int, now: float) -> None:
        """A member that comes in later than we counts as confirmed for a while; it gives no lease by that."""
        self._fresh.confirm(leaf, now + self._members.span(FRESH), 0.0)

    def confirm(self, beat: Heartbeat, over: float | None, answered: float | None, now: float) -> None:
        """Extend a member's confirmation by its beat.

        `over`: when the beat's epoch ended, if it has. `answered`: when we sent the beat that it
        acknowledges.
        """
        if beat.acknowledged(self._room.membership.own_leaf):
            self.beginning.answered(beat.leaf, self._members.others)
        elif beat.leaf in self.beginning.before_us:
            return  # it may be from before we came in
        if answered is not None:
            until = min(now, now if over is None else over) + self._members.span(FRESH)
            lease = answered + self.lease if beat.acknowledged(self._room.membership.own_leaf) else 0.0
            self._fresh.confirm(beat.leaf, min(until, answered + self._members.span(ECHO)), lease)

    def doubt(self, leaf: int) -> None:
        """A member's beat is not of our history: a host's lease ends with it."""
        self._fresh.end_lease(leaf)

    def is_fresh(self, now: float) -> bool:
        """Return whether more than half of all confirm our epoch, and a host has, not too long ago."""
        return self._until > now

    @property
    def _until(self) -> float:
        return self._fresh.until(self._members.others, host=self._members.host)

    @property
    def lease(self) -> float:
        """Seconds for which a member goes on at most after the last word of a host, even if it comes late."""
        fresh = self._members.span(FRESH)
        return fresh if self._room.membership.policy.strict else max(LEASE, fresh)

    # -- what holds --------------------------------------------------------------------------------

    def hold_reason(self, now: float) -> str | None:
        """Return why messages may not be sealed; None: they may."""
        return self._reason(now, new=not self.beginning.over)

    def pause_reason(self, now: float) -> str | None:
        """Return why sound and video may not be sealed; None: they may."""
        return self._reason(now, new=self._is_new)

    def _reason(self, now: float, *, new: bool) -> str | None:
        """Return why nothing may be sealed; `new`: nobody has answered us yet, and that counts."""
        removals = self._pending.to_remove()
        if set(removals) - self._overridden_removals:
            return sentence("watch.held_removal", names=removals)
        return None if self._override is not None else self._doubt(now, new=new)

    def _doubt(self, now: float, *, new: bool) -> str | None:
        """Return why it is unknown who reads what we seal; None if it is known."""
        if new:
            return sentence("watch.paused_new")
        fresh = self.is_fresh(now)
        if self._withholding.server_withholds:
            return sentence("watch.paused_withheld")
        strong, alone = self._withholding.stop(now, fresh=fresh)
        if strong or alone:
            return sentence("watch.paused_claim", who=self._members.names([*strong, *alone]))
        return None if fresh else sentence(f"watch.paused_{self._lacking(now)}")

    def _lacking(self, now: float) -> str:
        """Return the name of what is missing for freshness, in keys of sentences."""
        no_host, few = self._fresh.lacks(self._members.others, now, host=self._members.host)
        return "stale" if not no_host else "no_host_few" if few else "no_host"

    def _holds(self, now: float) -> tuple[set[bytes], set[bytes]]:
        """Return what holds: keys of members and `_NEW`, `_SERVER`; and the keys that hold for a moment."""
        fresh = self.is_fresh(now)
        strong, alone = self._withholding.stop(now, fresh=fresh)
        holds = self._keys(strong)
        if self._withholding.server_withholds:
            holds.add(_SERVER)
        if not self.beginning.over:
            holds.add(_NEW)
        elif not fresh:
            holds |= self._keys(self._fresh.missing(self._members.others, now))
        return holds, self._keys(alone)

    def _keys(self, leaves: list[int]) -> set[bytes]:
        keys = (self._room.membership.signature_key(leaf) for leaf in leaves)
        return {key for key in keys if key is not None}

    # -- an override -------------------------------------------------------------------------------

    def override(self, now: float) -> None:
        """Go on although the listeners are unknown (`Monitor.override`)."""
        if self.hold_reason(now) is None:
            raise CommandError(sentence("cannot.not_paused"))
        self._overridden_removals = set(self._pending.to_remove())
        holds, alone = self._holds(now)
        if holds or alone:
            self._override = frozenset(holds | alone)
            self._goes_on = self._lacks_only_a_host(now)
        if not (self.beginning.over and self.is_fresh(now)):
            self._told = self._told or self._stale_key(now)  # this person knows
        why = self._room.pause_reason(now)
        if why is None:
            self._room.tell(sentences.status("override"))
        else:  # the program is out of step, or away: nobody can decide that
            self._room.tell(sentences.status("override.messages", why=why))

    def _end_override(self) -> None:
        """End an override: what holds still is told anew."""
        if self._override is not None:
            self._override, self._told = None, ""

    @property
    def goes_on(self) -> bool:
        """Whether our person goes on without the hosts: others may follow."""
        return self._goes_on and self._override is not None

    def _lacks_only_a_host(self, now: float) -> bool:
        """Return whether nothing holds but that no host's lease does."""
        if not self.beginning.over or self.is_fresh(now) or self._pending.to_remove():
            return False
        strong, alone = self._withholding.stop(now, fresh=False)
        lacks_host = self._lacking(now) == "no_host"
        return lacks_host and not (self._withholding.server_withholds or strong or alone)

    def _follow(self, now: float) -> None:
        """Go on without the hosts, as the persons of more than half do."""
        holds, _ = self._holds(now)
        self._override, self._goes_on = frozenset(holds), False
        self._told, self._told_at = self._told or self._stale_key(now), now
        hosts = [leaf for leaf, host in self._members.others.items() if host]
        self._room.tell(sentences.status("override.follows", who=self._members.names(hosts)))

    # -- findings ----------------------------------------------------------------------------------

    def tick(self) -> None:
        """Forget overridden removals that wait no more."""
        self._overridden_removals &= set(self._pending.to_remove())

    def judge(self, now: float) -> None:
        """Report lost freshness, and when it is back; end an override that is needed no more, or outdated."""
        holds, alone = self._holds(now)
        if self._override is not None and holds - self._override:
            self._end_override()  # something else holds now: that has to be decided anew
        if self._override is None and self.going_on.is_most and self._lacks_only_a_host(now):
            self._follow(now)
        if self._is_new or not self.is_fresh(now):
            self._judge_stale(now)
        elif not self._told:
            if not holds | alone:
                self._override = None
        elif self._is_steady(now) and self._flows(now):
            self._told, self._override = "", None
            self._room.tell(sentences.status("cleared.fresh"))

    def _is_steady(self, now: float) -> bool:
        """Return whether freshness lasts: an old beat of ours may have been confirmed, and no newer one."""
        return self._until >= now + STEADY

    def _flows(self, now: float) -> bool:
        """Return whether nothing holds any more, and the override is not needed for that."""
        if self._doubt(now, new=not self.beginning.over) is not None:
            return False
        return self._room.hold_reason(now) is None and self._room.pause_reason(now) is None

    def _judge_stale(self, now: float) -> None:
        members = self._members
        patience = members.span(RETURN) if self._is_new else RETURN[0]
        if self._override is not None or members.connected_for(now) <= patience:
            return
        key = self._stale_key(now)
        if key == self._told or (self._told and now - self._told_at < ANOTHER):
            return
        self._told, self._told_at = key, now
        missing = self._fresh.missing(members.others, now)
        if self._is_new:
            missing = self.beginning.missing(members.others)
        elif key == "stale.no_host":
            missing = [leaf for leaf in missing if members.others[leaf]]
        minutes = {"minutes": round(self._answer_age / 60)} if key == "stale.old_answer" else {}
        self._room.tell(sentences.alarm(key, who=members.names(missing), **minutes))

    def _stale_key(self, now: float) -> str:
        """Return the key of the alarm that says what is missing."""
        if self._is_new:
            return "stale.new" if self._answer_age < OLD_ANSWER else "stale.old_answer"
        lacking = self._lacking(now)
        return lacking if lacking == "stale" else f"stale.{lacking}"

    @property
    def _is_new(self) -> bool:
        """Whether we have come in, for the first time, and nobody has answered us yet."""
        return not (self.beginning.over or self._came_back)
