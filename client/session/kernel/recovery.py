"""Recovery from a commit that we alone cannot read, or from a verdict that the others do not share.

Protocol section 6. A commit can pass every check and carry a path secret that is wrong for us alone. Then
this member sends nothing. The others' beats show whether the commit was void for them too; if not, we rejoin
with a ticket.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.monitor import Monitor

#: Seconds that a stuck member waits for the others' beats.
STUCK_WAIT: Final = 4.0
#: Seconds for which the others must be in a later epoch at our own slot before we accept it.
ASTRAY_WAIT: Final = 4.0


class Recovery(Feature):
    """Detects that we fell out of step, and chooses the recovery."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._since = 0.0
        self._blob = b""
        self._astray: float | None = None

    def stuck(self, blob: bytes, now: float) -> None:
        self._since, self._blob = now, blob

    def tick(self, now: float) -> None:
        room = self.room
        if room.needs_rejoin:
            return
        if room.stuck_at is None:
            self._consider_astray(now)
            return
        verdict = room.feature(Monitor).verdict_on_slot(room.stuck_at)
        if verdict == "void":
            room.pass_over(self._blob, now)
        elif verdict == "valid" or now - self._since > STUCK_WAIT:
            room.give_up()

    def _consider_astray(self, now: float) -> None:
        """Rejoin if the others are in a later epoch at our own slot: their verdict on a commit differs."""
        room = self.room
        level = room.server_slot == room.membership.journal.slot and room.ended is None
        if (
            not level
            or room.feature(Monitor).verdict_on_slot(room.membership.journal.slot, doubted=True) != "valid"
        ):
            self._astray = None
        elif self._astray is None:
            self._astray = now
        elif now - self._astray > ASTRAY_WAIT:
            room.give_up()
