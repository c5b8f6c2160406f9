"""Recovery from a commit that we alone cannot read, or from a verdict that the others do not share.

Protocol section 6. A commit can pass every check and carry a path secret that is wrong for us alone. Then
this member sends nothing. The others' beats show whether the commit was void for them too; if not, we rejoin
with a ticket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.membership import Stuck
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.server.wire import messages as wire

if TYPE_CHECKING:
    from snugroom.client.session.kernel.room import RoomSession
    from snugroom.client.session.kernel.room_connection import RoomConnection

#: Seconds that a stuck member waits for the others' beats, or for a host's new gate.
STUCK_WAIT: Final = 4.0
#: Seconds for which the others must be in a later epoch at our own slot before we accept it.
ASTRAY_WAIT: Final = 4.0


class Recovery(Feature):
    """Detects that we fell out of step, and chooses the recovery."""

    def __init__(self, room: RoomSession) -> None:
        super().__init__(room)
        self._since = 0.0
        self._blob = b""
        self._astray: float | None = None

    def begin(self, verdict: Stuck, blob: bytes, now: float) -> None:
        """Stop at a commit in the next slot that breaks no rule and that we cannot read."""
        room = self.room
        room.stuck_at = room.m.journal.slot + 1
        self._since, self._blob = now, blob
        room.tell(sentences.stuck(room.author_name(verdict.author)))

    def show(self, connection: RoomConnection) -> None:
        """Show the pass that we have: hosts that find the slot void set its gate to that pass."""
        connection.shown = connection.refused_at = None
        connection.showing = self.room.stuck_at
        self.room.send(wire.Show(self.room.m.journal.room_pass))

    def tick(self, now: float) -> None:
        room = self.room
        if room.needs_rejoin:
            return
        if room.stuck_at is None:
            self._consider_astray(now)
            return
        connection = room.connection
        verdict = room.feature(Monitor).verdict_on_slot(room.stuck_at)
        regated = (
            connection is not None and connection.shown is not None and connection.shown >= room.stuck_at
        )
        if regated or verdict == "void":
            slot, room.stuck_at = room.stuck_at, None
            room.m.void(self._blob)
            if connection is not None and not regated:
                connection.shown = connection.showing = None
            for feature in room.features_with("voided"):
                feature.voided(slot, None, now)
        elif verdict == "valid" or now - self._since > STUCK_WAIT:
            room.needs_rejoin = True

    def _consider_astray(self, now: float) -> None:
        """Rejoin if the others are in a later epoch at our own slot: their verdict on a commit differs."""
        room = self.room
        level = room.server_slot == room.m.journal.slot and room.ended is None
        if not level or room.feature(Monitor).verdict_on_slot(room.m.journal.slot, doubted=True) != "valid":
            self._astray = None
        elif self._astray is None:
            self._astray = now
        elif now - self._astray > ASTRAY_WAIT:
            room.needs_rejoin = True
