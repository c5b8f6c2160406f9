"""Members whose persons go on without the hosts that are not heard, as they sign (protocol section 7)."""

from __future__ import annotations

from typing import Final

from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.crypto.agreed.heartbeat import Act, Heartbeat, PendingAct

#: In the heartbeats of whoever goes on.
GO_ON: Final = PendingAct(Act.GO_ON, 0)


class GoingOn:
    """The others who go on, as of their last heartbeats of our history."""

    def __init__(self, members: MemberTable) -> None:
        self._members = members
        self._leaves: set[int] = set()

    def heard(self, beat: Heartbeat) -> None:
        """Process a heartbeat of our history."""
        if GO_ON in beat.pending:
            self._leaves.add(beat.leaf)
        else:
            self._leaves.discard(beat.leaf)

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self._leaves.discard(leaf)

    @property
    def is_most(self) -> bool:
        """Whether they are more than half of all members: then the others' programs follow."""
        others = self._members.others
        return 2 * len(self._leaves & others.keys()) > 1 + len(others)
