"""Members whose programs have ended: hosts remove them when they don't come back.

A member is absent by its own word, or because nothing was ever heard of it: it left before it had its answer.
Its invite stays valid, its ticket lets it in again (SNUG-8), and nobody is alarmed. Without that, people who
close their pages would stay in the tree for as long as the meeting lasts, and with them it would lose
the majority that confirms it.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.features.states import States
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import RemoveIntent, WithdrawIntent
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto.agreed.room_state import Identity

#: Seconds for which an absent member keeps its leaf; and while those who are left are no majority.
KEPT: Final = 60.0
KEPT_IN_A_CROWD: Final = 5.0
#: Seconds that each next host waits.
STEP: Final = 2.0
#: Seconds after its last word in which an absent member may still be heard: that was under way.
UNDER_WAY: Final = 3.0
#: Seconds for which a newcomer keeps its leaf of which nothing is heard on a connection of ours.
UNHEARD: Final = 180.0
#: Seconds after which hosts are told of it: it may have found no place in the room.
NOT_IN: Final = 15.0


class Absence(Feature):
    """Removes absent members where we are a host and it is our turn."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        #: Newcomers of which nothing was heard yet, and since when we listen.
        self._unheard: dict[int, float] = {}
        self._told: set[int] = set()

    def adopted(self, change: Change, now: float) -> None:
        for leaf, _, _ in change.removed:
            self._unheard.pop(leaf, None)
            self._told.discard(leaf)
        self._unheard |= dict.fromkeys((leaf for leaf, _, _ in change.added), now)

        if change.withdrawn:
            by = self.room.membership.name(change.by)
            self.room.tell(sentences.status("withdrawn", by=by, names=list(change.withdrawn)))

    def withdraw(self, name: str, now: float) -> None:
        """End the way back of the absent member with that name, as a host.

        CommandError if nobody with that name has one, or if we are not a host.
        """
        self.room.host_only()
        away = [e for e in self.room.membership.ledger.away if Identity.decode(e.identity).name == name]
        if not away:
            raise CommandError(sentence("cannot.nobody_away", name=name))
        for each in away:
            self.room.queue_once(WithdrawIntent(each.signature_key), now)

    def synced(self, now: float) -> None:
        self._unheard = dict.fromkeys(self._unheard, now)

    def absent(self, now: float) -> dict[int, float]:
        """Return the absent members by leaf, and since when: nobody has heard them since."""
        return {
            leaf: since
            for leaf, since in self.room.feature(States).away.items()
            if not self.room.heard_recently(leaf, now, since + UNDER_WAY)
        }

    def tick(self, now: float) -> None:
        room, m = self.room, self.room.membership
        unheard = self._never_heard(now)
        if not m.is_host(m.own_leaf):
            return
        self._tell_not_in(now)
        absent = self.absent(now)
        here = len(m.members()) - len(absent)
        kept = KEPT if here == 1 or here > len(absent) else KEPT_IN_A_CROWD
        for leaf, since in absent.items():
            if now - since > kept + STEP * room.rank:
                self._remove(leaf, now)
        for leaf, since in unheard.items():
            if room.is_synced(now) and now - since > UNHEARD + STEP * room.rank:
                self._remove(leaf, now)

    def _never_heard(self, now: float) -> dict[int, float]:
        heard = [leaf for leaf, at in self._unheard.items() if self.room.heard_recently(leaf, now, at)]
        for leaf in heard:
            del self._unheard[leaf]
        return self._unheard

    def _tell_not_in(self, now: float) -> None:
        """Tell of newcomers that have not been heard: a full room has no place for them (G7)."""
        m = self.room.membership
        late = {leaf for leaf, since in self._unheard.items() if now - since > NOT_IN} - self._told
        if late and self.room.is_synced(now):
            self._told |= late
            who = [m.name(leaf) for leaf in sorted(late)]
            self.room.tell(sentences.status("not_in", who=who, minutes=int(UNHEARD // 60)))

    def _remove(self, leaf: int, now: float) -> None:
        key = self.room.membership.signature_key(leaf) or b""
        self.room.queue_once(RemoveIntent(leaf, key, absent=True), now)
