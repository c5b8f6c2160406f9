"""A second connection, to the meeting's room at a further server: for heartbeats alone (protocol section 12).

It opens that room, shows passes, hands over the commits that have come, and carries broadcasts. Nothing that
its server says has any effect on the membership: a heartbeat counts because a member has signed it.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.kernel import backoff
from snugroom.client.session.kernel.door import Door
from snugroom.client.session.kernel.journal import Entry
from snugroom.client.session.kernel.place import Place
from snugroom.client.session.kernel.places import PlaceRoom
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.room_connection import RoomConnection
from snugroom.crypto.entry import invite
from snugroom.wire import messages as wire
from snugroom.wire.limits import OPEN_WAIT

#: Seconds at most between two tries to connect.
RETRY_MAX: Final = 30.0
#: Seconds between two tries to open the room, and to hand over the same commit.
AGAIN: Final = 3.0
#: Seconds for which a commit is left to the member whose turn it is to hand it over, and per further member.
TURN: Final = 0.5
TURN_STEP: Final = 0.05
#: Slots by which that room may be behind us. If it is further behind, a host opens it anew.
BEHIND_MAX: Final = 3


class SecondRoom:
    """One such connection.

    `place`: None where the meeting began. `departure`: the place is that of before the departure with this
    slot. `opens`: whether it opens a room there that nobody has opened.
    """

    def __init__(
        self,
        room: Room,
        endpoint: ev.Endpoint,
        place: Place | None,
        now: float,
        departure: int | None = None,
        *,
        opens: bool = True,
    ) -> None:
        self.endpoint = endpoint
        #: How heartbeats name that room, 8 bytes; None before we first entered.
        self.incarnation: bytes | None = None
        #: Whether the departure itself is handed over there as well: to members from whom it was withheld.
        self.hands_over_departure = False
        self._room = room
        self.here = PlaceRoom(room, place)
        self._door = Door(room, self.here, founds=False)
        self._opens = opens
        self._departure = departure
        self._connection: RoomConnection | None = None
        self._slot: int | None = None
        self._behind_since: float | None = None
        self._entered_at = now
        self._failures = 0
        self._connect_at: float | None = now

    # -- for the mirror ------------------------------------------------------------------------------

    def departs(self, slot: int) -> None:
        """The commit of that slot is a departure: it is not handed over to this place, which it leaves."""
        self._departure = slot

    @property
    def is_ready(self) -> bool:
        """Whether the room there has our history, and our pass fits."""
        c = self._connection
        return c is not None and self._slot == self._last and c.shown is not None and c.shown >= self._last

    def broadcast(self, blob: bytes) -> None:
        """Broadcast a blob to all that are connected there, if we may."""
        c = self._connection
        if c is not None and c.shown is not None and c.shown >= (self._slot or 0) - 1:
            self._send(wire.Broadcast(blob))

    def close(self) -> None:
        """Close the connection for good."""
        self._room.perform(ev.Disconnect(self.endpoint))

    # -- inputs ----------------------------------------------------------------------------------------

    def lost(self, now: float) -> None:
        """Handle a lost or failed connection."""
        self._connection, self._slot = None, None
        self._connect_at = now + backoff.delay(self._failures, self._room.rng, RETRY_MAX)
        self._failures += 1

    def tick(self, now: float) -> None:
        """Do the work that is due at `now`."""
        if self._connect_at is not None and now >= self._connect_at:
            self._connect_at = None
            self._room.perform(ev.Connect(self.endpoint, origin=self.here.elsewhere))
        self._step(now)

    def received(self, message: wire.ServerMessage, now: float) -> bytes | None:
        """Process a message of that server; return a blob that a member has broadcast there."""
        connection = self._connection
        match self.here.incoming(message):
            case wire.Challenge() as challenge if connection is None:
                self._connection = RoomConnection(challenge.nonce, challenge.server_key)
                door = self._door.message(challenge, now)
                if door is not None:
                    self._send(door)
            case wire.MovedTo():
                self._connection = None  # `Redirects` connects to another node
            case wire.Permit(permit):
                self._door.given(permit)
            case wire.Entered(incarnation=incarnation, slot=slot) if connection is not None:
                connection.entered, self._entered_at = True, now
                self.incarnation = self.here.incarnation(incarnation)
                self._failures = 0
                self._door.entered()
                self._move_to(slot)
            case wire.Opened(slot) if connection is not None:
                if slot != self._slot:
                    connection.shown = None
                self._move_to(slot)
            case wire.Committed(slot) | wire.Stale(_, slot):
                self._move_to(slot)
            case wire.Shown(slot) if connection is not None:
                connection.shown, connection.showing = slot, None
            case wire.Refused() as refused if connection is not None:
                self._refused(connection, refused)
            case wire.Broadcasted(blob):
                return blob
            case _:
                pass
        self._step(now)
        return None

    def _move_to(self, slot: int | None) -> None:
        if slot != self._slot:
            self._slot, self._behind_since = slot, None
            if self._connection is not None:
                self._connection.refusals = 0

    def _refused(self, connection: RoomConnection, refused: wire.Refused) -> None:
        if refused.about == "room_door":
            self._door.refused(refused)
        elif refused.about == "show":
            connection.refusals, connection.showing = connection.refusals + 1, None
        elif refused.code == "pass":
            connection.shown = None

    # -- steps -----------------------------------------------------------------------------------------

    @property
    def _last(self) -> int:
        """The last slot that the room there is to have."""
        slot = self._room.membership.journal.slot
        if self._departure is None:
            return slot
        return self._departure if self.hands_over_departure else self._departure - 1

    def _step(self, now: float) -> None:
        connection, journal = self._connection, self._room.membership.journal
        if connection is None or not connection.entered or self._room.ended is not None:
            return
        if self._slot is None or connection.refusals > 1:
            # A place that was left begins before the departure.
            first = self._last if self._departure is None else self._departure - 1
            self._open(connection, journal.entry(first), now)
        elif connection.shown is None or connection.shown < min(self._slot, self._last):
            self._show(connection, journal.entry(min(self._slot, self._last)))
        elif self.here.admin_key is not None and self._last - self._slot > BEHIND_MAX:
            # Many changed the room at once. One by one they take longer, and members keep only the last ones.
            self._open(connection, journal.entry(self._last), now)
        elif self._slot < self._last:
            self._hand_over(connection, journal.entry(self._slot + 1), now)

    def _open(self, connection: RoomConnection, entry: Entry | None, now: float) -> None:
        """Open the room: with the hosts' key at once, else when the server permits that to anybody (G5)."""
        is_host = self.here.admin_key is not None
        before = connection.opened_at
        if not self._opens or entry is None or (before is not None and now - before < AGAIN):
            return
        if is_host or now - self._entered_at > OPEN_WAIT:
            connection.opened_at, connection.refusals = now, 0
            self._send(wire.Open(entry.slot, invite.gate(entry.room_pass), entry.chain))

    def _show(self, connection: RoomConnection, entry: Entry | None) -> None:
        if connection.showing is None:
            connection.showing = self._slot
            only = entry is not None and connection.refusals == 0
            passes = (
                [entry.room_pass] if entry is not None and only else self._room.membership.journal.room_passes
            )
            self._send(wire.Show(passes))

    def _hand_over(self, connection: RoomConnection, entry: Entry | None, now: float) -> None:
        """Hand over the commit that the room lacks, if it is our turn, or nobody else has done it."""
        if entry is None or entry.blob is None:
            return
        if self._behind_since is None:
            self._behind_since = now
        room = self._room
        turn = (room.member_index - entry.slot) % len(room.membership.members())
        wait = TURN + TURN_STEP * turn if turn else 0.0
        again = connection.handing_over == entry.slot and now - connection.handed_over_at < AGAIN
        if now - self._behind_since >= wait and not again:
            connection.handing_over, connection.handed_over_at = entry.slot, now
            self._send(wire.Commit(entry.slot, entry.blob))

    def _send(self, message: wire.ClientMessage) -> None:
        told = self.here.outgoing(message)
        if told is not None:
            self._room.perform(ev.Transmit(self.endpoint, told))
