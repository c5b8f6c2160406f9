"""Recovery of a member that is, or is said to be, at another place than the others.

Protocol section 6. A commit can pass every check and carry a path secret that is wrong for us alone. Then
this member sends nothing. The others' beats show whether the commit was void for them too; if not, we rejoin
with a ticket.

The server can also claim a slot, or members can sign one, that the server does not hand over. Then this
member asks the others to let it in again, but keeps its membership: nobody has signed what the server says,
and if it yields, the membership goes on.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.large_room import Pace
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.monitor import Monitor

#: Seconds that a stuck member waits for the others' beats.
STUCK_WAIT: Final = 4.0
#: Seconds for which the others must be in a later epoch at our own slot before we accept it.
ASTRAY_WAIT: Final = 4.0
#: Seconds for which the server refuses to hand over the others' slot, or is silent about it, before we ask
#: the members to let us in again.
REFUSED_WAIT: Final = 2.0
SILENT_WAIT: Final = 10.0
#: Seconds between two requests for what is not handed over.
ASK_EVERY: Final = 3.0
#: Seconds of asking before we report that nobody answers.
UNANSWERED: Final = 30.0


class Recovery(Feature):
    """Detects that we fell out of step, and chooses the recovery."""

    def __init__(self, room: Room, now: float) -> None:
        super().__init__(room)
        self._since = 0.0
        self._blob = b""
        self._astray: float | None = None
        self._pace = Pace()
        #: Our slot, the server's if that is earlier (else 0), and since when they are apart.
        self._apart: tuple[int, int, float] | None = None
        self._asked_at = now
        self._waits_since: float | None = None  # since when the members do not let us in again
        self._told = False  # that we ask them, and nobody answers
        self._returns = False  # by an answer: the membership before told that it was out of step

    def carry_over(self, old: Room) -> None:
        self._returns = True  # nobody rejoins untold: see `Reentry.reason`

    def synced(self, now: float) -> None:
        if self._returns:
            self._returns = False
            self.room.tell(sentences.status("cleared.in_step"))

    def stuck(self, blob: bytes, now: float) -> None:
        self._since, self._blob = now, blob

    def resumed(self, now: float) -> None:
        if self.room.stuck_at is not None:
            self.room.pass_over(self._blob, now)
        self._apart = self._astray = None
        self.room.tell(sentences.status("cleared.in_step"))

    def tick(self, now: float) -> None:
        room = self.room
        self._tell_unanswered(now)
        if room.needs_rejoin:
            return
        if room.stuck_at is None:
            if self._pace.is_due(now, len(room.membership.members())):
                self._consider_astray(now)
            self._consider_reach(now)
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
        verdict = room.feature(Monitor).verdict_on_slot(room.membership.journal.slot, doubted=True)
        if not level or verdict == "void":
            self._astray = None
        elif verdict == "valid":
            self._astray = self._astray or now
            if now - self._astray > ASTRAY_WAIT:
                room.give_up()

    def _consider_reach(self, now: float) -> None:
        """Ask to be let in again while the members, or the server, stay at another slot than ours."""
        room, mine = self.room, self.room.membership.journal.slot
        claimed = room.server_slot
        if claimed is None:
            return  # not connected, or the room is not open: that is reported as such
        if room.is_shut_out(now):
            if not room.seeks_readmission:
                room.seek_readmission(True)
            return
        if claimed == mine and not room.feature(Monitor).is_ahead(now):
            if room.seeks_readmission:
                room.seek_readmission(False)
                room.tell(sentences.status("cleared.in_step"))
            self._apart = None
            return
        moved = claimed if claimed < mine else 0  # blobs are being handed over to the server
        if self._apart is None or self._apart[0] != mine or moved > self._apart[1]:
            self._apart = mine, moved, now
            self._asked_at = now
        waited = now - self._apart[2]
        if claimed >= mine and now - self._asked_at > ASK_EVERY:
            self._asked_at = now
            room.ask_again()
        if waited > (REFUSED_WAIT if room.out_of_reach else SILENT_WAIT) and not room.seeks_readmission:
            room.seek_readmission(True)

    def _tell_unanswered(self, now: float) -> None:
        """Report once that we wait outside for long, and what can have caused it."""
        if not self.room.seeks_readmission:
            self._waits_since, self._told = None, False
        elif self._waits_since is None:
            self._waits_since = now
        elif not self._told and now - self._waits_since > UNANSWERED:
            self._told = True
            form = "absent_unanswered" if self.room.absent_by else "unanswered"
            self.room.tell(sentences.alarm(f"rejoining.{form}", seconds=round(UNANSWERED)))
