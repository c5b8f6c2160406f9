"""Members whose programs have ended, by their own word: hosts remove them when they don't come back.

Their invites stay valid, and nobody is alarmed. Without that, people who close their pages would stay in the
tree for as long as the meeting lasts, and with them the meeting would lose the majority that confirms it.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.features.states import States
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import RemoveIntent

#: Seconds for which an absent member keeps its leaf; and while those who are left are no majority.
KEPT: Final = 60.0
KEPT_IN_A_CROWD: Final = 5.0
#: Seconds that each next host waits.
STEP: Final = 2.0
#: Seconds after its last word in which an absent member may still be heard: that was under way.
UNDER_WAY: Final = 3.0


class Absence(Feature):
    """Removes absent members where we are a host and it is our turn."""

    def absent(self, now: float) -> dict[int, float]:
        """Return the absent members by leaf, and since when: nobody has heard them since."""
        return {
            leaf: since
            for leaf, since in self.room.feature(States).away.items()
            if not self.room.heard_recently(leaf, now, since + UNDER_WAY)
        }

    def tick(self, now: float) -> None:
        room, m = self.room, self.room.membership
        if not m.is_host(m.own_leaf):
            return
        absent = self.absent(now)
        here = len(m.members()) - len(absent)
        kept = KEPT if here == 1 or here > len(absent) else KEPT_IN_A_CROWD
        for leaf, since in absent.items():
            if now - since > kept + STEP * room.rank:
                room.queue_once(RemoveIntent(leaf, m.signature_key(leaf) or b"", absent=True), now)
