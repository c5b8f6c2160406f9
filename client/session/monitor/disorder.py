"""Messages that the server has given in another order or under another number, or holds back."""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.client.session.monitor.ordering import Ordering
from snugroom.crypto.agreed.heartbeat import Heartbeat

#: Seconds for which messages that others have may be on their way to us.
BEHIND: Final = 10.0
#: The same in a mirrored meeting: the server that withholds a message does not delay the heartbeats. Only
#: time in which that server was heard counts: its network may have stalled, and the mirror's did not.
BEHIND_MIRRORED: Final = 4.0
#: Seconds, or beat intervals if they are longer, after which more members with messages that we lack are
#: news: the first to claim them may have lied.
NEWS: Final = (20.0, 3)


class Disorder:
    """Reports what `ordering` finds, once."""

    def __init__(self, room: Room, members: MemberTable) -> None:
        self._room = room
        self._members = members
        self.ordering = Ordering()
        self._disorder: set[int] = set()
        self._behind: set[int] = set()
        self._behind_at = 0.0
        self._behind_proven = False  # two members have reported the same
        self._contradicted = False

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self.ordering.forget(leaf)
        self._disorder.discard(leaf)
        self._behind.discard(leaf)

    def relayed(self, number: int, digest: bytes) -> None:
        """Process the number of a relay that has arrived, and H(blob)."""
        self.ordering.set_incarnation(self._room.incarnation or bytes(8))
        if not self.ordering.record(number, digest):
            if not self._contradicted:
                self._contradicted = True
                self._room.tell(sentences.alarm("reordered.renumbered"))
            return
        self._tell_disorder(self.ordering.check_waiting_claims())

    def heard(self, beat: Heartbeat, now: float) -> None:
        """Process the window of a member's beat."""
        leaf = beat.leaf
        if beat.incarnation != self._room.incarnation:
            if not self._room.membership.policy.servers:  # else `features.mirror` judges
                self._tell_disorder([leaf])  # a server broadcasts within one incarnation only
        elif self.ordering.check_claim(leaf, beat.relay, beat.window, now):
            self._tell_disorder([leaf])

    def _tell_disorder(self, leaves: list[int]) -> None:
        """Report members whose beats say that they were given other messages: one may lie, or be wrong."""
        new = [leaf for leaf in leaves if leaf not in self._disorder]
        known = len(self._disorder)
        self._disorder.update(new)
        if new and known < 2:
            key = "reordered" if len(self._disorder) == 1 else "reordered.proven"
            self._room.tell(sentences.alarm(key, who=self._members.names(self._disorder)))

    def judge(self, now: float) -> None:
        """Report messages that others have and that do not come, and when they have come."""
        mirrored = self._room.membership.policy.mirrored
        most = BEHIND_MIRRORED if mirrored else BEHIND
        connected = self._room.is_synced(now) and self._members.connected_for(now) > BEHIND
        heard = self._members.server_time(now, waits=mirrored and self.ordering.waits)
        behind = set(self.ordering.ahead_since(heard - most)) if connected else set()
        if mirrored and len(behind) == 1 and not self._behind and len(self._members.others) > 1:
            # The others' next heartbeats show whether it is one member's word alone.
            behind = set(self.ordering.ahead_since(heard - most - self._members.span((0.0, 1))))
        # A second member's word is news: the first may have lied. So is another one much later.
        late = not self._behind or now - self._behind_at > self._members.span(NEWS)
        second = len(behind) > 1 and not self._behind_proven
        if behind - self._behind and (late or second):
            self._behind_at, self._behind_proven = now, len(behind) > 1
            key = "reordered.held_back.proven" if self._behind_proven else "reordered.held_back"
            who, origin = self._members.names(behind), self._room.here.origin
            self._room.tell(sentences.alarm(key, who=who, origin=origin))
        elif self._behind and not behind and connected:
            self._behind_proven = False
            self._room.tell(sentences.status("cleared.messages"))
        if connected:
            self._behind = behind
